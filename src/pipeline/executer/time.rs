//! Times as events write them, and as they are written again.

use std::io::Write;

use jiff::civil::DateTime;
use jiff::fmt::strtime::BrokenDownTime;
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};

use crate::event::{Json, Kind};
use crate::pipeline::condition::Number;

/// How a time is read and written.
#[derive(Clone, Debug)]
pub struct Time {
    /// What a number counts since 1970.
    pub epoch: Epoch,
    /// How a string is written, as for `strptime`; else RFC 3339.
    pub format: Option<Box<str>>,
    /// The offset of a string that says none.
    pub offset: Offset,
    /// How it is written again.
    pub output: Output,
}

/// What a number counts since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Epoch {
    /// Seconds.
    Second,
    /// Milliseconds.
    Millisecond,
    /// Microseconds.
    Microsecond,
    /// Nanoseconds.
    Nanosecond,
}

/// How a time is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// As a number since 1970.
    Epoch(Epoch),
    /// As a string in UTC.
    Rfc3339,
}

impl Time {
    /// Reads a number or a string.
    pub(super) fn read(&self, value: Json<'_>) -> Option<Timestamp> {
        match value.kind() {
            Kind::Number => self.epoch.read(Number::read(value)?),
            Kind::String => self.parse(&value.as_str()?),
            Kind::Null | Kind::Bool | Kind::Array | Kind::Object => None,
        }
    }

    /// Reads a string.
    pub fn parse(&self, text: &str) -> Option<Timestamp> {
        let text = text.trim_ascii();
        if let Some(format) = &self.format {
            let time = BrokenDownTime::parse(format.as_bytes(), text).ok()?;
            if time.offset().is_some() || time.timestamp().is_some() {
                return time.to_timestamp().ok();
            }
            return self.offset.to_timestamp(time.to_datetime().ok()?).ok();
        }
        if let Ok(time) = text.parse::<Timestamp>() {
            return Some(time);
        }
        if let Ok(time) = text.parse::<DateTime>() {
            return self.offset.to_timestamp(time).ok();
        }
        // What has no digit is no number: a double may also be called `inf`.
        text.ends_with(|last: char| last.is_ascii_digit())
            .then(|| self.epoch.read(Number::parse(text)?))?
    }

    /// Appends it as JSON.
    pub(super) fn write(&self, time: Timestamp, out: &mut Vec<u8>) {
        let written = match self.output {
            Output::Epoch(Epoch::Second) => write!(out, "{}", time.as_second()),
            Output::Epoch(Epoch::Millisecond) => write!(out, "{}", time.as_millisecond()),
            Output::Epoch(Epoch::Microsecond) => write!(out, "{}", time.as_microsecond()),
            Output::Epoch(Epoch::Nanosecond) => write!(out, "{}", time.as_nanosecond()),
            Output::Rfc3339 => write!(out, "\"{time}\""),
        };
        written.expect("writing to memory cannot fail");
    }
}

impl Epoch {
    fn read(self, number: Number) -> Option<Timestamp> {
        let count = match number {
            Number::Int(count) => count,
            Number::Large(_) => return None,
            Number::Float(count) => {
                let seconds = SignedDuration::try_from_secs_f64(count * self.seconds()).ok()?;
                return Timestamp::from_duration(seconds).ok();
            }
        };
        match self {
            Self::Second => Timestamp::from_second(count),
            Self::Millisecond => Timestamp::from_millisecond(count),
            Self::Microsecond => Timestamp::from_microsecond(count),
            Self::Nanosecond => Timestamp::from_nanosecond(i128::from(count)),
        }
        .ok()
    }

    fn seconds(self) -> f64 {
        match self {
            Self::Second => 1.0,
            Self::Millisecond => 1e-3,
            Self::Microsecond => 1e-6,
            Self::Nanosecond => 1e-9,
        }
    }
}
