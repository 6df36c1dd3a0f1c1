//! `rename` and `remove`: members move or go; no value is copied. Fields are taken away from the
//! last to the first, because what follows an element of a list moves up when it goes.

use std::cmp::Ordering;

use crate::event::{EventMut, FieldId, FieldsBuilder, Kind, Path, Span};
use crate::pipeline::executer::{Scratch, Trouble, taken};

/// Moves fields, all at once: what stood at a new place is replaced, missing fields are left out.
#[derive(Debug)]
pub struct Rename {
    moves: Box<[Move]>,
    /// The old places, as they are taken away.
    gone: Box<[FieldId]>,
}

/// From one place to another.
#[derive(Debug)]
struct Move {
    from: FieldId,
    to: FieldId,
    /// What may be a list, the new place somewhere in it, of which the rename takes elements away:
    /// then the new place is another element than was meant.
    shifted: Option<FieldId>,
}

impl Rename {
    /// From the first place of each pair to the second.
    pub fn new(pairs: &[(FieldId, FieldId)], fields: &FieldsBuilder) -> Self {
        let lists: Vec<_> = pairs
            .iter()
            .filter(|(from, _)| fields.path(*from).is_some_and(may_be_element))
            .filter_map(|(from, _)| fields.parent(*from))
            .collect();
        let moved = |(from, to): &(FieldId, FieldId)| Move {
            from: *from,
            to: *to,
            shifted: above(*to, fields).find(|above| lists.contains(above)),
        };
        Self {
            moves: pairs.iter().map(moved).collect(),
            gone: last_first(pairs.iter().map(|(from, _)| *from).collect(), fields),
        }
    }

    pub(super) fn run(
        &self,
        event: &mut EventMut<'_>,
        scratch: &mut Scratch,
    ) -> Result<(), Trouble> {
        let spans = &mut scratch.spans;
        spans.clear();
        for each in &self.moves {
            let span = event.span(each.from);
            let list = |id| {
                event
                    .get(id)
                    .is_some_and(|value| value.kind() == Kind::Array)
            };
            if span.is_some() && each.shifted.is_some_and(list) {
                let message = "the elements of a list cannot change places";
                return Err(Trouble::new(each.to, message));
            }
            spans.push(span);
        }
        let before = event.save(&mut scratch.slots);
        let moved = event.together(|event| self.go(event, spans));
        if moved.is_err() {
            event.restore(before, &scratch.slots);
        }
        moved
    }

    /// `spans` are the values at the old places.
    fn go(&self, event: &mut EventMut<'_>, spans: &[Option<Span>]) -> Result<(), Trouble> {
        for from in &self.gone {
            event.remove(*from);
        }
        for (each, span) in self.moves.iter().zip(spans) {
            let Some(span) = *span else { continue };
            let done = event.point(each.to, span);
            taken(event, each.to, done)?;
        }
        Ok(())
    }
}

/// Takes fields away.
#[derive(Debug)]
pub struct Remove(Box<[FieldId]>);

impl Remove {
    /// Of these fields.
    pub fn new(gone: Box<[FieldId]>, fields: &FieldsBuilder) -> Self {
        Self(last_first(gone, fields))
    }

    pub(super) fn run(&self, event: &mut EventMut<'_>) {
        event.together(|event| {
            for field in &self.0 {
                event.remove(*field);
            }
        });
    }
}

/// Every element of a list before those that it follows, and what stands in it before itself.
fn last_first(mut gone: Box<[FieldId]>, fields: &FieldsBuilder) -> Box<[FieldId]> {
    gone.sort_by(|a, b| match (fields.path(*a), fields.path(*b)) {
        (Some(a), Some(b)) => places(b).cmp(places(a)),
        _ => Ordering::Equal,
    });
    gone
}

/// The names of a path, elements of a list by their number.
fn places(path: &Path) -> impl Iterator<Item = (Option<u64>, &str)> {
    let names = path.names().iter();
    names.map(|name| (name.parse().ok(), &**name))
}

fn may_be_element(path: &Path) -> bool {
    let last = places(path).last();
    last.is_some_and(|(number, _)| number.is_some())
}

fn above(field: FieldId, fields: &FieldsBuilder) -> impl Iterator<Item = FieldId> {
    std::iter::successors(fields.parent(field), |above| fields.parent(*above))
}
