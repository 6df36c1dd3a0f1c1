//! Times as events write them: a number since 1970 in some unit, or RFC 3339.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::event::{Json, Kind};
use crate::pipeline::number::Number;

/// What a number counts since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unit {
    /// Seconds.
    Second,
    /// Milliseconds.
    #[default]
    Millisecond,
    /// Microseconds.
    Microsecond,
    /// Nanoseconds.
    Nanosecond,
}

impl Unit {
    /// The time that a number tells; `None` beyond the year 9999.
    pub fn time(self, number: Number) -> Option<Timestamp> {
        let time = match (number, self) {
            (Number::Int(count), Self::Second) => Timestamp::from_second(count),
            (Number::Int(count), Self::Millisecond) => Timestamp::from_millisecond(count),
            (Number::Int(count), Self::Microsecond) => Timestamp::from_microsecond(count),
            (Number::Int(count), Self::Nanosecond) => Timestamp::from_nanosecond(count.into()),
            (Number::Large(count), Self::Nanosecond) => Timestamp::from_nanosecond(count.into()),
            (Number::Large(_), Self::Second | Self::Millisecond | Self::Microsecond) => {
                return None;
            }
            (Number::Float(count), unit) => {
                let seconds = count / f64::from(unit.per_second());
                Timestamp::from_duration(SignedDuration::try_from_secs_f64(seconds).ok()?)
            }
        };
        time.ok()
    }

    /// How many of them are a second.
    fn per_second(self) -> i32 {
        match self {
            Self::Second => 1,
            Self::Millisecond => 1_000,
            Self::Microsecond => 1_000_000,
            Self::Nanosecond => 1_000_000_000,
        }
    }
}

/// The time that a value tells; `None` for what is none, or beyond the year 9999.
pub fn read(value: Json<'_>, unit: Unit) -> Option<Timestamp> {
    match value.kind() {
        Kind::Number => unit.time(Number::read(value)?),
        Kind::String => parse(&value.as_str()?),
        Kind::Null | Kind::Bool | Kind::Array | Kind::Object => None,
    }
}

/// The time that a text tells in RFC 3339, with white space around it.
pub fn parse(text: &str) -> Option<Timestamp> {
    text.trim().parse().ok()
}

/// A span in whole milliseconds, as times are compared.
pub(in crate::pipeline) fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Depth;

    fn at(text: &str, unit: Unit) -> Option<i64> {
        let json = Json::parse(text.as_bytes(), Depth(4)).unwrap();
        read(json, unit).map(Timestamp::as_millisecond)
    }

    #[test]
    fn a_time_is_read_in_its_unit_or_as_text() {
        let expected = Some(1_750_000_000_500);
        assert_eq!(at("1750000000500", Unit::Millisecond), expected);
        assert_eq!(at("1750000000.5", Unit::Second), expected);
        assert_eq!(at("1750000000500000", Unit::Microsecond), expected);
        assert_eq!(at("1.7500000005e18", Unit::Nanosecond), expected);
        assert_eq!(at("1750000000500000000.0", Unit::Nanosecond), expected);
        let beyond_2262 = Some(10_000_000_000_000);
        assert_eq!(at("10000000000000000000", Unit::Nanosecond), beyond_2262);
        assert_eq!(at(r#""2025-06-15T15:06:40.5Z""#, Unit::Second), expected);
        assert_eq!(
            at(r#""2025-06-15T17:06:40.5+02:00""#, Unit::Second),
            expected
        );
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in [
            "1e400",
            "-1e300",
            "9223372036854775807",
            "null",
            "[1]",
            r#""soon""#,
        ] {
            assert_eq!(at(text, Unit::Millisecond), None, "{text}");
        }
    }
}
