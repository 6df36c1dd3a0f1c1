//! Attributing the events of a batch to devices: one look-up for each distinct device of it.

mod gather;

use std::time::Instant;

use jiff::Timestamp;

use crate::device::attribute::gather::{Gathered, unite};
use crate::device::digest::{Key, Keys};
use crate::device::identifier::Kind;
use crate::device::lookup::{Mode, Moment};
use crate::device::report::Report;
use crate::device::{Devices, Open, Resolved, Status, Step, WhenUnavailable};
use crate::event::{Batch, EventMut, Json, Reason, Span};

/// How the events of a batch were attributed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// To a device that was known.
    pub known: u64,
    /// To a device whose first event it is.
    pub new: u64,
    /// To the device of the strongest identifier; others led elsewhere.
    pub conflict: u64,
    /// To none, because the map could not be asked.
    pub degraded: u64,
    /// To none, because no identifier was worth anything.
    pub none: u64,
}

impl Counts {
    /// Each status with how many events have it.
    pub fn by_status(self) -> [(Status, u64); 5] {
        [
            (Status::Known, self.known),
            (Status::New, self.new),
            (Status::Conflict, self.conflict),
            (Status::Degraded, self.degraded),
            (Status::None, self.none),
        ]
    }
}

/// What came of attributing a batch.
#[derive(Debug, Default)]
pub struct Attributed {
    /// How its events were attributed.
    pub counts: Counts,
    /// Devices of which a topic is told.
    pub(super) reports: Vec<Report>,
}

impl Devices {
    /// Writes the device's id, whether it is new, and how it was found, into every event that is
    /// still on its way. What the client wrote there does not stay. Waits for the map only where it
    /// must be asked, and at most until its deadline.
    pub async fn attribute(
        &self,
        step: &Step,
        batch: &mut Batch,
        received: Timestamp,
    ) -> Attributed {
        self.run(Mode::Remember, step, batch, received).await
    }

    /// Writes what [`Devices::attribute`] would write now, and remembers nothing.
    pub async fn foresee(&self, step: &Step, batch: &mut Batch, received: Timestamp) -> Attributed {
        self.run(Mode::Foresee, step, batch, received).await
    }

    async fn run(
        &self,
        mode: Mode,
        step: &Step,
        batch: &mut Batch,
        received: Timestamp,
    ) -> Attributed {
        let open = self.0.as_deref();
        let mut gathered = Gathered::of(open, mode, step, batch, moment(received));
        let mut reports = Vec::new();
        if let Some(open) = open {
            if mode == Mode::Remember {
                open.count(&gathered);
            }
            if !gathered.lookup.asked.is_empty() {
                let begun = Instant::now();
                open.map.run(&mut gathered.lookup).await;
                open.note_time(begun);
                reports = gathered.take(open, step);
            }
        }
        unite(&mut gathered.distinct);
        let counts = gathered.write(step, batch, &mut reports);
        Attributed { counts, reports }
    }
}

impl Open {
    fn count(&self, gathered: &Gathered) {
        if let Some(metrics) = &self.metrics {
            let missed = gathered.lookup.asked.len();
            metrics.device_cache_hits.inc_by(gathered.cached);
            metrics.device_cache_misses.inc_by(missed as u64);
        }
    }

    fn note_time(&self, begun: Instant) {
        if let Some(metrics) = &self.metrics {
            let seconds = begun.elapsed().as_secs_f64();
            metrics.device_seconds.observe(seconds);
        }
    }
}

/// Seconds and days since 1970; nothing outside of what fits.
fn moment(received: Timestamp) -> Moment {
    let second = received.as_second().max(0);
    Moment {
        second: u32::try_from(second).unwrap_or(u32::MAX),
        day: u16::try_from(second / 86_400).unwrap_or(u16::MAX),
    }
}

impl Step {
    /// Attributes every event that is left to a device that is known from elsewhere: a sample's.
    pub fn attribute_to(&self, batch: &mut Batch, id: Option<&str>, is_new: Option<bool>) {
        let status = match (id, is_new) {
            (None, _) => Status::None,
            (Some(_), Some(true)) => Status::New,
            (Some(_), _) => Status::Known,
        };
        let words = Words::share(batch);
        let id = share_text(batch, id.unwrap_or_default());
        batch.each(|event| self.write(event, id, is_new, status, &words));
    }

