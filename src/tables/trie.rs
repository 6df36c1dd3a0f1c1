//! Longest-prefix match in a few memory accesses: a table of 16 bits, then nodes of 8 bits each.
//!
//! An entry is 0 (nothing), a row's number + 1, or, with the highest bit set, the position of a
//! node. A node stands for 256 entries but stores only where they change (neighbours that are
//! equal are one): 8 words of bitmap, 2 words with the count of bits before each word (a byte
//! each), then the entries. Small nodes fit a cache line, which is what makes this both faster and
//! smaller than plain blocks of 256. All nodes stand in one vector, so that a table is freed at
//! once.

use std::fmt;

use crate::tables::ranges::Run;
use crate::tables::rows::RowId;

const NODE: u32 = 1 << 31;
const BITMAP: usize = 8;
const HEADER: usize = BITMAP + 2;

/// The look-up table of one address family.
pub(crate) struct Trie {
    root: Box<[u32]>,
    nodes: Box<[u32]>,
}

impl Trie {
    /// Builds it from runs that cover the whole space, in `flatten`'s form.
    pub(crate) fn build(runs: &[Run]) -> Self {
        let mut builder = Builder { nodes: Vec::new() };
        let mut root = vec![0; 1 << 16];
        builder.fill(&mut root, runs, 0, 112);
        Self {
            root: root.into(),
            nodes: builder.nodes.into(),
        }
    }

    /// The row of an address, given by its bytes (4 or 16).
    pub(crate) fn find(&self, address: &[u8]) -> Option<RowId> {
        let (head, rest) = address.split_first_chunk::<2>()?;
        let mut entry = self.root[usize::from(u16::from_be_bytes(*head))];
        for &byte in rest {
            if entry & NODE == 0 {
                break;
            }
            entry = self.step(entry, byte);
        }
        entry.checked_sub(1).map(RowId::from_number)
    }

    /// Memory in bytes.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val(&*self.root) + size_of_val(&*self.nodes)
    }

    fn step(&self, entry: u32, byte: u8) -> u32 {
        let node = &self.nodes[(entry & !NODE) as usize..];
        let word = usize::from(byte >> 5);
        let upto = node[word] & (u32::MAX >> (31 - (byte & 31)));
        let before = node[BITMAP + word / 4] >> (8 * (word % 4)) & 0xff;
        node[HEADER - 1 + (before + upto.count_ones()) as usize]
    }
}

impl fmt::Debug for Trie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trie")
            .field("bytes", &self.bytes())
            .finish_non_exhaustive()
    }
}

struct Builder {
    nodes: Vec<u32>,
}

impl Builder {
    /// Fills `entries`, which stand for equal parts of `1 << shift` addresses from `start` on.
    /// `runs` begins with the run that holds `start`.
    fn fill(&mut self, entries: &mut [u32], mut runs: &[Run], mut start: u128, shift: u32) {
        for entry in entries {
            let last = start + ((1 << shift) - 1);
            while runs.get(1).is_some_and(|run| run.start <= start) {
                runs = &runs[1..];
            }
            *entry = match runs.get(1) {
                Some(run) if run.start <= last => self.node(runs, start, shift - 8),
                _ => runs[0].row.map_or(0, |row| row.number() + 1),
            };
            start = last.wrapping_add(1);
        }
    }

    /// Adds a node below those of its children; gives its entry.
    fn node(&mut self, runs: &[Run], start: u128, shift: u32) -> u32 {
        let mut entries = [0; 256];
        self.fill(&mut entries, runs, start, shift);
        let position = u32::try_from(self.nodes.len())
            .ok()
            .filter(|position| position & NODE == 0);
        let position = position.expect("a table below 8 GiB");
        let node = self.nodes.len();
        self.nodes.resize(node + HEADER, 0);
        let mut stored = 0;
        for (index, &entry) in entries.iter().enumerate() {
            let (word, bit) = (index / 32, index % 32);
            if bit == 0 {
                self.nodes[node + BITMAP + word / 4] |= stored << (8 * (word % 4));
            }
            if index == 0 || entry != entries[index - 1] {
                self.nodes[node + word] |= 1 << bit;
                self.nodes.push(entry);
                stored += 1;
            }
        }
        NODE | position
    }
}
