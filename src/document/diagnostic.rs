//! What is wrong with a document: where (document, JSON pointer, line), what, and what to do.

use std::fmt;

use serde::Serialize;

use crate::document::text::{self, Tree};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, PartialOrd, Ord)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The document does not compile.
    Error,
    /// It compiles; somebody should look.
    Warning,
}

/// One problem.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// The dataId of the document.
    pub document: String,
    /// JSON pointer (RFC 6901) into it; empty for the whole document.
    pub pointer: String,
    /// Line of the text, from 1, where it is known.
    pub line: Option<u32>,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: String,
}

impl Diagnostic {
    /// Whether the document does not compile because of it.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(f, "{severity}: {}", self.document)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(
            f,
            " {}: {}",
            if self.pointer.is_empty() {
                "/"
            } else {
                &self.pointer
            },
            self.message
        )?;
        if !self.hint.is_empty() {
            write!(f, "\n  {}", self.hint)?;
        }
        Ok(())
    }
}

/// A place in a document while it compiles: a chain on the stack, written out only for a problem.
#[derive(Clone, Copy, Debug)]
pub struct At<'a> {
    above: Option<&'a At<'a>>,
    step: Step<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Step<'a> {
    Root,
    Name(&'a str),
    Index(usize),
}

impl<'a> At<'a> {
    /// The whole document.
    pub const ROOT: At<'static> = At {
        above: None,
        step: Step::Root,
    };

    /// A field below.
    pub fn field(&'a self, name: &'a str) -> At<'a> {
        At {
            above: Some(self),
            step: Step::Name(name),
        }
    }

    /// An element below.
    pub fn item(&'a self, index: usize) -> At<'a> {
        At {
            above: Some(self),
            step: Step::Index(index),
        }
    }

    /// As a JSON pointer.
    pub fn pointer(&self) -> String {
        let mut text = self.above.map(At::pointer).unwrap_or_default();
        match self.step {
            Step::Root => {}
            Step::Name(name) => {
                text.push('/');
                text.push_str(&name.replace('~', "~0").replace('/', "~1"));
            }
            Step::Index(index) => {
                text.push('/');
                text.push_str(&index.to_string());
            }
        }
        text
    }
}

/// The problems of one document.
#[derive(Debug)]
pub struct Diagnostics {
    document: String,
    found: Vec<Diagnostic>,
}

impl Diagnostics {
    /// None yet.
    pub fn new(document: &str) -> Self {
        Self {
            document: document.to_owned(),
            found: Vec::new(),
        }
    }

    /// Adds an error. Message and hint are sentences without a full stop, in lower case.
    pub fn error(&mut self, at: &At<'_>, message: impl Into<String>, hint: impl Into<String>) {
        self.push(Severity::Error, at.pointer(), message.into(), hint.into());
    }

    /// Adds a warning.
    pub fn warning(&mut self, at: &At<'_>, message: impl Into<String>, hint: impl Into<String>) {
        self.push(Severity::Warning, at.pointer(), message.into(), hint.into());
    }

    /// Adds a problem at a pointer that is known as text.
    pub fn push(&mut self, severity: Severity, pointer: String, message: String, hint: String) {
        let document = self.document.clone();
        self.found.push(Diagnostic {
            severity,
            document,
            pointer,
            line: None,
            message,
            hint,
        });
    }

    /// Adds an error at a pointer that is known as text.
    pub fn push_error(&mut self, pointer: String, message: String, hint: String) {
        self.push(Severity::Error, pointer, message, hint);
    }

    /// Adds an error of the text itself.
    pub fn text_error(&mut self, error: &text::Error) {
        self.push_error(String::new(), error.message.clone(), error.hint.clone());
        if let Some(last) = self.found.last_mut() {
            last.line = error.line;
        }
    }

    /// Adds the problems that were found elsewhere.
    pub fn append(&mut self, other: Diagnostics) {
        self.found.extend(other.found);
    }

    /// Finds the lines of the problems found so far.
    pub fn locate(&mut self, tree: &Tree) {
        for each in self.found.iter_mut().filter(|each| each.line.is_none()) {
            each.line = tree.lines.find(&tree.value, &each.pointer);
        }
    }

    /// How many errors there are.
    pub fn errors(&self) -> usize {
        let errors = self.found.iter();
        errors
            .filter(|each| each.severity == Severity::Error)
            .count()
    }

    /// Whether there is an error among them.
    pub fn failed(&self) -> bool {
        self.found
            .iter()
            .any(|each| each.severity == Severity::Error)
    }

    /// Whether there is an error at a place or below it.
    pub fn failed_at(&self, at: &At<'_>) -> bool {
        let place = at.pointer();
        self.found.iter().any(|each| {
            each.severity == Severity::Error
                && each
                    .pointer
                    .strip_prefix(&place)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }

    /// All of them, in the order they were found.
    pub fn into_vec(self) -> Vec<Diagnostic> {
        self.found
    }
}
