//! `script`, as written.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::document::diagnostic::At;
use crate::document::scope::Scope;
use crate::document::unit::Size;
use crate::pipeline::executer::{Executer, Limits, Script, ScriptError};

const STEPS: u32 = 100_000;
const MOST_STEPS: u32 = 10_000_000;
const MEMORY: Size = Size::mib(4);
const LEAST_MEMORY: Size = Size::kib(64);
const MOST_MEMORY: Size = Size::mib(64);

/// A Luau program (Lua 5.1 with types) that defines `function process(event)`. It gets the event as
/// a table and returns it, changed or not; `nil` or `false` filters the event (`filter.script`); an
/// error is dealt with as `on_error` says. Nothing is kept from one event to the next, and there is
/// no file, network, clock or chance. `null` is JSON's null (a field that is `nil` is not there),
/// and `list {}` makes an empty list, which `{}` alone does not. What is not changed stays byte for
/// byte.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Script")]
pub struct ScriptForm {
    /// The program.
    pub source: String,
    /// How many steps one event may take: loop turns, calls, and steps of matching a pattern
    /// (default 100,000).
    pub steps: Option<u32>,
    /// How much memory the program may hold (default 4 MiB).
    pub memory: Option<Size>,
}

impl ScriptForm {
    pub(super) fn compile(&self, scope: &mut Scope<'_>, at: &At<'_>) -> Option<Executer> {
        let before = scope.diagnostics.errors();
        let steps = self.steps.unwrap_or(STEPS);
        if !(1..=MOST_STEPS).contains(&steps) {
            let message = format!("a script takes from 1 to {MOST_STEPS} steps for an event");
            let hint = "a loop turn or a call is a step; leave it out for 100,000";
            scope.diagnostics.error(&at.field("steps"), message, hint);
        }
        let memory = self.memory.unwrap_or(MEMORY);
        if memory < LEAST_MEMORY || memory > MOST_MEMORY {
            let message = format!("a script takes from {LEAST_MEMORY} to {MOST_MEMORY}");
            let hint = format!("leave it out for {MEMORY}");
            scope.diagnostics.error(&at.field("memory"), message, hint);
        }
        let limits = Limits {
            steps,
            memory: usize::try_from(memory.get()).unwrap_or(usize::MAX),
        };
        if scope.diagnostics.errors() > before {
            return None;
        }
        let at = at.field("source");
        let error = match Script::compile(&self.source, limits) {
            Ok(script) => return Some(Executer::Script(script)),
            Err(error) => error,
        };
        let (message, hint) = match &error {
            ScriptError::Syntax { line, message } => {
                let line = line
                    .map(|line| format!(" in line {line}"))
                    .unwrap_or_default();
                (
                    format!("the script does not compile{line}: {message}"),
                    "the language is Luau, which is Lua 5.1 and more: https://luau.org",
                )
            }
            ScriptError::Start(message) => (
                format!("the script fails before it sees an event: {message}"),
                "only the language and `bit32`, `buffer`, `math`, `string`, `table` and `utf8` are \
                 there; what does not depend on the event is done once an event as well",
            ),
            ScriptError::NoFunction => (
                error.to_string(),
                "write `function process(event) … return event end`",
            ),
        };
        scope.diagnostics.error(&at, message, hint);
        None
    }
}
