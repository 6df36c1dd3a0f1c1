//! `keep`: everything away but some fields. What is kept is copied as it stands, because members
//! that no stage looks at have no slots: the event is written anew.

use crate::event::{EventMut, Json, Path};
use crate::pipeline::executer::Scratch;

/// The fields that are kept, as a tree.
#[derive(Debug, Default)]
pub struct Keep {
    names: Vec<(Box<str>, Keep)>,
    /// Everything here is kept.
    whole: bool,
}

impl Keep {
    /// Of these fields.
    pub fn new<'p>(paths: impl IntoIterator<Item = &'p Path>) -> Self {
        let mut keep = Self::default();
        for path in paths {
            keep.add(path.names());
        }
        keep
    }

    fn add(&mut self, names: &[Box<str>]) {
        let Some((name, below)) = names.split_first() else {
            self.whole = true;
            return;
        };
        let at = self.names.iter().position(|(known, _)| known == name);
        let at = at.unwrap_or_else(|| {
            self.names.push((name.clone(), Self::default()));
            self.names.len() - 1
        });
        self.names[at].1.add(below);
    }

    pub(super) fn run(&self, event: &mut EventMut<'_>, scratch: &mut Scratch) {
        event.settle();
        let out = &mut scratch.bytes;
        out.clear();
        self.copy(event.at(event.event.text), out);
        let settled = event.settle_from(out);
        debug_assert!(settled.is_ok(), "{settled:?}");
    }

    fn copy(&self, object: Json<'_>, out: &mut Vec<u8>) {
        out.push(b'{');
        let empty = out.len();
        for member in object.members() {
            let Some(keep) = self.find(member.key) else {
                continue;
            };
            if !keep.whole && !member.value.raw().starts_with(b"{") {
                continue;
            }
            if out.len() > empty {
                out.push(b',');
            }
            out.extend_from_slice(member.key.raw());
            out.push(b':');
            if keep.whole {
                out.extend_from_slice(member.value.raw());
            } else {
                keep.copy(member.value, out);
            }
        }
        out.push(b'}');
    }

    fn find(&self, key: Json<'_>) -> Option<&Self> {
        let key = key.as_str()?;
        let found = self.names.iter().find(|(name, _)| **name == *key);
        found.map(|(_, keep)| keep)
    }
}
