//! `lookup`: a small table that stands in the document.

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use crate::event::{EventMut, FieldId};
use crate::pipeline::executer::set::text_of;
use crate::pipeline::executer::split::all_accepted;
use crate::pipeline::executer::{Trouble, put};

/// A field's value to values of other fields.
#[derive(Debug)]
pub struct Lookup {
    field: FieldId,
    table: HashMap<Box<str>, Entry, RandomState>,
    default: Option<Entry>,
}

/// What a value stands for: JSON for fields.
pub type Entry = Box<[(FieldId, Box<[u8]>)]>;

impl Lookup {
    /// The table.
    pub fn new(
        field: FieldId,
        table: impl IntoIterator<Item = (Box<str>, Entry)>,
        default: Option<Entry>,
    ) -> Self {
        Self {
            field,
            table: table.into_iter().collect(),
            default,
        }
    }

    pub(super) fn run(&self, event: &mut EventMut<'_>) -> Result<(), Trouble> {
        let value = event.get(self.field);
        let found = value.and_then(|value| self.table.get(text_of(value).as_ref()));
        let Some(entry) = found.or(self.default.as_ref()) else {
            return Ok(());
        };
        all_accepted(event, entry.iter().map(|(field, _)| field))?;
        event.together(|event| {
            for (field, json) in entry {
                put(event, *field, |_, out| out.extend_from_slice(json))?;
            }
            Ok(())
        })
    }
}
