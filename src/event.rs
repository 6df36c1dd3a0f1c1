//! Events as spans of the received body: found once, edited by an overlay, written once.
//!
//! A [`Batch`] owns the events of one request. Its text holds the body as decoded and, after it,
//! whatever stages add (scratch), in one address space of `u32` positions. No event is ever turned
//! into a tree: stages read fields through [`EventMut`] and leave edits behind, and
//! [`EventMut::write`] copies the original bytes with the edits spliced in.

mod address;
#[cfg(test)]
mod arbitrary;
mod batch;
mod edit;
mod fields;
mod json;
mod members;
mod names;
mod overlay;
mod pool;
mod reason;
mod record;
mod scan;

pub use address::ClientIp;
pub use batch::{Batch, Effect, Event, Fate, Place, Slot, Violation};
use edit::Together;
pub use edit::{EventMut, Saved};
pub use fields::{FieldId, Fields, FieldsBuilder, Path, PathError};
pub use json::{Json, Kind};
pub use members::{Elements, Member, Members};
pub use pool::Pool;
pub use reason::{Class, Reason};
pub use record::{
    Ack, ConstantHeaders, Label, Priority, Record, Records, TargetId, Topic, TopicId,
};
pub use scan::{Depth, ScanError, Syntax};

/// A half-open range of positions in a batch's text (or in a record buffer).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// The bytes of `text` that this span names.
    pub fn of(self, text: &[u8]) -> &[u8] {
        &text[self.start as usize..self.end as usize]
    }

    /// Where `part` stands, which was read from `whole`, the value at this span.
    pub fn part(self, whole: Json<'_>, part: Json<'_>) -> Self {
        let before = part.raw().as_ptr().addr() - whole.raw().as_ptr().addr();
        let start = self.start + u32::try_from(before).unwrap_or(u32::MAX);
        let len = u32::try_from(part.raw().len()).unwrap_or(u32::MAX);
        Self {
            start,
            end: start + len,
        }
    }

    /// Length in bytes.
    pub fn len(self) -> usize {
        (self.end - self.start) as usize
    }

    /// Whether it names no byte.
    pub fn is_empty(self) -> bool {
        self.start == self.end
    }
}
