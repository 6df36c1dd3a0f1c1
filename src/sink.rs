//! Clients of what records are produced to: Kafka clusters and folders of files.
//!
//! Records go out in groups: those of one request for one topic of one lane. A group is opened with
//! the number of its records and with what to do when the last of them has been answered; then its
//! records are added one after another. Nothing here waits, and nothing is forgotten: `Done` runs
//! once for every group, whatever becomes of it.

pub mod file;
pub mod kafka;
mod ledger;

use std::fmt;
use std::time::{Duration, Instant};

use crate::event::{Reason, Topic};
use crate::telemetry::metrics::Metrics;

/// What documents compile into. Two labels with equal specs share one client.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Spec {
    /// A Kafka cluster.
    Kafka(Box<kafka::Spec>),
    /// A folder of JSON Lines files.
    File(file::Spec),
}

impl Spec {
    /// How many bytes each lane may have on the way.
    pub fn budget(&self) -> u64 {
        match self {
            Self::Kafka(spec) => spec.budget,
            Self::File(spec) => spec.budget,
        }
    }

    /// The largest record it takes, in bytes.
    pub fn message_max(&self) -> u32 {
        match self {
            Self::Kafka(spec) => spec.message_max,
            Self::File(spec) => spec.message_max,
        }
    }

    /// How long nothing may come back, while records wait, before the breaker opens.
    pub fn breaker_after(&self) -> Duration {
        match self {
            Self::Kafka(spec) => spec.breaker_after,
            Self::File(_) => file::BREAKER_AFTER,
        }
    }

    /// The names of the headers that every record carries.
    pub fn headers(&self) -> Vec<&'static str> {
        let Self::Kafka(spec) = self else {
            return Vec::new();
        };
        let wanted = [
            ("revision", spec.headers.revision),
            ("batch", spec.headers.batch),
        ];
        let names = wanted.into_iter().filter(|(_, wanted)| *wanted);
        names.map(|(name, _)| name).collect()
    }

    /// Whether records keep their order by key, so that no two lanes may share a client.
    pub fn ordered(&self) -> bool {
        match self {
            Self::Kafka(spec) => spec.order == kafka::Order::Strict,
            Self::File(_) => false,
        }
    }
}

impl fmt::Display for Spec {
    /// Where records go: the brokers, or the folder.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kafka(spec) => f.write_str(&spec.brokers.join(",")),
            Self::File(spec) => write!(f, "{}", spec.folder.display()),
        }
    }
}

/// Why a client could not be made, or does not do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A secret that the spec refers to cannot be had.
    #[error("resolve a secret of the producer for {target}")]
    Secret {
        /// The brokers.
        target: String,
        /// Why.
        source: crate::secret::Error,
    },
    /// The Kafka library refuses the settings.
    #[error("the Kafka client for {target} does not take its settings: {reason}")]
    Settings {
        /// The brokers.
        target: String,
        /// What it says.
        reason: String,
    },
    /// Nobody answers.
    #[error(
        "{target} did not answer within {} s: {reason}; check the addresses, the network, and \
         whether the listener speaks this protocol", .waited.as_secs()
    )]
    Silent {
        /// The brokers.
        target: String,
        /// How long it was given.
        waited: Duration,
        /// What the Kafka library says.
        reason: String,
    },
    /// The cluster, or its certificate, does not go with our credentials.
    #[error("{target} and our credentials do not agree: {reason}; check `sasl` and `tls`")]
    Credentials {
        /// The brokers.
        target: String,
        /// What the Kafka library says.
        reason: String,
    },
    /// A folder cannot be written.
    #[error("write into folder {folder}; check that it exists or can be made, and its owner")]
    Folder {
        /// The folder.
        folder: String,
        /// Why.
        source: std::io::Error,
    },
    /// A thread could not be started.
    #[error("start a thread for {target}")]
    Thread {
        /// The brokers or the folder.
        target: String,
        /// Why.
        source: std::io::Error,
    },
}

/// One request may hold fewer records than this: no more can be told apart.
pub const MOST_RECORDS: usize = 1 << ledger::INDEX_BITS;

/// Run once, when every record of a group has been answered. Called on a client's own thread, or on
/// the caller's; it must not block.
pub type Done = Box<dyn FnOnce(Settled) + Send>;

/// What became of a group.
#[derive(Debug)]
pub struct Settled {
    /// Which records were not taken.
    pub verdict: Verdict,
    /// How many records were handed over: all that were added, without those refused then.
    pub handed: u32,
    /// From opening the group to its last answer.
    pub elapsed: Duration,
}

/// Which records of a group were not taken.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// These were not, by the index they were added with; all others were.
    Records(Vec<(u32, Reason)>),
    /// None is known to have been.
    All(Reason),
}

