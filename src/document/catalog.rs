//! The catalog as people write it: which events there are, and which properties each may have.
//!
//! A property is defined once and used by name, or stands where it is used; a type alone is enough
//! (`stay_ms: int`). Several documents of one name are merged: see [`compile`].

mod compile;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};

use crate::document::validate::{EventAction, PropertyAction, PropertyActions};

pub(in crate::document) use compile::compile_property;
pub use compile::{Part, compile};

/// A catalog document.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Catalog")]
pub struct CatalogForm {
    /// A number that people raise with every change.
    pub version: u64,
    /// What this catalog is about.
    #[serde(default)]
    pub description: String,
    /// Who answers for it.
    #[serde(default)]
    pub owner: String,
    /// Properties that are defined once and used by name.
    #[serde(default)]
    pub properties: BTreeMap<String, PropertyForm>,
    /// Names for lists of shared properties.
    #[serde(default)]
    pub groups: BTreeMap<String, Vec<String>>,
    /// The events by name; `*` in a name stands for one or more characters. The exact name counts
    /// first, then the one with the most characters beside its `*`.
    #[serde(default)]
    pub events: BTreeMap<String, EventForm>,
    /// What becomes of what is wrong, unless the repo's validator says otherwise.
    #[serde(default)]
    pub violations: ViolationsForm,
}

/// What becomes of each class of violation.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Violations")]
pub struct ViolationsForm {
    /// An event that the catalog does not know (default `reject`).
    pub unknown_event: Option<EventAction>,
    /// An event whose status is `draft` (default `accept`).
    pub draft: Option<EventAction>,
    /// An event whose status is `deprecated` (default `accept`).
    pub deprecated: Option<EventAction>,
    /// An event whose status is `blocked` (default `reject`).
    pub blocked: Option<EventAction>,
    /// A required property that is missing or `null` (default `reject`).
    pub missing: Option<EventAction>,
    /// A property that the catalog does not know for this event (default `accept`); not `coerce`.
    pub unknown_property: Option<PropertyAction>,
    /// A value of another type (default `reject`).
    pub wrong_type: Option<PropertyAction>,
    /// A number outside `min` and `max`, a text or list of another length (default `reject`);
    /// `coerce` takes the nearest bound, or cuts the text.
    pub out_of_range: Option<PropertyAction>,
    /// A value that is not in `enum` (default `reject`); `coerce` looks again without white space
    /// around it and without regard to upper and lower case.
    pub bad_enum: Option<PropertyAction>,
    /// A text that does not match `pattern` (default `reject`); not `coerce`.
    pub bad_pattern: Option<PropertyAction>,
}

impl ViolationsForm {
    /// What is said here, else what `other` says.
    pub fn or(self, other: Self) -> Self {
        Self {
            unknown_event: self.unknown_event.or(other.unknown_event),
            draft: self.draft.or(other.draft),
            deprecated: self.deprecated.or(other.deprecated),
            blocked: self.blocked.or(other.blocked),
            missing: self.missing.or(other.missing),
            unknown_property: self.unknown_property.or(other.unknown_property),
            wrong_type: self.wrong_type.or(other.wrong_type),
            out_of_range: self.out_of_range.or(other.out_of_range),
            bad_enum: self.bad_enum.or(other.bad_enum),
            bad_pattern: self.bad_pattern.or(other.bad_pattern),
        }
    }

    /// Those about values.
    pub fn of_values(self) -> PropertyActions {
        PropertyActions {
            wrong_type: self.wrong_type,
            out_of_range: self.out_of_range,
            bad_enum: self.bad_enum,
            bad_pattern: self.bad_pattern,
        }
    }
}

