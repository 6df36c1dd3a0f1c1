//! What stands in the map under the key of an identifier, and how it is packed.
//!
//! The identifier that a device was made of is its *owner*, and holds its record; the others lead to
//! the owner's key. Only an event that has the owner can be the first of its device, so that whoever
//! has read the event's identifiers knows whether it is.
//!
//! ```text
//! link          12 bytes  the owner's key
//! distrusted    13 bytes  the same, and 1
//! record        21 bytes  first seen (s, u32) · last active day (u16) · flags (u8) ·
//!                         length (u16) and digest (8) of the first event · least clock skew (ms, i32)
//! ```
//! Numbers are big-endian; days and seconds count from 1970. A length of 65,536 and more is taken
//! modulo that: it only spares most events a digest.

use crate::device::digest::{EventDigest, Key};

/// What an identifier leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// To the device of another identifier.
    Link(Link),
    /// It owns a device.
    Own(Record),
}

/// An identifier that another one owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) owner: Key,
    /// It led too many strangers there to be believed.
    pub(super) distrusted: bool,
}

/// What is known of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// Seconds since 1970.
    pub(super) first_seen: u32,
    /// Days since 1970.
    pub(super) last_day: u16,
    /// Its first event; `None` where the record was lost and the device is known from elsewhere.
    pub(super) first: Option<First>,
    /// The clock skew of its events that is nearest to zero, in milliseconds.
    pub(super) skew: Option<i32>,
    /// See [`Link::distrusted`].
    pub(super) distrusted: bool,
}

/// What tells an event from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct First {
    pub(super) length: u16,
    pub(super) digest: EventDigest,
}

const DISTRUSTED: u8 = 1;
const NO_FIRST: u8 = 2;
const NO_SKEW: u8 = 4;

impl First {
    /// The length of an event as it is remembered.
    pub(super) fn length(received: &[u8]) -> u16 {
        u16::try_from(received.len() % (1 << 16)).expect("it is below 65,536")
    }
}

impl Entry {
    /// The owner of the device that the identifier of this key leads to.
    pub(super) fn owner(&self, key: Key) -> Key {
        match self {
            Self::Link(link) => link.owner,
            Self::Own(_) => key,
        }
    }

    /// Whether it may still be used to find a device.
    pub(super) fn is_trusted(&self) -> bool {
        match self {
            Self::Link(link) => !link.distrusted,
            Self::Own(record) => !record.distrusted,
        }
    }

    /// The same, and not to be used to find a device any more.
    pub(super) fn distrusted(self) -> Self {
        match self {
            Self::Link(link) => Self::Link(Link {
                distrusted: true,
                ..link
            }),
            Self::Own(record) => Self::Own(Record {
                distrusted: true,
                ..record
            }),
        }
    }

    /// Packed.
    pub(super) fn encode(&self) -> Vec<u8> {
        match self {
            Self::Link(link) => {
                let mut packed = link.owner.0.to_vec();
                packed.extend(link.distrusted.then_some(DISTRUSTED));
                packed
            }
            Self::Own(record) => record.encode(),
        }
    }

    /// Unpacked; nothing where something else stands.
    pub(super) fn decode(packed: &[u8]) -> Option<Self> {
        let link = |owner: &[u8], distrusted| {
            let owner = Key(owner.try_into().ok()?);
            Some(Self::Link(Link { owner, distrusted }))
        };
        match packed.len() {
            12 => link(packed, false),
            13 => link(&packed[..12], true),
            Record::SIZE => Record::decode(packed).map(Self::Own),
            _ => None,
        }
    }
}

impl Record {
    const SIZE: usize = 21;

    fn encode(&self) -> Vec<u8> {
        let flag = |on, flag| if on { flag } else { 0 };
        let flags = flag(self.distrusted, DISTRUSTED)
            | flag(self.first.is_none(), NO_FIRST)
            | flag(self.skew.is_none(), NO_SKEW);
        let (length, digest) = self
            .first
            .map_or((0, [0; 8]), |first| (first.length, first.digest.0));
        let mut packed = Vec::with_capacity(Self::SIZE);
        packed.extend(self.first_seen.to_be_bytes());
        packed.extend(self.last_day.to_be_bytes());
        packed.push(flags);
        packed.extend(length.to_be_bytes());
        packed.extend(digest);
        packed.extend(self.skew.unwrap_or_default().to_be_bytes());
        packed
    }

    fn decode(packed: &[u8]) -> Option<Self> {
        let (first_seen, rest) = packed.split_first_chunk()?;
        let (last_day, rest) = rest.split_first_chunk()?;
        let (flags, rest) = rest.split_first()?;
        let (length, rest) = rest.split_first_chunk()?;
        let (digest, rest) = rest.split_first_chunk()?;
        let skew = i32::from_be_bytes(rest.try_into().ok()?);
        let first = First {
            length: u16::from_be_bytes(*length),
            digest: EventDigest(*digest),
        };
        Some(Self {
            first_seen: u32::from_be_bytes(*first_seen),
            last_day: u16::from_be_bytes(*last_day),
            first: (flags & NO_FIRST == 0).then_some(first),
            skew: (flags & NO_SKEW == 0).then_some(skew),
            distrusted: flags & DISTRUSTED != 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_is_unpacked_as_it_was() {
        let record = Record {
            first_seen: 1_750_000_000,
            last_day: 20_254,
            first: Some(First {
                length: 812,
                digest: EventDigest([7; 8]),
            }),
            skew: Some(-1500),
            distrusted: false,
        };
        let bare = Record {
            first: None,
            skew: None,
            distrusted: true,
            ..record
        };
        let link = Link {
            owner: Key([9; 12]),
            distrusted: false,
        };
        let entries = [
            Entry::Own(record),
            Entry::Own(bare),
            Entry::Link(link),
            Entry::Link(link).distrusted(),
        ];
        for entry in entries {
            assert_eq!(Entry::decode(&entry.encode()), Some(entry));
        }
        assert_eq!(Entry::Own(record).encode().len(), 21, "of 16 to 24 bytes");
        assert_eq!(Entry::decode(b"something else"), None);
        assert!(!Entry::Own(bare).is_trusted());
    }
}