    /// Appends the identifiers as they are written, to tell devices apart before anything is looked
    /// up.
    fn read(&self, event: &EventMut<'_>, written: &mut Vec<u8>) {
        written.extend_from_slice(&self.fingerprint.to_be_bytes());
        for (_, field) in &self.identifiers {
            let value = event.get(*field).map(Json::raw);
            written.extend_from_slice(value.unwrap_or_default());
            // JSON has no such byte.
            written.push(0);
        }
    }

    /// The keys of the identifiers that are worth something, strongest first, and which they are.
    fn keys_of(&self, event: &EventMut<'_>, keys: &Keys) -> (Vec<usize>, Vec<Key>) {
        let identifiers = self.identifiers.iter().enumerate();
        identifiers
            .filter_map(|(at, (kind, field))| {
                let value = event.get(*field)?;
                let text = value.as_str();
                let text = text.unwrap_or_else(|| String::from_utf8_lossy(value.raw()));
                let value = Kind::of(kind).normalise(&text, &self.invalid)?;
                Some((at, keys.key(kind, &value)))
            })
            .unzip()
    }

    fn skew_of(&self, event: &EventMut<'_>) -> Option<i32> {
        let millis = event.get(self.skew?)?.as_i64()?;
        let most = i64::from(i32::MAX);
        i32::try_from(millis.clamp(-most, most)).ok()
    }

    /// What becomes of an event whose device was looked up.
    fn settle(&self, event: &mut EventMut<'_>, id: Span, resolved: Resolved, words: &Words) {
        let Resolved { status, is_new, .. } = resolved;
        let id = match (status, self.when_unavailable) {
            (Status::Degraded, WhenUnavailable::Reject) => {
                let message = "its device could not be looked up".to_owned();
                return event.reject(Reason::Device, "", message);
            }
            (Status::Degraded, WhenUnavailable::Skip) => Span::default(),
            _ => id,
        };
        self.write(event, id, is_new, status, words);
    }

    fn write(
        &self,
        event: &mut EventMut<'_>,
        id: Span,
        is_new: Option<bool>,
        status: Status,
        words: &Words,
    ) {
        if id.is_empty() {
            event.remove(self.id_as);
        } else {
            event.claim(self.id_as, id);
        }
        if let Some(field) = self.new_as {
            event.claim(field, words.is_new(is_new));
        }
        if let Some(field) = self.status_as {
            event.claim(field, words.status(status));
        }
    }
}

impl Resolved {
    /// No device, and nobody knows whether it is new.
    fn without_id(status: Status) -> Self {
        Self {
            id: None,
            status,
            is_new: None,
        }
    }

    /// What holds for the other events of the device in the same batch.
    fn of_a_later_event(self) -> Self {
        let status = match self.status {
            Status::New => Status::Known,
            other => other,
        };
        Self {
            status,
            is_new: self.is_new.map(|_| false),
            ..self
        }
    }
}

impl Counts {
    fn add(&mut self, status: Status) {
        let count = match status {
            Status::Known => &mut self.known,
            Status::New => &mut self.new,
            Status::Conflict => &mut self.conflict,
            Status::Degraded => &mut self.degraded,
            Status::None => &mut self.none,
        };
        *count += 1;
    }
}

/// Values that many events share, written once.
struct Words {
    yes: Span,
    no: Span,
    null: Span,
    known: Span,
    new: Span,
    conflict: Span,
    degraded: Span,
    none: Span,
}

impl Words {
    fn share(batch: &mut Batch) -> Self {
        Self {
            yes: batch.share(b"true"),
            no: batch.share(b"false"),
            null: batch.share(b"null"),
            known: share_text(batch, Status::Known.as_str()),
            new: share_text(batch, Status::New.as_str()),
            conflict: share_text(batch, Status::Conflict.as_str()),
            degraded: share_text(batch, Status::Degraded.as_str()),
            none: share_text(batch, Status::None.as_str()),
        }
    }

    fn is_new(&self, is_new: Option<bool>) -> Span {
        match is_new {
            Some(true) => self.yes,
            Some(false) => self.no,
            None => self.null,
        }
    }

    fn status(&self, status: Status) -> Span {
        match status {
            Status::Known => self.known,
            Status::New => self.new,
            Status::Conflict => self.conflict,
            Status::Degraded => self.degraded,
            Status::None => self.none,
        }
    }
}

/// A text as a JSON string; nothing for an empty one.
fn share_text(batch: &mut Batch, text: &str) -> Span {
    let mut json = Vec::new();
    if !text.is_empty() {
        Json::write_str(&mut json, text);
    }
    batch.share(&json)
}

#[cfg(test)]
mod tests;
