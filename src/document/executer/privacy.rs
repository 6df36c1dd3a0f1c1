//! `hash` and `mask`, as written.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::document::diagnostic::At;
use crate::document::executer::compile::fields;
use crate::document::one_or_many::OneOrMany;
use crate::document::scope::Scope;
use crate::document::unit::SecretRef;
use crate::pipeline::executer::{Digest, Executer, Hash, Keyed, Mask};

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
    /// can find out whose digest it is. In samples, which know no secrets, the field is taken away.
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

impl HashForm {
    pub(super) fn compile(&self, scope: &mut Scope<'_>, at: &At<'_>) -> Executer {
        let fields = fields(&self.field, scope, &at.field("field"));
        let (digest, all) = match (self.algorithm.unwrap_or_default(), &self.secret) {
            (HashAlgorithm::Sha256, Some(secret)) => {
                (Digest::Keyed(Keyed::new(secret.reference().clone())), 64)
            }
            (HashAlgorithm::Sha256, None) => (Digest::Sha256, 64),
            (HashAlgorithm::Md5, secret) => {
                if secret.is_some() {
                    let message = "a keyed digest is always HMAC over SHA-256";
                    let hint = "leave `algorithm` out";
                    scope
                        .diagnostics
                        .error(&at.field("algorithm"), message, hint);
                }
                (Digest::Md5, 32)
            }
        };
        let length = self.length.map_or(all, usize::from);
        if !(8..=all).contains(&length) {
            let message = format!("the digest has {all} hex digits, of which 8 are the least");
            let hint = "fewer make different values look the same";
            scope.diagnostics.error(&at.field("length"), message, hint);
        }
        Executer::Hash(Hash {
            fields,
            digest,
            normalize: self.normalize.unwrap_or(false),
            length,
        })
    }
}

impl MaskForm {
    pub(super) fn compile(&self, scope: &mut Scope<'_>, at: &At<'_>) -> Executer {
        let fields = fields(&self.field, scope, &at.field("field"));
        if self.with.is_some() && self.replace.is_some() {
            let hint = "leave one of them out";
            let message = "`with` and `replace` say both what stands for the masked part";
            scope.diagnostics.error(at, message, hint);
        }
        Executer::Mask(Mask {
            fields,
            first: self.first.unwrap_or(0).into(),
            last: self.last.unwrap_or(0).into(),
            with: self.with.as_deref().unwrap_or("*").into(),
            replace: self.replace.as_deref().map(Into::into),
        })
    }
}
