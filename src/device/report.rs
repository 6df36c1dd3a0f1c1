//! Records about devices, for topics of their own: whose device could not be looked up, so that
//! it can be corrected later, and whose identifiers lead to different devices.
//!
//! ```json
//! {"kind":"degraded","id":"01J…-7","repo":"tracking","received":"2025-06-15T15:06:40.5Z",
//!  "revision":"3f2a91c0d4e5","events":3,"device":"5d41…","first_event":{"length":812,"digest":"9f86…"},
//!  "identifiers":[{"type":"oaid","key":"0a1b…"},{"type":"imei","key":"77c2…","device":"1f3d…"}]}
//! ```
//! One for each device of a request. Identifiers are told by their keys in the map, which need the
//! secret to be made, never in clear: a reader of the topic learns no identifier. They are all that
//! a look-up needs. `device` of an identifier is where it leads, if that is known.

use jiff::Timestamp;
use serde::Serialize;

use crate::device::lookup::Asked;
use crate::device::{Attributed, Keys, Resolved, Side, Status, Step, WhenUnavailable};
use crate::event::{Record, Records, Span};

/// What a record tells of the request that it comes from.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// The repo.
    pub repo: &'a str,
    /// The id of the batch.
    pub batch: &'a str,
    /// The digest of the revision.
    pub revision: &'a str,
    /// When it was received.
    pub received: Timestamp,
}

/// A device of which something must be told.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Report {
    pub(super) conflict: bool,
    /// Index of the event that was looked up.
    event: usize,
    /// How many events of the request are of this device.
    pub(super) events: u64,
    device: String,
    first_event: First,
    identifiers: Vec<Identifier>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct First {
    length: u16,
    digest: String,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Identifier {
    r#type: String,
    key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<String>,
}

#[derive(Serialize)]
struct Document<'d> {
    kind: &'static str,
    id: String,
    repo: &'d str,
    received: Timestamp,
    revision: &'d str,
    events: u64,
    device: &'d str,
    first_event: &'d First,
    identifiers: &'d [Identifier],
}

impl Report {
    /// What is to be told of a device, if a topic waits for it.
    pub(super) fn of(
        step: &Step,
        keys: &Keys,
        (asked, kinds): (&Asked, &[usize]),
        resolved: &Resolved,
        event: usize,
    ) -> Option<Self> {
        let degrades = step.when_unavailable == WhenUnavailable::Degrade;
        let wanted = match resolved.status {
            Status::Degraded => degrades && step.reattribution.is_some(),
            Status::Conflict => step.conflicts.is_some(),
            Status::Known | Status::New | Status::None => false,
        };
        if !wanted {
            return None;
        }
        let known = asked.keys.iter().zip(&asked.entries).zip(kinds);
        let identifiers = known.map(|((key, entry), kind)| Identifier {
            r#type: step.identifiers[*kind].0.clone(),
            key: key.to_string(),
            device: entry.map(|entry| keys.device(entry.owner(*key)).to_string()),
        });
        Some(Self {
            conflict: resolved.status == Status::Conflict,
            event,
            events: 0,
            device: resolved.id.map(|id| id.to_string()).unwrap_or_default(),
            first_event: First {
                length: asked.event.length,
                digest: asked.event.digest.to_string(),
            },
            identifiers: identifiers.collect(),
        })
    }
}

impl Attributed {
    /// Appends a record for every device of which something must be told.
    pub fn report(&self, step: &Step, origin: &Origin<'_>, records: &mut Records) {
        for report in &self.reports {
            let side = if report.conflict {
                step.conflicts
            } else {
                step.reattribution
            };
            if let Some(side) = side {
                report.write(&side, origin, records);
            }
        }
    }
}

impl Report {
    fn write(&self, side: &Side, origin: &Origin<'_>, records: &mut Records) {
        let document = Document {
            kind: if self.conflict {
                "conflict"
            } else {
                "degraded"
            },
            id: format!("{}-{}", origin.batch, self.event),
            repo: origin.repo,
            received: origin.received,
            revision: origin.revision,
            events: self.events,
            device: &self.device,
            first_event: &self.first_event,
            identifiers: &self.identifiers,
        };
        let start = records.buffer.len();
        let written = serde_json::to_writer(&mut records.buffer, &document);
        debug_assert!(written.is_ok(), "texts and numbers can be written");
        let position = |at| u32::try_from(at).ok();
        match (position(start), position(records.buffer.len())) {
            (Some(start), Some(end)) => records.items.push(Record {
                event: None,
                target: side.target,
                topic: side.topic,
                priority: side.priority,
                key: None,
                payload: Span { start, end },
            }),
            _ => records.buffer.truncate(start),
        }
    }
}
