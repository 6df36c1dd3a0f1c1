//! A Luau virtual machine with a program in it, and the walls around that.
//!
//! The program can use the language, and of its library what `library` shows. Steps are counted
//! where Luau interrupts: at loop turns, calls, and inside pattern matching. What takes long between
//! two of them ends at the deadline, the only limit that does not depend on the program and the event
//! alone; it is far beyond what the others allow in practice.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hashbrown::HashMap;
use mlua::chunk::ChunkMode;
use mlua::{Function, Lua, LuaOptions, LuaSerdeExt, LuaString, StdLib, Table, Value, VmState};

use crate::event::Json;
use crate::pipeline::executer::script::{Error, Limits, library};

/// One event never takes longer.
const DEADLINE: Duration = Duration::from_millis(500);
/// An error's message is not longer.
const MESSAGE: usize = 200;
/// A virtual machine with a program in it.
#[derive(Debug)]
pub(in crate::pipeline::executer) struct Machine {
    pub(super) lua: Lua,
    pub(super) keys: HashMap<Box<[u8]>, LuaString>,
    /// What tells lists from objects, where they are empty.
    pub(super) list: Table,
    main: Function,
    /// Shows what every environment sees.
    world: Table,
    fuel: Arc<Fuel>,
    limits: Limits,
    idle: usize,
}

/// What the program said about an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It stays as it was.
    Unchanged,
    /// It is now what was written.
    Changed,
    /// It goes.
    Filtered,
}

/// What is left for one event.
#[derive(Debug)]
struct Fuel {
    steps: AtomicU32,
    deadline: AtomicU64,
    start: Instant,
}

impl Machine {
    pub(super) fn new(code: &[u8], limits: Limits) -> Result<Self, Error> {
        let machine = Self::build(code, limits).map_err(|error| Error::Start(say(&error)))?;
        let started = machine.limited(|machine| machine.process().map(drop));
        match started {
            Ok(()) => Ok(machine),
            Err(mlua::Error::FromLuaConversionError { .. }) => Err(Error::NoFunction),
            Err(error) => Err(Error::Start(say(&error))),
        }
    }

    fn build(code: &[u8], limits: Limits) -> mlua::Result<Self> {
        let libraries = StdLib::TABLE | StdLib::STRING | StdLib::UTF8 | StdLib::BIT | StdLib::MATH;
        let lua = Lua::new_with(libraries | StdLib::BUFFER, LuaOptions::new())?;
        let list = lua.array_metatable();
        let world = library::world(&lua, &list)?;
        lua.sandbox(true)?;
        let fuel = Arc::new(Fuel {
            steps: AtomicU32::new(0),
            deadline: AtomicU64::new(0),
            start: Instant::now(),
        });
        let burned = fuel.clone();
        lua.set_interrupt(move |_| burned.burn());
        let chunk = lua
            .load(code)
            .set_mode(ChunkMode::Binary)
            .set_name("=script");
        let main = chunk.into_function()?;
        lua.gc_collect()?;
        let idle = lua.used_memory();
        Ok(Self {
            lua,
            keys: HashMap::new(),
            list,
            main,
            world,
            fuel,
            limits,
            idle,
        })
    }

    /// Runs the program on an event. Where it changed it, the new event is appended to `out`, which
    /// does not become longer than `most`.
    pub(super) fn run(
        &mut self,
        json: Json<'_>,
        most: usize,
        out: &mut Vec<u8>,
    ) -> Result<Verdict, String> {
        let mut returned = self.call(json);
        if matches!(returned, Err(mlua::Error::MemoryError(_))) {
            // What earlier events left behind counts as well until it is collected.
            self.lua.gc_collect().map_err(|error| say(&error))?;
            returned = self.call(json);
        }
        match returned.map_err(|error| say(&error))? {
            Value::Nil | Value::Boolean(false) => Ok(Verdict::Filtered),
            Value::Table(table) => Ok(match self.merge(&table, json, most, out)? {
                true => Verdict::Changed,
                false => Verdict::Unchanged,
            }),
            other => Err(format!(
                "`process` returned a {}; it must return the event, or nil to filter it",
                other.type_name()
            )),
        }
    }

    fn call(&mut self, json: Json<'_>) -> mlua::Result<Value> {
        let event = self.table(json)?;
        if self.lua.used_memory() > self.idle + self.limits.memory {
            self.lua.gc_collect()?;
        }
        self.limited(|machine| machine.process()?.call(event))
    }

    /// The program's function, in an environment that no event has used.
    fn process(&self) -> mlua::Result<Function> {
        let environment = self.lua.create_table()?;
        environment.set_metatable(Some(self.world.clone()))?;
        environment.set_safeenv(true);
        self.main.set_environment(environment.clone())?;
        self.main.call::<()>(())?;
        environment.raw_get("process")
    }

    /// Runs `work` with the limits on. They are off while tables are built and read: those are as
    /// large as the event and what it may grow by.
    fn limited<T>(&self, work: impl FnOnce(&Self) -> mlua::Result<T>) -> mlua::Result<T> {
        self.fuel.fill(self.limits.steps);
        self.lua.set_memory_limit(self.idle + self.limits.memory)?;
        let result = work(self);
        self.lua.set_memory_limit(0)?;
        result
    }
}

impl Fuel {
    fn fill(&self, steps: u32) {
        let deadline = (self.start.elapsed() + DEADLINE).as_millis();
        self.steps.store(steps, Ordering::Relaxed);
        let deadline = u64::try_from(deadline).unwrap_or(u64::MAX);
        self.deadline.store(deadline, Ordering::Relaxed);
    }

    fn burn(&self) -> mlua::Result<VmState> {
        let left = self.steps.load(Ordering::Relaxed);
        if left == 0 {
            return Err(mlua::Error::runtime("it took more steps than it may"));
        }
        self.steps.store(left - 1, Ordering::Relaxed);
        // Looking at the clock costs as much as the rest, and 16 steps cannot take long.
        if !left.is_multiple_of(16) {
            return Ok(VmState::Continue);
        }
        let deadline = self.deadline.load(Ordering::Relaxed);
        if self.start.elapsed().as_millis() > u128::from(deadline) {
            // A program that catches errors is not to go on.
            self.steps.store(0, Ordering::Relaxed);
            return Err(mlua::Error::runtime("it took longer than 500 ms"));
        }
        Ok(VmState::Continue)
    }
}

/// An error's first line, bounded, without the names of Rust's types.
pub(super) fn say(error: &mlua::Error) -> String {
    let text = match error {
        mlua::Error::CallbackError { cause, .. } => return say(cause),
        mlua::Error::RuntimeError(text) => text.clone(),
        mlua::Error::MemoryError(_) => "it took more memory than it may".to_owned(),
        other => other.to_string(),
    };
    let line = text.lines().next().unwrap_or_default();
    line[..line.floor_char_boundary(MESSAGE)].to_owned()
}
