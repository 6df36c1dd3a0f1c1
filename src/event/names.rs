//! Finding a field by its key: one small open hash table for each level of the trie.
//!
//! Most keys are shorter than 16 bytes, so a key is its length and its first 16 bytes as two
//! integers; only longer ones are compared with the name itself. The same table knows which
//! elements of an array are fields.

use crate::event::FieldId;

/// The fields right below one field, or at the top.
#[derive(Debug, Default)]
pub(super) struct Names {
    entries: Box<[Entry]>,
    hash: Hash,
    /// What follows the heads of names that are longer, for each entry; empty if none is.
    tails: Box<[Box<[u8]>]>,
    elements: Box<[(u32, Found)]>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    head: Head,
    /// Of the name; that of a free entry is one that no key has.
    len: u32,
    found: Found,
    /// Whether a name that belongs here had to go elsewhere.
    crowded: bool,
}

impl Entry {
    const FREE: Self = Self {
        head: Head(0, 0),
        len: u32::MAX,
        found: Found::NONE,
        crowded: false,
    };

    fn is_free(&self) -> bool {
        self.len == u32::MAX
    }
}

/// The field that a key or an element is, if it is one: no `Option`, so that storing what was found
/// needs no branch that depends on the event's keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// The field.
    pub(super) field: FieldId,
    /// Whether other fields are below it.
    pub(super) has_below: bool,
}

impl Found {
    /// No field: an id that is beyond all slots.
    pub(super) const NONE: Self = Self {
        field: FieldId(u16::MAX),
        has_below: false,
    };
}

/// From a key to the entry it belongs to.
#[derive(Clone, Copy, Debug, Default)]
struct Hash {
    factor: u64,
    shift: u32,
}

impl Hash {
    #[inline(always)]
    fn entry(self, head: Head, len: u32) -> usize {
        let mixed = head.0 ^ head.1.rotate_left(29) ^ (u64::from(len) << 56);
        usize::try_from(mixed.wrapping_mul(self.factor) >> self.shift).unwrap_or(0)
    }

    /// One that sends few of the names to the same entry, of which there are `size`.
    fn choose(names: &[(Head, u32)], size: usize) -> Self {
        let shift = 64 - size.trailing_zeros();
        let factor = |n: u64| (2 * n + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let clashes = |hash: &Self| {
            let mut taken = vec![false; size];
            let again = |(head, len): &&(Head, u32)| {
                std::mem::replace(&mut taken[hash.entry(*head, *len)], true)
            };
            names.iter().filter(again).count()
        };
        let mut best = (usize::MAX, Self::default());
        let tries = if names.len() <= FEW { TRIES } else { 1 };
        for n in 0..tries {
            let hash = Self {
                factor: factor(n),
                shift,
            };
            let count = clashes(&hash);
            if count < best.0 {
                best = (count, hash);
            }
            if count == 0 {
                break;
            }
        }
        best.1
    }
}

/// How many hashes are tried for a table of few names: enough that 30 of them hardly ever clash.
const TRIES: u64 = 256;

/// More names than these clash whatever the hash, and trying would take long.
const FEW: usize = 64;

/// The first 16 bytes of a key, zeros after its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Head(u64, u64);

impl Head {
    /// Bytes that it holds.
    pub(super) const LEN: usize = 16;

    /// The first `len` bytes of `chunk`.
    #[inline(always)]
    pub(super) fn of(chunk: &[u8; Self::LEN], len: usize) -> Self {
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = *chunk;
        let (low, high) = MASKS[len.min(Self::LEN)];
        Self(
            u64::from_le_bytes([a, b, c, d, e, f, g, h]) & low,
            u64::from_le_bytes([i, j, k, l, m, n, o, p]) & high,
        )
    }

