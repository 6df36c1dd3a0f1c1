//! The repo's named checks: one file a kind.

pub mod catalog;

use crate::event::Batch;
use crate::pipeline::Context;

/// What a validator does with what it finds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Acts on it.
    #[default]
    Enforce,
    /// Counts it, and changes nothing.
    Shadow,
    /// Does not look.
    Off,
}

/// A named check.
#[derive(Debug)]
pub struct Validator {
    /// Unique within the repo.
    pub name: Box<str>,
    /// What the document says; the switches may say otherwise.
    pub mode: Mode,
}

impl Validator {
    /// Runs it over every event that is left.
    pub fn run(&self, mode: Mode, batch: &mut Batch, context: &Context<'_>) {
        let _ = (mode, batch, context);
    }
}
