//! One bad record must not cost a good one: when a broker refuses a whole batch for the size or the
//! content of what is in it, its records are sent again, each alone, and each gets its own verdict.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use rdkafka::ClientConfig;
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::producer::BaseRecord;

use crate::event::Reason;
use crate::sink::kafka::context::{Context, Shared};
use crate::sink::kafka::polled::Polled;

/// A second producer for the same cluster, made when it is first needed.
pub(super) struct Isolation {
    config: ClientConfig,
    panics: Counter,
    producer: Mutex<State>,
}

enum State {
    Unneeded,
    Running(Polled),
    Closed,
}

impl Isolation {
    pub(super) fn new(config: ClientConfig, panics: Counter) -> Self {
        Self {
            config,
            panics,
            producer: Mutex::new(State::Unneeded),
        }
    }

    /// Sends a failed record again, alone, under the same word. `owner` is `shared` itself.
    pub(super) fn send(
        &self,
        shared: &Shared,
        owner: &Arc<Shared>,
        message: &BorrowedMessage<'_>,
        word: usize,
    ) -> Result<(), Reason> {
        let mut state = self.producer.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*state, State::Unneeded) {
            *state = State::Running(self.start(owner)?);
            tracing::warn!(
                brokers = shared.brokers,
                topic = message.topic(),
                "kafka refuses whole batches for a record in them: sending their records one at a \
                 time; compare the producer's batch size with the topic's max.message.bytes"
            );
        }
        let State::Running(producer) = &*state else {
            return Err(Reason::Closing);
        };
        let record: BaseRecord<'_, [u8], [u8], usize> = BaseRecord {
            topic: message.topic(),
            partition: None,
            payload: message.payload(),
            key: message.key(),
            timestamp: message.timestamp().to_millis(),
            headers: message
                .headers()
                .map(rdkafka::message::BorrowedHeaders::detach),
            delivery_opaque: word,
        };
        producer.send(record).map_err(|code| shared.judge(code))
    }

    fn start(&self, owner: &Arc<Shared>) -> Result<Polled, Reason> {
        let context = Context {
            shared: owner.clone(),
            alone: true,
        };
        Polled::start(&self.config, context, self.panics.clone()).map_err(|error| {
            tracing::error!(%error, "cannot send the records of a refused batch one at a time");
            Reason::Unavailable
        })
    }

    /// Flushes and ends it, if it was ever needed.
    pub(super) fn close(&self, grace: Duration) {
        let mut state = self.producer.lock().unwrap_or_else(PoisonError::into_inner);
        let last = std::mem::replace(&mut *state, State::Closed);
        // Its callbacks do not come here, but the other producer's do, and must not wait for it.
        drop(state);
        if let State::Running(producer) = last {
            producer.close(grace);
        }
    }
}
