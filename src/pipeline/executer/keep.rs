//! `keep`: everything away but some fields. What is kept is copied as it stands, because members
//! that no stage looks at have no slots: the event is written anew.

use crate::event::{EventMut, Json, Kind, Path};
use crate::pipeline::executer::Scratch;

/// The fields that are kept, as a tree.
#[derive(Debug, Default)]
pub struct Keep {
    names: Vec<Name>,
    /// Everything here is kept.
    whole: bool,
}

/// What is kept under a name.
#[derive(Debug)]
struct Name {
    text: Box<str>,
    /// The element that it names, where it stands below a list.
    element: Option<usize>,
    keep: Keep,
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
        let at = self.names.iter().position(|known| known.text == *name);
        let at = at.unwrap_or_else(|| {
            let element = name.parse().ok();
            self.names.push(Name {
                text: name.clone(),
                element: element.filter(|number: &usize| number.to_string() == **name),
                keep: Self::default(),
            });
            self.names.len() - 1
        });
        self.names[at].keep.add(below);
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
            let key = member.key.as_str().unwrap_or_default();
            let Some(keep) = self.find(member.value, |name| *name.text == *key) else {
                continue;
            };
            if out.len() > empty {
                out.push(b',');
            }
            out.extend_from_slice(member.key.raw());
            out.push(b':');
            keep.copy_value(member.value, out);
        }
        out.push(b'}');
    }

    /// Elements that are kept move together.
    fn copy_elements(&self, list: Json<'_>, out: &mut Vec<u8>) {
        out.push(b'[');
        let empty = out.len();
        for (index, element) in list.elements().enumerate() {
            let Some(keep) = self.find(element, |name| name.element == Some(index)) else {
                continue;
            };
            if out.len() > empty {
                out.push(b',');
            }
            keep.copy_value(element, out);
        }
        out.push(b']');
    }

    fn copy_value(&self, value: Json<'_>, out: &mut Vec<u8>) {
        match value.kind() {
            _ if self.whole => out.extend_from_slice(value.raw()),
            Kind::Array => self.copy_elements(value, out),
            _ => self.copy(value, out),
        }
    }

    /// What is kept of a value by its name: of one that has no such members all or nothing.
    fn find(&self, value: Json<'_>, named: impl Fn(&Name) -> bool) -> Option<&Self> {
        let keep = &self.names.iter().find(|name| named(name))?.keep;
        let goes_on = match value.kind() {
            Kind::Object => true,
            Kind::Array => keep.names.iter().any(|name| name.element.is_some()),
            Kind::Null | Kind::Bool | Kind::Number | Kind::String => false,
        };
        (keep.whole || goes_on).then_some(keep)
    }
}
