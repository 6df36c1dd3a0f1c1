//! `lookup`, as written. (`rename`, `remove`, `keep` and `set` are plain maps and lists.)

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::document::diagnostic::At;
use crate::document::scope::Scope;
use crate::event::FieldId;
use crate::pipeline::executer::{Entry, Executer, Lookup};

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

impl LookupForm {
    pub(super) fn compile(&self, scope: &mut Scope<'_>, at: &At<'_>) -> Executer {
        let field = scope.field(&at.field("field"), &self.field);
        let target = self.target.as_deref();
        let target = target.map(|path| scope.field(&at.field("as"), path));
        let at_table = at.field("table");
        if self.table.is_empty() {
            let hint = "write at least one value and what it stands for";
            scope
                .diagnostics
                .error(&at_table, "the table is empty", hint);
        }
        let mut rows = Vec::with_capacity(self.table.len());
        for (key, value) in &self.table {
            let entry = entry(value, target, scope, &at_table.field(key));
            rows.push((key.as_str().into(), entry));
        }
        let default = self.default.as_ref();
        let default = default.map(|value| entry(value, target, scope, &at.field("default")));
        Executer::Lookup(Lookup::new(field, rows, default))
    }
}

fn entry(value: &Value, target: Option<FieldId>, scope: &mut Scope<'_>, at: &At<'_>) -> Entry {
    let json = |value: &Value| value.to_string().into_bytes().into_boxed_slice();
    if let Some(target) = target {
        return [(target, json(value))].into();
    }
    let Value::Object(values) = value else {
        let hint = "write an object from path to value, or add `as` and write the value alone";
        scope
            .diagnostics
            .error(at, "it does not say where the value goes", hint);
        return Entry::default();
    };
    let cell = |(path, value): (&String, &Value)| (scope.field(&at.field(path), path), json(value));
    values.iter().map(cell).collect()
}
