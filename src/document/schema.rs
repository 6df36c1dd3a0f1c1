//! The JSON Schema of a type of document, as editors and [`crate::document::shape`] use it.
//!
//! Made by schemars from the Rust types. One thing is changed: an optional field may be left out,
//! but not be `null`, because a forgotten value must not read as "none".

use schemars::{JsonSchema, SchemaGenerator};
use serde_json::Value;

/// The schema of a type.
pub fn of<T: JsonSchema>() -> Value {
    let mut schema = SchemaGenerator::default()
        .into_root_schema_for::<T>()
        .to_value();
    refuse_null(&mut schema);
    schema
}

/// `["text", "null"]` becomes `text`, and `X or null` becomes `X`: what schemars makes of `Option`.
fn refuse_null(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(refuse_null),
        Value::Object(members) => {
            if let Some(Value::Array(types)) = members.get_mut("type")
                && types.len() == 2
                && types[1] == "null"
            {
                members["type"] = types[0].take();
            }
            if let Some(Value::Array(any)) = members.get_mut("anyOf")
                && any.len() == 2
                && any[1].get("type").is_some_and(|kind| kind == "null")
                && let Value::Object(other) = any[0].take()
            {
                members.remove("anyOf");
                for (key, value) in other {
                    members.entry(key).or_insert(value);
                }
            }
            let text = members.get("type").is_some_and(|kind| kind == "string");
            if let Some(Value::Array(choices)) = members.get_mut("enum")
                && text
            {
                choices.retain(|choice| !choice.is_null());
            }
            members.values_mut().for_each(refuse_null);
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
