//! Times as events write them: a number since 1970 in some unit, or RFC 3339.

use jiff::Timestamp;

use crate::event::{Json, Kind};

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
        Kind::Number => number(value, unit),
        Kind::String => value.as_str()?.trim().parse().ok(),
        Kind::Null | Kind::Bool | Kind::Array | Kind::Object => None,
    }
}

fn number(value: Json<'_>, unit: Unit) -> Option<Timestamp> {
    if let Some(whole) = value.as_i64() {
        return match unit {
            Unit::Second => Timestamp::from_second(whole),
            Unit::Millisecond => Timestamp::from_millisecond(whole),
            Unit::Microsecond => Timestamp::from_microsecond(whole),
            Unit::Nanosecond => Timestamp::from_nanosecond(i128::from(whole)),
        }
        .ok();
    }
    let seconds = value.as_f64()? / f64::from(unit.per_second());
    let duration = jiff::SignedDuration::try_from_secs_f64(seconds).ok()?;
    Timestamp::from_duration(duration).ok()
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
