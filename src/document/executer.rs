//! Executers as people write them: `- rename: { ts: time }`, or with common keys beside the kind,
//! `- { name: campaign, parse: { url: properties.url, query_as: properties.campaign } }`.
//!
//! One object with every kind as an optional key: a kind that does not exist is then an unknown
//! field, and gets a suggestion like any other; that there is exactly one is checked here.

pub mod cast;
mod compile;
pub mod parse;
pub mod privacy;
pub mod script;
mod set;
pub mod shape;
pub mod split;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::document::condition::ConditionForm;
use crate::document::executer::cast::CastForm;
use crate::document::executer::parse::ParseForm;
use crate::document::executer::privacy::{HashForm, MaskForm};
use crate::document::executer::script::ScriptForm;
use crate::document::executer::shape::LookupForm;
use crate::document::executer::split::{AssignerForm, SplitterForm};
use crate::document::one_or_many::OneOrMany;

/// One step of the repo's ordered list: exactly one kind, and the common keys `name`, `locked`,
/// `when` and `on_error`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Executer")]
pub struct ExecuterForm {
    /// A name, unique within the repo, by which the switches can set it `on` and `off`.
    pub name: Option<String>,
    /// Cannot be switched off, although it has a name.
    pub locked: Option<bool>,
    /// Only events for which this holds go through the step; the others stay as they are.
    pub when: Option<ConditionForm>,
    /// What happens to an event that the step cannot work on: `keep` (default) leaves it as it
    /// was, `remove` takes the field away, `reject` rejects the event with `execute.failed`. It is
    /// counted in every case.
    pub on_error: Option<OnErrorForm>,

    /// Splits a string at separators; quoted parts stay whole.
    pub splitter: Option<SplitterForm>,
    /// Gives the parts that a splitter made to named fields.
    pub assigner: Option<AssignerForm>,
    /// Only events for which this holds stay; the others are filtered.
    pub filter: Option<ConditionForm>,
    /// From the old path to the new one. All at once, so that two fields can change places; what
    /// stood at the new path is replaced, and a field that is missing is left out.
    pub rename: Option<BTreeMap<String, String>>,
    /// Takes these fields away.
    pub remove: Option<OneOrMany<String>>,
    /// Takes everything away but these fields; of a list the elements that are named stay.
    pub keep: Option<OneOrMany<String>>,
    /// Sets fields, by path, to any JSON; what stood there is replaced. In a string, `{{ path }}`
    /// is another field's value; a string that is nothing else takes the value with its type.
    pub set: Option<BTreeMap<String, serde_json::Value>>,
    /// Turns a value into another type.
    pub cast: Option<CastForm>,
    /// Reads what is packed in a string: JSON, a time, a URL, a query, a user agent, …
    pub parse: Option<ParseForm>,
    /// Replaces a value by its digest.
    pub hash: Option<HashForm>,
    /// Replaces characters of a string.
    pub mask: Option<MaskForm>,
    /// Looks a value up in a small table that stands in the document.
    pub lookup: Option<LookupForm>,
    /// Runs a Luau (Lua) program on the event, in a sandbox with limits.
    pub script: Option<ScriptForm>,
}

/// What happens to an event that a step cannot work on.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "OnError")]
pub enum OnErrorForm {
    /// It stays as it was.
    #[default]
    Keep,
    /// The field that the step reads is taken away.
    Remove,
    /// The event is rejected.
    Reject,
}

#[cfg(test)]
mod tests;
