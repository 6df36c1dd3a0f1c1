//! `cast`, and the form of times, which `parse: { time: … }` shares.

use jiff::Timestamp;
use jiff::fmt::strtime::{self, BrokenDownTime};
use jiff::tz::{Offset, TimeZone};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::document::condition::TimeUnit;
use crate::document::diagnostic::At;
use crate::document::executer::compile::fields;
use crate::document::one_or_many::OneOrMany;
use crate::document::scope::Scope;
use crate::pipeline::executer::{self, Cast, Executer, Output, Time};
use crate::pipeline::moment::Unit;

/// Turns a value into another type. `null` stays `null`, and a missing field stays missing.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Cast")]
pub struct CastForm {
    /// The field, or several.
    pub field: OneOrMany<String>,
    /// The new type.
    pub to: CastTo,
    /// Where the new value goes (default: where the old one stood). Only with one field.
    #[serde(rename = "as")]
    pub target: Option<String>,
    /// For `datetime`: what a number counts since 1970 (default `ms`).
    pub unit: Option<TimeUnit>,
    /// For `datetime`: how a string is written, as in `%d/%b/%Y:%H:%M:%S %z` (default RFC 3339).
    pub format: Option<String>,
    /// For `datetime`: the offset from UTC of a string that does not say it, as in `+08:00`
    /// (default `+00:00`).
    pub offset: Option<String>,
    /// For `datetime`: how the time is written (default `ms`).
    pub output: Option<TimeOutput>,
}

/// The type that a cast makes.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum CastTo {
    /// A string; a list or object becomes its JSON text.
    String,
    /// A number without fraction: from `"12"`, `12.0`, `true`. `12.5` is an error.
    Int,
    /// A number: from `"1.5"`; a number stays as it is.
    Float,
    /// `true` or `false`: from `1`, `0`, `"true"`, `"false"`, `"yes"`, `"no"`, `"1"`, `"0"`.
    Bool,
    /// A time: from a number of an epoch (see `unit`) or a string (see `format`).
    Datetime,
}

/// How a time is written.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
pub enum TimeOutput {
    /// Seconds since 1970.
    #[serde(rename = "s")]
    Second,
    /// Milliseconds since 1970.
    #[default]
    #[serde(rename = "ms")]
    Millisecond,
    /// Microseconds since 1970.
    #[serde(rename = "us")]
    Microsecond,
    /// Nanoseconds since 1970.
    #[serde(rename = "ns")]
    Nanosecond,
    /// A string, in UTC: `2026-01-02T03:04:05.678Z`.
    #[serde(rename = "rfc3339")]
    Rfc3339,
}

/// How a time is read and written, as far as it was said.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct TimeForm<'f> {
    pub(super) unit: Option<TimeUnit>,
    pub(super) format: Option<&'f str>,
    pub(super) offset: Option<&'f str>,
    pub(super) output: Option<TimeOutput>,
}

impl CastForm {
    pub(super) fn compile(&self, scope: &mut Scope<'_>, at: &At<'_>) -> Executer {
        let from = fields(&self.field, scope, &at.field("field"));
        let target = self.target.as_deref();
        let target = target.map(|path| scope.field(&at.field("as"), path));
        if target.is_some() && from.len() > 1 {
            let hint = "make a cast of each field, or leave `as` out";
            let message = "several fields cannot go to one place";
            scope.diagnostics.error(&at.field("as"), message, hint);
        }
        let time = TimeForm {
            unit: self.unit,
            format: self.format.as_deref(),
            offset: self.offset.as_deref(),
            output: self.output,
        };
        if self.to != CastTo::Datetime {
            time.refuse("only a cast `to: datetime` knows this key", scope, at);
        }
        let to = match self.to {
            CastTo::String => executer::CastTo::String,
            CastTo::Int => executer::CastTo::Int,
            CastTo::Float => executer::CastTo::Float,
            CastTo::Bool => executer::CastTo::Bool,
            CastTo::Datetime => executer::CastTo::Datetime(time.compile(scope, at)),
        };
        let fields = from.iter().map(|from| (*from, target.unwrap_or(*from)));
        Executer::Cast(Cast {
            fields: fields.collect(),
            to,
        })
    }
}

impl TimeForm<'_> {
    /// Reports what was said although there is no time.
    pub(super) fn refuse(self, message: &str, scope: &mut Scope<'_>, at: &At<'_>) {
        let said = [
            ("unit", self.unit.is_some()),
            ("format", self.format.is_some()),
            ("offset", self.offset.is_some()),
            ("output", self.output.is_some()),
        ];
        for (key, said) in said {
            if said {
                scope
                    .diagnostics
                    .error(&at.field(key), message, "leave it out");
            }
        }
    }

    pub(super) fn compile(self, scope: &mut Scope<'_>, at: &At<'_>) -> Time {
        let time = Time {
            unit: self.unit.unwrap_or_default().into(),
            format: self.format.map(Into::into),
            offset: self
                .offset
                .map_or(Offset::UTC, |text| offset(text, scope, at)),
            output: match self.output.unwrap_or_default() {
                TimeOutput::Second => Output::Epoch(Unit::Second),
                TimeOutput::Millisecond => Output::Epoch(Unit::Millisecond),
                TimeOutput::Microsecond => Output::Epoch(Unit::Microsecond),
                TimeOutput::Nanosecond => Output::Epoch(Unit::Nanosecond),
                TimeOutput::Rfc3339 => Output::Rfc3339,
            },
        };
        if let Some(format) = self.format {
            let example = Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC);
            let at = at.field("format");
            if names_a_zone(format) {
                let hint =
                    "write `%z` or `%:z` where an offset stands, or leave it out and add `offset`";
                scope
                    .diagnostics
                    .error(&at, "names of time zones are not read", hint);
                return time;
            }
            match strtime::format(format, &example) {
                Ok(text) if time.parse(&text).is_some() => {}
                Ok(_) => scope.diagnostics.error(
                    &at,
                    "the format does not hold a whole date",
                    "it needs year, month and day, or `%s`: `%Y-%m-%d %H:%M:%S`",
                ),
                Err(error) => scope.diagnostics.error(
                    &at,
                    format!("the format is wrong: {error}"),
                    "write it as for strptime: `%d/%b/%Y:%H:%M:%S %z`",
                ),
            }
        }
        time
    }
}

/// Whether a format holds `%Z` or `%Q`: names of zones are ambiguous, or change.
fn names_a_zone(format: &str) -> bool {
    let mut rest = format.bytes();
    while rest.by_ref().any(|c| c == b'%') {
        let flag = |c: &u8| b"_-0^#:123456789".contains(c);
        if matches!(rest.by_ref().find(|c| !flag(c)), Some(b'Z' | b'Q')) {
            return true;
        }
    }
    false
}

fn offset(text: &str, scope: &mut Scope<'_>, at: &At<'_>) -> Offset {
    let parsed = BrokenDownTime::parse("%:z", text)
        .ok()
        .and_then(|time| time.offset());
    parsed.unwrap_or_else(|| {
        let message = format!("`{text}` is not an offset from UTC");
        let hint = "write it as in `+08:00`; names of time zones change, so they are not known";
        scope.diagnostics.error(&at.field("offset"), message, hint);
        Offset::UTC
    })
}
