//! What a condition asks of one value.

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use jiff::Timestamp;
use regex::bytes::Regex;

use crate::event::{Json, Kind};
use crate::pipeline::condition::{Constant, Needles, Set};
use crate::pipeline::moment::{self, Unit, millis};
use crate::pipeline::number::Number;

/// What a condition asks of one value.
#[derive(Debug)]
pub enum Test {
    /// Whether it is there.
    Exists(bool),
    /// Its type is among these.
    Kinds(Kinds),
    /// It is this.
    Equals(Constant),
    /// It is one of these.
    In(Set),
    /// It is a string with one of these in its place.
    Needles(Needles),
    /// It is a string that matches.
    Regex(Regex),
    /// It is a number within these bounds.
    Range(Range),
    /// It is a time within this window.
    Within(Window),
    /// It is a string with an address in one of these networks.
    Cidr(Box<[IpNet]>),
}

impl Test {
    /// Whether a value that is there meets it.
    pub fn meets(&self, value: Json<'_>, received: Timestamp) -> bool {
        match self {
            Self::Exists(wanted) => *wanted,
            Self::Kinds(kinds) => kinds.has(value),
            Self::Equals(constant) => constant.equals(value),
            Self::In(set) => set.contains(value),
            Self::Needles(needles) => needles.found(value),
            Self::Regex(regex) => value.characters().is_some_and(|text| regex.is_match(&text)),
            Self::Range(range) => Number::read(value).is_some_and(|is| range.has(is)),
            Self::Within(window) => window.has(value, received),
            Self::Cidr(networks) => in_networks(value, networks),
        }
    }
}

/// Types of values, any of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kinds(u8);

impl Kinds {
    /// No type.
    pub const NONE: Self = Self(0);
    /// Any type.
    pub const ALL: Self = Self(0x7f);
    /// `null`
    pub const NULL: Self = Self(1);
    /// `true` and `false`
    pub const BOOL: Self = Self(1 << 1);
    /// A number without fraction and exponent.
    pub const INT: Self = Self(1 << 2);
    /// A number with a fraction or an exponent.
    pub const FLOAT: Self = Self(1 << 3);
    /// A string
    pub const STRING: Self = Self(1 << 4);
    /// A list
    pub const LIST: Self = Self(1 << 5);
    /// An object
    pub const OBJECT: Self = Self(1 << 6);
    /// Any number.
    pub const NUMBER: Self = Self(Self::INT.0 | Self::FLOAT.0);

    /// One or the other.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Both at once.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether the value's type is among them.
    pub fn has(self, value: Json<'_>) -> bool {
        let kind = match value.kind() {
            Kind::Null => Self::NULL,
            Kind::Bool => Self::BOOL,
            Kind::Number if self.and(Self::NUMBER) == Self::NUMBER => Self::NUMBER,
            Kind::Number if value.is_int() => Self::INT,
            Kind::Number => Self::FLOAT,
            Kind::String => Self::STRING,
            Kind::Array => Self::LIST,
            Kind::Object => Self::OBJECT,
        };
        self.and(kind) != Self::NONE
    }
}

/// Bounds of a number.
#[derive(Clone, Copy, Debug)]
pub struct Range {
    /// At least this.
    pub min: Option<Number>,
    /// At most this.
    pub max: Option<Number>,
    /// More than this.
    pub above: Option<Number>,
    /// Less than this.
    pub below: Option<Number>,
}

impl Range {
    /// Whether no number is within these bounds.
    pub fn is_empty(self) -> bool {
        let lower = [(self.min, false), (self.above, true)];
        let upper = [(self.max, false), (self.below, true)];
        lower.iter().any(|(low, above)| {
            upper.iter().any(|(high, below)| {
                let bounds = low.zip(*high);
                bounds.is_some_and(|(low, high)| low > high || (low == high && (*above || *below)))
            })
        })
    }

    fn has(self, value: Number) -> bool {
        self.min.is_none_or(|min| value >= min)
            && self.max.is_none_or(|max| value <= max)
            && self.above.is_none_or(|above| value > above)
            && self.below.is_none_or(|below| value < below)
    }
}

/// A window of time around the time of receipt.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// How far back; none: as far as you like.
    pub past: Option<Duration>,
    /// How far ahead.
    pub future: Option<Duration>,
    /// What a number of the field counts.
    pub unit: Unit,
}

impl Window {
    fn has(self, value: Json<'_>, received: Timestamp) -> bool {
        moment::read(value, self.unit).is_some_and(|time| {
            let age = received.as_millisecond() - time.as_millisecond();
            self.past.is_none_or(|past| age <= millis(past))
                && self.future.is_none_or(|future| -age <= millis(future))
        })
    }
}

fn in_networks(value: Json<'_>, networks: &[IpNet]) -> bool {
    let address = value.as_str().and_then(|text| text.parse::<IpAddr>().ok());
    address.is_some_and(|address| {
        let address = address.to_canonical();
        networks.iter().any(|network| network.contains(&address))
    })
}
