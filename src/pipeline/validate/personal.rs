//! What is done with personal data.

use sha2::{Digest, Sha256};

use crate::event::Json;
use crate::pipeline::validate::repair::Repair;

/// What is done with personal data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Personal {
    /// Nothing.
    #[default]
    None,
    /// Its SHA-256 stands in its place, as hex.
    Hash,
    /// Its middle is replaced by stars.
    Mask,
    /// It is taken away.
    Drop,
}

impl Personal {
    /// What stands in a value's place.
    pub(super) fn apply(self, value: Json<'_>) -> Repair {
        if value.is_null() {
            return Repair::Keep;
        }
        match self {
            Self::None => Repair::Keep,
            Self::Hash => Repair::Replace(hash(value)),
            Self::Mask => Repair::Replace(mask(value)),
            Self::Drop => Repair::Drop,
        }
    }
}

/// Of the characters of a string, of the text of anything else.
fn hash(value: Json<'_>) -> Vec<u8> {
    let digest = match value.as_str() {
        Some(text) => Sha256::digest(text.as_bytes()),
        None => Sha256::digest(value.raw()),
    };
    format!("\"{digest:x}\"").into_bytes()
}

/// A quarter at each end stays, four characters at most.
fn mask(value: Json<'_>) -> Vec<u8> {
    let text = value
        .as_str()
        .unwrap_or_else(|| String::from_utf8_lossy(value.raw()));
    let length = text.chars().count();
    let kept = (length / 4).min(4);
    let star = |(index, c)| {
        if index < kept || index >= length - kept {
            c
        } else {
            '*'
        }
    };
    let masked: String = text.chars().enumerate().map(star).collect();
    let mut json = Vec::new();
    Json::write_str(&mut json, &masked);
    json
}
