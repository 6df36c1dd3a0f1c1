//! A property that is wrong: what exactly, and what becomes of it.

mod coerce;

use crate::event::{Json, Reason};
use crate::pipeline::number::Number;
use crate::pipeline::validate::property::{kind_of, measure};
use crate::pipeline::validate::{Bounds, Found, Property};

/// What becomes of a property that has something wrong with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Action {
    /// It is not looked for.
    Accept,
    /// It is made right; where that cannot be, the event is rejected.
    Coerce,
    /// It is taken away.
    DropProperty,
    /// It becomes `null`.
    NullProperty,
    /// The event is rejected.
    #[default]
    Reject,
}

/// What becomes of the classes of violations that are about a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ValueActions {
    /// A value of another type.
    pub wrong_type: Action,
    /// A number or length out of its range.
    pub out_of_range: Action,
    /// A value that is not in its set.
    pub bad_enum: Action,
    /// A text that does not match.
    pub bad_pattern: Action,
}

/// What is done to a value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Repair {
    /// Nothing.
    #[default]
    Keep,
    /// Another value stands in its place.
    Replace(Vec<u8>),
    /// `null` stands in its place.
    Null,
    /// It goes.
    Drop,
}

impl Repair {
    /// Whether there is no value afterwards: one that is required is then missing.
    pub(super) fn takes_away(&self) -> bool {
        matches!(self, Self::Null | Self::Drop)
    }
}

/// All that is wrong with one value.
#[derive(Debug, Default)]
pub(super) struct Judged {
    pub(super) found: Vec<Found>,
    pub(super) repair: Repair,
}

impl Property {
    /// Finds all that is wrong with a value, and what becomes of it.
    pub(super) fn judge(&self, value: Json<'_>, actions: ValueActions) -> Judged {
        let mut judged = Judged::default();
        if let Some(kind) = self.kind.filter(|kind| !kind.has(value)) {
            let message = format!("expected {}, got {}", kind.as_str(), kind_of(value));
            let made = || coerce::to_type(kind, value);
            judged.act(Reason::ValidateType, message, actions.wrong_type, made);
            // Of a value with a wrong type nothing else can be said.
            if !matches!(judged.repair, Repair::Replace(_)) {
                return judged;
            }
        }
        if let Some(bounds) = &self.bounds {
            bounds.judge_set(value, actions.bad_enum, &mut judged);
            bounds.judge_range(value, actions.out_of_range, &mut judged);
            bounds.judge_pattern(value, actions.bad_pattern, &mut judged);
        }
        judged
    }
}

impl Judged {
    fn act(
        &mut self,
        reason: Reason,
        message: String,
        action: Action,
        made: impl FnOnce() -> Option<Vec<u8>>,
    ) {
        let mut rejects = false;
        match action {
            Action::Accept => return,
            Action::Reject => rejects = true,
            Action::DropProperty => self.repair = Repair::Drop,
            Action::NullProperty if self.repair != Repair::Drop => self.repair = Repair::Null,
            Action::NullProperty => {}
            Action::Coerce => match (made(), &self.repair) {
                (None, _) => rejects = true,
                (Some(made), Repair::Keep | Repair::Replace(_)) => {
                    self.repair = Repair::Replace(made);
                }
                (Some(_), Repair::Null | Repair::Drop) => {}
            },
        }
        self.found.push(Found {
            reason,
            message,
            rejects,
        });
    }

    /// The value with what was done to it so far.
    fn value(&self, original: Json<'_>) -> Vec<u8> {
        match &self.repair {
            Repair::Replace(made) => made.clone(),
            Repair::Keep | Repair::Null | Repair::Drop => original.raw().to_vec(),
        }
    }
}

impl Bounds {
    fn judge_set(&self, original: Json<'_>, action: Action, judged: &mut Judged) {
        let text = judged.value(original);
        let value = Json(&text);
        if self.has_set(value) {
            return;
        }
        let message = "expected one of the declared values".to_owned();
        let texts = self.one_of.as_ref().map(|one_of| &one_of.texts[..]);
        let made = || coerce::to_one_of(texts.unwrap_or_default(), value);
        judged.act(Reason::ValidateEnum, message, action, made);
    }

    fn judge_range(&self, original: Json<'_>, action: Action, judged: &mut Judged) {
        let text = judged.value(original);
        let value = Json(&text);
        if self.has_range(value) {
            return;
        }
        let made = || coerce::into_range(self, value);
        judged.act(Reason::ValidateRange, self.expected(value), action, made);
    }

    fn judge_pattern(&self, original: Json<'_>, action: Action, judged: &mut Judged) {
        let text = judged.value(original);
        if !self.has_pattern(Json(&text)) {
            let message = "expected text of the declared pattern".to_owned();
            judged.act(Reason::ValidatePattern, message, action, || None);
        }
    }

    /// The bounds in words; of a length also what it was, of a number not.
    fn expected(&self, value: Json<'_>) -> String {
        let bounds = match (self.min, self.max) {
            (Some(min), Some(max)) if min == max => written(min),
            (Some(min), Some(max)) => format!("{} to {}", written(min), written(max)),
            (Some(min), None) => format!("at least {}", written(min)),
            (None, Some(max)) => format!("at most {}", written(max)),
            (None, None) => String::new(),
        };
        let unit = match kind_of(value) {
            "string" => "characters",
            "list" => "elements",
            _ => return format!("expected {bounds}"),
        };
        let length = measure(value).map(written).unwrap_or_default();
        format!("expected {bounds} {unit}, got {length}")
    }
}

fn written(number: Number) -> String {
    match number {
        Number::Int(int) => int.to_string(),
        Number::Large(int) => int.to_string(),
        Number::Float(float) => float.to_string(),
    }
}