    /// The start of any key.
    fn start(key: &[u8]) -> Self {
        let mut chunk = [0; Self::LEN];
        let len = key.len().min(Self::LEN);
        chunk[..len].copy_from_slice(&key[..len]);
        Self::of(&chunk, len)
    }
}

/// For each length the bytes of a head that belong to the key.
const MASKS: [(u64, u64); Head::LEN + 1] = {
    let mut masks = [(0, 0); Head::LEN + 1];
    let mut len = 1;
    while len < masks.len() {
        masks[len] = if len <= 8 {
            (u64::MAX >> (64 - 8 * len), 0)
        } else {
            (u64::MAX, u64::MAX >> (64 - 8 * (len - 8)))
        };
        len += 1;
    }
    masks
};

impl Names {
    /// The table of these names.
    pub(super) fn new<'n>(names: impl Iterator<Item = (&'n str, Found)> + Clone) -> Self {
        let keys = names.clone().map(|(name, _)| key(name.as_bytes()));
        let keys: Vec<(Head, u32)> = keys.collect();
        if keys.is_empty() {
            return Self::default();
        }
        let size = (4 * keys.len()).next_power_of_two();
        let hash = Hash::choose(&keys, size);
        let mut entries = vec![Entry::FREE; size];
        let mut tails = vec![Box::default(); size];
        let mut elements = Vec::new();
        for ((head, len), (name, found)) in keys.into_iter().zip(names) {
            let name = name.as_bytes();
            let mut at = hash.entry(head, len);
            while !entries[at].is_free() {
                entries[hash.entry(head, len)].crowded = true;
                at = (at + 1) % size;
            }
            entries[at] = Entry {
                head,
                len,
                found,
                crowded: false,
            };
            tails[at] = name.get(Head::LEN..).unwrap_or_default().into();
            elements.extend(index(name).map(|element| (element, found)));
        }
        elements.sort_unstable_by_key(|(element, _)| *element);
        let (entries, tails, elements) = (entries.into(), tails.into(), elements.into());
        Self {
            entries,
            hash,
            tails,
            elements,
        }
    }

    /// Whether nothing below is a field.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The fields among the elements of an array, in the order of their index.
    pub(super) fn elements(&self) -> &[(u32, Found)] {
        &self.elements
    }

    /// The field of a key without escapes, as it stands between its quotes.
    pub(super) fn find(&self, key: &[u8]) -> Found {
        let tail = key.get(Head::LEN..).unwrap_or_default();
        self.probe(Head::start(key), length(key.len()), tail)
    }

    /// The field of a key of less than 16 bytes.
    #[inline(always)]
    pub(super) fn find_short(&self, head: Head, len: usize) -> Found {
        let len = length(len);
        let Some(entry) = self.entries.get(self.hash.entry(head, len)) else {
            return Found::NONE;
        };
        let differs =
            (entry.head.0 ^ head.0) | (entry.head.1 ^ head.1) | u64::from(entry.len ^ len);
        if entry.crowded {
            return self.probe(head, len, &[]);
        }
        if differs == 0 {
            entry.found
        } else {
            Found::NONE
        }
    }

    #[inline(never)]
    fn probe(&self, head: Head, len: u32, tail: &[u8]) -> Found {
        let mut at = self.hash.entry(head, len);
        // Most of the entries are free, so that the walk ends.
        while let Some(entry) = self.entries.get(at).filter(|entry| !entry.is_free()) {
            if entry.head == head && entry.len == len && *self.tails[at] == *tail {
                return entry.found;
            }
            at = (at + 1) & (self.entries.len() - 1);
        }
        Found::NONE
    }
}

fn key(name: &[u8]) -> (Head, u32) {
    (Head::start(name), length(name.len()))
}

/// Longer keys than 4 GiB do not exist: a batch holds less.
#[inline(always)]
fn length(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

/// The index that a name stands for where the value is an array: digits without leading zeros.
fn index(name: &[u8]) -> Option<u32> {
    let canonical =
        name == b"0" || (!name.starts_with(b"0") && name.iter().all(u8::is_ascii_digit));
    if !canonical {
        return None;
    }
    std::str::from_utf8(name).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table<'n>(names: impl Iterator<Item = &'n str> + Clone) -> Names {
        let found = |field| Found {
            field: FieldId(field),
            has_below: false,
        };
        Names::new(
            (0u16..)
                .map(found)
                .zip(names)
                .map(|(found, name)| (name, found)),
        )
    }

    fn id(found: Found) -> Option<usize> {
        (found != Found::NONE).then(|| found.field.index())
    }

    #[test]
    fn every_name_is_found_and_no_other() {
        let names: Vec<String> = (0..300)
            .map(|i| match i % 3 {
                0 => format!("f{i}"),
                1 => format!("exactly16chars{:02}", i % 100) + &"x".repeat(i / 100),
                _ => format!("a name that is longer than sixteen bytes {i}"),
            })
            .collect();
        let table = table(names.iter().map(String::as_str));
        for (i, name) in names.iter().enumerate() {
            assert_eq!(id(table.find(name.as_bytes())), Some(i), "{name}");
            assert_eq!(table.find(format!("{name}\0").as_bytes()), Found::NONE);
            let shorter = table.find(&name.as_bytes()[..name.len() - 1]);
            assert_ne!(id(shorter), Some(i));
        }
        assert_eq!(table.find(b""), Found::NONE);
    }

    #[test]
    fn only_plain_numbers_are_elements() {
        let names = ["0", "10", "9", "01", "-1", "", "4294967296", "a"];
        let table = table(names.into_iter());
        let indexes: Vec<u32> = table.elements().iter().map(|(index, _)| *index).collect();
        assert_eq!(indexes, [0, 9, 10]);
    }
}
