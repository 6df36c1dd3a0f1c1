//! Every metric, declared once: its doc comment is its help text. Labels come from bounded sets;
//! counting is done per batch, never per event.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

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
    /// Records that left delivery, by producer and what became of them: `acknowledged`, or the
    /// code of the reason they failed for.
    records: Family<RecordOutcome, Counter> = "weir_records", Family::default();
    /// Records of targets with ack `memory` that were lost after they had been accepted.
    lost: Family<Producer, Counter> = "weir_lost", Family::default();
    /// Reject records that their lane could not take, or that Kafka did not.
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
    clients_replaced: Family<Producer, Counter> = "weir_clients_replaced", Family::default();
    /// Panics caught in a client's callbacks: a bug, to be reported.
    callback_panics: Counter = "weir_callback_panics", Counter::default();
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
    fn a_doc_comment_is_the_help_text() {
        let mut registry = Registry::default();
        let metrics = Metrics::new(&mut registry);
        metrics.reject_records_lost.inc();
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        assert!(text.contains("# HELP weir_reject_records_lost Reject records that their lane"));
        assert!(text.contains("weir_reject_records_lost_total 1"));
    }
}
