//! The books of a request: what became of every event, added up in plain integers and published to
//! the metrics once.

use crate::event::{Batch, Class, Effect, Fate, Reason, Records};
use crate::gateway::receipt::Counts;
use crate::pipeline::Pipeline;
use crate::telemetry::meter::RepoMeter;

/// How many events left for each reason. Few reasons occur in one request.
#[derive(Debug, Default)]
struct Reasons(Vec<(Reason, u64)>);

impl Reasons {
    fn add(&mut self, reason: Reason) {
        match self.0.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, count)) => *count += 1,
            None => self.0.push((reason, 1)),
        }
    }
}

/// Adds up a batch whose every event has its last fate, and publishes the sums.
pub(super) fn close(batch: &Batch, pipeline: &Pipeline, meter: &RepoMeter) -> Counts {
    let mut counts = Counts::default();
    let mut reasons = Reasons::default();
    for event in batch.events() {
        counts.received += 1;
        match event.fate {
            Fate::Live => counts.accepted += 1,
            Fate::Left(reason) => reasons.add(reason),
        }
    }
    for (reason, events) in reasons.0 {
        counts.leave(reason.class(), events);
        match reason.class() {
            Class::Filtered => meter.filtered(reason.code(), events),
            Class::Rejected => meter.rejected(reason.code(), events),
            Class::Retry => meter.retry(reason.code(), events),
        }
    }
    meter.accepted.inc_by(counts.accepted);
    if batch.duplicates > 0 {
        meter.duplicate_keys.inc_by(batch.duplicates);
    }
    if !batch.violations().is_empty() {
        count_tolerated(batch, pipeline, meter);
    }
    // The last: who sees an event received sees what became of it.
    meter.received.inc_by(counts.received);
    debug_assert!(counts.balance(), "{counts:?}");
    counts
}

/// Counts what the steps could not work on.
pub(super) fn count_failed(failed: &[(usize, u32)], pipeline: &Pipeline, meter: &RepoMeter) {
    for (index, events) in failed {
        let step = &pipeline.plan.executers[*index];
        meter.failed(step.label(), u64::from(*events));
    }
}

/// Violations that cost no event: those that were repaired, and what shadow validators found.
fn count_tolerated(batch: &Batch, pipeline: &Pipeline, meter: &RepoMeter) {
    let mut repaired = Reasons::default();
    let mut shadowed: Vec<(u16, Reason, u32, u64)> = Vec::new();
    for violation in batch.violations_by_event() {
        match (violation.effect, violation.validator) {
            (Effect::Rejected | Effect::ShadowRepair, _) | (Effect::Shadow, None) => {}
            (Effect::Repaired, _) => repaired.add(violation.reason),
            (Effect::Shadow, Some(validator)) => {
                let known = shadowed
                    .iter_mut()
                    .find(|known| (known.0, known.1) == (validator, violation.reason));
                match known {
                    // An event counts once, however often a validator finds the same in it.
                    Some((.., last, _)) if *last == violation.event => {}
                    Some((.., last, count)) => {
                        *last = violation.event;
                        *count += 1;
                    }
                    None => shadowed.push((validator, violation.reason, violation.event, 1)),
                }
            }
        }
    }
    for (reason, violations) in repaired.0 {
        meter.tolerated(reason.code(), violations);
    }
    for (validator, reason, _, events) in shadowed {
        if let Some(validator) = pipeline.plan.validators.get(usize::from(validator)) {
            meter.shadowed(&validator.name, reason.code(), events);
        }
    }
}

/// Whether every event that is still on its way has a record: one without would be called accepted
/// though it went nowhere.
pub(super) fn covered(batch: &Batch, records: &Records) -> bool {
    let mut events = 0;
    let mut last = None;
    for record in &records.items {
        if record.event.is_some() && record.event != last {
            last = record.event;
            events += 1;
        }
    }
    events == batch.live()
}
