//! The user's ordered steps: one file a kind.
//!
//! A step that cannot work on an event leaves it as it was, unless its document says otherwise, and
//! it is counted. A field that is missing is nothing to work on, and no failure.

mod cast;
mod keep;
mod lookup;
mod parse;
mod privacy;
mod script;
mod set;
mod shape;
mod split;
mod time;

use std::borrow::Cow;

pub use crate::pipeline::executer::cast::{Cast, CastTo};
pub use crate::pipeline::executer::keep::Keep;
pub use crate::pipeline::executer::lookup::{Entry, Lookup};
pub use crate::pipeline::executer::parse::{Pairs, Parse, Parser};
pub use crate::pipeline::executer::privacy::{Digest, Hash, Keyed, Mask};
pub use crate::pipeline::executer::script::{Error as ScriptError, Limits, Script};
pub use crate::pipeline::executer::set::{Assignment, Piece, Set, Template};
pub use crate::pipeline::executer::shape::{Remove, Rename};
pub use crate::pipeline::executer::split::{Assigner, Parts, Splitter, Syntax};
pub use crate::pipeline::executer::time::{Output, Time};

use crate::event::{Batch, EventMut, Fate, FieldId, Reason, Slot, Span};
use crate::pipeline::Context;
use crate::pipeline::condition::Condition;
use crate::secret::{Reference, Secret};

/// One executer, perhaps with a name by which it can be switched.
#[derive(Debug)]
pub struct Step {
    /// Unique within the repo.
    pub name: Option<Box<str>>,
    /// Cannot be switched off.
    pub locked: bool,
    /// Events for which this does not hold pass by.
    pub when: Option<Condition>,
    /// What happens to an event that it cannot work on.
    pub on_error: OnError,
    /// What it does.
    pub executer: Executer,
}

/// What happens to an event that a step cannot work on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnError {
    /// It stays as it was.
    #[default]
    Keep,
    /// The field in question is taken away.
    Remove,
    /// It is rejected.
    Reject,
}

/// What a step does.
#[derive(Debug)]
pub enum Executer {
    /// A field to parts.
    Splitter(Splitter),
    /// Parts to named fields.
    Assigner(Assigner),
    /// Events for which it does not hold are dropped.
    Filter(Condition),
    /// Fields to other places.
    Rename(Rename),
    /// Fields away.
    Remove(Remove),
    /// Everything else away.
    Keep(Keep),
    /// Constants and templates.
    Set(Set),
    /// To another type.
    Cast(Cast),
    /// What is packed in a string.
    Parse(Parse),
    /// To a digest.
    Hash(Hash),
    /// Characters away.
    Mask(Mask),
    /// A small table.
    Lookup(Lookup),
    /// A program.
    Script(Script),
}

/// Why a step could not work on an event.
#[derive(Debug)]
pub(crate) struct Trouble {
    field: Option<FieldId>,
    reason: Reason,
    message: Cow<'static, str>,
}

impl Trouble {
    pub(crate) fn new(field: FieldId, message: &'static str) -> Self {
        Self {
            field: Some(field),
            reason: Reason::Execute,
            message: Cow::Borrowed(message),
        }
    }
}

/// Room that the events of one batch use one after the other.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    parts: Vec<split::Part>,
    spans: Vec<Option<Span>>,
    slots: Vec<Slot>,
    bytes: Vec<u8>,
    text: String,
    ends: Vec<usize>,
    captures: Option<regex::CaptureLocations>,
    machine: Option<script::Machine>,
}

impl Step {
    /// Runs it over every event that is left, and says on how many it could not work.
    pub fn run(&self, batch: &mut Batch, context: &Context<'_>) -> u32 {
        self.run_telling(batch, context, |_| {})
    }

    /// The same, and tells each time why it could not, whatever `on_error` says.
    pub fn run_telling(
        &self,
        batch: &mut Batch,
        context: &Context<'_>,
        mut tell: impl FnMut(&str),
    ) -> u32 {
        let mut scratch = Scratch::default();
        let mut failed = 0;
        batch.each(|event| {
            if let Some(when) = &self.when
                && !when.holds(event, context)
            {
                return;
            }
            if let Err(trouble) = self.executer.run(event, context, &mut scratch) {
                failed += 1;
                tell(&trouble.message);
                self.fail(event, &trouble);
            }
        });
        if let (Executer::Script(script), Some(machine)) = (&self.executer, scratch.machine) {
            script.keep(machine);
        }
        failed
    }

