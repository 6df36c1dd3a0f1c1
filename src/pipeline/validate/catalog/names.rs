//! The names of properties, each with a number.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

/// Names, each stored once.
#[derive(Debug, Default)]
pub(super) struct Names {
    texts: Vec<Box<str>>,
    table: HashTable<u32>,
    hasher: RandomState,
}

impl Names {
    /// The number of a name; it gets one if it has none.
    pub(super) fn add(&mut self, name: &str) -> u32 {
        if let Some(number) = self.find(name.as_bytes()) {
            return number;
        }
        // A document of 2 MiB has fewer names than that, and a thousand documents too.
        let number = u32::try_from(self.texts.len()).unwrap_or(u32::MAX - 1);
        self.texts.push(name.into());
        let (texts, hasher) = (&self.texts, &self.hasher);
        let rehash = |number: &u32| hasher.hash_one(texts[*number as usize].as_bytes());
        let hash = hasher.hash_one(name.as_bytes());
        self.table.insert_unique(hash, number, rehash);
        number
    }

    /// The number of a name.
    pub(super) fn find(&self, name: &[u8]) -> Option<u32> {
        let hash = self.hasher.hash_one(name);
        let same = |number: &u32| self.texts[*number as usize].as_bytes() == name;
        self.table.find(hash, same).copied()
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.texts.len()
    }

    /// The name of a number.
    pub(super) fn text(&self, number: u32) -> &str {
        &self.texts[number as usize]
    }
}
