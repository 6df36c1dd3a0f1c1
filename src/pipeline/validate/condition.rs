//! `condition`: something that must hold.

use crate::event::{EventMut, Reason};
use crate::pipeline::Context;
use crate::pipeline::condition::Condition;
use crate::pipeline::validate::{Finder, Found};

/// A condition that must hold.
#[derive(Debug)]
pub struct Must {
    /// The condition.
    pub condition: Condition,
    /// What the caller reads when it does not hold.
    pub message: Box<str>,
}

impl Must {
    pub(super) fn run(&self, finder: Finder, event: &mut EventMut<'_>, context: &Context<'_>) {
        if !self.condition.holds(event, context) {
            let found = Found::rejecting(Reason::ValidateCondition, &*self.message);
            finder.note(event, "", found, None);
        }
    }
}
