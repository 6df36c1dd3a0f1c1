//! The switches: what product staff and people on call edit. Small on purpose.
//!
//! What is wrong in itself is an error, and holds the switches; what does not fit the set that is
//! live (a name that is gone, a topic that no repo declares) is a warning, and that entry alone is
//! not in force. So switches that compiled once compile against every set.

mod compile;
pub mod listing;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

pub use compile::{Switches, compile};

use crate::document::catalog::PriorityForm;
use crate::document::condition::ConditionForm;
use crate::document::moment::Moment;

/// The switches.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Switches")]
pub struct SwitchesForm {
    /// A number that people raise with every change.
    pub version: u64,
    /// What these switches are for.
    #[serde(default)]
    pub description: String,
    /// Who answers for them.
    #[serde(default)]
    pub owner: String,
    /// By repo, then by the name of a validator, executer or enrich step.
    #[serde(default)]
    pub repos: BTreeMap<String, BTreeMap<String, SwitchForm>>,
    /// Emergency rules, applied in this order.
    #[serde(default)]
    #[schemars(length(max = 32))]
    pub restrictions: Vec<RestrictionForm>,
}

/// One switch.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Switch")]
pub struct SwitchForm {
    /// `enforce`, `shadow` or `off` for a validator; `on` or `off` for an executer or enrich step.
    pub mode: SwitchMode,
    /// In force until then; without it until it is removed.
    pub until: Option<Moment>,
    /// Why.
    #[serde(default)]
    pub note: String,
    /// Who.
    #[serde(default)]
    pub by: String,
}

/// Where a switch stands.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum SwitchMode {
    /// The validator acts on what it finds.
    Enforce,
    /// The validator counts what it finds, and changes nothing.
    Shadow,
    /// It does not run.
    Off,
    /// The executer or enrich step runs.
    On,
}

impl SwitchMode {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Shadow => "shadow",
            Self::Off => "off",
            Self::On => "on",
        }
    }
}

/// An emergency rule.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Restriction")]
pub struct RestrictionForm {
    /// The repo.
    pub repo: String,
    /// Which events, after the executers; without it all of the repo's.
    pub when: Option<ConditionForm>,
    /// What becomes of them.
    #[serde(rename = "do")]
    pub action: ActionForm,
    /// In force until then; without it until it is removed.
    pub until: Option<Moment>,
    /// Why.
    #[serde(default)]
    pub note: String,
    /// Who.
    #[serde(default)]
    pub by: String,
}

/// What becomes of the events that fit.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
#[schemars(rename = "Action")]
pub enum ActionForm {
    /// They are filtered.
    Drop,
    /// A part of them is kept, always the same ones; the others are filtered.
    Sample(SampleForm),
    /// They go to another topic of the repo, and nowhere else.
    Redirect(RedirectForm),
    /// They have this priority.
    Priority(PriorityForm),
    /// What comes faster, on one instance, is filtered.
    Rate(RateForm),
}

/// A part that is kept.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "SampleRule")]
pub struct SampleForm {
    /// How much stays: 0.1 is a tenth.
    #[schemars(range(min = 0, max = 1))]
    pub keep: f64,
    /// A field: events with the same value stay or go together. Without it each event for itself.
    pub of: Option<String>,
}

/// Another topic.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "RedirectRule")]
pub struct RedirectForm {
    /// A topic that the repo's document names.
    pub topic: String,
    /// A producer that the repo's document names; needed if it names several.
    pub producer: Option<String>,
}

/// A rate.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "RateRule")]
pub struct RateForm {
    /// Events a second, on each instance; one second's worth may come at once.
    #[schemars(range(min = 1))]
    pub events_per_second: u32,
}

#[cfg(test)]
mod tests;
