//! One of the Kafka library's producers with the thread that serves its callbacks.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, PurgeConfig};
use rdkafka::types::RDKafkaErrorCode as Code;

use crate::sink::kafka::context::Context;

/// How long the thread sleeps at most, and so how long it takes to notice that it shall end.
const POLL: Duration = Duration::from_millis(100);

/// How long answers to purged records may take; they need nothing but this process.
const PURGE: Duration = Duration::from_secs(2);

type Inner = BaseProducer<Context>;

/// A producer and its thread.
pub(super) struct Polled {
    producer: Arc<Inner>,
    stop: Arc<AtomicBool>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// Why it could not be started.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("the kafka library refuses")]
    Settings(#[from] KafkaError),
    #[error("start a thread")]
    Thread(#[from] std::io::Error),
}

impl Polled {
    pub(super) fn start(
        config: &ClientConfig,
        context: Context,
        panics: Counter,
    ) -> Result<Self, Error> {
        let producer: Arc<Inner> = Arc::new(config.create_with_context(context)?);
        let stop = Arc::new(AtomicBool::new(false));
        let thread = std::thread::Builder::new()
            .name("kafka-answers".to_owned())
            .spawn({
                let (producer, stop) = (producer.clone(), stop.clone());
                move || poll(&producer, &stop, &panics)
            })?;
        Ok(Self {
            producer,
            stop,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Hands a record over. Never blocks.
    pub(super) fn send(&self, record: BaseRecord<'_, [u8], [u8], usize>) -> Result<(), Code> {
        self.producer
            .send(record)
            .map_err(|(error, _)| error.rdkafka_error_code().unwrap_or(Code::Unknown))
    }

    /// The library's client.
    pub(super) fn client(&self) -> &rdkafka::client::Client<Context> {
        self.producer.client()
    }

    /// Sends what is queued, for at most `grace`, throws the rest away (each record is answered
    /// with that), and ends the thread. The library's own `Drop` then has nothing left to do.
    pub(super) fn close(&self, grace: Duration) {
        if let Err(error) = self.producer.flush(grace) {
            tracing::debug!(%error, "kafka queue not empty in time");
        }
        self.producer
            .purge(PurgeConfig::default().queue().inflight());
        if let Err(error) = self.producer.flush(PURGE) {
            tracing::error!(%error, "kafka library kept records back at its end");
        }
        self.stop.store(true, Ordering::Release);
        let thread = self
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread for kafka's answers panicked");
        }
    }
}

impl Drop for Polled {
    /// Only so that a client that was never closed (a failed start) leaves no thread behind.
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
    }
}

impl fmt::Debug for Polled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Polled").finish_non_exhaustive()
    }
}

/// Serves callbacks until told to stop. A panic in one of them is counted and told, and the next is
/// served; the ledger's sweep answers what it cost.
fn poll(producer: &Inner, stop: &AtomicBool, panics: &Counter) {
    while !stop.load(Ordering::Acquire) {
        if catch_unwind(AssertUnwindSafe(|| producer.poll(POLL))).is_err() {
            panics.inc();
            tracing::error!("a callback of the kafka client panicked");
        }
    }
}
