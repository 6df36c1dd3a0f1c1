//! Conditions as people write them: structured data, not a text to parse.
//!
//! One object. `field` says which field the operators in it speak of, here and below; all that
//! stands in one object must hold. A field that is missing fails every operator but
//! `exists: false`, and `not` turns the answer around.

mod compile;

pub(in crate::document) use compile::{REGEX_SIZE, reason};

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};
use serde_json::Number;

use crate::document::one_or_many::OneOrMany;
use crate::document::unit::TimeSpan;

/// A condition on an event. All that stands in one object must hold.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Condition")]
pub struct ConditionForm {
    /// Every one of these must hold.
    pub all: Option<Vec<ConditionForm>>,
    /// At least one of these must hold.
    pub any: Option<Vec<ConditionForm>>,
    /// This must not hold. Beside `field` it may hold operators alone: `{ field: a, not: { eq: 1 } }`.
    pub not: Option<Box<ConditionForm>>,
    /// The field that the operators speak of, as a path: `properties.price`. A dot inside a name is
    /// written `\.`; a number names an element of a list.
    pub field: Option<String>,
    /// Whether the field is there; `null` counts as there.
    pub exists: Option<bool>,
    /// The field's type, or one of several.
    #[serde(rename = "type")]
    pub kind: Option<OneOrMany<TypeName>>,
    /// The field equals this; numbers by value, so that `1` equals `1.0`.
    #[serde(default, deserialize_with = "scalar")]
    pub eq: Option<Scalar>,
    /// The field equals one of these; any number of them costs the same.
    #[serde(rename = "in")]
    pub one_of: Option<Vec<Scalar>>,
    /// The string begins with this, or with one of these.
    pub prefix: Option<OneOrMany<String>>,
    /// The string ends with this, or with one of these.
    pub suffix: Option<OneOrMany<String>>,
    /// The string has this in it, or one of these.
    pub contains: Option<OneOrMany<String>>,
    /// The string matches this regular expression somewhere; anchor it with `^` and `$`.
    pub regex: Option<String>,
    /// The number lies between bounds.
    pub range: Option<RangeForm>,
    /// The time lies close enough to the time of receipt.
    pub within: Option<WithinForm>,
    /// The string is an address in this network, or in one of these: `10.0.0.0/8`.
    pub cidr: Option<OneOrMany<String>>,
}

/// Bounds of a number; at least one.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Range")]
pub struct RangeForm {
    /// At least this.
    pub min: Option<Number>,
    /// At most this.
    pub max: Option<Number>,
    /// More than this.
    pub above: Option<Number>,
    /// Less than this.
    pub below: Option<Number>,
}

/// A window around the time of receipt; at least one side.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Within")]
pub struct WithinForm {
    /// At most so long before the time of receipt.
    pub past: Option<TimeSpan>,
    /// At most so long after it.
    pub future: Option<TimeSpan>,
    /// What a number counts since 1970 (default `ms`); a string is read as RFC 3339.
    pub unit: Option<TimeUnit>,
}

/// What a number of an epoch counts.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
pub enum TimeUnit {
    /// Seconds.
    #[serde(rename = "s")]
    Second,
    /// Milliseconds.
    #[default]
    #[serde(rename = "ms")]
    Millisecond,
    /// Microseconds.
    #[serde(rename = "us")]
    Microsecond,
    /// Nanoseconds.
    #[serde(rename = "ns")]
    Nanosecond,
}

/// The type of a value.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum TypeName {
    /// A string.
    String,
    /// A number without fraction and exponent.
    Int,
    /// A number with a fraction or an exponent.
    Float,
    /// Any number.
    Number,
    /// `true` or `false`.
    Bool,
    /// A list.
    List,
    /// An object.
    Object,
    /// `null`.
    Null,
}

/// A string, number, `true`, `false` or `null`. Compiling refuses lists and objects.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(transparent)]
pub struct Scalar(pub serde_json::Value);

impl JsonSchema for Scalar {
    fn schema_name() -> Cow<'static, str> {
        "Scalar".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "number", "boolean", "null"] })
    }
}

/// `eq: null` asks for `null`; it is not the same as no `eq`.
fn scalar<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Scalar>, D::Error> {
    Scalar::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests;
