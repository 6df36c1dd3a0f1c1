//! The id of a request: a ULID, given when its head has been read. It is also the id of its batch.

use std::fmt;

use jiff::Timestamp;
use ulid::{ULID_LEN, Ulid};

/// The id of a request, as text; no allocation.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RequestId([u8; ULID_LEN]);

impl RequestId {
    /// A new one, unique over all instances, of a request received then.
    pub fn new(received: Timestamp) -> Self {
        let mut text = [0; ULID_LEN];
        Ulid::from_datetime(received.into()).array_to_str(&mut text);
        Self(text)
    }

    /// The 26 characters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_ulids_and_differ() {
        let (one, two) = (
            RequestId::new(Timestamp::UNIX_EPOCH),
            RequestId::new(Timestamp::UNIX_EPOCH),
        );
        assert_ne!(one, two);
        assert!(Ulid::from_string(one.as_str()).is_ok());
    }
}
