//! Whether a cluster, or a topic, has stopped answering.
//!
//! The age of the oldest record alone would open the breaker of a healthy cluster for one leaderless
//! partition, and the absence of answers alone would open it in a quiet hour. So: something has
//! waited for too long, and nothing at all came back meanwhile. (The Kafka library's own error comes
//! seconds late when a broker hangs.)

use std::time::{Duration, Instant};

/// When the last acknowledgement was seen.
#[derive(Debug)]
pub(super) struct Progress {
    acknowledged: u64,
    since: Instant,
}

impl Progress {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            acknowledged: 0,
            since: now,
        }
    }

    /// Takes a sample: how many records were ever acknowledged, and how long the oldest that was
    /// not has waited. True if nothing answers any more.
    pub(super) fn stalled(
        &mut self,
        now: Instant,
        acknowledged: u64,
        oldest: Option<Duration>,
        after: Duration,
    ) -> bool {
        if acknowledged != self.acknowledged {
            self.acknowledged = acknowledged;
            self.since = now;
        }
        let silent = now.saturating_duration_since(self.since);
        oldest.is_some_and(|age| age >= after) && silent >= after
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AFTER: Duration = Duration::from_secs(3);
    const LONG: Option<Duration> = Some(Duration::from_secs(4));

    #[test]
    fn a_quiet_hour_is_no_stall() {
        let start = Instant::now();
        let mut progress = Progress::new(start);
        let hour = start + Duration::from_secs(3600);
        assert!(!progress.stalled(hour, 0, None, AFTER));
        assert!(!progress.stalled(hour, 0, Some(Duration::from_secs(1)), AFTER));
    }

    #[test]
    fn an_old_record_beside_fresh_acknowledgements_is_no_stall() {
        let start = Instant::now();
        let mut progress = Progress::new(start);
        for second in 1..20 {
            let now = start + Duration::from_secs(second);
            assert!(!progress.stalled(now, second, LONG, AFTER));
        }
    }

    #[test]
    fn an_old_record_and_nothing_back_is_a_stall() {
        let start = Instant::now();
        let mut progress = Progress::new(start);
        assert!(!progress.stalled(start, 7, Some(Duration::ZERO), AFTER));
        assert!(!progress.stalled(start + AFTER / 2, 7, LONG, AFTER));
        assert!(progress.stalled(start + AFTER, 7, LONG, AFTER));
        assert!(!progress.stalled(start + AFTER, 8, LONG, AFTER));
    }
}
