//! A client of a Kafka cluster, over librdkafka's plain producer: a future for each record costs
//! nearly twice as much as the word that each carries here (see `ledger`).

mod config;
mod context;
mod failure;
mod isolate;
mod polled;
mod spec;
mod stats;

use std::fmt;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::BaseRecord;

use crate::event::{Reason, Topic};
use crate::sink::ledger::{Ledger, Ticket};
use crate::sink::{Done, Error, Message, Stamp};
use crate::telemetry::metrics::Metrics;

use context::{Context, Shared};
use isolate::Isolation;
use polled::Polled;
pub use spec::{Compression, Headers, Identity, Mechanism, Order, Sasl, Spec, Tls};
pub use stats::Snapshot;

/// One look at whether the cluster answers.
const GLANCE: Duration = Duration::from_secs(1);
/// Between two looks that failed at once.
const PAUSE: Duration = Duration::from_millis(50);

/// A running client of a Kafka cluster.
pub struct Client {
    producer: Polled,
    shared: Arc<Shared>,
    headers: Headers,
    /// After this long even a record that was sent twice must have been answered.
    lost_after: Duration,
}

impl Client {
    /// Starts the client; connecting goes on in the background.
    pub fn start(spec: &Spec, metrics: &Metrics) -> Result<Self, Error> {
        let target = spec.brokers.join(",");
        let config = config::compile(spec).map_err(|source| Error::Secret {
            target: target.clone(),
            source,
        })?;
        let panics = metrics.callback_panics.clone();
        let isolation = Isolation::new(config::alone(&config), panics.clone());
        let shared = Arc::new(Shared::new(target.clone(), isolation));
        let context = Context {
            shared: shared.clone(),
            alone: false,
        };
        let producer = Polled::start(&config, context, panics).map_err(|error| match error {
            polled::Error::Settings(error) => Error::Settings {
                target,
                reason: error.to_string(),
            },
            polled::Error::Thread(source) => Error::Thread { target, source },
        })?;
        let lost_after = spec.delivery_timeout * 3 + Duration::from_secs(5);
        Ok(Self {
            producer,
            shared,
            headers: spec.headers,
            lost_after,
        })
    }

    /// Waits until the cluster has answered a question about its topics. Blocks.
    pub fn answers(&self, within: Duration) -> Result<(), Error> {
        let begin = Instant::now();
        loop {
            let left = within.saturating_sub(begin.elapsed());
            let error = match self
                .producer
                .client()
                .fetch_metadata(None, left.min(GLANCE))
            {
                Ok(metadata) if !metadata.brokers().is_empty() => return Ok(()),
                Ok(_) => "it names no brokers".to_owned(),
                Err(error) => error.to_string(),
            };
            let trouble = self.shared.trouble();
            let target = self.shared.brokers.clone();
            if let Some(trouble) = &trouble
                && trouble.of_credentials()
            {
                return Err(Error::Credentials {
                    target,
                    reason: trouble.text.clone(),
                });
            }
            if begin.elapsed() >= within {
                let reason = trouble.map_or(error, |trouble| trouble.text);
                return Err(Error::Silent {
                    target,
                    waited: within,
                    reason,
                });
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Opens a group; see [`crate::sink::Client::open`].
    pub(crate) fn open<'a>(
        &'a self,
        tag: u32,
        topic: &'a Topic,
        records: u32,
        done: Done,
    ) -> Result<Group<'a>, Reason> {
        // One answer more than there are records: the group's own, given when it is dropped, so
        // that it is not settled before it is known how many were handed over.
        let ticket = self.shared.ledger.open(tag, records + 1, done)?;
        Ok(Group {
            client: self,
            topic,
            ticket,
            promised: records,
            handed: 0,
        })
    }

    pub(crate) fn ledger(&self) -> &Ledger {
        &self.shared.ledger
    }

    pub(crate) fn abandon_lost(&self) {
        let lost = self
            .shared
            .ledger
            .abandon(self.lost_after, Reason::Unavailable);
        if lost > 0 {
            let brokers = self.shared.brokers.as_str();
            tracing::error!(
                brokers,
                lost,
                "kafka library never answered for groups of records"
            );
        }
    }

    pub(crate) fn failed(&self) -> bool {
        self.shared.fatal()
    }

    pub(crate) fn knows(&self, topic: &Topic) -> bool {
        let name = topic.as_str();
        match self.producer.client().fetch_metadata(Some(name), GLANCE) {
            Ok(metadata) => metadata.topics().iter().any(|found| {
                found.name() == name && found.error().is_none() && !found.partitions().is_empty()
            }),
            Err(error) => {
                tracing::debug!(%topic, %error, "topic not looked up");
                false
            }
        }
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        self.shared.snapshot()
    }

    pub(crate) fn close(&self, grace: Duration, reason: Reason) -> usize {
        let begin = Instant::now();
        *self
            .shared
            .purging
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = reason;
        self.producer.close(grace);
        self.shared
            .isolation
            .close(grace.saturating_sub(begin.elapsed()));
        self.shared.ledger.shut(reason)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("brokers", &self.shared.brokers)
            .finish_non_exhaustive()
    }
}

/// An open group of records.
#[derive(Debug)]
pub struct Group<'a> {
    client: &'a Client,
    topic: &'a Topic,
    ticket: Ticket,
    promised: u32,
    handed: u32,
}

