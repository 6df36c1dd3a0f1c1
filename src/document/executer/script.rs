//! `script`, as written.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::document::unit::Size;

/// A Luau program (Lua 5.1 with types) that defines `function process(event)`. It gets the event as
/// a table and returns it, changed or not; `nil` or `false` filters the event (`filter.script`); an
/// error is dealt with as `on_error` says. Nothing is kept from one event to the next, and there is
/// no file, network, clock or chance.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Script")]
pub struct ScriptForm {
    /// The program.
    pub source: String,
    /// How many steps one event may take: loop turns and calls (default 100,000).
    pub steps: Option<u32>,
    /// How much memory the program may hold (default 4 MiB).
    pub memory: Option<Size>,
}