/// An event of the catalog.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "CatalogEvent")]
pub struct EventForm {
    /// Where in its life it is (default `active`).
    #[serde(default)]
    pub status: StatusForm,
    /// How important it is; a route or a restriction may say otherwise.
    pub priority: Option<PriorityForm>,
    /// Who answers for it.
    #[serde(default)]
    pub owner: String,
    /// What it tells.
    #[serde(default)]
    pub description: String,
    /// Groups and shared properties that it may have.
    #[serde(default, rename = "use")]
    pub uses: Vec<String>,
    /// Properties of its own; they hide shared ones of the same name.
    #[serde(default)]
    pub properties: BTreeMap<String, PropertyForm>,
    /// The properties that it must have, beside those that say `required` themselves.
    #[serde(default)]
    pub required: Vec<String>,
}

/// Where in its life an event is.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "Status")]
pub enum StatusForm {
    /// Not released yet.
    Draft,
    /// In use.
    #[default]
    Active,
    /// Will go away.
    Deprecated,
    /// Not wanted any more.
    Blocked,
}

/// How important an event is.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq, Hash)]
#[schemars(rename = "Priority")]
pub enum PriorityForm {
    /// Never shed while anything can take it.
    P0,
    /// Important.
    P1,
    /// The default.
    P2,
    /// First to be shed.
    P3,
}

/// What a property must be. A type alone may stand for it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct PropertyForm {
    /// All that is written.
    pub rules: RulesForm,
}

/// What a property must be.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq, Hash)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Property")]
pub struct RulesForm {
    /// Its type; without one every type is right.
    #[serde(rename = "type")]
    pub kind: Option<PropertyType>,
    /// What it tells.
    #[serde(default)]
    pub description: String,
    /// Every event that uses it must have it.
    #[serde(default)]
    pub required: bool,
    /// The values it may have.
    #[serde(rename = "enum")]
    pub one_of: Option<Vec<Value>>,
    /// A regular expression for a string; anchor it with `^` and `$`.
    pub pattern: Option<String>,
    /// The least number, or for a string or list its least length (characters, elements).
    pub min: Option<Number>,
    /// The greatest number, or for a string or list its greatest length.
    pub max: Option<Number>,
    /// The length of a string (characters) or list (elements), exactly.
    pub length: Option<u32>,
    /// What is done with personal data (default `none`).
    #[serde(default)]
    pub personal: PersonalForm,
}

/// The type of a property.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq, Hash)]
#[serde(rename_all = "lowercase")]
pub enum PropertyType {
    /// A string.
    String,
    /// A whole number; `12.0` is none.
    Int,
    /// Any number.
    Float,
    /// `true` or `false`.
    Bool,
    /// A time: RFC 3339, or seconds or milliseconds since 1970.
    Datetime,
    /// A list.
    List,
    /// An object.
    Object,
}

/// What is done with personal data.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq, Hash)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "Personal")]
pub enum PersonalForm {
    /// Nothing.
    #[default]
    None,
    /// Its SHA-256 stands in its place, as hex.
    Hash,
    /// The middle is replaced by stars.
    Mask,
    /// It is taken away.
    Drop,
}

impl<'de> Deserialize<'de> for PropertyForm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PropertyVisitor)
    }
}

struct PropertyVisitor;

impl<'de> Visitor<'de> for PropertyVisitor {
    type Value = PropertyForm;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a type such as `int`, or what the property must be")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<PropertyForm, E> {
        let kind = PropertyType::deserialize(serde::de::value::StrDeserializer::new(text))?;
        let rules = RulesForm {
            kind: Some(kind),
            ..RulesForm::default()
        };
        Ok(PropertyForm { rules })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<PropertyForm, A::Error> {
        let rules = RulesForm::deserialize(MapAccessDeserializer::new(map))?;
        Ok(PropertyForm { rules })
    }
}

impl JsonSchema for PropertyForm {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "PropertyOrType".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let kind = generator.subschema_for::<PropertyType>();
        let rules = generator.subschema_for::<RulesForm>();
        json_schema!({ "anyOf": [kind, rules] })
    }
}
