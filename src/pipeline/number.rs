//! Numbers as conditions and catalogs compare them: integers exactly, everything else as doubles.

use std::cmp::Ordering;

use crate::event::{Json, Kind};

/// A number of an event or of a document.
#[derive(Clone, Copy, Debug)]
pub enum Number {
    /// An integer that fits.
    Int(i64),
    /// A larger one.
    Large(u64),
    /// Anything else, also an integer that fits nowhere; infinite beyond a double.
    Float(f64),
}

impl Number {
    /// Reads a value; `None` if it is not a number.
    pub fn read(value: Json<'_>) -> Option<Self> {
        if value.kind() != Kind::Number {
            return None;
        }
        if let Some(short) = short(value.raw()) {
            return Some(Self::Int(short));
        }
        let text = std::str::from_utf8(value.raw()).ok()?;
        if value.is_int() {
            return Self::parse(text);
        }
        text.parse().map(Self::Float).ok()
    }

    /// Reads the text of a number.
    pub fn parse(text: &str) -> Option<Self> {
        let int = text.parse().map(Self::Int);
        let int = int.or_else(|_| text.parse().map(Self::Large));
        int.or_else(|_| text.parse().map(Self::Float)).ok()
    }

    /// As a double, rounded where it must be.
    #[expect(clippy::cast_precision_loss, reason = "rounding is what is asked for")]
    pub fn as_f64(self) -> f64 {
        match self {
            Self::Int(int) => int as f64,
            Self::Large(int) => int as f64,
            Self::Float(float) => float,
        }
    }

    /// Numbers that are equal have equal keys; the converse needs a comparison.
    pub(in crate::pipeline) fn key(self) -> u64 {
        // The sum turns minus zero into zero.
        (self.as_f64() + 0.0).to_bits()
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        match (*self, *other) {
            (Self::Int(a), Self::Int(b)) => a == b,
            (Self::Large(a), Self::Large(b)) => a == b,
            // What is `Large` does not fit an `Int`.
            (Self::Int(_), Self::Large(_)) | (Self::Large(_), Self::Int(_)) => false,
            (a, b) => a.as_f64() == b.as_f64(),
        }
    }
}

impl PartialOrd for Number {
    /// `None` only for what is no number at all, which no event and no document can hold.
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        match (*self, *other) {
            (Self::Int(a), Self::Int(b)) => Some(a.cmp(&b)),
            (Self::Large(a), Self::Large(b)) => Some(a.cmp(&b)),
            (Self::Int(_), Self::Large(_)) => Some(Ordering::Less),
            (Self::Large(_), Self::Int(_)) => Some(Ordering::Greater),
            (a, b) => a.as_f64().partial_cmp(&b.as_f64()),
        }
    }
}

/// Digits that cannot overflow: the usual case, without a detour over `str`.
fn short(raw: &[u8]) -> Option<i64> {
    if raw.len() > 18 {
        return None;
    }
    let (negative, digits) = match raw {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    let mut value = 0;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        value = value * 10 + i64::from(digit - b'0');
    }
    Some(if negative { -value } else { value })
}
