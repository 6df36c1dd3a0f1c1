//! How many events a restriction still lets through: a leaky bucket kept as the time at which it
//! would be empty again (the generic cell rate algorithm, ITU-T I.371), in one atomic.

use std::sync::atomic::{AtomicI64, Ordering};

const SECOND: i64 = 1_000_000_000;

/// The bucket of one rate on one instance. It outlives the revisions that use it.
#[derive(Debug, Default)]
pub struct Bucket(AtomicI64);

/// What a bucket allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow {
    /// Events a second.
    pub per_second: u32,
}

impl Flow {
    /// Nanoseconds from one event to the next.
    fn interval(self) -> i64 {
        (SECOND / i64::from(self.per_second.max(1))).max(1)
    }
}

impl Bucket {
    /// Takes places for at most `wanted` events at `now` (nanoseconds); says how many it gave. One
    /// second's worth may come at once.
    pub fn take(&self, flow: Flow, now: i64, wanted: usize) -> usize {
        let interval = flow.interval();
        let mut given = 0;
        let updated = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |full_until| {
                let from = full_until.max(now.saturating_sub(SECOND));
                // Between one event late and a whole second early.
                let free = (now.saturating_sub(from)) / interval;
                given = usize::try_from(free).unwrap_or(0).min(wanted);
                let taken = i64::try_from(given).unwrap_or(0) * interval;
                (given > 0).then(|| from + taken)
            });
        updated.map_or(0, |_| given)
    }

    /// Gives places back that were taken and not used.
    pub fn give_back(&self, flow: Flow, unused: usize) {
        let unused = i64::try_from(unused).unwrap_or(0) * flow.interval();
        if unused > 0 {
            self.0.fetch_sub(unused, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLOW: Flow = Flow { per_second: 10 };

    #[test]
    fn a_second_s_worth_comes_at_once_and_then_as_time_passes() {
        let bucket = Bucket::default();
        let now = 1_700_000_000 * SECOND;
        assert_eq!(bucket.take(FLOW, now, 100), 10);
        assert_eq!(bucket.take(FLOW, now, 1), 0);
        assert_eq!(bucket.take(FLOW, now + SECOND / 10, 5), 1);
        assert_eq!(bucket.take(FLOW, now + SECOND, 100), 9);
        assert_eq!(bucket.take(FLOW, now + 100 * SECOND, 100), 10);
    }

    #[test]
    fn what_is_given_back_can_be_taken_again() {
        let bucket = Bucket::default();
        let now = 1_700_000_000 * SECOND;
        assert_eq!(bucket.take(FLOW, now, 10), 10);
        bucket.give_back(FLOW, 4);
        assert_eq!(bucket.take(FLOW, now, 10), 4);
    }

    #[test]
    fn a_clock_that_goes_back_gives_nothing_for_free() {
        let bucket = Bucket::default();
        let now = 1_700_000_000 * SECOND;
        assert_eq!(bucket.take(FLOW, now, 10), 10);
        assert_eq!(bucket.take(FLOW, now - 5 * SECOND, 10), 0);
    }
}
