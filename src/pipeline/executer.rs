//! The user's ordered steps: one file a kind.

use crate::event::Batch;
use crate::pipeline::Context;

/// One executer, perhaps with a name by which it can be switched.
#[derive(Debug)]
pub struct Step {
    /// Unique within the repo.
    pub name: Option<Box<str>>,
    /// Cannot be switched off.
    pub locked: bool,
}

impl Step {
    /// Runs it over every event that is left.
    pub fn run(&self, batch: &mut Batch, context: &Context<'_>) {
        let _ = (batch, context);
    }
}
