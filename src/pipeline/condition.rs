//! Conditions: one small language for constraint, filters, restrictions, routes and validators.

use crate::event::EventMut;

/// A compiled condition.
#[derive(Debug)]
pub enum Condition {
    /// All of them.
    All(Vec<Condition>),
}

impl Condition {
    /// Whether it holds for the event as it is now.
    pub fn holds(&self, event: &EventMut<'_>) -> bool {
        match self {
            Self::All(all) => all.iter().all(|each| each.holds(event)),
        }
    }
}
