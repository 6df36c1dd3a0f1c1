//! Checks what people wrote against the JSON Schema of its kind, and reports all that is wrong,
//! with pointers and suggestions; serde would stop at the first problem and speak of Rust's types.
//!
//! Only the keywords that schemars writes for our types are known; a test sees to it that no other
//! comes up. What passes here is then read by serde, which has the last word.

mod check;
mod rule;
mod union;
mod words;

pub(crate) use words::suggestion;

use hashbrown::HashMap;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::document::diagnostic::{At, Diagnostics};
use crate::document::schema;
use crate::document::shape::rule::Node;

/// A schema, made ready for checking many documents.
#[derive(Debug)]
pub struct Shape {
    root: Node,
    named: HashMap<String, Node>,
}

impl Shape {
    /// The shape of a type.
    pub fn of<T: JsonSchema>() -> Self {
        Self::of_schema(&schema::of::<T>())
    }

    /// The shape that a schema describes.
    pub fn of_schema(schema: &Value) -> Self {
        let named = schema.get("$defs").and_then(Value::as_object);
        let named = named.into_iter().flatten();
        Self {
            root: Node::compile(schema),
            named: named
                .map(|(name, schema)| (name.clone(), Node::compile(schema)))
                .collect(),
        }
    }

    /// Reads a document of this shape; `None` if something is wrong, which is then reported.
    pub fn read<T: DeserializeOwned>(
        &self,
        value: &Value,
        diagnostics: &mut Diagnostics,
    ) -> Option<T> {
        let before = diagnostics.errors();
        self.check(&self.root, value, &At::ROOT, diagnostics);
        if diagnostics.errors() > before {
            return None;
        }
        serde_path_to_error::deserialize(value)
            .map_err(|error| {
                let (pointer, message) = explain(&error);
                diagnostics.push_error(pointer, message, "look at the schema of this kind".into());
            })
            .ok()
    }
}

/// serde's own words, at the pointer that the path means.
fn explain(error: &serde_path_to_error::Error<serde_json::Error>) -> (String, String) {
    use serde_path_to_error::Segment;
    let mut pointer = String::new();
    for segment in error.path() {
        let step = match segment {
            Segment::Seq { index } => index.to_string(),
            Segment::Map { key } => key.replace('~', "~0").replace('/', "~1"),
            Segment::Enum { variant } => variant.clone(),
            Segment::Unknown => break,
        };
        pointer.push('/');
        pointer.push_str(&step);
    }
    (pointer, error.inner().to_string())
}

#[cfg(test)]
mod tests;
