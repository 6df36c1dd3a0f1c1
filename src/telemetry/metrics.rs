//! Every metric, declared once: its doc comment is its help text. Labels come from bounded sets;
//! counting is done per batch, never per event.

use std::sync::Arc;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// The type of what [`expose`] writes.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// All metrics as the text that Prometheus reads.
pub fn expose(registry: &Registry) -> String {
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, registry)
        .expect("writing into a string cannot fail");
    text
}

/// Histograms by a set of labels.
pub type Histograms<Labels> = Family<Labels, Histogram, fn() -> Histogram>;

/// Declares the struct of all metrics, and registers each under its name with its doc comment as
/// help. The name of a counter goes without `_total`, which the exposition adds.
macro_rules! metrics {
    ($($(#[doc = $help:literal])+ $field:ident: $kind:ty = $name:literal, $new:expr;)+) => {
        /// All metrics of the process. Clones share their values.
        #[derive(Clone, Debug)]
        pub struct Metrics {
            $($(#[doc = $help])+ pub $field: $kind,)+
        }

        /// Name and help of every metric, as they are exposed.
        #[cfg(test)]
        const ALL: &[(&str, &str)] = &[$(($name, concat!($($help),+))),+];

        impl Metrics {
            /// Registers every metric.
            pub fn new(registry: &mut Registry) -> Self {
                $(
                    let $field: $kind = $new;
                    let help = concat!($($help),+).trim().trim_end_matches('.');
                    registry.register($name, help, $field.clone());
                )+
                Self { $($field,)+ }
            }
        }
    };
}

metrics! {
    /// Events received, by repo; the sum of accepted, filtered, rejected and retry.
    events_received: Family<Repo, Counter> = "weir_events_received", Family::default();
    /// Events of which every record is safe by the ack of its target.
    events_accepted: Family<Repo, Counter> = "weir_events_accepted", Family::default();
    /// Events dropped on purpose, by the code of the reason.
    events_filtered: Family<RepoReason, Counter> = "weir_events_filtered", Family::default();
    /// Events that were not wanted, by the code of the reason.
    events_rejected: Family<RepoReason, Counter> = "weir_events_rejected", Family::default();
    /// Events that could not be made safe and are to be sent again, by the code of the reason.
    events_retry: Family<RepoReason, Counter> = "weir_events_retry", Family::default();
    /// Events that a validator in mode `shadow` would have rejected.
    events_shadowed: Family<Shadowed, Counter> = "weir_events_shadowed", Family::default();
    /// Violations found in events that stayed, because their class is accepted, coerced, or takes
    /// only the property away.
    violations_tolerated: Family<RepoReason, Counter> = "weir_violations_tolerated", Family::default();
    /// Events that an executer could not work on, whatever its `on_error` says of them.
    executer_failures: Family<Executer, Counter> = "weir_executer_failures", Family::default();
    /// Events by how their device was found: `known`, `new`, `conflict`, `degraded`, `none`.
    events_attributed: Family<Attributed, Counter> = "weir_events_attributed", Family::default();
    /// Devices of requests that this instance had found earlier in the day: the map was not asked.
    device_cache_hits: Counter = "weir_device_cache_hits", Counter::default();
    /// Devices of requests that the map was asked for.
    device_cache_misses: Counter = "weir_device_cache_misses", Counter::default();
    /// Seconds that a request waited for the device map, where it had to ask it.
    device_seconds: Histogram = "weir_device_seconds", device_buckets();
    /// Pipelines of the device map that failed, by cause: `deadline`, `connection`, `refused` (the
    /// breaker of the node was open); and commands that redis answered with an error, `answer`.
    device_failures: Family<DeviceFailure, Counter> = "weir_device_failures", Family::default();
    /// 1 while a node of the device map is asked nothing, because it does not answer.
    device_node_refused: Family<DeviceNode, Gauge> = "weir_device_node_refused", Family::default();
    /// 1 where a node of the device map is set up so that devices may be lost: `version`,
    /// `maxmemory_policy`, `appendonly`.
    device_node_fault: Family<DeviceFault, Gauge> = "weir_device_node_fault", Family::default();
    /// Members of events that repeated the key of a field; the last one counts.
    duplicate_keys: Family<Repo, Counter> = "weir_duplicate_keys", Family::default();
    /// Requests whose books did not balance: a bug, to be reported.
    books_unbalanced: Counter = "weir_books_unbalanced", Counter::default();
    /// Requests whose client went away while its events were being delivered.
    requests_abandoned: Family<Repo, Counter> = "weir_requests_abandoned", Family::default();
    /// Bytes of bodies as they came over the wire.
    wire_bytes: Family<Repo, Counter> = "weir_wire_bytes", Family::default();
    /// Bytes of bodies unpacked.
    body_bytes: Family<Repo, Counter> = "weir_body_bytes", Family::default();
    /// Requests of the data port, by status and by the code of the error in the reply (`none` where
    /// there is none).
    requests: Family<Answer, Counter> = "weir_requests", Family::default();
    /// Seconds from the head of a request of the data port to its reply, the body and the
    /// acknowledgements among them.
    request_seconds: Histogram = "weir_request_seconds", request_buckets();
    /// Seconds spent in each stage by the events of one request; a sample of the requests.
    stage_seconds: Histograms<Stage> = "weir_stage_seconds", Family::new_with_constructor(stage_buckets);
    /// Requests of the data port being served.
    in_flight_requests: Gauge = "weir_in_flight_requests", Gauge::default();
    /// Bytes of bodies held in memory by requests of the data port.
    in_flight_bytes: Gauge = "weir_in_flight_bytes", Gauge::default();
    /// Connections open to the data port.
    connections: Gauge = "weir_connections", Gauge::default();
    /// Connections to the data port beyond the limit: told so, or closed at once.
    connections_refused: Counter = "weir_connections_refused", Counter::default();
    /// 1 for the revision that is live.
    revision_info: Family<Revision, Gauge> = "weir_revision_info", Family::default();
    /// Changes of documents, by outcome: `applied`, `refused`, `held`, `pinned`, `snapshot`.
    apply: Family<Applied, Counter> = "weir_apply", Family::default();
    /// Documents held at their last good content.
    documents_held: Gauge = "weir_documents_held", Gauge::default();
    /// 1 for each document that is held at its last good content, or refused: by its dataId.
    document_held: Family<Document, Gauge> = "weir_document_held", Family::default();
    /// 1 while every document can be read at the source, 0 while some or all cannot.
    source_reachable: Gauge = "weir_source_reachable", Gauge::default();
    /// 1 while an operator has pinned this instance to a set: no change of documents moves it.
    pinned: Gauge = "weir_pinned", Gauge::default();
    /// Writes of the state directory that failed: what is live would not survive a restart.
    state_write_failures: Counter = "weir_state_write_failures", Counter::default();
    /// Unix time of the last time that all documents were read; its age is `time()` minus this.
    reconcile_timestamp_seconds: Gauge = "weir_reconcile_timestamp_seconds", Gauge::default();
    /// Seconds to compile a set, its samples among them.
    compile_seconds: Histogram = "weir_compile_seconds", compile_buckets();
    /// Revisions that are no longer live and still serve requests.
    revisions_retired: Gauge = "weir_revisions_retired", Gauge::default();
    /// Records that left delivery, by producer and what became of them: `acknowledged`, or the
    /// code of the reason they failed for.
    records: Family<RecordOutcome, Counter> = "weir_records", Family::default();
    /// Records of targets with ack `memory` that were lost after they had been accepted.
    lost: Family<Producer, Counter> = "weir_lost", Family::default();
    /// Reject records, and records about devices, that their lane could not take, or that Kafka did
    /// not.
    reject_records_lost: Counter = "weir_reject_records_lost", Counter::default();
    /// Bytes handed over and not yet acknowledged, by lane.
    lane_bytes: Family<Lane, Gauge> = "weir_lane_bytes", Family::default();
    /// Seconds from hand-over until the last record of a group was answered, failures and
    /// time-outs among them.
    ack_seconds: Histograms<Producer> = "weir_ack_seconds", Family::new_with_constructor(ack_buckets);
    /// 1 while the breaker of the producer's cluster is open: its records are refused at once.
    breaker_open: Family<Producer, Gauge> = "weir_breaker_open", Family::default();
    /// Topics that are being refused, because they are unknown, unauthorized or do not answer.
    topics_refused: Family<Producer, Gauge> = "weir_topics_refused", Family::default();
    /// Clients that were replaced because they failed for good.
    clients_replaced: Counter = "weir_clients_replaced", Counter::default();
    /// Panics caught in a client's callbacks: a bug, to be reported.
    callback_panics: Counter = "weir_callback_panics", Counter::default();
}

/// A repo, by its name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Repo {
    /// Its name in the documents.
    pub repo: Arc<str>,
}

/// A repo and why.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RepoReason {
    /// Its name in the documents.
    pub repo: Arc<str>,
    /// The code of the reason.
    pub reason: &'static str,
}

/// How the devices of a repo's events were found.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Attributed {
    /// The repo's name in the documents.
    pub repo: Arc<str>,
    /// `known`, `new`, `conflict`, `degraded` or `none`.
    pub status: &'static str,
}

/// Why the device map did not answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct DeviceFailure {
    /// `deadline`, `connection`, `refused` or `answer`.
    pub cause: &'static str,
}

