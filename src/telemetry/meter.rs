//! The counters of one repo, found once when a revision is bound, and added to once a request.

use std::sync::Arc;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;

use crate::telemetry::metrics::{Attributed, Executer, Metrics, Repo, RepoReason, Shadowed};

/// The counters of one repo.
#[derive(Clone, Debug)]
pub struct RepoMeter {
    repo: Arc<str>,
    /// Events received.
    pub received: Counter,
    /// Events accepted.
    pub accepted: Counter,
    /// Members that repeated the key of a field.
    pub duplicate_keys: Counter,
    /// Requests whose client went away before the reply.
    pub abandoned: Counter,
    /// Bytes of bodies over the wire.
    pub wire_bytes: Counter,
    /// Bytes of bodies unpacked.
    pub body_bytes: Counter,
    filtered: Family<RepoReason, Counter>,
    rejected: Family<RepoReason, Counter>,
    retry: Family<RepoReason, Counter>,
    tolerated: Family<RepoReason, Counter>,
    shadowed: Family<Shadowed, Counter>,
    failed: Family<Executer, Counter>,
    attributed: Family<Attributed, Counter>,
}

impl RepoMeter {
    /// The counters of the repo of this name; a repo that was there before goes on counting.
    pub fn new(metrics: &Metrics, repo: &str) -> Self {
        let repo: Arc<str> = repo.into();
        let of = |family: &Family<Repo, Counter>| {
            let repo = Arc::clone(&repo);
            family.get_or_create_owned(&Repo { repo })
        };
        Self {
            received: of(&metrics.events_received),
            accepted: of(&metrics.events_accepted),
            duplicate_keys: of(&metrics.duplicate_keys),
            abandoned: of(&metrics.requests_abandoned),
            wire_bytes: of(&metrics.wire_bytes),
            body_bytes: of(&metrics.body_bytes),
            filtered: metrics.events_filtered.clone(),
            rejected: metrics.events_rejected.clone(),
            retry: metrics.events_retry.clone(),
            tolerated: metrics.violations_tolerated.clone(),
            shadowed: metrics.events_shadowed.clone(),
            failed: metrics.executer_failures.clone(),
            attributed: metrics.events_attributed.clone(),
            repo,
        }
    }

    /// Counts events that were dropped on purpose.
    pub fn filtered(&self, reason: &'static str, events: u64) {
        self.add(&self.filtered, reason, events);
    }

    /// Counts events that were not wanted.
    pub fn rejected(&self, reason: &'static str, events: u64) {
        self.add(&self.rejected, reason, events);
    }

    /// Counts events that could not be made safe.
    pub fn retry(&self, reason: &'static str, events: u64) {
        self.add(&self.retry, reason, events);
    }

    /// Counts violations that cost no event.
    pub fn tolerated(&self, reason: &'static str, violations: u64) {
        self.add(&self.tolerated, reason, violations);
    }

    /// Counts events that a validator in mode `shadow` would have rejected.
    pub fn shadowed(&self, validator: &str, reason: &'static str, events: u64) {
        let labels = Shadowed {
            repo: Arc::clone(&self.repo),
            validator: validator.into(),
            reason,
        };
        self.shadowed.get_or_create(&labels).inc_by(events);
    }

    /// Counts events that an executer could not work on.
    pub fn failed(&self, executer: &str, events: u64) {
        let labels = Executer {
            repo: Arc::clone(&self.repo),
            executer: executer.into(),
        };
        self.failed.get_or_create(&labels).inc_by(events);
    }

    /// Counts events by how their device was found.
    pub fn attributed(&self, status: &'static str, events: u64) {
        if events > 0 {
            let repo = Arc::clone(&self.repo);
            let labels = Attributed { repo, status };
            self.attributed.get_or_create(&labels).inc_by(events);
        }
    }

    fn add(&self, family: &Family<RepoReason, Counter>, reason: &'static str, count: u64) {
        let repo = Arc::clone(&self.repo);
        family
            .get_or_create(&RepoReason { repo, reason })
            .inc_by(count);
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::registry::Registry;

    use super::*;
    use crate::telemetry::metrics::expose;

    #[test]
    fn a_repo_bound_again_goes_on_counting() {
        let mut registry = Registry::default();
        let metrics = Metrics::new(&mut registry);
        RepoMeter::new(&metrics, "app").received.inc_by(2);
        RepoMeter::new(&metrics, "app").received.inc_by(3);
        RepoMeter::new(&metrics, "app").rejected("decode.json", 4);
        RepoMeter::new(&metrics, "app").failed("campaign", 5);
        let text = expose(&registry);
        assert!(
            text.contains("weir_events_received_total{repo=\"app\"} 5"),
            "{text}"
        );
        let rejected = "weir_events_rejected_total{repo=\"app\",reason=\"decode.json\"} 4";
        assert!(text.contains(rejected), "{text}");
        let failed = "weir_executer_failures_total{repo=\"app\",executer=\"campaign\"} 5";
        assert!(text.contains(failed), "{text}");
    }
}
