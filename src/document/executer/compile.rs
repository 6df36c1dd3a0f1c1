//! From an executer as written to a step, with everything that is wrong with it.

use crate::document::diagnostic::At;
use crate::document::executer::{ExecuterForm, OnErrorForm};
use crate::document::one_or_many::OneOrMany;
use crate::document::scope::Scope;
use crate::event::{FieldId, Path};
use crate::pipeline::executer::{Executer, Keep, OnError, Remove, Rename, Step};

/// What a step can be, for hints.
const KINDS: &str = "splitter, assigner, filter, rename, remove, keep, set, cast, parse, hash, \
                     mask, lookup, script";

impl ExecuterForm {
    /// Compiles it; what is wrong goes to the scope. `None` if there is nothing to run.
    pub fn compile(&self, scope: &mut Scope<'_>, at: &At<'_>) -> Option<Step> {
        let when = self.when.as_ref();
        let when = when.map(|when| when.compile(scope, &at.field("when")));
        if self.name.as_ref().is_some_and(String::is_empty) {
            let hint = "name it, or leave the key out";
            scope
                .diagnostics
                .error(&at.field("name"), "the name is empty", hint);
        }
        if self.locked == Some(true) && self.name.is_none() {
            let message = "only a step with a name can be switched, so there is nothing to lock";
            let hint = "give it a `name`, or leave `locked` out";
            scope
                .diagnostics
                .warning(&at.field("locked"), message, hint);
        }
        let mut kinds = self.kinds(scope, at);
        if kinds.len() > 1 {
            let names: Vec<_> = kinds.iter().map(Executer::kind).collect();
            let message = format!("the step has several kinds: {}", names.join(", "));
            let hint = "make a step of each; they run in the order of the list";
            scope.diagnostics.error(at, message, hint);
        }
        Some(Step {
            name: self.name.as_deref().map(Into::into),
            locked: self.locked.unwrap_or(false),
            when,
            on_error: self.on_error.unwrap_or_default().into(),
            executer: kinds.pop()?,
        })
    }

    fn kinds(&self, scope: &mut Scope<'_>, at: &At<'_>) -> Vec<Executer> {
        let before = scope.diagnostics.errors();
        let mut kinds = Vec::new();
        let mut add = |kind: Option<Executer>| kinds.extend(kind);
        add(self
            .filter
            .as_ref()
            .map(|condition| Executer::Filter(condition.compile(scope, &at.field("filter")))));
        add(self.rename.as_ref().map(|names| {
            let at = at.field("rename");
            let pairs = names.iter().map(|(from, to)| {
                let at = at.field(from);
                (scope.field(&at, from), scope.field(&at, to))
            });
            let pairs: Box<[_]> = pairs.collect();
            not_empty(scope, &at, pairs.len());
            distinct(scope, &at, pairs.iter().map(|(_, to)| *to));
            Executer::Rename(Rename::new(&pairs, &scope.fields))
        }));
        add(self.remove.as_ref().map(|paths| {
            let gone = fields(paths, scope, &at.field("remove"));
            Executer::Remove(Remove::new(gone, &scope.fields))
        }));
        add(self
            .keep
            .as_ref()
            .map(|paths| keep(paths, scope, &at.field("keep"))));
        let set = self.set.as_ref();
        add(set.map(|values| super::set::compile(values, scope, &at.field("set"))));
        let splitter = self.splitter.as_ref();
        add(splitter.map(|form| form.compile(scope, &at.field("splitter"))));
        let assigner = self.assigner.as_ref();
        add(assigner.map(|form| form.compile(scope, &at.field("assigner"))));
        add(self
            .cast
            .as_ref()
            .map(|form| form.compile(scope, &at.field("cast"))));
        let parse = self.parse.as_ref();
        add(parse.and_then(|form| form.compile(scope, &at.field("parse"))));
        add(self
            .hash
            .as_ref()
            .map(|form| form.compile(scope, &at.field("hash"))));
        add(self
            .mask
            .as_ref()
            .map(|form| form.compile(scope, &at.field("mask"))));
        add(self
            .lookup
            .as_ref()
            .map(|form| form.compile(scope, &at.field("lookup"))));
        let script = self.script.as_ref();
        add(script.and_then(|form| form.compile(scope, &at.field("script"))));
        if kinds.is_empty() && scope.diagnostics.errors() == before {
            let hint = format!("give it one of: {KINDS}");
            scope.diagnostics.error(at, "the step does nothing", hint);
        }
        kinds
    }
}

impl From<OnErrorForm> for OnError {
    fn from(form: OnErrorForm) -> Self {
        match form {
            OnErrorForm::Keep => Self::Keep,
            OnErrorForm::Remove => Self::Remove,
            OnErrorForm::Reject => Self::Reject,
        }
    }
}

fn keep(paths: &OneOrMany<String>, scope: &mut Scope<'_>, at: &At<'_>) -> Executer {
    let mut kept = Vec::with_capacity(paths.values.len());
    for (index, text) in paths.values.iter().enumerate() {
        match Path::parse(text) {
            Ok(path) => kept.push(path),
            Err(error) => {
                let item = at.item(index);
                let at = if paths.list { &item } else { at };
                let message = format!("`{text}` is not a path");
                scope.diagnostics.error(at, message, error.to_string());
            }
        }
    }
    not_empty(scope, at, paths.values.len());
    Executer::Keep(Keep::new(&kept))
}

/// The fields of one path or of several.
pub(super) fn fields(
    paths: &OneOrMany<String>,
    scope: &mut Scope<'_>,
    at: &At<'_>,
) -> Box<[FieldId]> {
    not_empty(scope, at, paths.values.len());
    let id = |(index, path): (usize, &String)| {
        let item = at.item(index);
        scope.field(if paths.list { &item } else { at }, path)
    };
    let fields: Box<[_]> = paths.values.iter().enumerate().map(id).collect();
    distinct(scope, at, fields.iter().copied());
    fields
}

pub(super) fn not_empty(scope: &mut Scope<'_>, at: &At<'_>, len: usize) {
    if len == 0 {
        let hint = "name at least one field, or leave the step out";
        scope.diagnostics.error(at, "no field is named", hint);
    }
}

/// Reports fields that are named twice.
pub(super) fn distinct(scope: &mut Scope<'_>, at: &At<'_>, fields: impl Iterator<Item = FieldId>) {
    let mut fields: Vec<_> = fields.collect();
    let all = fields.len();
    fields.sort_unstable();
    fields.dedup();
    // A path that is wrong has a field that is not its own, and was reported.
    if fields.len() < all && !scope.diagnostics.failed_at(at) {
        let hint = "name every field once";
        scope
            .diagnostics
            .error(at, "the same field is named more than once", hint);
    }
}
