//! `set`: from JSON with `{{ path }}` in its strings to templates.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::document::diagnostic::At;
use crate::document::executer::compile::not_empty;
use crate::document::scope::Scope;
use crate::event::{FieldId, Json};
use crate::pipeline::executer::{Assignment, Executer, Piece, Set, Template};

pub(super) fn compile(
    values: &BTreeMap<String, Value>,
    scope: &mut Scope<'_>,
    at: &At<'_>,
) -> Executer {
    not_empty(scope, at, values.len());
    let assignment = |(path, value): (&String, &Value)| {
        let at = at.field(path);
        let field = scope.field(&at, path);
        let mut draft = Draft {
            scope,
            pieces: Vec::new(),
            literal: Vec::new(),
        };
        draft.value(value, &at);
        let value = draft.template();
        Assignment { field, value }
    };
    Executer::Set(Set(values.iter().map(assignment).collect()))
}

/// A template while it is compiled.
struct Draft<'s, 'w> {
    scope: &'s mut Scope<'w>,
    pieces: Vec<Piece>,
    literal: Vec<u8>,
}

impl Draft<'_, '_> {
    fn template(mut self) -> Template {
        if self.pieces.is_empty() {
            return Template::Constant(self.literal.into());
        }
        self.flush();
        match self.pieces[..] {
            [Piece::Value(field)] => Template::Copy(field),
            _ => Template::Pieces(self.pieces.into()),
        }
    }

    fn flush(&mut self) {
        if !self.literal.is_empty() {
            let literal = std::mem::take(&mut self.literal);
            self.pieces.push(Piece::Literal(literal.into()));
        }
    }

    fn value(&mut self, value: &Value, at: &At<'_>) {
        match value {
            Value::String(text) if text.contains("{{") => self.text(text, at),
            Value::Array(list) => {
                self.literal.push(b'[');
                for (index, element) in list.iter().enumerate() {
                    self.comma(index);
                    self.value(element, &at.item(index));
                }
                self.literal.push(b']');
            }
            Value::Object(members) => {
                self.literal.push(b'{');
                for (index, (key, value)) in members.iter().enumerate() {
                    self.comma(index);
                    Json::write_str(&mut self.literal, key);
                    self.literal.push(b':');
                    self.value(value, &at.field(key));
                }
                self.literal.push(b'}');
            }
            other => self.literal.extend_from_slice(other.to_string().as_bytes()),
        }
    }

    fn comma(&mut self, index: usize) {
        if index > 0 {
            self.literal.push(b',');
        }
    }

    fn text(&mut self, text: &str, at: &At<'_>) {
        if let Some(path) = whole(text) {
            let field = self.field(path, at);
            self.flush();
            self.pieces.push(Piece::Value(field));
            return;
        }
        self.literal.push(b'"');
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            self.characters(before);
            let Some((path, after)) = after.split_once("}}") else {
                let hint = "write `{{ path }}`";
                let message = "a template begins with `{{` and has no `}}`";
                self.scope.diagnostics.error(at, message, hint);
                return;
            };
            let field = self.field(path, at);
            self.flush();
            self.pieces.push(Piece::Text(field));
            rest = after;
        }
        self.characters(rest);
        self.literal.push(b'"');
    }

    fn field(&mut self, path: &str, at: &At<'_>) -> FieldId {
        self.scope.field(at, path.trim())
    }

    /// Text as it stands inside a JSON string.
    fn characters(&mut self, text: &str) {
        let mut json = Vec::new();
        Json::write_str(&mut json, text);
        self.literal.extend_from_slice(&json[1..json.len() - 1]);
    }
}

/// The path of a text that is one template and nothing else.
fn whole(text: &str) -> Option<&str> {
    let path = text.trim().strip_prefix("{{")?.strip_suffix("}}")?;
    (!path.contains("{{")).then_some(path)
}
