//! Bytes that may be on the way at one time.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::event::Priority;

/// What a record costs beside its bytes: the Kafka library's bookkeeping.
pub(super) const RECORD: u64 = 256;

/// A number of bytes that are taken and given back.
#[derive(Debug)]
pub(super) struct Budget {
    used: AtomicU64,
    limit: AtomicU64,
}

impl Budget {
    pub(super) fn new(limit: u64) -> Self {
        Self {
            used: AtomicU64::new(0),
            limit: AtomicU64::new(limit),
        }
    }

    /// Takes the bytes if there is room. What is larger than the whole budget may go alone, or it
    /// could never go.
    pub(super) fn take(&self, bytes: u64) -> bool {
        self.take_below(bytes, self.limit.load(Ordering::Relaxed))
    }

    /// Takes the bytes if there is room for this priority: the less important, the sooner it is
    /// turned away.
    pub(super) fn take_as(&self, bytes: u64, priority: Priority) -> bool {
        let share = match priority {
            Priority::P0 => 100,
            Priority::P1 => 95,
            Priority::P2 => 85,
            Priority::P3 => 70,
        };
        self.take_below(bytes, self.limit.load(Ordering::Relaxed) / 100 * share)
    }

    fn take_below(&self, bytes: u64, limit: u64) -> bool {
        let room = |used: u64| (used == 0 || used + bytes <= limit).then_some(used + bytes);
        self.used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, room)
            .is_ok()
    }

    pub(super) fn give(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }

    pub(super) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// Another limit; what is taken stays taken.
    pub(super) fn set_limit(&self, limit: u64) {
        self.limit.store(limit, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_must_be_given_back_before_more_fits() {
        let budget = Budget::new(100);
        assert!(budget.take(60));
        assert!(!budget.take(41));
        assert!(budget.take(40));
        budget.give(60);
        assert!(budget.take(60));
        assert_eq!(budget.used(), 100);
    }

    #[test]
    fn what_is_larger_than_the_budget_goes_alone() {
        let budget = Budget::new(100);
        assert!(budget.take(500));
        assert!(!budget.take(1));
        budget.give(500);
        assert!(budget.take(1));
        assert!(!budget.take(500));
    }

    #[test]
    fn the_less_important_is_turned_away_first() {
        let budget = Budget::new(1_000);
        assert!(budget.take(690));
        assert!(!budget.take_as(20, Priority::P3));
        assert!(budget.take_as(20, Priority::P2));
        assert!(budget.take(200));
        assert!(!budget.take_as(20, Priority::P2));
        assert!(budget.take_as(20, Priority::P1));
        assert!(!budget.take_as(60, Priority::P1));
        assert!(budget.take_as(60, Priority::P0));
    }
}