    /// The word for what it does, as in documents.
    pub fn kind(&self) -> &'static str {
        self.executer.kind()
    }

    /// Its name; without one, what it does.
    pub fn label(&self) -> &str {
        self.name.as_deref().unwrap_or_else(|| self.kind())
    }

    /// The secret it works with, if any.
    pub fn secret(&self) -> Option<&Reference> {
        match &self.executer {
            Executer::Hash(hash) => hash.keyed().map(Keyed::reference),
            _ => None,
        }
    }

    /// Gives it its secret, or takes it away; a step without its secret takes the field away.
    pub fn bind(&self, secret: Option<&Secret>) {
        if let Executer::Hash(hash) = &self.executer
            && let Some(keyed) = hash.keyed()
        {
            keyed.bind(secret);
        }
    }

    fn fail(&self, event: &mut EventMut<'_>, trouble: &Trouble) {
        match (self.on_error, trouble.field) {
            (OnError::Keep, _) | (OnError::Remove, None) => {}
            (OnError::Remove, Some(field)) => event.remove(field),
            (OnError::Reject, field) => {
                let path = field.map(|field| event.fields().path(field).to_string());
                let message = match &self.name {
                    Some(name) => format!("{} ({name}): {}", self.kind(), trouble.message),
                    None => format!("{}: {}", self.kind(), trouble.message),
                };
                event.reject(trouble.reason, &path.unwrap_or_default(), message);
            }
        }
    }
}

impl Executer {
    /// The word for it, as in documents.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Splitter(_) => "splitter",
            Self::Assigner(_) => "assigner",
            Self::Filter(_) => "filter",
            Self::Rename(_) => "rename",
            Self::Remove(_) => "remove",
            Self::Keep(_) => "keep",
            Self::Set(_) => "set",
            Self::Cast(_) => "cast",
            Self::Parse(_) => "parse",
            Self::Hash(_) => "hash",
            Self::Mask(_) => "mask",
            Self::Lookup(_) => "lookup",
            Self::Script(_) => "script",
        }
    }

    fn run(
        &self,
        event: &mut EventMut<'_>,
        context: &Context<'_>,
        scratch: &mut Scratch,
    ) -> Result<(), Trouble> {
        match self {
            Self::Splitter(splitter) => splitter.run(event, scratch),
            Self::Assigner(assigner) => assigner.run(event, scratch),
            Self::Filter(condition) => {
                if !condition.holds(event, context) {
                    event.leave(Reason::Filter);
                }
                Ok(())
            }
            Self::Rename(rename) => rename.run(event, scratch),
            Self::Remove(remove) => {
                remove.run(event);
                Ok(())
            }
            Self::Keep(keep) => {
                keep.run(event, scratch);
                Ok(())
            }
            Self::Set(set) => set.run(event, scratch),
            Self::Cast(cast) => cast.run(event, scratch),
            Self::Parse(parse) => parse.run(event, scratch),
            Self::Hash(hash) => hash.run(event),
            Self::Mask(mask) => mask.run(event, scratch),
            Self::Lookup(lookup) => lookup.run(event),
            Self::Script(script) => script.run(event, &mut scratch.machine, &mut scratch.bytes),
        }
    }
}

/// Sets a field; where that fails, the event is as it was.
fn put(
    event: &mut EventMut<'_>,
    field: FieldId,
    write: impl FnOnce(&[u8], &mut Vec<u8>),
) -> Result<(), Trouble> {
    let done = event.set(field, write);
    taken(event, field, done)
}

/// What `set` and `point` answer, as a result. An event that became too large has left already.
fn taken(event: &EventMut<'_>, field: FieldId, done: bool) -> Result<(), Trouble> {
    if done || event.event.fate != Fate::Live {
        return Ok(());
    }
    Err(Trouble::new(
        field,
        "what the field would stand in is not an object",
    ))
}
