//! Which clients run: started when a revision wants them, shared by equal specs, ended when nothing
//! refers to them any more.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use hashbrown::HashMap;

use crate::delivery::Shared;
use crate::delivery::connection::{Connection, lock};
use crate::delivery::destination::Producer;
use crate::delivery::lane::Lane;
use crate::event::{Label, Priority, Reason, Topic};
use crate::sink::{self, Spec, kafka};
use crate::telemetry::metrics::{self, Metrics};

/// How long a client that nobody uses any more may take to end. Nothing of it is on the way then.
const RETIRE: Duration = Duration::from_secs(5);

/// What came of wanting a producer.
#[derive(Debug)]
pub enum Connected {
    /// It runs, and the other side has answered.
    Ready(Producer),
    /// It runs, but nobody answers. Used nevertheless, it turns records away until somebody does.
    Silent(Producer, sink::Error),
    /// It could not be started.
    Failed(sink::Error),
}

/// A client, for people to look at.
#[derive(Clone, Debug)]
pub struct Status {
    /// The brokers, or the folder.
    pub target: String,
    /// Whether the other side has ever answered.
    pub answered: bool,
    /// Why all its records are turned away, if they are.
    pub refuses: Option<Reason>,
    /// Topics whose records are turned away, and why.
    pub topics: Vec<(Topic, Reason)>,
    /// Groups of records on their way.
    pub outstanding: usize,
    /// What the client said of itself last.
    pub snapshot: kafka::Snapshot,
}

/// Everything that runs.
#[derive(Debug, Default)]
pub(super) struct Registry {
    running: Mutex<HashMap<Key, Arc<Connection>>>,
    lanes: Mutex<BTreeMap<Label, [Arc<Lane>; 4]>>,
    /// What each label that was taken live sends through, while anyone does.
    producers: Mutex<BTreeMap<Label, Connections>>,
}

/// What a producer sends through, without keeping it.
type Connections = Weak<[Arc<Connection>]>;

/// Equal keys share a client.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    spec: Spec,
    /// Where records keep their order, no two lanes share one.
    lane: Option<(Label, Priority)>,
}

/// See [`crate::delivery::Delivery::connect`].
pub(super) async fn connect(
    shared: &Arc<Shared>,
    wanted: &[(Label, Spec)],
    within: Duration,
) -> Vec<Connected> {
    let started: Vec<_> = wanted
        .iter()
        .map(|(label, spec)| shared.producer(label, spec.clone()))
        .collect();
    // All are asked at once; they are then waited for one after another.
    let asked: Vec<_> = started
        .into_iter()
        .map(|started| started.map(|p| ask(p, within)))
        .collect();
    let mut connected = Vec::with_capacity(asked.len());
    for asked in asked {
        connected.push(match asked {
            Err(error) => Connected::Failed(error),
            Ok((producer, answer)) => match answer.await {
                Ok(Ok(())) => Connected::Ready(producer),
                Ok(Err(error)) => Connected::Silent(producer, error),
                Err(panicked) => {
                    tracing::error!(%panicked, "asking whether a producer answers");
                    let target = producer.spec().to_string();
                    let reason = "asking it panicked".to_owned();
                    let error = sink::Error::Silent {
                        target,
                        waited: within,
                        reason,
                    };
                    Connected::Silent(producer, error)
                }
            },
        });
    }
    connected
}

type Answer = tokio::task::JoinHandle<Result<(), sink::Error>>;

fn ask(producer: Producer, within: Duration) -> (Producer, Answer) {
    let connections = producer.connections.clone();
    let ask = move || {
        for connection in connections.iter() {
            if connection.answered.load(Ordering::Acquire) {
                continue;
            }
            // Should it be used unanswered, callers need not find that out one by one.
            let answer = connection.client().answers(within);
            match answer {
                Ok(()) => connection.answered.store(true, Ordering::Release),
                Err(error) => {
                    connection.breaker.trip(Reason::Unavailable, Instant::now());
                    return Err(error);
                }
            }
        }
        Ok(())
    };
    (producer, tokio::task::spawn_blocking(ask))
}

impl Shared {
    /// The lanes of a label, and the clients for a spec: those that run, or new ones.
    fn producer(&self, label: &Label, spec: Spec) -> Result<Producer, sink::Error> {
        let spec = match spec {
            Spec::File(mut file) => {
                file.folder = self.settings.files.join(file.folder);
                Spec::File(file)
            }
            Spec::Kafka(_) => spec,
        };
        let lanes = self.registry.lanes(self, label, spec.budget());
        let connections: Arc<[_]> = if spec.ordered() {
            let lane = |priority| Some((label.clone(), priority));
            let start = |priority| {
                self.running(Key {
                    spec: spec.clone(),
                    lane: lane(priority),
                })
            };
            Priority::ALL
                .into_iter()
                .map(start)
                .collect::<Result<_, _>>()?
        } else {
            [self.running(Key { spec, lane: None })?].into()
        };
        Ok(Producer {
            label: label.clone(),
            lanes,
            connections,
        })
    }

