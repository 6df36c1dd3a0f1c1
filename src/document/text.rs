//! The text of a document becomes a tree: JSON if its first character is `{` or `[`, else YAML 1.2
//! (core schema) without anchors, aliases, tags and second documents.
//!
//! Whatever could be read in two ways is refused (a key that stands twice, a number that is not
//! finite), and blank is never read as empty. [`Lines`] finds the line of a JSON pointer again.

mod json;
mod yaml;

use serde_json::Value;

use crate::unit::Size;

/// The largest document: what the config center takes through its forms.
pub const MAX: Size = Size::mib(2);
/// How deep a document may be nested.
const DEPTH: usize = 64;

/// A document's tree, and where its parts stand.
#[derive(Debug)]
pub struct Tree {
    /// What was written.
    pub value: Value,
    /// On which lines.
    pub lines: Lines,
}

/// The line (from 1) of every node of a tree, in preorder; for a member of an object that of its
/// key.
#[derive(Debug, Default)]
pub struct Lines(Vec<u32>);

/// Why a text is not a document. The sentences have no full stop.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// From 1, where it is known.
    pub line: Option<u32>,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: String,
}

/// Reads a document's text.
pub fn parse(text: &str) -> Result<Tree, Error> {
    check_size(text.len() as u64)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match text.trim_start().chars().next() {
        None => Err(blank()),
        Some('{' | '[') => json::parse(text),
        Some(_) => yaml::parse(text),
    }
}

/// Refuses a document that is too large, before anything else is done with it.
pub fn check_size(bytes: u64) -> Result<(), Error> {
    if bytes <= MAX.get() {
        return Ok(());
    }
    Err(Error {
        line: None,
        message: format!("the document has {bytes} bytes; the most is {MAX}"),
        hint: "split it; several catalogs with one name are merged".to_owned(),
    })
}

fn blank() -> Error {
    Error {
        line: None,
        message: "the document is blank, which is never read as empty".to_owned(),
        hint: "write the document, or take it out of the index".to_owned(),
    }
}

fn too_deep(line: Option<u32>) -> Error {
    Error {
        line,
        message: format!("nested deeper than {DEPTH} levels"),
        hint: "make the document flatter".to_owned(),
    }
}

fn duplicate(line: Option<u32>, key: &str) -> Error {
    Error {
        line,
        message: format!("the key `{key}` stands twice in one object"),
        hint: "remove one of the two, or rename it".to_owned(),
    }
}

impl Lines {
    /// The line of what a JSON pointer names; of the nearest thing above it, if it is not there.
    pub fn find(&self, value: &Value, pointer: &str) -> Option<u32> {
        let mut node = value;
        let mut index = 0;
        for step in pointer.split('/').skip(1) {
            let name = step.replace("~1", "/").replace("~0", "~");
            let Some((child, before)) = child(node, &name) else {
                break;
            };
            node = child;
            index += before + 1;
        }
        self.0.get(index).copied()
    }
}

/// A child, and how many nodes stand between it and its parent in preorder.
fn child<'v>(node: &'v Value, name: &str) -> Option<(&'v Value, usize)> {
    match node {
        Value::Object(members) => {
            let found = members.get(name)?;
            let before = members.iter().take_while(|(key, _)| *key != name);
            Some((found, before.map(|(_, each)| count(each)).sum()))
        }
        Value::Array(items) => {
            let at: usize = name.parse().ok()?;
            let found = items.get(at)?;
            Some((found, items.iter().take(at).map(count).sum()))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

fn count(node: &Value) -> usize {
    let below: usize = match node {
        Value::Object(members) => members.values().map(count).sum(),
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    };
    below + 1
}

#[cfg(test)]
mod tests;
