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
    shift: u32,
    elements: Box<[(u32, FieldId)]>,
}

#[derive(Clone, Debug, Default)]
struct Entry {
    head: Head,
    len: usize,
    /// The name beyond the head.
    tail: Box<[u8]>,
    field: Option<FieldId>,
}

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

    #[inline(always)]
    fn slot(self, len: usize, shift: u32) -> usize {
        let mixed = self.0 ^ self.1.rotate_left(29) ^ ((len as u64) << 56);
        usize::try_from(mixed.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> shift).unwrap_or(0)
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
    pub(super) fn new<'n>(names: impl Iterator<Item = (&'n str, FieldId)> + Clone) -> Self {
        let count = names.clone().count();
        if count == 0 {
            return Self::default();
        }
        let size = (2 * count).next_power_of_two();
        let mut entries = vec![Entry::default(); size];
        let shift = 64 - size.trailing_zeros();
        let mut elements = Vec::new();
        for (name, id) in names {
            let (name, tail) = (name.as_bytes(), name.as_bytes().get(Head::LEN..));
            let head = Head::start(name);
            let mut at = head.slot(name.len(), shift);
            while entries[at].field.is_some() {
                at = (at + 1) % size;
            }
            let tail = tail.unwrap_or_default().into();
            entries[at] = Entry {
                head,
                len: name.len(),
                tail,
                field: Some(id),
            };
            elements.extend(index(name).map(|element| (element, id)));
        }
        elements.sort_unstable();
        Self {
            entries: entries.into(),
            shift,
            elements: elements.into(),
        }
    }

    /// Whether nothing below is a field.
    #[inline(always)]
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The fields among the elements of an array, in the order of their index.
    pub(super) fn elements(&self) -> &[(u32, FieldId)] {
        &self.elements
    }

    /// The field of a key without escapes, as it stands between its quotes.
    pub(super) fn find(&self, key: &[u8]) -> Option<FieldId> {
        let tail = key.get(Head::LEN..).unwrap_or_default();
        self.probe(Head::start(key), key.len(), tail)
    }

    /// The field of a key of at most 16 bytes.
    #[inline(always)]
    pub(super) fn find_short(&self, head: Head, len: usize) -> Option<FieldId> {
        self.probe(head, len, &[])
    }

    #[inline(always)]
    fn probe(&self, head: Head, len: usize, tail: &[u8]) -> Option<FieldId> {
        let mut at = head.slot(len, self.shift);
        // At least half of the entries are free, so that the walk ends.
        loop {
            let entry = self.entries.get(at)?;
            entry.field?;
            if entry.head == head && entry.len == len && *entry.tail == *tail {
                return entry.field;
            }
            at = (at + 1) & (self.entries.len() - 1);
        }
    }
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

    #[test]
    fn every_name_is_found_and_no_other() {
        let names: Vec<String> = (0..300)
            .map(|i| match i % 3 {
                0 => format!("f{i}"),
                1 => format!("exactly16chars{:02}", i % 100) + &"x".repeat(i / 100),
                _ => format!("a name that is longer than sixteen bytes {i}"),
            })
            .collect();
        let table = Names::new(
            (0u16..)
                .map(FieldId)
                .zip(&names)
                .map(|(id, name)| (&**name, id)),
        );
        for (i, name) in names.iter().enumerate() {
            assert_eq!(
                table.find(name.as_bytes()).map(FieldId::index),
                Some(i),
                "{name}"
            );
            assert_eq!(table.find(format!("{name}\0").as_bytes()), None);
            let shorter = table.find(&name.as_bytes()[..name.len() - 1]);
            assert_ne!(shorter.map(FieldId::index), Some(i));
        }
        assert_eq!(table.find(b""), None);
    }

    #[test]
    fn only_plain_numbers_are_elements() {
        let names = ["0", "10", "9", "01", "-1", "", "4294967296", "a"];
        let table = Names::new(
            (0u16..)
                .map(FieldId)
                .zip(names)
                .map(|(id, name)| (name, id)),
        );
        let indexes: Vec<u32> = table.elements().iter().map(|(index, _)| *index).collect();
        assert_eq!(indexes, [0, 9, 10]);
    }
}
