//! Devices that this instance has found today, by their identifiers as they are written: most events
//! are of such a device, and need neither a digest nor the map.
//!
//! Only what the map knows for certain is kept. A day later the map is asked again, which is when the
//! device's last active day is written.

use foldhash::fast::RandomState;
use quick_cache::Weighter;
use quick_cache::sync::{Cache as Inner, DefaultLifecycle};

use crate::device::digest::DeviceId;
use crate::device::entry::First;

/// A device that was found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    pub(super) device: DeviceId,
    /// Its first event, if events with these identifiers can be it.
    pub(super) first: Option<First>,
    /// Days since 1970 when it was found.
    pub(super) day: u16,
}

/// The cache, bounded by the memory it takes.
#[derive(Debug)]
pub(super) struct Cache(Inner<Box<[u8]>, Found, Weight, RandomState>);

/// By the bytes of the identifiers, and what stands beside them in memory.
#[derive(Clone, Debug)]
struct Weight;

impl Weighter<Box<[u8]>, Found> for Weight {
    fn weight(&self, identifiers: &Box<[u8]>, _: &Found) -> u64 {
        identifiers.len() as u64 + Cache::ENTRY
    }
}

impl Cache {
    /// What an entry takes beside its identifiers: key, value, links and the allocation's own.
    const ENTRY: u64 = 128;
    /// What identifiers take on average, to size what is made in advance.
    const IDENTIFIERS: u64 = 96;

    /// A cache of at most so many bytes.
    pub(super) fn new(bytes: u64) -> Self {
        let items = usize::try_from(bytes / (Self::ENTRY + Self::IDENTIFIERS));
        let items = items.unwrap_or(usize::MAX).max(1);
        Self(Inner::with(
            items,
            bytes,
            Weight,
            RandomState::default(),
            DefaultLifecycle::default(),
        ))
    }

    /// A device that was found today.
    pub(super) fn get(&self, identifiers: &[u8], day: u16) -> Option<Found> {
        self.0.get(identifiers).filter(|found| found.day == day)
    }

    /// Remembers one.
    pub(super) fn insert(&self, identifiers: Box<[u8]>, found: Found) {
        self.0.insert(identifiers, found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_today_is_kept_within_the_bound() {
        let cache = Cache::new(64 << 10);
        let found = |day| Found {
            device: DeviceId([1; 16]),
            first: None,
            day,
        };
        let identifiers = |n: u32| Box::<[u8]>::from(format!("oaid-{n:060}").as_bytes());
        cache.insert(identifiers(0), found(7));
        assert!(cache.get(&identifiers(0), 7).is_some());
        assert!(cache.get(&identifiers(0), 8).is_none(), "a day later");
        for n in 0..10_000 {
            cache.insert(identifiers(n), found(7));
        }
        let kept = (0..10_000).filter(|n| cache.get(&identifiers(*n), 7).is_some());
        let kept = kept.count();
        assert!((100..=340).contains(&kept), "{kept}");
    }
}