    fn running(&self, key: Key) -> Result<Arc<Connection>, sink::Error> {
        let mut running = lock(&self.registry.running);
        if let Some(connection) = running.get(&key) {
            return Ok(connection.clone());
        }
        let connection = Arc::new(Connection::start(key.spec.clone(), &self.metrics)?);
        tracing::info!(sink = %key.spec, "producer started");
        running.insert(key, connection.clone());
        Ok(connection)
    }
}

impl Registry {
    fn lanes(&self, shared: &Shared, label: &Label, budget: u64) -> [Arc<Lane>; 4] {
        let mut lanes = lock(&self.lanes);
        let new = || Lane::all(label, budget, &shared.metrics);
        lanes.entry(label.clone()).or_insert_with(new).clone()
    }

    /// See [`crate::delivery::Delivery::take`].
    pub(super) fn take(&self, producer: &Producer) {
        let budget = producer.spec().budget();
        for lane in &producer.lanes {
            lane.budget.set_limit(budget);
        }
        let connections = Arc::downgrade(&producer.connections);
        lock(&self.producers).insert(producer.label.clone(), connections);
    }

    /// Every connection that runs.
    pub(super) fn connections(&self) -> Vec<Arc<Connection>> {
        lock(&self.running).values().cloned().collect()
    }

    /// Every lane.
    pub(super) fn all_lanes(&self) -> Vec<Arc<Lane>> {
        lock(&self.lanes).values().flatten().cloned().collect()
    }

    /// Ends the clients that nothing refers to, each on a thread of its own.
    pub(super) fn retire(&self) {
        let unused = |_: &Key, connection: &mut Arc<Connection>| Arc::strong_count(connection) == 1;
        let retired: Vec<_> = lock(&self.running).extract_if(unused).collect();
        for (_, connection) in retired {
            tracing::info!(sink = %connection.spec, "producer no longer used");
            let end = move || connection.client().close(RETIRE, Reason::Closing);
            if let Err(error) = std::thread::Builder::new()
                .name("retire".to_owned())
                .spawn(end)
            {
                tracing::error!(%error, "no thread to end a producer: its threads stay");
            }
        }
        lock(&self.lanes).retain(|_, lanes| {
            let used = lanes.iter().any(|lane| Arc::strong_count(lane) > 1);
            if !used {
                lanes.iter().for_each(|lane| lane.retire());
            }
            used
        });
    }

    /// Publishes, by label, which breakers are open and how many topics are refused.
    pub(super) fn show_producers(&self, metrics: &Metrics) {
        lock(&self.producers).retain(|label, connections| {
            let name = metrics::Producer {
                producer: label.to_string(),
            };
            let Some(connections) = connections.upgrade() else {
                metrics.breaker_open.remove(&name);
                metrics.topics_refused.remove(&name);
                return false;
            };
            let (mut open, mut refused) = (false, 0);
            for connection in connections.iter() {
                open |= connection.breaker.refuses().is_some();
                refused += connection.refused().len();
            }
            let refused = i64::try_from(refused).unwrap_or(i64::MAX);
            metrics
                .breaker_open
                .get_or_create(&name)
                .set(i64::from(open));
            metrics.topics_refused.get_or_create(&name).set(refused);
            true
        });
    }

    pub(super) fn status(&self) -> Vec<Status> {
        let status = |connection: &Arc<Connection>| {
            let client = connection.client();
            Status {
                target: connection.spec.to_string(),
                answered: connection.answered.load(Ordering::Acquire),
                refuses: connection.breaker.refuses(),
                topics: connection.refused(),
                outstanding: client.outstanding(),
                snapshot: client.snapshot(),
            }
        };
        self.connections().iter().map(status).collect()
    }

    /// Ends every client, all at once.
    pub(super) async fn close(&self, grace: Duration) -> usize {
        let running: Vec<_> = lock(&self.running).drain().collect();
        let close = |(_, connection): (Key, Arc<Connection>)| {
            tokio::task::spawn_blocking(move || connection.client().close(grace, Reason::Closing))
        };
        let closing: Vec<_> = running.into_iter().map(close).collect();
        let mut failed = 0;
        for closed in closing {
            match closed.await {
                Ok(groups) => failed += groups,
                Err(panicked) => tracing::error!(%panicked, "ending a producer"),
            }
        }
        self.all_lanes().iter().for_each(|lane| lane.tell_lost());
        failed
    }
}
