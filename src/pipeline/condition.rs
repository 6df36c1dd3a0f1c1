//! Conditions: one small language for constraint, filters, restrictions, routes and validators.
//!
//! A missing field fails every test but `Exists(false)`. Strings are compared by their characters;
//! nothing is allocated unless a string holds an escape.

mod set;
mod test;
mod text;

pub use crate::pipeline::condition::set::{Constant, Set};
pub use crate::pipeline::condition::test::{Kinds, Range, Test, Window};
pub use crate::pipeline::condition::text::{Needles, Place};

use crate::event::{EventMut, FieldId};
use crate::pipeline::Context;

/// A compiled condition.
#[derive(Debug)]
pub enum Condition {
    /// Every one holds; true if there is none.
    All(Box<[Condition]>),
    /// At least one holds.
    Any(Box<[Condition]>),
    /// This does not hold.
    Not(Box<Condition>),
    /// The field's value meets the test.
    Field(FieldId, Test),
}

impl Condition {
    /// Whether it holds for the event as it is now.
    pub fn holds(&self, event: &EventMut<'_>, context: &Context<'_>) -> bool {
        match self {
            Self::All(all) => all.iter().all(|each| each.holds(event, context)),
            Self::Any(any) => any.iter().any(|each| each.holds(event, context)),
            Self::Not(not) => !not.holds(event, context),
            Self::Field(field, test) => match event.get(*field) {
                Some(value) => test.meets(value, context.received),
                None => matches!(test, Test::Exists(false)),
            },
        }
    }
}
