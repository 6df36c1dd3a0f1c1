//! A point in time as people write it: `2026-12-01T00:00:00+08:00`, with its zone.

use std::borrow::Cow;
use std::fmt;

use jiff::Timestamp;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error as _};

/// A point in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(Timestamp);

impl Moment {
    /// As a timestamp.
    pub fn get(self) -> Timestamp {
        self.0
    }
}

impl From<Timestamp> for Moment {
    fn from(timestamp: Timestamp) -> Self {
        Self(timestamp)
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        let parsed = text.parse().map(Self);
        parsed.map_err(|error: jiff::Error| {
            D::Error::custom(format_args!("`{text}` is no point in time: {error}"))
        })
    }
}

impl JsonSchema for Moment {
    fn schema_name() -> Cow<'static, str> {
        "Moment".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A point in time with its zone, as RFC 3339 has it: `2026-12-01T00:00:00+08:00`.",
            "title": "point in time",
            "type": "string",
            "format": "date-time",
            "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]+)?)?([Zz]|[+-][0-9]{2}:[0-9]{2})$",
            "examples": ["2026-12-01T00:00:00+08:00"],
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json};

    use super::*;

    #[test]
    fn a_moment_has_its_zone() {
        let moment: Moment = from_value(json!("2026-12-01T00:00:00+08:00")).unwrap();
        assert_eq!(moment.to_string(), "2026-11-30T16:00:00Z");
        for wrong in [
            "2026-12-01",
            "2026-12-01T00:00:00",
            "2026-13-01T00:00:00Z",
            "tomorrow",
        ] {
            assert!(from_value::<Moment>(json!(wrong)).is_err(), "{wrong}");
        }
    }
}