/// What marks the records of a request, for producers whose document asks for it.
#[derive(Clone, Copy, Debug)]
pub struct Stamp<'a> {
    /// The revision's digest.
    pub revision: &'a str,
    /// The batch's id, unique over all instances.
    pub batch: &'a str,
}

/// A record on its way into a group.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// The caller's number for it, told again if it fails.
    pub index: u32,
    /// The key, if it has one.
    pub key: Option<&'a [u8]>,
    /// The payload.
    pub payload: &'a [u8],
    /// Headers beside those of the producer; a folder has none.
    pub headers: &'a [(Box<str>, Box<str>)],
}

/// A running client.
#[derive(Debug)]
pub enum Client {
    /// Of a Kafka cluster.
    Kafka(kafka::Client),
    /// Of a folder.
    File(file::Client),
}

impl Client {
    /// Starts the client and its threads. It does not wait for the other side: see `answers`.
    pub fn start(spec: &Spec, metrics: &Metrics) -> Result<Self, Error> {
        match spec {
            Spec::Kafka(spec) => kafka::Client::start(spec, metrics).map(Self::Kafka),
            Spec::File(spec) => file::Client::start(spec).map(Self::File),
        }
    }

    /// Waits until the cluster has answered, or until the folder has been found writable. Blocks.
    pub fn answers(&self, within: Duration) -> Result<(), Error> {
        match self {
            Self::Kafka(client) => client.answers(within),
            Self::File(client) => client.answers(),
        }
    }

    /// Opens a group of at most `records` records for a topic. `tag` is what `waiting` names it by.
    /// It cannot when too many groups are open, or when the client is being closed: then `done` has
    /// run, with nothing handed over.
    pub fn open<'a>(
        &'a self,
        tag: u32,
        topic: &'a Topic,
        records: u32,
        done: Done,
    ) -> Result<Group<'a>, Reason> {
        match self {
            Self::Kafka(client) => client.open(tag, topic, records, done).map(Group::Kafka),
            Self::File(client) => client.open(tag, topic, done).map(Group::File),
        }
    }

    /// Calls `each` with tag and age of every open group, and gives how many records were
    /// acknowledged since the client was started.
    pub fn waiting(&self, each: impl FnMut(u32, Duration)) -> u64 {
        match self {
            Self::Kafka(client) => client.ledger().waiting(Instant::now(), each),
            Self::File(client) => client.ledger().waiting(Instant::now(), each),
        }
    }

    /// How many groups are open.
    pub fn outstanding(&self) -> usize {
        match self {
            Self::Kafka(client) => client.ledger().outstanding(),
            Self::File(client) => client.ledger().outstanding(),
        }
    }

    /// Gives up groups that were never answered, long after they should have been.
    pub fn abandon_lost(&self) {
        match self {
            Self::Kafka(client) => client.abandon_lost(),
            Self::File(_) => {}
        }
    }

    /// Whether it failed for good and must be replaced.
    pub fn failed(&self) -> bool {
        match self {
            Self::Kafka(client) => client.failed(),
            Self::File(_) => false,
        }
    }

    /// Asks the cluster whether it knows a topic, and so tells the client too. Blocks for at most a
    /// second.
    pub fn knows(&self, topic: &Topic) -> bool {
        match self {
            Self::Kafka(client) => client.knows(topic),
            Self::File(_) => true,
        }
    }

    /// What the client said of itself last.
    pub fn snapshot(&self) -> kafka::Snapshot {
        match self {
            Self::Kafka(client) => client.snapshot(),
            Self::File(_) => kafka::Snapshot::default(),
        }
    }

    /// Sends what is queued, for at most `grace`; fails the rest with `reason`; ends the threads.
    /// Blocks. Gives how many groups had to be failed.
    pub fn close(&self, grace: Duration, reason: Reason) -> usize {
        match self {
            Self::Kafka(client) => client.close(grace, reason),
            Self::File(client) => client.close(grace, reason),
        }
    }
}

/// An open group: add its records, then drop it.
#[derive(Debug)]
pub enum Group<'a> {
    /// Of a Kafka client.
    Kafka(kafka::Group<'a>),
    /// Of a file client.
    File(file::Group<'a>),
}

impl Group<'_> {
    /// Hands over one record. One that is refused here is not told again when the group settles.
    pub fn add(&mut self, message: &Message<'_>, stamp: &Stamp<'_>) -> Result<(), Reason> {
        match self {
            Self::Kafka(group) => group.add(message, stamp),
            Self::File(group) => {
                group.add(message);
                Ok(())
            }
        }
    }
}
