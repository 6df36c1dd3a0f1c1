//! The switches in force for one repo: modes of validators, executers and enrich steps on or off,
//! and restrictions.

pub mod bucket;
pub mod restriction;

use std::sync::Arc;

use crate::event::{Batch, Fields};
use crate::pipeline::switched::restriction::Restriction;
use crate::pipeline::validate::Mode;
use crate::pipeline::{Context, Plan};

/// The switches in force for one repo.
#[derive(Debug, Default, PartialEq)]
pub struct Switched {
    /// By index of the validator.
    pub modes: Vec<Mode>,
    /// By index of the executer: whether it runs.
    pub executers: Vec<bool>,
    /// By index of the enrich step: whether it runs.
    pub enrich: Vec<bool>,
    /// The emergency rules, in the order of the document.
    pub restrictions: Vec<Restriction>,
    /// The plan's fields and those that only restrictions read. `None`: the plan's are enough.
    pub fields: Option<WiderFields>,
}

/// Fields of a plan with some more; the ids of the plan's stay what they are.
#[derive(Clone, Debug)]
pub struct WiderFields(pub Arc<Fields>);

impl PartialEq for WiderFields {
    /// What they are follows from the plan and the restrictions, which are compared.
    fn eq(&self, _: &Self) -> bool {
        true
    }
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
            enrich: vec![true; plan.enrich.steps.len()],
            restrictions: Vec::new(),
            fields: None,
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

    /// Applies the restrictions, in order; an event that one of them drops does not reach the next.
    pub fn restrict(&self, batch: &mut Batch, context: &Context<'_>) {
        for restriction in &self.restrictions {
            restriction.apply(batch, context);
        }
    }
}