impl Group<'_> {
    pub(crate) fn add(&mut self, message: &Message<'_>, stamp: &Stamp<'_>) -> Result<(), Reason> {
        debug_assert!(
            self.handed < self.promised,
            "more records than the group was opened for"
        );
        let record = BaseRecord {
            topic: self.topic.as_str(),
            partition: None,
            payload: Some(message.payload),
            key: message.key,
            timestamp: None,
            headers: headers(self.client.headers, message, stamp),
            delivery_opaque: self.ticket.word(message.index),
        };
        let sent = self.client.producer.send(record);
        sent.map_err(|code| self.client.shared.judge(code))?;
        self.handed += 1;
        Ok(())
    }
}

impl Drop for Group<'_> {
    fn drop(&mut self) {
        let ledger = &self.client.shared.ledger;
        ledger.handed(self.ticket, self.handed);
        ledger.count_down(self.ticket, self.promised + 1 - self.handed);
    }
}

/// The headers that the document asks for, if any.
fn headers(wanted: Headers, message: &Message<'_>, stamp: &Stamp<'_>) -> Option<OwnedHeaders> {
    if !wanted.revision && !wanted.batch && message.headers.is_empty() {
        return None;
    }
    let mut headers = OwnedHeaders::new_with_capacity(2 + message.headers.len());
    for (key, value) in message.headers {
        headers = headers.insert(Header {
            key,
            value: Some(&**value),
        });
    }
    if wanted.revision {
        headers = headers.insert(Header {
            key: "revision",
            value: Some(stamp.revision),
        });
    }
    if wanted.batch {
        let mut place = Place::new();
        let value = place.write(stamp.batch, message.index);
        headers = headers.insert(Header {
            key: "batch",
            value: Some(value),
        });
    }
    Some(headers)
}

/// Room for `<batch id>/<index>` on the stack: it is written for every record.
struct Place {
    bytes: [u8; Self::SIZE],
}

impl Place {
    const SIZE: usize = 64;
    const DIGITS: usize = 10;

    fn new() -> Self {
        Self {
            bytes: [0; Self::SIZE],
        }
    }

    fn write(&mut self, batch: &str, index: u32) -> &[u8] {
        let batch = batch.as_bytes();
        let length = batch.len().min(Self::SIZE - Self::DIGITS - 1);
        self.bytes[..length].copy_from_slice(&batch[..length]);
        self.bytes[length] = b'/';
        let mut digits = [0; Self::DIGITS];
        let mut first = Self::DIGITS;
        let mut rest = index;
        loop {
            first -= 1;
            digits[first] = b"0123456789"[(rest % 10) as usize];
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        let end = length + 1 + Self::DIGITS - first;
        self.bytes[length + 1..end].copy_from_slice(&digits[first..]);
        &self.bytes[..end]
    }
}

#[cfg(test)]
mod tests;
