//! How events are attributed to devices, as people write it.

mod compile;

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

use crate::document::route::SideForm;

/// How a repo's events are attributed to devices.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Device")]
pub struct DeviceForm {
    /// By type: where it stands. They are written in the order of their strength, strongest first.
    /// Types that are known (`imei`, `oaid`, `idfa`, `idfv`, `android_id`, `mac`, …) are checked and
    /// normalised as their kind demands; others are trimmed.
    #[serde(deserialize_with = "in_order")]
    #[schemars(with = "BTreeMap<String, String>")]
    pub identifiers: Vec<(String, String)>,
    /// Where the device id goes (default `device_id`).
    #[serde(rename = "as")]
    pub into: Option<String>,
    /// Where it is said whether the device is new: `true`, `false`, or `null` when unknown.
    pub new_as: Option<String>,
    /// Where it is said how the id was found: `known`, `new`, `conflict`, `degraded` or `none`.
    pub status_as: Option<String>,
    /// Where the skew of the client's clock stands, in milliseconds, as `enrich.time` adds it; the
    /// device remembers the one nearest to zero.
    pub skew: Option<String>,
    /// More values that identify nothing, beside those that are always refused.
    #[serde(default)]
    pub invalid: Vec<String>,
    /// What becomes of events while the device map cannot be asked (default `degrade`).
    pub when_unavailable: Option<WhenUnavailableForm>,
    /// Where it is told, by digests, which devices could not be looked up, so that they can be
    /// corrected later. Without it, nothing tells which they were.
    pub reattribution: Option<SideForm>,
    /// Where it is told, by digests, which identifiers lead to different devices.
    pub conflicts: Option<SideForm>,
}

/// What becomes of events while the device map cannot be asked.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "WhenUnavailable")]
pub enum WhenUnavailableForm {
    /// They get the id that a new device would get, and `null` for whether it is new.
    Degrade,
    /// They are rejected.
    Reject,
    /// They go on without an id.
    Skip,
}

impl DeviceForm {
    /// Where the device id goes.
    pub fn id_path(&self) -> &str {
        self.into.as_deref().unwrap_or("device_id")
    }

    /// The fields that it fills.
    pub fn fills(&self) -> impl Iterator<Item = &str> {
        let others = [&self.new_as, &self.status_as];
        let others = others.into_iter().filter_map(|path| path.as_deref());
        std::iter::once(self.id_path()).chain(others)
    }
}

/// A map whose order counts.
fn in_order<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<(String, String)>, D::Error> {
    deserializer.deserialize_map(InOrder)
}

struct InOrder;

impl<'de> Visitor<'de> for InOrder {
    type Value = Vec<(String, String)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("types of identifiers, each with the path where it stands")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = map.next_entry()? {
            pairs.push(pair);
        }
        Ok(pairs)
    }
}
