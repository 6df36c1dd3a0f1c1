//! The repo's named checks: one file a kind.
//!
//! Every validator looks at every event that reached the stage, so that all violations are found;
//! an event that one of them rejects leaves when the last has looked ([`conclude`]). What personal
//! data demands is done later ([`Validator::protect`]), because the devices are found by it.

mod catalog_check;
mod condition;
mod fields;
mod freshness;
mod personal;
mod property;
mod repair;
mod sample;
mod schema;
mod size;

pub mod catalog;

pub use sample::masked;

use crate::event::{Batch, Effect, EventMut, Json, Reason, Violation};
use crate::pipeline::Context;

pub use catalog_check::CatalogCheck;
pub use condition::Must;
pub use fields::{Required, Typed, Types};
pub use freshness::Freshness;
pub use personal::Personal;
pub use property::{Bounds, OneOf, Property, Type};
pub use repair::{Action, ValueActions};
pub use schema::{Schema, SchemaError};
pub use size::Size;

/// What a validator does with what it finds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Acts on it.
    #[default]
    Enforce,
    /// Counts it, and changes nothing.
    Shadow,
    /// Does not look.
    Off,
}

impl Mode {
    /// The word for it in documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Shadow => "shadow",
            Self::Off => "off",
        }
    }
}

/// A named check.
#[derive(Debug)]
pub struct Validator {
    /// Unique within the repo.
    pub name: Box<str>,
    /// What the document says; the switches may say otherwise.
    pub mode: Mode,
    /// Its place in the repo's list, by which its violations name it.
    pub index: u16,
    /// What it checks.
    pub check: Check,
}

/// What a validator checks.
#[derive(Debug)]
pub enum Check {
    /// Fields that must be there.
    Required(Required),
    /// What single fields must be.
    Types(Types),
    /// Events and their properties, as a catalog lists them.
    Catalog(CatalogCheck),
    /// A JSON Schema.
    Schema(Schema),
    /// A time that must be close to the time of receipt.
    Freshness(Freshness),
    /// The size of an event.
    Size(Size),
    /// A condition that must hold.
    Condition(Must),
}

impl Validator {
    /// Runs it over every event that is left.
    pub fn run(&self, mode: Mode, batch: &mut Batch, context: &Context<'_>) {
        let finder = match mode {
            Mode::Enforce => Finder::new(self.index, false),
            Mode::Shadow => Finder::new(self.index, true),
            Mode::Off => return,
        };
        match &self.check {
            Check::Required(check) => batch.each(|event| check.run(finder, event)),
            Check::Types(check) => batch.each(|event| check.run(finder, event)),
            Check::Catalog(check) => check.run(finder, batch),
            Check::Schema(check) => check.run(finder, batch),
            Check::Freshness(check) => batch.each(|event| check.run(finder, event, context)),
            Check::Size(check) => check.run(finder, batch),
            Check::Condition(check) => batch.each(|event| check.run(finder, event, context)),
        }
    }

    /// Does what personal data demands, also where the validator only looks: that it says less
    /// about an event must not show more of a person.
    pub fn protect(&self, mode: Mode, batch: &mut Batch) {
        match (&self.check, mode) {
            (_, Mode::Off) => {}
            (Check::Types(check), _) => check.protect(batch),
            (Check::Catalog(check), _) => check.protect(batch),
            (
                Check::Required(_)
                | Check::Schema(_)
                | Check::Freshness(_)
                | Check::Size(_)
                | Check::Condition(_),
                _,
            ) => {}
        }
    }
}

/// Sends every event out that a validator rejected: with the first reason that was found.
pub fn conclude(batch: &mut Batch) {
    batch.each(|event| {
        if let Some(reason) = event.event.verdict {
            event.leave(reason);
        }
    });
}

/// Notes what one validator finds, in the mode in which it runs.
#[derive(Clone, Copy, Debug)]
struct Finder {
    validator: u16,
    shadow: bool,
}

/// One thing that is wrong.
#[derive(Debug)]
struct Found {
    reason: Reason,
    message: String,
    /// Whether the event is rejected for it; else the field was repaired.
    rejects: bool,
}

impl Found {
    fn rejecting(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
            rejects: true,
        }
    }

    /// A value that is required is not there, or does not stay.
    fn missing() -> Self {
        Self::rejecting(Reason::ValidateRequired, "expected a value")
    }
}

impl Finder {
    fn new(validator: u16, shadow: bool) -> Self {
        Self { validator, shadow }
    }

    /// The shape of a value. What is shown of personal data by reject records, which go where the
    /// data itself goes, is not shown of what a validator only looks at: operators see that.
    fn sample(self, value: Option<Json<'_>>, personal: Personal) -> Option<Box<str>> {
        let shown = !self.shadow || personal == Personal::None;
        value.filter(|_| shown).map(sample::shape)
    }

    fn note(self, event: &mut EventMut<'_>, field: &str, found: Found, sample: Option<Box<str>>) {
        let effect = match (self.shadow, found.rejects) {
            (true, true) => Effect::Shadow,
            (true, false) => Effect::ShadowRepair,
            (false, true) => Effect::Rejected,
            (false, false) => Effect::Repaired,
        };
        if effect == Effect::Rejected {
            event.event.verdict.get_or_insert(found.reason);
        }
        event.note(Violation {
            event: event.index,
            reason: found.reason,
            field: field.to_owned(),
            message: found.message,
            effect,
            validator: Some(self.validator),
            sample,
        });
    }
}
