//! When the source is looked at again.

use std::time::Duration;

use crate::rollout::reconcile::Reconciler;
use crate::telemetry::clock;

/// How far behind its notices a config center's answers may be.
const LAG: Duration = Duration::from_millis(300);

/// Until the next look where a switch has ended and could not be taken out of force.
const OVERDUE: Duration = Duration::from_secs(1);

impl Reconciler {
    /// Until the next look without a nudge: the interval give or take 30 %, or the next moment at
    /// which a switch ends; sooner while something cannot be read, or the nudge may have come
    /// before what it told of.
    pub(super) fn pause(&mut self) -> Duration {
        let interval = self.settings.interval.duration();
        let interval = match self.failures {
            0 => interval,
            failures => interval.min(Duration::from_millis(500 << failures.min(5))),
        };
        if std::mem::take(&mut self.nudged) && !self.source.is_local() {
            return LAG;
        }
        let spread = interval.mul_f64(0.6);
        let jitter = spread.mul_f64(f64::from(self.noticed.elapsed().subsec_nanos()) / 1e9);
        let regular = interval.saturating_sub(interval.mul_f64(0.3)) + jitter;
        let until = self.switches.next_until.map(|until| {
            let left = until.duration_since(clock::timestamp());
            // What has ended already was looked at just now, or ended since.
            Duration::try_from(left).map_or(OVERDUE, |left| left + Duration::from_millis(1))
        });
        until.map_or(regular, |until| until.min(regular))
    }
}
