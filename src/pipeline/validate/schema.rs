//! `schema`: a JSON Schema. The one validator that makes a tree of every event; the others cost a
//! tenth.

use std::sync::Arc;

use jsonschema::error::ValidationErrorKind;
use serde_json::Value;

use crate::event::{Batch, EventMut, FieldId, Fields, Reason};
use crate::pipeline::validate::{Finder, Found};

/// Most violations that are noted of one event.
const MOST: usize = 50;

/// A JSON Schema, for the event or one field.
#[derive(Debug)]
pub struct Schema {
    field: Option<FieldId>,
    /// The field's path with a dot after it, for messages; empty for the event.
    prefix: Box<str>,
    validator: jsonschema::Validator,
}

/// Why a schema does not compile.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct SchemaError {
    /// JSON pointer into the schema.
    pub pointer: String,
    /// What is wrong.
    pub message: String,
}

impl Schema {
    /// Compiles a schema. It may refer only to itself: what stands elsewhere is never fetched.
    pub fn compile(field: Option<(FieldId, &str)>, schema: &Value) -> Result<Self, SchemaError> {
        let validator = jsonschema::validator_for(schema).map_err(|error| SchemaError {
            pointer: error.instance_path().to_string(),
            message: match error.kind() {
                ValidationErrorKind::Referencing(_) => "it refers to what is not in it".to_owned(),
                _ => error.to_string(),
            },
        })?;
        Ok(Self {
            field: field.map(|(field, _)| field),
            prefix: field.map(|(_, path)| path.into()).unwrap_or_default(),
            validator,
        })
    }

    pub(super) fn run(&self, finder: Finder, batch: &mut Batch) {
        let fields = batch.fields().clone();
        let mut text = Vec::new();
        batch.each(|event| {
            text.clear();
            self.write(event, &fields, &mut text);
            if !text.is_empty() {
                self.check(finder, event, &text);
            }
        });
    }

    fn write(&self, event: &EventMut<'_>, fields: &Arc<Fields>, out: &mut Vec<u8>) {
        match self.field {
            None => event.write(fields, out),
            Some(field) => {
                let raw = event.get(field).map(|value| value.raw());
                out.extend_from_slice(raw.unwrap_or_default());
            }
        }
    }

    fn check(&self, finder: Finder, event: &mut EventMut<'_>, text: &[u8]) {
        let tree: Value = match serde_json::from_slice(text) {
            Ok(tree) => tree,
            Err(_) => {
                let message = "a number is too large for a schema";
                let found = Found::rejecting(Reason::ValidateSchema, message);
                return finder.note(event, &self.prefix, found, None);
            }
        };
        if self.validator.is_valid(&tree) {
            return;
        }
        for error in self.validator.iter_errors(&tree).take(MOST) {
            let field = self.path(error.instance_path().as_str());
            // The value itself is never told.
            let message = error.masked_with("the value").to_string();
            let found = Found::rejecting(Reason::ValidateSchema, message);
            finder.note(event, &field, found, None);
        }
    }

    /// A JSON pointer as a path of the event.
    fn path(&self, pointer: &str) -> String {
        let mut path = self.prefix.to_string();
        for name in pointer.split('/').skip(1) {
            if !path.is_empty() {
                path.push('.');
            }
            let name = name.replace("~1", "/").replace("~0", "~");
            path.push_str(&name.replace('\\', "\\\\").replace('.', "\\."));
        }
        path
    }
}