/// A node of the device map.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct DeviceNode {
    /// Its address.
    pub node: String,
}

/// What makes a node unfit for the device map.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct DeviceFault {
    /// Its address.
    pub node: String,
    /// `version`, `maxmemory_policy` or `appendonly`.
    pub fault: &'static str,
}

/// What a validator in mode `shadow` found.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Shadowed {
    /// The repo's name in the documents.
    pub repo: Arc<str>,
    /// The validator's name in the repo.
    pub validator: Arc<str>,
    /// The code of the reason.
    pub reason: &'static str,
}

/// An executer of a repo.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Executer {
    /// The repo's name in the documents.
    pub repo: Arc<str>,
    /// The executer's name; of one without a name, its kind.
    pub executer: Arc<str>,
}

/// What the data port answered.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The code of the error in the reply, or `none`.
    pub code: &'static str,
}

/// A stage of the data path.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Stage {
    /// Its name.
    pub stage: &'static str,
}

/// A revision.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Revision {
    /// Its digest.
    pub digest: String,
}

/// What became of a change of documents.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Applied {
    /// `applied`, `refused`, `held`, `pinned` or `snapshot`.
    pub outcome: &'static str,
}

/// A document, by its place in the source.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Document {
    /// Its dataId.
    pub document: String,
}

