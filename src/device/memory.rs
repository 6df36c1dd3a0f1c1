//! The map in this process: bounded, and the oldest are forgotten first.
//!
//! Each shard has a young and an old generation. What is read or written is in the young one
//! afterwards; when that is full it becomes the old one, and what was in the old one is forgotten.
//! So what was used among the last half of the bound is kept, and no entry needs a place in a list.

use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

use hashbrown::HashMap;

use crate::device::digest::Key;
use crate::device::entry::Entry;
use crate::device::lookup::{Answer, Command};

const SHARDS: usize = 64;

/// The map.
#[derive(Debug)]
pub(super) struct Memory {
    entries: Shards<Key, Entry>,
    /// Of identifiers that led strangers to their device: the day, and how many.
    strangers: Shards<Key, (u16, u32)>,
}

impl Memory {
    /// A map of at most so many identifiers.
    pub(super) fn new(most: usize) -> Self {
        Self {
            entries: Shards::new(most),
            strangers: Shards::new(most),
        }
    }

    /// Does what a command says.
    pub(super) fn run(&self, command: &Command) -> Answer {
        let key = command.key();
        let mut entries = self.entries.lock(key.0[0]);
        match *command {
            Command::Get(_) => Answer::Entry(entries.read(&key)),
            Command::Claim(_, entry) => Answer::Entry(entries.claim(key, entry)),
            Command::Put(_, entry) => {
                match entries.get(&key) {
                    Some(before) => *before = entry,
                    None => entries.insert(key, entry),
                }
                Answer::Done
            }
            Command::Meet(_, day) => {
                let mut strangers = self.strangers.lock(key.0[0]);
                strangers.claim(key, (day, 0));
                let met = strangers.get(&key).map_or(1, |(last, met)| {
                    if *last != day {
                        (*last, *met) = (day, 0);
                    }
                    *met += 1;
                    *met
                });
                Answer::Count(met)
            }
        }
    }
}

#[derive(Debug)]
struct Shards<K, V>([Mutex<Shard<K, V>>; SHARDS]);

#[derive(Debug)]
struct Shard<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
    /// Of each generation.
    most: usize,
}

impl<K: Eq + Hash + Copy, V: Copy> Shards<K, V> {
    fn new(most: usize) -> Self {
        let most = (most / SHARDS / 2).max(1);
        Self(std::array::from_fn(|_| {
            Mutex::new(Shard {
                young: HashMap::new(),
                old: HashMap::new(),
                most,
            })
        }))
    }

    /// The shard of a digest's first byte.
    fn lock(&self, first: u8) -> MutexGuard<'_, Shard<K, V>> {
        let shard = &self.0[usize::from(first) % SHARDS];
        // Nothing that is done under the lock can leave a shard half changed.
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Eq + Hash + Copy, V: Copy> Shard<K, V> {
    fn read(&mut self, key: &K) -> Option<V> {
        // Mostly it is young, and one look suffices.
        let young = self.young.get(key).copied();
        young.or_else(|| self.get(key).copied())
    }

    fn get(&mut self, key: &K) -> Option<&mut V> {
        if !self.young.contains_key(key) {
            let value = self.old.remove(key)?;
            self.insert(*key, value);
        }
        self.young.get_mut(key)
    }

    /// Sets it if it is not there, and gives what was there.
    fn claim(&mut self, key: K, value: V) -> Option<V> {
        let before = self.read(&key);
        if before.is_none() {
            self.insert(key, value);
        }
        before
    }

    fn insert(&mut self, key: K, value: V) {
        if self.young.len() >= self.most {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::entry::Link;

    fn link(owner: u8) -> Entry {
        Entry::Link(Link {
            owner: Key([owner; 12]),
            distrusted: false,
        })
    }

    #[test]
    fn the_oldest_are_forgotten_and_what_is_used_is_kept() {
        let map = Memory::new(SHARDS * 8);
        // All of them in one shard, of eight.
        let key = |n: u8| Key(std::array::from_fn(|at| if at == 1 { n } else { 0 }));
        let known = |n: u8| map.run(&Command::Get(key(n))) != Answer::Entry(None);
        for n in 0..100 {
            let before = map.run(&Command::Claim(key(n), link(7)));
            assert_eq!(before, Answer::Entry(None));
            assert!(known(0), "in use");
        }
        let kept: Vec<_> = (0..100).filter(|n| known(*n)).collect();
        assert!((4..=8).contains(&kept.len()), "{kept:?}");
        assert!(kept.contains(&0) && !kept.contains(&1), "{kept:?}");
    }

    #[test]
    fn the_first_claim_counts_until_something_is_put() {
        let (map, key) = (Memory::new(1000), Key([1; 12]));
        let claim = |n| map.run(&Command::Claim(key, link(n)));
        assert_eq!(claim(1), Answer::Entry(None));
        assert_eq!(claim(2), Answer::Entry(Some(link(1))));
        assert_eq!(map.run(&Command::Put(key, link(3))), Answer::Done);
        assert_eq!(map.run(&Command::Get(key)), Answer::Entry(Some(link(3))));
    }

    #[test]
    fn strangers_are_counted_by_day() {
        let (map, key) = (Memory::new(1000), Key([1; 12]));
        let met = [1, 1, 2, 2].map(|day| map.run(&Command::Meet(key, day)));
        assert_eq!(met, [1, 2, 1, 2].map(Answer::Count));
    }
}
