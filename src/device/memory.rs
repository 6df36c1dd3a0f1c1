//! The map in this process: bounded, and the oldest are forgotten first.
//!
//! Each shard has a young and an old generation. What is read or written is in the young one
//! afterwards; when that is full it becomes the old one, and what was in the old one is forgotten.
//! So what was used among the last half of the bound is kept, and no entry needs a place in a list.
//! The bound is on identifiers, and again on devices.

use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

use hashbrown::HashMap;

use crate::device::digest::{DeviceId, EventDigest, Key};

const SHARDS: usize = 64;

/// What an identifier leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Link {
    /// The device.
    pub(super) device: DeviceId,
    /// Days since 1970 when it last led a stranger there.
    pub(super) day: u32,
    /// How many strangers it led there on that day.
    pub(super) strangers: u32,
    /// It led too many strangers there to be believed.
    pub(super) distrusted: bool,
}

/// What is known of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// The length of its first event as received: most others need no digest to be told from it.
    pub(super) first_length: u32,
    /// The digest of its first event.
    pub(super) first_event: EventDigest,
}

/// The map.
#[derive(Debug)]
pub(super) struct Memory {
    links: Shards<Key, Link>,
    records: Shards<DeviceId, Record>,
}

impl Memory {
    /// A map of at most so many identifiers.
    pub(super) fn new(most: usize) -> Self {
        Self {
            links: Shards::new(most),
            records: Shards::new(most),
        }
    }

    /// Where an identifier leads.
    pub(super) fn get(&self, key: Key) -> Option<Link> {
        self.links.lock(key.0[0]).get(&key).copied()
    }

    /// Lets an identifier lead to a device, unless it leads somewhere already: then there.
    pub(super) fn claim(&self, key: Key, link: Link) -> Option<Link> {
        self.links.lock(key.0[0]).claim(key, link)
    }

    /// Changes what is noted of an identifier.
    pub(super) fn update(&self, key: Key, change: impl FnOnce(&mut Link)) {
        if let Some(link) = self.links.lock(key.0[0]).get(&key) {
            change(link);
        }
    }

    /// What is known of a device.
    pub(super) fn record(&self, device: DeviceId) -> Option<Record> {
        self.records.lock(device.0[0]).get(&device).copied()
    }

    /// Notes a device, unless it is known already: then what is known.
    pub(super) fn claim_record(&self, device: DeviceId, record: Record) -> Option<Record> {
        self.records.lock(device.0[0]).claim(device, record)
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
    fn get(&mut self, key: &K) -> Option<&mut V> {
        if !self.young.contains_key(key) {
            let value = self.old.remove(key)?;
            self.insert(*key, value);
        }
        self.young.get_mut(key)
    }

    /// Sets it if it is not there, and gives what was there.
    fn claim(&mut self, key: K, value: V) -> Option<V> {
        let before = self.get(&key).copied();
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

    fn link(device: u8) -> Link {
        Link {
            device: DeviceId([device; 16]),
            day: 0,
            strangers: 0,
            distrusted: false,
        }
    }

    #[test]
    fn the_oldest_are_forgotten_and_what_is_used_is_kept() {
        let map = Memory::new(SHARDS * 8);
        // All of them in one shard, of eight.
        let key = |n: u8| Key(std::array::from_fn(|at| if at == 1 { n } else { 0 }));
        for n in 0..100 {
            assert_eq!(map.claim(key(n), link(7)), None);
            assert!(map.get(key(0)).is_some(), "in use");
        }
        let kept: Vec<_> = (0..100).filter(|n| map.get(key(*n)).is_some()).collect();
        assert!((4..=8).contains(&kept.len()), "{kept:?}");
        assert!(kept.contains(&0) && !kept.contains(&1), "{kept:?}");
    }

    #[test]
    fn the_first_claim_counts() {
        let map = Memory::new(1000);
        assert_eq!(map.claim(Key([1; 12]), link(1)), None);
        assert_eq!(map.claim(Key([1; 12]), link(2)), Some(link(1)));
        assert_eq!(map.get(Key([1; 12])), Some(link(1)));
    }
}
