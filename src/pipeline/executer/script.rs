//! `script`: a Luau program per event, in a sandbox.
//!
//! It is compiled once, with its document. Machines that run it are kept in a pool, at most as many
//! as there are batches at the same time. For every event the program begins anew, in an
//! environment of its own, so that nothing is kept from one event to the next.

mod library;
mod machine;
mod merge;
mod table;

use std::fmt;
use std::sync::{Mutex, PoisonError};

use mlua::chunk::Compiler;

use crate::event::{EventMut, Reason};
use crate::pipeline::executer::Trouble;
pub(super) use crate::pipeline::executer::script::machine::Machine;
use crate::pipeline::executer::script::machine::Verdict;

/// A compiled program.
pub struct Script {
    code: Vec<u8>,
    limits: Limits,
    idle: Mutex<Vec<Machine>>,
}

/// What a program may use for one event.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Loop turns, calls, and steps of matching a pattern.
    pub steps: u32,
    /// Bytes, beside what an idle machine needs.
    pub memory: usize,
}

/// Why a program does not compile, or cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not Luau.
    #[error("{message}")]
    Syntax {
        /// The line of the program, where it is known.
        line: Option<u32>,
        /// What is wrong.
        message: String,
    },
    /// The program fails before it sees an event.
    #[error("{0}")]
    Start(String),
    /// There is nothing to call.
    #[error("the script defines no function `process`")]
    NoFunction,
}

impl Script {
    /// Compiles a program, and lets it begin once.
    pub fn compile(source: &str, limits: Limits) -> Result<Self, Error> {
        let compiler = Compiler::new().set_optimization_level(2);
        let code = compiler.compile(source).map_err(|error| syntax(&error))?;
        let script = Self {
            code,
            limits,
            idle: Mutex::default(),
        };
        let machine = script.machine()?;
        script.keep(machine);
        Ok(script)
    }

    /// A machine that nobody uses, or a new one.
    pub(super) fn machine(&self) -> Result<Machine, Error> {
        let idle = self
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        idle.map_or_else(|| Machine::new(&self.code, self.limits), Ok)
    }

    /// Takes a machine back.
    pub(super) fn keep(&self, machine: Machine) {
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(machine);
    }

    pub(super) fn run(
        &self,
        event: &mut EventMut<'_>,
        machine: &mut Option<Machine>,
        out: &mut Vec<u8>,
    ) -> Result<(), Trouble> {
        let machine = match machine {
            Some(machine) => machine,
            None => machine.insert(self.machine().map_err(|error| trouble(error.to_string()))?),
        };
        event.settle();
        out.clear();
        let most = event.room();
        let verdict = machine.run(event.at(event.event.text), most, out);
        match verdict.map_err(trouble)? {
            Verdict::Unchanged => {}
            Verdict::Filtered => event.leave(Reason::ScriptFilter),
            Verdict::Changed => event.settle_from(out).map_err(|error| {
                trouble(format!("the event it returns cannot be used: {error}"))
            })?,
        }
        Ok(())
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Script")
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

fn trouble(message: String) -> Trouble {
    Trouble {
        field: None,
        reason: Reason::Script,
        message: message.into(),
    }
}

/// Luau says `script:3: what is wrong`, or only `:3: …`.
fn syntax(error: &mlua::Error) -> Error {
    let text = match error {
        mlua::Error::SyntaxError { message, .. } => message.clone(),
        other => other.to_string(),
    };
    let text = text.lines().next().unwrap_or_default();
    let mut rest = text;
    let mut found = None;
    while let Some((part, after)) = rest.split_once(':') {
        if let Ok(line) = part.trim().parse() {
            found = Some((line, after));
            break;
        }
        rest = after;
    }
    let (line, message) = match found {
        Some((line, message)) => (Some(line), message.trim()),
        None => (None, text),
    };
    Error::Syntax {
        line,
        message: message.to_owned(),
    }
}
