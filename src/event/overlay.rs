//! Writing an event: the original bytes and the edits, in one pass.

use crate::event::{EventMut, Fields};

impl EventMut<'_> {
    /// Appends the event with its edits to `out`.
    pub fn write(&self, fields: &Fields, out: &mut Vec<u8>) {
        let _ = (fields, out);
        todo!()
    }

    /// Writes the event with its edits into the scratch and finds its fields there again; for the
    /// rare edit that changes the shape above or below other fields.
    pub fn settle(&mut self) {
        todo!()
    }
}
