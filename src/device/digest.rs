//! Keyed digests: a dump of the map is no list of identifiers.
//!
//! `HMAC-SHA-256(secret, purpose ‖ 0 ‖ what)`, cut. The purposes keep the key of an identifier and
//! the id made of it from telling one another. The id of a device is made of the key of its owner,
//! so that whoever knows the key of the owner needs not read it.

use std::fmt;
use std::hash::{BuildHasher, RandomState};

use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::secret::Secret;

/// The key of an identifier in the map.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Key(pub(super) [u8; 12]);

/// The id of a device.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct DeviceId(pub(super) [u8; 16]);

/// The digest of an event as received.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct EventDigest(pub(super) [u8; 8]);

impl DeviceId {
    /// As a JSON string: 32 digits in quotes.
    pub(super) fn quoted(&self) -> [u8; 34] {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut json = [b'"'; 34];
        for (pair, byte) in json[1..33].chunks_exact_mut(2).zip(self.0) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        json
    }
}

fn write_hex(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(f, &self.0)
    }
}

impl fmt::Debug for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(f, &self.0)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(f, &self.0)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(f, &self.0)
    }
}

impl fmt::Display for EventDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(f, &self.0)
    }
}

impl fmt::Debug for EventDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(f, &self.0)
    }
}

/// What makes keys and ids.
#[derive(Clone)]
pub(super) struct Keys(Hmac<Sha256>);

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Keys {
    pub(super) fn new(secret: &Secret) -> Self {
        Self::of(secret.expose().as_bytes())
    }

    /// A key of this process's own: what the standard library's hash maps are seeded with, 128 bits
    /// of the system's randomness.
    pub(super) fn random() -> Self {
        let seed = RandomState::new();
        let words: [[u8; 8]; 4] = std::array::from_fn(|n| seed.hash_one(n).to_le_bytes());
        Self::of(words.as_flattened())
    }

    fn of(key: &[u8]) -> Self {
        let mac = Hmac::new_from_slice(key);
        Self(mac.expect("HMAC takes a key of any length"))
    }

    /// The key of an identifier.
    pub(super) fn key(&self, kind: &str, value: &str) -> Key {
        Key(self.mac(&[b"key", kind.as_bytes(), value.as_bytes()]))
    }

    /// The id of the device that the identifier of this key owns.
    pub(super) fn device(&self, owner: Key) -> DeviceId {
        DeviceId(self.mac(&[b"id", &owner.0]))
    }

    /// The digest of an event as received.
    pub(super) fn event(&self, received: &[u8]) -> EventDigest {
        EventDigest(self.mac(&[b"event", received]))
    }

    fn mac<const N: usize>(&self, parts: &[&[u8]]) -> [u8; N] {
        let mut mac = self.0.clone();
        for (index, part) in parts.iter().enumerate() {
            if index > 0 {
                mac.update(&[0]);
            }
            mac.update(part);
        }
        let digest = mac.finalize().into_bytes();
        std::array::from_fn(|at| digest[at])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_ids_tell_neither_the_identifier_nor_each_other() {
        let keys = Keys::new(&Secret::new("s"));
        let others = Keys::new(&Secret::new("t"));
        assert_eq!(keys.key("imei", "1"), keys.key("imei", "1"));
        assert_ne!(keys.key("imei", "1"), others.key("imei", "1"));
        assert_ne!(keys.key("imei", "1"), keys.key("oaid", "1"));
        let id = keys.device(keys.key("imei", "1"));
        assert_ne!(keys.key("imei", "1").0, id.0[..12]);
        assert_ne!(id, others.device(keys.key("imei", "1")));
        assert_eq!(id.to_string().len(), 32);
        assert_eq!(id.quoted(), format!("\"{id}\"").as_bytes());
        assert_eq!(format!("{keys:?}"), "***");
        assert_ne!(
            Keys::random().key("imei", "1"),
            Keys::random().key("imei", "1")
        );
    }
}
