//! `hash` and `mask`, as written.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::document::one_or_many::OneOrMany;
use crate::document::unit::SecretRef;

/// Replaces a value by the hex digits of its digest: of the string's characters, or of the JSON
/// text of any other value. `null` and missing fields stay.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Hash")]
pub struct HashForm {
    /// The field, or several.
    pub field: OneOrMany<String>,
    /// The algorithm (default `sha256`; with a `secret` always HMAC over it).
    pub algorithm: Option<HashAlgorithm>,
    /// Makes it HMAC-SHA-256 under this key: without it, who has a list of all telephone numbers
    /// can find out whose digest it is.
    pub secret: Option<SecretRef>,
    /// Cuts white space at both ends and makes letters small before, as advertisers want it.
    pub normalize: Option<bool>,
    /// How many of the hex digits are kept (default all).
    pub length: Option<u8>,
}

/// A digest.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum HashAlgorithm {
    /// SHA-256.
    #[default]
    Sha256,
    /// MD5, for what others have hashed that way; it protects nothing.
    Md5,
}

/// Replaces characters of a string; other values become a string of their text first. `null` and
/// missing fields stay.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Mask")]
pub struct MaskForm {
    /// The field, or several.
    pub field: OneOrMany<String>,
    /// How many characters stay at the beginning (default 0).
    pub first: Option<u16>,
    /// How many characters stay at the end (default 0). A string that is not longer than `first`
    /// and `last` together is masked whole.
    pub last: Option<u16>,
    /// What stands for each masked character (default `*`).
    pub with: Option<String>,
    /// Stands for the whole masked part instead, so that its length does not show.
    pub replace: Option<String>,
}
