//! `rename` and `remove`: members move or go; no value is copied.

use crate::event::{EventMut, FieldId};
use crate::pipeline::executer::{Scratch, Trouble, taken};

/// Moves fields, all at once: what stood at a new place is replaced, missing fields are left out.
#[derive(Debug)]
pub struct Rename(pub Box<[(FieldId, FieldId)]>);

impl Rename {
    pub(super) fn run(
        &self,
        event: &mut EventMut<'_>,
        scratch: &mut Scratch,
    ) -> Result<(), Trouble> {
        let spans = &mut scratch.spans;
        spans.clear();
        spans.extend(self.0.iter().map(|(from, _)| event.span(*from)));
        for (from, _) in &self.0 {
            event.remove(*from);
        }
        let mut result = Ok(());
        for ((from, to), span) in self.0.iter().zip(spans) {
            let Some(span) = *span else { continue };
            let done = event.point(*to, span);
            if let Err(trouble) = taken(event, *to, done) {
                event.point(*from, span);
                result = Err(trouble);
            }
        }
        result
    }
}

/// Takes fields away.
#[derive(Debug)]
pub struct Remove(pub Box<[FieldId]>);

impl Remove {
    pub(super) fn run(&self, event: &mut EventMut<'_>) {
        for field in &self.0 {
            event.remove(*field);
        }
    }
}