/// A producer, by its label.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Producer {
    /// Its label in the documents.
    pub producer: String,
}

/// What became of a producer's records.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RecordOutcome {
    /// Its label in the documents.
    pub producer: String,
    /// `acknowledged`, or the code of a reason.
    pub outcome: &'static str,
}

/// A lane of a producer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Lane {
    /// The producer's label in the documents.
    pub producer: String,
    /// `P0` to `P3`.
    pub priority: &'static str,
}

/// From what an answer without delivery takes to past every deadline.
fn request_buckets() -> Histogram {
    Histogram::new([
        0.000_25, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
        30.0,
    ])
}

/// From what a stage takes over one event to what a bad script takes over many.
fn stage_buckets() -> Histogram {
    Histogram::new([
        0.000_001, 0.000_004, 0.000_016, 0.000_064, 0.000_25, 0.001, 0.004, 0.016, 0.064, 0.25,
        1.0, 10.0,
    ])
}

/// From a server beside the instance to past the usual deadline.
fn device_buckets() -> Histogram {
    Histogram::new([
        0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 1.0,
    ])
}

/// From a change of one repo to a set of thousands.
fn compile_buckets() -> Histogram {
    Histogram::new([
        0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
    ])
}

/// From one millisecond to past the longest delivery time-out.
fn ack_buckets() -> Histogram {
    Histogram::new([
        0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_metrics_are_those_that_operators_know() {
        let line = |(name, help): &(&str, &str)| format!("{name}:{help}");
        let list: Vec<_> = ALL.iter().map(line).collect();
        insta::assert_snapshot!(list.join("\n"));
    }

    #[test]
    fn every_metric_has_its_own_name_in_snake_case() {
        for (at, (name, _)) in ALL.iter().enumerate() {
            let word = |c: u8| c.is_ascii_lowercase() || c == b'_';
            assert!(
                name.starts_with("weir_") && name.bytes().all(word),
                "{name}"
            );
            let twice = ALL[..at].iter().any(|(other, _)| other == name);
            assert!(!twice && !name.ends_with("_total"), "{name}");
        }
    }

    #[test]
    fn a_doc_comment_is_the_help_text() {
        let mut registry = Registry::default();
        let metrics = Metrics::new(&mut registry);
        metrics.reject_records_lost.inc();
        let text = expose(&registry);
        assert!(
            text.contains(
                "# HELP weir_reject_records_lost Reject records, and records about devices"
            )
        );
        assert!(text.contains("weir_reject_records_lost_total 1"));
    }
}
