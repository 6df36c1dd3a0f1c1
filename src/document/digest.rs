//! What tells one content from another: documents by the SHA-256 of their text, sets and revisions
//! by a short digest over the names and digests of what is in them.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

pub use crate::tables::Checksum;

/// The name of a document in its source: `weir.repo.tracking`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DataId(Arc<str>);

impl DataId {
    /// A name as the source has it.
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for DataId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DataId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A document's text, with what identifies it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// As it was read.
    pub text: Arc<str>,
    /// Of the text.
    pub sha256: Checksum,
}

impl Content {
    /// A text.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        let text = text.into();
        let sha256 = Checksum::of(text.as_bytes());
        Self { text, sha256 }
    }
}

/// The digest of a set or a revision: 12 hex characters, the same on every instance.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(Arc<str>);

impl Digest {
    /// From the hex characters.
    pub fn new(hex: &str) -> Self {
        Self(hex.into())
    }

    /// Over parts, each with its length, in the order given: sort them first.
    pub fn of<P: AsRef<[u8]>>(parts: impl IntoIterator<Item = P>) -> Self {
        let mut hasher = Sha256::new();
        for part in parts {
            let part = part.as_ref();
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
        let sum: [u8; 32] = hasher.finalize().into();
        let hex: String = sum[..6].iter().map(|byte| format!("{byte:02x}")).collect();
        Self::new(&hex)
    }

    /// Of a set: its documents by kind and name, and which URL paths map to which repo. Where the
    /// documents stand, and whether entries are pinned, makes no other set.
    pub fn of_set<'s>(
        documents: impl IntoIterator<Item = (&'s str, &'s str, Checksum)>,
        paths: impl IntoIterator<Item = (&'s str, &'s str)>,
    ) -> Self {
        let document = |(kind, name, sha256)| format!("{kind}\n{name}\n{sha256}");
        let path = |(path, repo)| format!("path\n{path}\n{repo}");
        let documents = documents.into_iter().map(document);
        let mut parts: Vec<_> = documents.chain(paths.into_iter().map(path)).collect();
        parts.sort();
        Self::of(parts)
    }

    /// The hex characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_tells_how_its_parts_are_cut() {
        let digest = Digest::of(["ab", "c"]);
        assert_eq!(digest.as_str().len(), 12);
        assert!(digest.as_str().bytes().all(|c| c.is_ascii_hexdigit()));
        assert_eq!(digest, Digest::of(["ab", "c"]));
        assert_ne!(digest, Digest::of(["a", "bc"]));
    }

    #[test]
    fn contents_are_the_same_by_their_bytes() {
        assert_eq!(Content::new("a: 1"), Content::new("a: 1".to_owned()));
        assert_ne!(Content::new("a: 1").sha256, Content::new("a: 1\n").sha256);
    }
}
