//! Getting records to safety: lanes, budgets, breakers, pending batches.
//!
//! A producer label has four lanes, one a priority, each with its own budget in bytes. Labels with
//! equal specs share a connection: one client, its breaker, its topics. A revision binds the targets
//! of its pipelines to these once; a request then costs one group for each lane and topic that its
//! records go to. Handing over never waits; what became of the records can be waited for, or not:
//! the books are closed either way.

mod breaker;
mod budget;
mod connection;
mod destination;
mod lane;
mod pending;
mod registry;
mod send;
mod settle;
mod stall;
mod ticker;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::event::{Ack, Label, Pool, Records, Topic};
use crate::sink::Spec;
use crate::tasks::Tasks;
use crate::telemetry::metrics::Metrics;

pub use crate::sink::Stamp;
use budget::Budget;
pub use destination::{Destinations, Producer};
pub use pending::{Outcome, Pending};
use registry::Registry;
pub use registry::{Connected, Status};

/// What delivery needs before it can read documents.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Bytes on the way, over all lanes; as they are used up, low priority is turned away first.
    pub memory: u64,
    /// Where the folders of file producers are, when they are not absolute.
    pub files: PathBuf,
}

/// Delivery. Cheap to clone; clones are one.
#[derive(Clone, Debug)]
pub struct Delivery {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    settings: Settings,
    metrics: Metrics,
    memory: Budget,
    registry: Registry,
    closing: AtomicBool,
    pool: Pool,
}

impl Delivery {
    /// Delivery with no client yet.
    pub fn new(settings: Settings, metrics: Metrics) -> Self {
        let memory = Budget::new(settings.memory);
        let registry = Registry::default();
        let closing = AtomicBool::new(false);
        Self {
            shared: Arc::new(Shared {
                settings,
                metrics,
                memory,
                registry,
                closing,
                pool: Pool::default(),
            }),
        }
    }

    /// Watches over clients and breakers until the process drains.
    pub fn run(&self, tasks: &Tasks) {
        tasks.spawn(
            "delivery ticker",
            ticker::run(self.clone(), tasks.stop_signal()),
        );
    }

    /// Starts the clients that do not run yet, and waits until each has answered, for at most
    /// `within`. A client lives as long as anything refers to it: a `Producer`, a bound pipeline, a
    /// record on its way.
    pub async fn connect(&self, wanted: &[(Label, Spec)], within: Duration) -> Vec<Connected> {
        registry::connect(&self.shared, wanted, within).await
    }

    /// Says that these are in use now, each in the place of the one with its label before: from here
    /// on the label's lanes have its budget, and its metrics are of what it sends through. One that
    /// was only asked whether it answers changes neither.
    pub fn take<'p>(&self, producers: impl IntoIterator<Item = &'p Producer>) {
        for producer in producers {
            self.shared.registry.take(producer);
        }
    }

    /// Binds the targets and topics of a pipeline; its records name both by index.
    pub fn bind(&self, targets: Vec<(Producer, Ack)>, topics: &[Topic]) -> Destinations {
        Destinations::new(targets, topics)
    }

    /// Hands the records of a request over. Waits for nothing: from here on the batch is owned by
    /// delivery, and its books are closed whether or not anyone waits for the outcome.
    pub fn start(&self, to: &Destinations, records: Records, stamp: &Stamp<'_>) -> Pending {
        send::start(&self.shared, to, records, stamp)
    }

    /// Hands the records over, and waits until each is as safe as its target wants it.
    pub async fn send(&self, to: &Destinations, records: Records, stamp: &Stamp<'_>) -> Outcome {
        self.start(to, records, stamp).outcome().await
    }

    /// Buffers for requests. Those of records come back here when they were handed over.
    pub fn pool(&self) -> &Pool {
        &self.shared.pool
    }

    /// Whether records can be made safe somewhere; if not, why.
    pub fn ready(&self) -> Result<(), &'static str> {
        let clients = self.shared.registry.connections();
        if !clients.is_empty() && clients.iter().all(|client| client.away()) {
            return Err("no producer takes records: every cluster is away");
        }
        Ok(())
    }

    /// Every client, for people to look at.
    pub fn status(&self) -> Vec<Status> {
        self.shared.registry.status()
    }

    /// For the end of the process: takes no more records, sends what is queued for at most `grace`,
    /// fails the rest, and ends every client. Gives how many groups failed so.
    pub async fn close(&self, grace: Duration) -> usize {
        self.shared.closing.store(true, Ordering::Release);
        self.shared.registry.close(grace).await
    }
}

#[cfg(test)]
mod tests;
