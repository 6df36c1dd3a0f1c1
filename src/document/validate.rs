//! The validators as people write them: each with a name, a kind, a mode, and what becomes of what
//! it finds.

mod compile;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::document::catalog::{PropertyForm, ViolationsForm};
use crate::document::condition::{ConditionForm, TimeUnit};
use crate::document::unit::{Size, TimeSpan};

pub use compile::compile;

/// What a validator does with what it finds.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "Mode")]
pub enum ModeForm {
    /// Acts on it.
    #[default]
    Enforce,
    /// Counts it, and changes nothing.
    Shadow,
    /// Does not look.
    Off,
}

/// What becomes of an event that has something wrong with it.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum EventAction {
    /// It is not looked for.
    Accept,
    /// The event is rejected.
    Reject,
}

/// What becomes of a property that has something wrong with it.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum PropertyAction {
    /// It is not looked for.
    Accept,
    /// It is made right (`"12"` becomes `12`); where that cannot be, the event is rejected.
    Coerce,
    /// It is taken away, the event goes on; one that is required is then missing.
    DropProperty,
    /// It becomes `null`, the event goes on; one that is required is then missing.
    NullProperty,
    /// The event is rejected.
    Reject,
}

/// What becomes of the classes of violations that are about a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PropertyActions {
    /// A value of another type.
    pub wrong_type: Option<PropertyAction>,
    /// A number or length out of its range.
    pub out_of_range: Option<PropertyAction>,
    /// A value that is not in its set.
    pub bad_enum: Option<PropertyAction>,
    /// A text that does not match.
    pub bad_pattern: Option<PropertyAction>,
}

/// A named check, by its `kind`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "lowercase")]
#[schemars(rename = "Validator")]
pub enum ValidatorForm {
    /// Fields that must be there.
    Required(RequiredForm),
    /// Types, sets, patterns and ranges of single fields.
    Types(TypesForm),
    /// Events and their properties, as a catalog lists them.
    Catalog(CatalogCheckForm),
    /// A JSON Schema; it costs a tree for every event.
    Schema(SchemaForm),
    /// A time that must be close to the time of receipt.
    Freshness(FreshnessForm),
    /// The size of an event.
    Size(SizeForm),
    /// A condition that must hold.
    Condition(MustForm),
}

/// Fields that must be there and not be `null`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "RequiredValidator")]
pub struct RequiredForm {
    /// By which it is switched and counted; unique in the repo.
    pub name: String,
    /// What it does with what it finds.
    #[serde(default)]
    pub mode: ModeForm,
    /// The fields, as paths.
    pub fields: Vec<String>,
    /// What becomes of the event (default `reject`).
    pub missing: Option<EventAction>,
}

/// What single fields must be; a field that is missing or `null` is not wrong.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "TypesValidator")]
pub struct TypesForm {
    /// By which it is switched and counted; unique in the repo.
    pub name: String,
    /// What it does with what it finds.
    #[serde(default)]
    pub mode: ModeForm,
    /// By path: the type, or all that the field must be.
    pub fields: BTreeMap<String, PropertyForm>,
    /// A value of another type (default `reject`).
    pub wrong_type: Option<PropertyAction>,
    /// A number or length out of its range (default `reject`).
    pub out_of_range: Option<PropertyAction>,
    /// A value that is not in its `enum` (default `reject`).
    pub bad_enum: Option<PropertyAction>,
    /// A text that does not match its `pattern` (default `reject`); not `coerce`.
    pub bad_pattern: Option<PropertyAction>,
}

/// Events and their properties, as a catalog lists them.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "CatalogValidator")]
pub struct CatalogCheckForm {
    /// By which it is switched and counted; unique in the repo.
    pub name: String,
    /// What it does with what it finds.
    #[serde(default)]
    pub mode: ModeForm,
    /// The catalog's name in the index.
    pub catalog: String,
    /// Where the event's name stands (default `event`).
    pub event: Option<String>,
    /// The object that holds the properties (default `properties`); `.` for the event itself.
    pub properties: Option<String>,
    /// An event that the catalog does not know.
    pub unknown_event: Option<EventAction>,
    /// An event whose status is `draft`.
    pub draft: Option<EventAction>,
    /// An event whose status is `deprecated`.
    pub deprecated: Option<EventAction>,
    /// An event whose status is `blocked`.
    pub blocked: Option<EventAction>,
    /// A required property that is missing or `null`.
    pub missing: Option<EventAction>,
    /// A property that the catalog does not know for this event; not `coerce`.
    pub unknown_property: Option<PropertyAction>,
    /// A value of another type.
    pub wrong_type: Option<PropertyAction>,
    /// A number or length out of its range.
    pub out_of_range: Option<PropertyAction>,
    /// A value that is not in its `enum`.
    pub bad_enum: Option<PropertyAction>,
    /// A text that does not match its `pattern`; not `coerce`.
    pub bad_pattern: Option<PropertyAction>,
}

impl CatalogCheckForm {
    /// What this validator says of the classes; the catalog says the rest.
    pub fn violations(&self) -> ViolationsForm {
        ViolationsForm {
            unknown_event: self.unknown_event,
            draft: self.draft,
            deprecated: self.deprecated,
            blocked: self.blocked,
            missing: self.missing,
            unknown_property: self.unknown_property,
            wrong_type: self.wrong_type,
            out_of_range: self.out_of_range,
            bad_enum: self.bad_enum,
            bad_pattern: self.bad_pattern,
        }
    }
}

/// A JSON Schema.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "SchemaValidator")]
pub struct SchemaForm {
    /// By which it is switched and counted; unique in the repo.
    pub name: String,
    /// What it does with what it finds.
    #[serde(default)]
    pub mode: ModeForm,
    /// The schema; it may refer only to itself.
    pub schema: Value,
    /// The field it is for (default: the whole event); a field that is missing is not wrong.
    pub field: Option<String>,
}

/// A time that must be close to the time of receipt.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "FreshnessValidator")]
pub struct FreshnessForm {
    /// By which it is switched and counted; unique in the repo.
    pub name: String,
    /// What it does with what it finds.
    #[serde(default)]
    pub mode: ModeForm,
    /// Where the time stands; a field that is missing is not wrong.
    pub field: String,
    /// At most so long before the time of receipt.
    pub past: Option<TimeSpan>,
    /// At most so long after it.
    pub future: Option<TimeSpan>,
    /// What a number counts since 1970 (default `ms`); a string is read as RFC 3339.
    pub unit: Option<TimeUnit>,
}

/// The size of an event.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "SizeValidator")]
pub struct SizeForm {
    /// By which it is switched and counted; unique in the repo.
    pub name: String,
    /// What it does with what it finds.
    #[serde(default)]
    pub mode: ModeForm,
    /// At most so large, with all that the pipeline has added until here.
    pub max: Size,
}

/// A condition that must hold.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ConditionValidator")]
pub struct MustForm {
    /// By which it is switched and counted; unique in the repo.
    pub name: String,
    /// What it does with what it finds.
    #[serde(default)]
    pub mode: ModeForm,
    /// What must hold.
    pub condition: Box<ConditionForm>,
    /// What the caller reads when it does not hold.
    pub message: Option<String>,
}

/// The validators of a repo, in the order in which they run.
pub type ValidatorsForm = Vec<ValidatorForm>;
