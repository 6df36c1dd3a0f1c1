//! The enrich steps as people write them. Each has a name by which the switches know it: its kind,
//! unless it says otherwise.

mod compile;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::document::condition::TimeUnit;
use crate::document::one_or_many::OneOrMany;

/// What is added to every event, in this order. What a client wrote in the place of such a field is
/// replaced; so is what stands above one and is no object: by an object.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Enrich")]
pub struct EnrichForm {
    /// The time of receipt.
    pub time: Option<TimeForm>,
    /// The client's address.
    pub client_ip: Option<ClientIpForm>,
    /// Columns of the IP table.
    pub geo: Option<OneOrMany<GeoForm>>,
    /// Constants, by path.
    pub constants: Option<ConstantsForm>,
    /// What is known of this instance and request.
    pub instance: Option<InstanceForm>,
}

/// The time of receipt.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "EnrichTime")]
pub struct TimeForm {
    /// By which it is switched (default `time`).
    pub name: Option<String>,
    /// Cannot be switched off.
    #[serde(default)]
    pub locked: bool,
    /// Where the time goes.
    #[serde(rename = "as")]
    pub into: String,
    /// How it is written (default `ms`).
    #[serde(default)]
    pub format: TimeFormat,
    /// How far the client's clock is behind (below zero: ahead).
    pub skew: Option<SkewForm>,
}

/// How a time is written.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
pub enum TimeFormat {
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
    /// `2026-01-31T08:00:00.000Z`
    #[serde(rename = "rfc3339")]
    Rfc3339,
}

/// The time of receipt less the time at which the client says that it sent, in milliseconds. An
/// event without that time gets none.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "EnrichSkew")]
pub struct SkewForm {
    /// Where the client's time stands.
    pub from: String,
    /// What a number there counts since 1970 (default `ms`); a string is read as RFC 3339.
    pub unit: Option<TimeUnit>,
    /// Where the milliseconds go.
    #[serde(rename = "as")]
    pub into: String,
}

/// The client's address.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "EnrichClientIp")]
pub struct ClientIpForm {
    /// By which it is switched (default `client_ip`).
    pub name: Option<String>,
    /// Cannot be switched off.
    #[serde(default)]
    pub locked: bool,
    /// Where the address goes.
    #[serde(rename = "as")]
    pub into: String,
    /// How much of it (default `none`).
    #[serde(default)]
    pub mask: AddressMask,
}

/// What is cut off an address.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum AddressMask {
    /// Nothing.
    #[default]
    None,
    /// What names a subscriber: 24 bits of IPv4 and 48 of IPv6 stay.
    Network,
}

/// Columns of the IP table.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "EnrichGeo")]
pub struct GeoForm {
    /// By which it is switched (default `geo`).
    pub name: Option<String>,
    /// Cannot be switched off.
    #[serde(default)]
    pub locked: bool,
    /// Which table (there is one, `ip`).
    #[serde(default)]
    pub table: TableForm,
    /// `client_ip` for the client's address (the default), or the path of a field with an address.
    pub from: Option<String>,
    /// By column: where it goes. What the table does not know is not added.
    #[serde(rename = "as")]
    pub into: BTreeMap<String, String>,
}

/// A table.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "TableName")]
pub enum TableForm {
    /// The IP table.
    #[default]
    Ip,
}

/// Constants.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "EnrichConstants")]
pub struct ConstantsForm {
    /// By which it is switched (default `constants`).
    pub name: Option<String>,
    /// Cannot be switched off.
    #[serde(default)]
    pub locked: bool,
    /// By path: the value.
    pub set: BTreeMap<String, Value>,
}

/// What is known of this instance and request.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "EnrichInstance")]
pub struct InstanceForm {
    /// By which it is switched (default `instance`).
    pub name: Option<String>,
    /// Cannot be switched off.
    #[serde(default)]
    pub locked: bool,
    /// Where what goes.
    #[serde(rename = "as")]
    pub into: InstanceFields,
}

/// Where what goes; what is left out is not added.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InstanceFields {
    /// The instance's name.
    pub name: Option<String>,
    /// The repo's name.
    pub repo: Option<String>,
    /// The revision's digest.
    pub revision: Option<String>,
    /// The id of the batch.
    pub batch: Option<String>,
    /// The id of the key that the request came with.
    pub key: Option<String>,
}
