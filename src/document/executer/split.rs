//! `splitter` and `assigner`: a line to parts, parts to named fields.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::document::one_or_many::OneOrMany;

/// Splits a string at separators. With `to` the parts go to fields at once; without it they become
/// a list of strings at `as`, which an `assigner` (or a condition on `parts.3`) can use.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Splitter")]
pub struct SplitterForm {
    /// The field to split (default `message`, the field of a text line).
    pub field: Option<String>,
    /// One or several single characters, each of which separates parts (default a space).
    pub separators: Option<OneOrMany<String>>,
    /// Characters between which separators do not count: one character is both ends, two are
    /// opening and closing end, as in `"[]"` (default `"`; write an empty list for none).
    pub quotes: Option<OneOrMany<String>>,
    /// Several separators in a row count as one (default false).
    pub merge: Option<bool>,
    /// Paths for the parts in their order; `null` passes over one. Parts beyond the list are left
    /// out, and fields for which there is no part are not set.
    pub to: Option<Vec<Option<String>>>,
    /// Where the list of parts goes if there is no `to` (default `parts`).
    #[serde(rename = "as")]
    pub target: Option<String>,
    /// Fails (see `on_error`) unless there are exactly as many parts as `to` has places.
    pub exact: Option<bool>,
}

/// Gives the elements of a list to named fields, and takes the list away.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Assigner")]
pub struct AssignerForm {
    /// The list (default `parts`, where a splitter leaves it).
    pub field: Option<String>,
    /// Paths in the order of the parts (`null` passes over one), or from path to the number of the
    /// part, the first being 0.
    pub to: AssignerTargets,
    /// The list stays (default false).
    pub keep: Option<bool>,
    /// Fails (see `on_error`) when a part is missing; else its field is not set.
    pub exact: Option<bool>,
}

/// Where parts go.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum AssignerTargets {
    /// By place.
    List(Vec<Option<String>>),
    /// By number, from 0.
    Numbers(BTreeMap<String, u16>),
}
