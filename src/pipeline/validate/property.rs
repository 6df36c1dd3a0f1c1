//! What one property must be: type, range, set and pattern. The look at a value that is right costs
//! nanoseconds and no allocation; only one that is wrong is gone through again (`repair`).

use regex::bytes::Regex;

use crate::event::{Json, Kind};
use crate::pipeline::condition::Set;
use crate::pipeline::moment;
use crate::pipeline::number::Number;
use crate::pipeline::validate::Personal;

/// What a property must be. Definitions are shared by all events that use them.
#[derive(Debug, Default)]
pub struct Property {
    /// Its type; `None`: any.
    pub kind: Option<Type>,
    /// More than its type.
    pub bounds: Option<Box<Bounds>>,
    /// What is done with personal data.
    pub personal: Personal,
}

/// The type of a property.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// A string.
    String,
    /// A whole number, written as one.
    Int,
    /// Any number.
    Float,
    /// `true` or `false`.
    Bool,
    /// RFC 3339, or a number of seconds or milliseconds since 1970.
    Datetime,
    /// A list.
    List,
    /// An object.
    Object,
}

/// Ranges, sets and patterns.
#[derive(Debug, Default)]
pub struct Bounds {
    /// The least number, or least length of a string or list.
    pub min: Option<Number>,
    /// The greatest number, or greatest length of a string or list.
    pub max: Option<Number>,
    /// The values it may have; of a list, its elements.
    pub one_of: Option<OneOf>,
    /// What a string matches; of a list, its elements.
    pub pattern: Option<Regex>,
}

/// A set of values.
#[derive(Debug, Default)]
pub struct OneOf {
    /// For looking up.
    pub set: Set,
    /// The strings among them, for finding one that is written a little differently.
    pub texts: Vec<Box<str>>,
}

impl Type {
    /// The word for it in documents and messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Int => "int",
            Self::Float => "float",
            Self::Bool => "bool",
            Self::Datetime => "datetime",
            Self::List => "list",
            Self::Object => "object",
        }
    }

    /// Whether a value has it.
    pub fn has(self, value: Json<'_>) -> bool {
        match (self, value.kind()) {
            (Self::String, Kind::String)
            | (Self::Float, Kind::Number)
            | (Self::Bool, Kind::Bool)
            | (Self::List, Kind::Array)
            | (Self::Object, Kind::Object) => true,
            (Self::Int, Kind::Number) => value.is_int(),
            (Self::Datetime, Kind::Number | Kind::String) => {
                moment::read(value, moment::Unit::Millisecond).is_some()
            }
            _ => false,
        }
    }
}

/// The word for what a value is, in messages.
pub(super) fn kind_of(value: Json<'_>) -> &'static str {
    match value.kind() {
        Kind::Null => "null",
        Kind::Bool => "bool",
        Kind::Number if value.is_int() => "int",
        Kind::Number => "float",
        Kind::String => "string",
        Kind::Array => "list",
        Kind::Object => "object",
    }
}

impl Property {
    /// Whether a value is what it must be.
    pub(super) fn fits(&self, value: Json<'_>) -> bool {
        self.kind.is_none_or(|kind| kind.has(value))
            && self.bounds.as_ref().is_none_or(|bounds| {
                bounds.has_set(value) && bounds.has_range(value) && bounds.has_pattern(value)
            })
    }
}

impl Bounds {
    /// Whether the number, or the length, is in its range.
    pub(super) fn has_range(&self, value: Json<'_>) -> bool {
        if (self.min.is_none() && self.max.is_none()) || self.is_surely_short(value) {
            return true;
        }
        match measure(value) {
            Some(size) => !self.is_below(size) && !self.is_above(size),
            None => true,
        }
    }

    pub(super) fn is_below(&self, size: Number) -> bool {
        self.min.is_some_and(|min| size < min)
    }

    pub(super) fn is_above(&self, size: Number) -> bool {
        self.max.is_some_and(|max| size > max)
    }

    /// Whether a string or list without a least length is so short that nothing needs to be counted:
    /// it has no more characters than bytes, and no more elements than every second byte can be.
    fn is_surely_short(&self, value: Json<'_>) -> bool {
        let (None, Some(Number::Int(max))) = (self.min, self.max) else {
            return false;
        };
        let most = match value.kind() {
            Kind::String => value.inside().len(),
            Kind::Array => value.raw().len() / 2,
            Kind::Null | Kind::Bool | Kind::Number | Kind::Object => return false,
        };
        i64::try_from(most).is_ok_and(|most| most <= max)
    }

    /// Whether the value, or every element of the list, is in its set.
    pub(super) fn has_set(&self, value: Json<'_>) -> bool {
        let Some(one_of) = &self.one_of else {
            return true;
        };
        match value.kind() {
            Kind::Array => value.elements().all(|each| one_of.set.contains(each)),
            _ => one_of.set.contains(value),
        }
    }

    /// Whether the string, or every string of the list, matches.
    pub(super) fn has_pattern(&self, value: Json<'_>) -> bool {
        let Some(pattern) = &self.pattern else {
            return true;
        };
        match value.kind() {
            Kind::Array => value.elements().all(|each| matches(pattern, each)),
            _ => matches(pattern, value),
        }
    }
}

fn matches(pattern: &Regex, value: Json<'_>) -> bool {
    value
        .characters()
        .is_none_or(|text| pattern.is_match(&text))
}

/// What a range speaks of: the number, the characters of a string, the elements of a list.
pub(super) fn measure(value: Json<'_>) -> Option<Number> {
    let length = match value.kind() {
        Kind::Number => return Number::read(value),
        // A byte that continues a character is none of its own.
        Kind::String => value
            .characters()?
            .iter()
            .filter(|c| **c & 0xc0 != 0x80)
            .count(),
        Kind::Array => value.elements().count(),
        Kind::Null | Kind::Bool | Kind::Object => return None,
    };
    i64::try_from(length).ok().map(Number::Int)
}
