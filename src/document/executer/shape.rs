//! `lookup`, as written. (`rename`, `remove`, `keep` and `set` are plain maps and lists.)

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

/// Looks a field's value up in a table. What is found goes to `as`; without `as` every entry is an
/// object from path to value, and each value goes to its path.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Lookup")]
pub struct LookupForm {
    /// The field whose value is looked up; a number or `true` by its text.
    pub field: String,
    /// Where the found value goes.
    #[serde(rename = "as")]
    pub target: Option<String>,
    /// From the field's value to what it stands for.
    pub table: BTreeMap<String, serde_json::Value>,
    /// What is used for a value that is not in the table, and for a missing field; without it
    /// nothing is set.
    pub default: Option<serde_json::Value>,
}
