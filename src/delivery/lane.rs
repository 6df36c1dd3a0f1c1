//! A lane: what one producer label sends with one priority. It has a budget of its own, so that
//! what matters most never queues behind what matters least.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;

use crate::delivery::budget::Budget;
use crate::event::{Label, Priority, Reason};
use crate::telemetry::metrics::{self, Metrics};

/// What becomes of acknowledged records, as `weir_records_total` has it.
const ACKNOWLEDGED: &str = "acknowledged";

/// (producer label, priority).
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) label: Label,
    pub(super) priority: Priority,
    pub(super) budget: Budget,
    meter: Meter,
    /// Records of ack `memory` that were lost, and that no log line tells of yet.
    lost_untold: AtomicU64,
    lost_reason: Mutex<Option<Reason>>,
}

/// The lane's metrics, looked up once.
#[derive(Debug)]
struct Meter {
    metrics: Metrics,
    acknowledged: Counter,
    lost: Counter,
    seconds: Histogram,
    bytes: Gauge,
}

impl Lane {
    pub(super) fn new(label: &Label, priority: Priority, budget: u64, metrics: &Metrics) -> Self {
        Self {
            label: label.clone(),
            priority,
            budget: Budget::new(budget),
            meter: Meter::new(label, priority, metrics),
            lost_untold: AtomicU64::new(0),
            lost_reason: Mutex::default(),
        }
    }

    /// The four lanes of a producer.
    pub(super) fn all(label: &Label, budget: u64, metrics: &Metrics) -> [Arc<Self>; 4] {
        Priority::ALL.map(|priority| Arc::new(Self::new(label, priority, budget, metrics)))
    }

    /// Counts what was acknowledged, and how long it took.
    pub(super) fn settled(&self, acknowledged: u64, seconds: f64) {
        self.meter.acknowledged.inc_by(acknowledged);
        self.meter.seconds.observe(seconds);
    }

    /// Counts what was not taken.
    pub(super) fn failed(&self, records: u64, reason: Reason) {
        let labels = outcome(&self.label, reason.code());
        self.meter
            .metrics
            .records
            .get_or_create(&labels)
            .inc_by(records);
    }

    /// Counts what was lost after it had been accepted; the ticker tells of it.
    pub(super) fn lost(&self, records: u64, reason: Reason) {
        self.meter.lost.inc_by(records);
        self.lost_untold.fetch_add(records, Ordering::Relaxed);
        *self
            .lost_reason
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(reason);
    }

    /// Counts reject records that could not be kept.
    pub(super) fn lost_rejects(&self, records: u64) {
        self.meter.metrics.reject_records_lost.inc_by(records);
    }

    /// Logs what was lost since the last time.
    pub(super) fn tell_lost(&self) {
        let lost = self.lost_untold.swap(0, Ordering::Relaxed);
        if lost == 0 {
            return;
        }
        let reason = *self
            .lost_reason
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let (producer, priority) = (self.label.as_str(), self.priority.as_str());
        let reason = reason.map_or("", Reason::code);
        tracing::error!(producer, priority, lost, reason, "accepted records lost");
    }

    /// Publishes how much is on the way.
    pub(super) fn show(&self) {
        self.meter
            .bytes
            .set(i64::try_from(self.budget.used()).unwrap_or(i64::MAX));
    }

    /// Its producer is gone: takes the lane's gauge away. Counters stay.
    pub(super) fn retire(&self) {
        self.tell_lost();
        self.meter
            .metrics
            .lane_bytes
            .remove(&lane(&self.label, self.priority));
    }
}

impl Meter {
    fn new(label: &Label, priority: Priority, metrics: &Metrics) -> Self {
        let producer = metrics::Producer {
            producer: label.to_string(),
        };
        Self {
            metrics: metrics.clone(),
            acknowledged: metrics
                .records
                .get_or_create_owned(&outcome(label, ACKNOWLEDGED)),
            lost: metrics.lost.get_or_create_owned(&producer),
            seconds: metrics.ack_seconds.get_or_create_owned(&producer),
            bytes: metrics
                .lane_bytes
                .get_or_create_owned(&lane(label, priority)),
        }
    }
}

fn outcome(label: &Label, outcome: &'static str) -> metrics::RecordOutcome {
    metrics::RecordOutcome {
        producer: label.to_string(),
        outcome,
    }
}

fn lane(label: &Label, priority: Priority) -> metrics::Lane {
    metrics::Lane {
        producer: label.to_string(),
        priority: priority.as_str(),
    }
}
