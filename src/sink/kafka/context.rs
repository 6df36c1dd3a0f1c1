//! What the Kafka library calls back: answers to records, errors, statistics, logs.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::producer::{DeliveryResult, ProducerContext};
use rdkafka::types::RDKafkaErrorCode as Code;

use crate::event::Reason;
use crate::sink::kafka::failure;
use crate::sink::kafka::isolate::Isolation;
use crate::sink::kafka::stats::Snapshot;
use crate::sink::ledger::Ledger;

/// An error that goes on is logged again after this long.
const LOG_AGAIN: Duration = Duration::from_secs(30);

/// What a client and its callbacks share.
pub(super) struct Shared {
    /// Where records go, for logs.
    pub(super) brokers: String,
    pub(super) ledger: Ledger,
    /// Where records go that failed with their batch.
    pub(super) isolation: Isolation,
    /// Why queued records are being thrown away, while they are.
    pub(super) purging: Mutex<Reason>,
    fatal: AtomicBool,
    /// The last of each kind, the newest at the end.
    troubles: Mutex<Vec<Trouble>>,
    snapshot: Mutex<Snapshot>,
}

/// An error that the library told by itself.
#[derive(Clone, Debug)]
pub(super) struct Trouble {
    pub(super) code: Option<Code>,
    pub(super) text: String,
    logged: Instant,
}

impl Trouble {
    /// Whether one side did not accept the other. A broker that refuses our certificate says so by
    /// an alert when the handshake is over for us, which is to the library a failure of transport.
    pub(super) fn of_credentials(&self) -> bool {
        let code = |code| failure::credentials(code) || code == Code::SSL;
        self.code.is_some_and(code) || self.text.contains("SSL routines")
    }
}

impl Shared {
    pub(super) fn new(brokers: String, isolation: Isolation) -> Self {
        Self {
            brokers,
            ledger: Ledger::new(),
            isolation,
            purging: Mutex::new(Reason::Closing),
            fatal: AtomicBool::new(false),
            troubles: Mutex::default(),
            snapshot: Mutex::default(),
        }
    }

    pub(super) fn fatal(&self) -> bool {
        self.fatal.load(Ordering::Acquire)
    }

    /// The newest error, but rather a cause than that no broker is left.
    pub(super) fn trouble(&self) -> Option<Trouble> {
        let troubles = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        let cause = |trouble: &&Trouble| trouble.code != Some(Code::AllBrokersDown);
        troubles
            .iter()
            .rev()
            .find(cause)
            .or_else(|| troubles.last())
            .cloned()
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        self.snapshot
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The reason for a code, and what it says of the client.
    pub(super) fn judge(&self, code: Code) -> Reason {
        if matches!(code, Code::PurgeQueue | Code::PurgeInflight) {
            return *self.purging.lock().unwrap_or_else(PoisonError::into_inner);
        }
        if failure::final_for_the_client(code) {
            self.fatal.store(true, Ordering::Release);
        }
        failure::reason(code)
    }

    /// Logs an error when it is new, and once in a while when it goes on.
    fn note(&self, code: Option<Code>, text: &str) {
        // What follows is how long it took, and how often it was not told: no two are the same.
        let text = text.split(" (after ").next().unwrap_or(text);
        let mut troubles = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        let known = troubles.iter().position(|known| known.code == code);
        let before = known.map(|known| troubles.remove(known).logged);
        let recent = before.filter(|logged| logged.elapsed() < LOG_AGAIN);
        if recent.is_none() {
            tracing::warn!(
                brokers = self.brokers,
                reason = text,
                "kafka client in trouble"
            );
        }
        let logged = recent.unwrap_or_else(Instant::now);
        troubles.push(Trouble {
            code,
            text: text.to_owned(),
            logged,
        });
    }
}

/// The callbacks of one of the library's producers.
pub(super) struct Context {
    pub(super) shared: Arc<Shared>,
    /// Whether every record travels alone here, so that its failure is its own.
    pub(super) alone: bool,
}

impl Context {
    #[cold]
    fn failed(&self, error: &KafkaError, message: &BorrowedMessage<'_>, word: usize) {
        let shared = &*self.shared;
        let code = error.rdkafka_error_code().unwrap_or(Code::Unknown);
        if !self.alone && failure::hits_the_batch(code) {
            match shared.isolation.send(shared, &self.shared, message, word) {
                Ok(()) => {}
                Err(reason) => shared.ledger.fail(word, reason),
            }
            return;
        }
        if failure::credentials(code) {
            let text = format!("topic {}: {code}", message.topic());
            shared.note(Some(code), &text);
        }
        shared.ledger.fail(word, shared.judge(code));
    }
}

impl ProducerContext for Context {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, word: usize) {
        match result {
            Ok(_) => self.shared.ledger.acknowledge(word),
            Err((error, message)) => self.failed(error, message, word),
        }
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        let brokers = self.shared.brokers.as_str();
        match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
                tracing::error!(brokers, facility, message, "kafka library");
            }
            RDKafkaLogLevel::Error | RDKafkaLogLevel::Warning => {
                tracing::debug!(brokers, facility, message, "kafka library");
            }
            RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info | RDKafkaLogLevel::Debug => {
                tracing::trace!(brokers, facility, message, "kafka library");
            }
        }
    }

    fn stats_raw(&self, statistics: &[u8]) {
        if let Some(snapshot) = Snapshot::parse(statistics) {
            let mut last = self
                .shared
                .snapshot
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            *last = snapshot;
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let code = error.rdkafka_error_code();
        if code.is_some_and(failure::final_for_the_client) {
            let was = self.shared.fatal.swap(true, Ordering::AcqRel);
            if !was {
                let brokers = self.shared.brokers.as_str();
                tracing::error!(brokers, reason, "kafka client failed for good");
            }
        }
        self.shared.note(code, reason);
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("alone", &self.alone)
            .finish_non_exhaustive()
    }
}
