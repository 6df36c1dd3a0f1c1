//! `freshness`: a time that must be close to the time of receipt.

use std::time::Duration;

use crate::event::{EventMut, FieldId, Reason};
use crate::pipeline::Context;
use crate::pipeline::moment::{self, Unit, millis};
use crate::pipeline::validate::property::kind_of;
use crate::pipeline::validate::{Finder, Found, Personal};

/// A window around the time of receipt.
#[derive(Debug)]
pub struct Freshness {
    /// Where the time stands.
    pub field: FieldId,
    /// Its path, for messages.
    pub path: Box<str>,
    /// What a number there counts.
    pub unit: Unit,
    /// At most so long before the time of receipt.
    pub past: Option<Duration>,
    /// At most so long after it.
    pub future: Option<Duration>,
}

impl Freshness {
    pub(super) fn run(&self, finder: Finder, event: &mut EventMut<'_>, context: &Context<'_>) {
        let Some(value) = event.get(self.field).filter(|value| !value.is_null()) else {
            return;
        };
        let found = match moment::read(value, self.unit) {
            None => {
                let message = format!("expected a time, got {}", kind_of(value));
                Found::rejecting(Reason::ValidateType, message)
            }
            Some(time) => {
                let age = context.received.as_millisecond() - time.as_millisecond();
                let message = match (self.past, self.future) {
                    (Some(past), _) if age > millis(past) => "older than the window allows",
                    (_, Some(future)) if -age > millis(future) => {
                        "further in the future than the window allows"
                    }
                    _ => return,
                };
                Found::rejecting(Reason::ValidateFreshness, message)
            }
        };
        let sample = finder.sample(Some(value), Personal::None);
        finder.note(event, &self.path, found, sample);
    }
}
