//! `splitter` and `assigner`: a line to parts, parts to named fields.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::document::diagnostic::At;
use crate::document::executer::compile::{distinct, not_empty};
use crate::document::one_or_many::OneOrMany;
use crate::document::scope::Scope;
use crate::event::FieldId;
use crate::pipeline::executer::{Assigner, Executer, Parts, Splitter, Syntax};

/// Where a splitter leaves its parts if it is not told otherwise.
const PARTS: &str = "parts";

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
    /// opening and closing end, as in `"[]"` (default `"`; write an empty list for none). They
    /// count at the beginning of a part; a doubled one is one, one after a backslash is no end.
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

impl SplitterForm {
    pub(super) fn compile(&self, scope: &mut Scope<'_>, at: &At<'_>) -> Executer {
        let field = self.field.as_deref().unwrap_or("message");
        let field = scope.field(&at.field("field"), field);
        let separators = characters(
            self.separators.as_ref(),
            " ",
            scope,
            &at.field("separators"),
        );
        let separators: Vec<u8> = separators.iter().map(|(c, _)| *c).collect();
        if self
            .separators
            .as_ref()
            .is_some_and(|texts| texts.values.is_empty())
        {
            let hint = "write one, such as `separators: \"|\"`, or leave the key out for a space";
            scope
                .diagnostics
                .error(&at.field("separators"), "there is no separator", hint);
        }
        let quotes = characters(self.quotes.as_ref(), "\"", scope, &at.field("quotes"));
        if let Some((quote, _)) = quotes.iter().find(|(open, _)| separators.contains(open)) {
            let quote = char::from(*quote);
            let message = format!("`{quote}` is a separator and a quote");
            let hint = "choose another separator, or other `quotes` (`[]` for none)";
            scope
                .diagnostics
                .error(&at.field("separators"), message, hint);
        }
        let syntax = Syntax::new(&separators, &quotes, self.merge.unwrap_or(false));
        if self.to.is_some() && self.target.is_some() {
            let hint = "leave one of them out";
            scope
                .diagnostics
                .error(at, "`to` and `as` say both where the parts go", hint);
        }
        if self.to.is_none() && self.exact.is_some() {
            let hint = "name the fields of the parts in `to`, or use `exact` with the assigner";
            scope
                .diagnostics
                .error(&at.field("exact"), "`exact` needs `to`", hint);
        }
        let parts = match &self.to {
            Some(to) => Parts::Fields {
                fields: places(to, scope, &at.field("to")),
                exact: self.exact.unwrap_or(false),
            },
            None => {
                let target = self.target.as_deref().unwrap_or(PARTS);
                Parts::List(scope.field(&at.field("as"), target))
            }
        };
        Executer::Splitter(Splitter {
            field,
            syntax,
            parts,
        })
    }
}

impl AssignerForm {
    pub(super) fn compile(&self, scope: &mut Scope<'_>, at: &At<'_>) -> Executer {
        let field = self.field.as_deref().unwrap_or(PARTS);
        let field = scope.field(&at.field("field"), field);
        let at = at.field("to");
        let mut targets: Vec<(u16, FieldId)> = match &self.to {
            AssignerTargets::List(to) => {
                let fields = places(to, scope, &at);
                (0..)
                    .zip(&fields)
                    .filter_map(|(part, field)| Some((part, (*field)?)))
                    .collect()
            }
            AssignerTargets::Numbers(numbers) => {
                not_empty(scope, &at, numbers.len());
                let target =
                    |(path, part): (&String, &u16)| (*part, scope.field(&at.field(path), path));
                numbers.iter().map(target).collect()
            }
        };
        targets.sort_unstable();
        distinct(scope, &at, targets.iter().map(|(_, field)| *field));
        Executer::Assigner(Assigner {
            field,
            targets: targets.into(),
            keep: self.keep.unwrap_or(false),
            exact: self.exact.unwrap_or(false),
        })
    }
}

fn places(to: &[Option<String>], scope: &mut Scope<'_>, at: &At<'_>) -> Box<[Option<FieldId>]> {
    not_empty(scope, at, to.iter().flatten().count());
    let place = |(index, path): (usize, &Option<String>)| {
        path.as_ref().map(|path| scope.field(&at.item(index), path))
    };
    let fields: Box<[_]> = to.iter().enumerate().map(place).collect();
    distinct(scope, at, fields.iter().copied().flatten());
    fields
}

/// Single characters, or pairs of them; one stands for both ends of a pair.
fn characters(
    texts: Option<&OneOrMany<String>>,
    default: &str,
    scope: &mut Scope<'_>,
    at: &At<'_>,
) -> Vec<(u8, u8)> {
    let default = [default.to_owned()];
    let written = texts.map_or(&default[..], |texts| &texts.values);
    let mut characters = Vec::with_capacity(written.len());
    let pairs = default[0] == "\"";
    for (index, text) in written.iter().enumerate() {
        match text.as_bytes() {
            [one] if one.is_ascii() => characters.push((*one, *one)),
            [open, close] if pairs && text.is_ascii() => characters.push((*open, *close)),
            _ => {
                let item = at.item(index);
                let at = if texts.is_some_and(|texts| texts.list) {
                    &item
                } else {
                    at
                };
                let (message, hint) = if pairs {
                    (
                        format!("`{text}` is neither one ASCII character nor two"),
                        "write one for both ends, as in `\"`, or opening and closing end: `[]`",
                    )
                } else {
                    (
                        format!("`{text}` is not one ASCII character"),
                        "list several separators one by one: `[ \"|\", \",\" ]`",
                    )
                };
                scope.diagnostics.error(at, message, hint);
            }
        }
    }
    characters
}
