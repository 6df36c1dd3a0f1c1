//! `cast`, and the form of times, which `parse: { time: … }` shares.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::document::condition::TimeUnit;
use crate::document::one_or_many::OneOrMany;

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
