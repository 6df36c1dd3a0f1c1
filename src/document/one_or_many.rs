//! A place where people may write one value or a list of them.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};

/// One value, or a list of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OneOrMany<T> {
    /// In the order in which they were written.
    pub values: Vec<T>,
    /// Whether a list was written: then a problem's pointer names the element.
    pub list: bool,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Written<T> {
    Many(Vec<T>),
    One(T),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Written::deserialize(deserializer)? {
            Written::One(one) => Self {
                values: vec![one],
                list: false,
            },
            Written::Many(values) => Self { values, list: true },
        })
    }
}

impl<T: JsonSchema> JsonSchema for OneOrMany<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("OneOrMany{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<T>();
        let many = generator.subschema_for::<T>();
        json_schema!({ "anyOf": [one, { "type": "array", "items": many, "minItems": 1 }] })
    }
}
