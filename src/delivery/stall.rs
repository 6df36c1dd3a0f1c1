//! Whether a cluster, or a topic, has stopped answering.
//!
//! The age of the oldest record alone would open the breaker of a healthy cluster for one leaderless
//! partition, and the absence of answers alone would open it in a quiet hour. So: something has
//! waited for too long, and nothing at all came back meanwhile. (The Kafka library's own error comes
//! seconds late when a broker hangs.) Time in which this process did not run counts for little: the
//! answers of a machine that stood still are still to be read.

use std::time::{Duration, Instant};

/// Samples are taken so often, and never count for more than twice as long.
pub(super) const TICK: Duration = Duration::from_millis(100);

/// How long nothing was acknowledged while something waited.
#[derive(Debug)]
pub(super) struct Progress {
    acknowledged: u64,
    sampled: Instant,
    silent: Duration,
}

impl Progress {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            acknowledged: 0,
            sampled: now,
            silent: Duration::ZERO,
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
        let passed = now.saturating_duration_since(self.sampled);
        self.sampled = now;
        if acknowledged != self.acknowledged || oldest.is_none() {
            self.acknowledged = acknowledged;
            self.silent = Duration::ZERO;
        } else {
            self.silent += passed.min(2 * TICK);
        }
        oldest.is_some_and(|age| age >= after) && self.silent >= after
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AFTER: Duration = Duration::from_secs(3);
    const LONG: Option<Duration> = Some(Duration::from_secs(4));

    /// Samples, one a tick, of something that waits and of a cluster that says nothing, until that
    /// is a stall; gives how long it took.
    fn until_stalled(progress: &mut Progress, start: Instant, acknowledged: u64) -> Duration {
        let samples = (1..100).map(|n| n * TICK);
        let mut stalls =
            samples.filter(|passed| progress.stalled(start + *passed, acknowledged, LONG, AFTER));
        stalls.next().expect("it stalls")
    }

    #[test]
    fn a_quiet_hour_is_no_stall() {
        let start = Instant::now();
        let mut progress = Progress::new(start);
        for minute in 1..60 {
            let now = start + minute * Duration::from_secs(60);
            assert!(!progress.stalled(now, 0, None, AFTER));
        }
        let hour = start + Duration::from_secs(3600);
        assert!(!progress.stalled(hour, 0, LONG, AFTER));
    }

    #[test]
    fn an_old_record_beside_fresh_acknowledgements_is_no_stall() {
        let start = Instant::now();
        let mut progress = Progress::new(start);
        for tick in 1..200 {
            let now = start + tick * TICK;
            assert!(!progress.stalled(now, u64::from(tick / 20), LONG, AFTER));
        }
    }

    #[test]
    fn an_old_record_and_nothing_back_is_a_stall() {
        let start = Instant::now();
        let mut progress = Progress::new(start);
        assert!(!progress.stalled(start, 7, Some(Duration::ZERO), AFTER));
        assert_eq!(until_stalled(&mut progress, start, 7), AFTER);
        assert!(!progress.stalled(start + 2 * AFTER, 8, LONG, AFTER));
    }

    #[test]
    fn a_process_that_did_not_run_has_missed_no_answer() {
        let start = Instant::now();
        let mut progress = Progress::new(start);
        assert!(!progress.stalled(start, 0, Some(Duration::ZERO), AFTER));
        let awake = start + Duration::from_secs(600);
        assert!(!progress.stalled(awake, 0, LONG, AFTER));
        assert_eq!(until_stalled(&mut progress, awake, 0), AFTER - 2 * TICK);
    }
}
