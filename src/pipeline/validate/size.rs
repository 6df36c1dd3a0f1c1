//! `size`: how large an event may be, with all that the pipeline has added until here.

use std::sync::Arc;

use crate::event::{Batch, EventMut, Fields, Reason};
use crate::pipeline::validate::{Finder, Found};

/// How large an event may be.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// In bytes.
    pub max: u32,
}

impl Size {
    pub(super) fn run(self, finder: Finder, batch: &mut Batch) {
        let fields = batch.fields().clone();
        let mut written = Vec::new();
        batch.each(|event| {
            let size = self.measure(event, &fields, &mut written);
            if size > self.max as usize {
                let message = format!("expected at most {} bytes, got {size}", self.max);
                let found = Found::rejecting(Reason::ValidateSize, message);
                finder.note(event, "", found, None);
            }
        });
    }

    /// The event is written only where an estimate, which is never too small, does not suffice.
    fn measure(self, event: &EventMut<'_>, fields: &Arc<Fields>, out: &mut Vec<u8>) -> usize {
        let estimate = event.event.received.len() + event.grown() as usize;
        if estimate <= self.max as usize {
            return estimate;
        }
        out.clear();
        event.write(fields, out);
        out.len()
    }
}
