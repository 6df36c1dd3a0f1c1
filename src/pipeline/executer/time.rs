//! Times as events write them, and as they are written again.

use std::io::Write;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::fmt::strtime::BrokenDownTime;
use jiff::tz::Offset;

use crate::event::{Json, Kind};
use crate::pipeline::moment::{self, Unit};
use crate::pipeline::number::Number;

/// How a time is read and written.
#[derive(Clone, Debug)]
pub struct Time {
    /// What a number counts since 1970.
    pub unit: Unit,
    /// How a string is written, as for `strptime`; else RFC 3339.
    pub format: Option<Box<str>>,
    /// The offset of a string that says none.
    pub offset: Offset,
    /// How it is written again.
    pub output: Output,
}

/// How a time is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// As a number since 1970.
    Epoch(Unit),
    /// As a string in UTC.
    Rfc3339,
}

impl Time {
    /// Reads a number or a string.
    pub(super) fn read(&self, value: Json<'_>) -> Option<Timestamp> {
        match value.kind() {
            Kind::Number => self.unit.time(Number::read(value)?),
            Kind::String => self.parse(&value.as_str()?),
            Kind::Null | Kind::Bool | Kind::Array | Kind::Object => None,
        }
    }

    /// Reads a string.
    pub fn parse(&self, text: &str) -> Option<Timestamp> {
        let text = text.trim();
        if let Some(format) = &self.format {
            let time = BrokenDownTime::parse(format.as_bytes(), text).ok()?;
            if time.offset().is_some() || time.timestamp().is_some() {
                return time.to_timestamp().ok();
            }
            return self.offset.to_timestamp(time.to_datetime().ok()?).ok();
        }
        if let Some(time) = moment::parse(text) {
            return Some(time);
        }
        if let Ok(time) = text.parse::<DateTime>() {
            return self.offset.to_timestamp(time).ok();
        }
        // What has no digit is no number: a double may also be called `inf`.
        text.ends_with(|last: char| last.is_ascii_digit())
            .then(|| self.unit.time(Number::parse(text)?))?
    }

    /// Appends it as JSON.
    pub(super) fn write(&self, time: Timestamp, out: &mut Vec<u8>) {
        let written = match self.output {
            Output::Epoch(Unit::Second) => write!(out, "{}", time.as_second()),
            Output::Epoch(Unit::Millisecond) => write!(out, "{}", time.as_millisecond()),
            Output::Epoch(Unit::Microsecond) => write!(out, "{}", time.as_microsecond()),
            Output::Epoch(Unit::Nanosecond) => write!(out, "{}", time.as_nanosecond()),
            Output::Rfc3339 => write!(out, "\"{time}\""),
        };
        written.expect("writing to memory cannot fail");
    }
}
