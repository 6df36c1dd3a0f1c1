//! Attributing the events of a batch to devices: one look-up for each distinct device of it.

use hashbrown::{HashMap, HashSet};
use jiff::Timestamp;

use crate::device::identifier::Kind;
use crate::device::resolve::{Identifier, Resolved};
use crate::device::{Devices, Open, Status, Step};
use crate::event::{Batch, EventMut, Fate, Json, Span};

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

/// A device of the batch.
struct Distinct {
    resolved: Resolved,
    /// The event that was looked up: only it can be the device's first.
    first: usize,
}

impl Devices {
    /// Writes the device's id, whether it is new, and how it was found, into every event that is
    /// still on its way. What the client wrote there does not stay.
    pub fn attribute(&self, step: &Step, batch: &mut Batch, received: Timestamp) -> Counts {
        let day = u32::try_from(received.as_second() / 86_400).unwrap_or(0);
        self.attribute_by(step, batch, |open, identifiers, event| {
            open.resolve(identifiers, event, day)
        })
    }

    /// Writes what [`Devices::attribute`] would write now, and remembers nothing.
    pub fn foresee(&self, step: &Step, batch: &mut Batch) -> Counts {
        self.attribute_by(step, batch, Open::foresee)
    }

    fn attribute_by(
        &self,
        step: &Step,
        batch: &mut Batch,
        resolve: impl Fn(&Open, &[Identifier<'_>], &[u8]) -> Resolved,
    ) -> Counts {
        let mut distinct: Vec<Distinct> = Vec::new();
        let mut by_written: HashMap<Box<[u8]>, usize> = HashMap::new();
        // Of each event the device, as an index; of one that left none.
        let mut devices = vec![usize::MAX; batch.events().len()];
        let mut written = Vec::new();
        for (index, device) in devices.iter_mut().enumerate() {
            if batch.events()[index].fate != Fate::Live {
                continue;
            }
            let event = batch.event(index);
            step.read(&event, &mut written);
            *device = match by_written.get(&written[..]) {
                Some(known) => *known,
                None => {
                    let resolved = match &self.0 {
                        Some(open) => resolve(open, &step.identifiers_of(&event), event.received()),
                        None => Resolved::without_id(Status::Degraded),
                    };
                    let first = index;
                    distinct.push(Distinct { resolved, first });
                    by_written.insert(written[..].into(), distinct.len() - 1);
                    distinct.len() - 1
                }
            };
        }
        unite(&mut distinct);
        step.write_all(batch, &devices, &distinct)
    }
}

/// Different identifiers may lead to one device: only the first event of each can be its first.
fn unite(distinct: &mut [Distinct]) {
    let mut seen = HashSet::new();
    for each in distinct {
        if each.resolved.id.is_some_and(|id| !seen.insert(id)) {
            each.resolved = each.resolved.of_a_later_event();
        }
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

    /// The identifiers as they are written, to tell devices apart before anything is looked up.
    fn read(&self, event: &EventMut<'_>, written: &mut Vec<u8>) {
        written.clear();
        for (_, field) in &self.identifiers {
            let value = event.get(*field).map(Json::raw);
            written.extend_from_slice(value.unwrap_or_default());
            // JSON has no such byte.
            written.push(0);
        }
    }

    /// The identifiers that are worth something, strongest first.
    fn identifiers_of(&self, event: &EventMut<'_>) -> Vec<Identifier<'_>> {
        let mut identifiers = Vec::with_capacity(self.identifiers.len());
        for (kind, field) in &self.identifiers {
            let Some(value) = event.get(*field) else {
                continue;
            };
            let text = value.as_str();
            let text = text.unwrap_or_else(|| String::from_utf8_lossy(value.raw()));
            if let Some(value) = Kind::of(kind).normalise(&text, &self.invalid) {
                identifiers.push(Identifier { kind, value });
            }
        }
        identifiers
    }

    fn write_all(&self, batch: &mut Batch, devices: &[usize], distinct: &[Distinct]) -> Counts {
        let words = Words::share(batch);
        let ids: Vec<Span> = distinct
            .iter()
            .map(|each| match each.resolved.id {
                Some(id) => batch.share(&id.quoted()),
                None => Span::default(),
            })
            .collect();
        let mut counts = Counts::default();
        for (index, device) in devices.iter().enumerate() {
            let Some(each) = distinct.get(*device) else {
                continue;
            };
            let resolved = if index == each.first {
                each.resolved
            } else {
                each.resolved.of_a_later_event()
            };
            counts.add(resolved.status);
            let event = &mut batch.event(index);
            self.write(
                event,
                ids[*device],
                resolved.is_new,
                resolved.status,
                &words,
            );
        }
        counts
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
            event.point(self.id_as, id);
        }
        if let Some(field) = self.new_as {
            event.point(field, words.is_new(is_new));
        }
        if let Some(field) = self.status_as {
            event.point(field, words.status(status));
        }
    }
}

impl Resolved {
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
