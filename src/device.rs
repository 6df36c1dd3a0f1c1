//! Device mapping: many identifiers to one device id, and whether the device is new.
//!
//! An identifier is normalised and checked by its type ([`identifier`]), and known to the map only
//! by a keyed digest. The id of a device that nobody has seen is an HMAC of its strongest identifier,
//! so that races, replays and outages agree on it; later its other identifiers lead there too.
//! [`lookup`] decides what is read and claimed, in rounds of single-key commands; the map does them,
//! in this process ([`memory`]) or on a Redis that instances share ([`redis`]).

mod attribute;
mod cache;
mod digest;
mod entry;
mod identifier;
mod lookup;
mod memory;
mod redis;
mod report;

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;

use crate::event::{FieldId, Priority, TargetId, TopicId};
use crate::secret::{self, Reference};
use crate::tasks::Tasks;
use crate::telemetry::metrics::Metrics;

pub use crate::device::redis::{Layout, Spec as RedisSpec};
pub use attribute::{Attributed, Counts};
pub use identifier::{Kind, is_personal};
pub use report::Origin;

use crate::device::redis::Redis;
use cache::Cache;
use digest::{DeviceId, Keys};
use lookup::Lookup;
use memory::Memory;

/// How devices are remembered, as compiled from the tables document.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Spec {
    /// Where.
    pub map: MapSpec,
    /// What the digests of identifiers are keyed with; without one a key of this process's own, and
    /// ids that change with every start.
    pub secret: Option<Reference>,
    /// How many bytes the devices may take that an instance keeps without asking the map.
    pub cache: u64,
}

/// Why the map could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No key for the digests.
    #[error("the device map has no key")]
    Key(#[source] secret::Error),
    /// No password for the server.
    #[error("the device map has no password for redis")]
    Password(#[source] secret::Error),
}

/// Where devices are remembered.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum MapSpec {
    /// In this process: each instance has its own, and it is gone after a restart.
    Memory {
        /// At most so many identifiers; the oldest are forgotten first.
        most: u32,
    },
    /// On a Redis that all instances share.
    Redis(RedisSpec),
}

/// How a repo's events are attributed to devices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The identifiers, strongest first: type and where it stands.
    pub identifiers: Vec<(String, FieldId)>,
    /// Where the device id goes.
    pub id_as: FieldId,
    /// Where it is said whether the device is new.
    pub new_as: Option<FieldId>,
    /// Where it is said how the id was found.
    pub status_as: Option<FieldId>,
    /// Where the client's clock skew stands, in milliseconds.
    pub skew: Option<FieldId>,
    /// Values that identify nothing, beside those that are always refused; in lower case.
    pub invalid: Vec<Box<str>>,
    /// What becomes of events while the map cannot be asked.
    pub when_unavailable: WhenUnavailable,
    /// Where it is told which devices must be looked up again.
    pub reattribution: Option<Side>,
    /// Where it is told which identifiers lead to different devices.
    pub conflicts: Option<Side>,
    /// Differs between steps that read the same fields differently; see [`Step::fingerprint`].
    pub fingerprint: u64,
}

/// What becomes of events while the map cannot be asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenUnavailable {
    /// They get the id that the device would have if it were new, and say `degraded`.
    #[default]
    Degrade,
    /// They are rejected.
    Reject,
    /// They go on without an id, and say `degraded`.
    Skip,
}

/// Where records about devices go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Side {
    /// Producer and ack.
    pub target: TargetId,
    /// The topic.
    pub topic: TopicId,
    /// Which lane.
    pub priority: Priority,
}

/// How the id of an event's device was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// The map knew it.
    Known,
    /// The map did not know it, until now.
    New,
    /// The identifiers lead to different devices; the strongest counts.
    Conflict,
    /// The map could not be asked.
    Degraded,
    /// The event has no identifier that is worth anything.
    None,
}

impl Status {
    /// The word for it in events.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Known => "known",
            Self::New => "new",
            Self::Conflict => "conflict",
            Self::Degraded => "degraded",
            Self::None => "none",
        }
    }
}

/// The device of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Resolved {
    id: Option<DeviceId>,
    status: Status,
    /// Whether this event is the device's first; `None`: nobody knows.
    is_new: Option<bool>,
}

/// The device map of a process. Kept over revisions as long as its [`Spec`] stays the same.
#[derive(Clone, Debug, Default)]
pub struct Devices(Option<Arc<Open>>);

/// What a map is opened with: where it counts, and where its tasks run.
#[derive(Clone, Debug)]
pub struct Opener {
    metrics: Metrics,
    tasks: Tasks,
    runtime: Handle,
}

/// The map with its keys, and what stands before it.
#[derive(Debug)]
struct Open {
    keys: Keys,
    cache: Cache,
    map: Map,
    metrics: Option<Metrics>,
}

#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "there is one, behind an `Arc`, and it is never moved"
)]
enum Map {
    Memory(Memory),
    Redis(Redis),
}

impl Opener {
    /// Opens maps whose tasks run on the current runtime.
    ///
    /// # Panics
    /// Outside of a runtime.
    pub fn new(metrics: &Metrics, tasks: &Tasks) -> Self {
        Self {
            metrics: metrics.clone(),
            tasks: tasks.clone(),
            runtime: Handle::current(),
        }
    }
}

impl Devices {
    /// What the cache may take where nothing is said.
    pub const CACHE: u64 = 32 << 20;

    /// The map of a spec, under the secret that its reference leads to. Blocks until the servers of
    /// a map have answered, or for a second: without them, it is open and degraded. After an error,
    /// take [`Devices::unavailable`].
    pub fn open(spec: &Spec, opener: &Opener) -> Result<Self, Error> {
        let keys = keys(spec)?;
        let map = match &spec.map {
            MapSpec::Memory { most } => Map::Memory(Memory::new(*most as usize)),
            MapSpec::Redis(redis) => Map::Redis(Redis::open(redis, opener)?),
        };
        let metrics = Some(opener.metrics.clone());
        Ok(Self::with(spec, keys, map, metrics))
    }

    /// A map of this process alone that knows nothing, with the keys of a spec: ids are those that
    /// new devices get everywhere.
    pub fn alone(spec: &Spec) -> Result<Self, Error> {
        let most = match spec.map {
            MapSpec::Memory { most } => most,
            MapSpec::Redis(_) => 100_000,
        };
        let map = Map::Memory(Memory::new(most as usize));
        Ok(Self::with(spec, keys(spec)?, map, None))
    }

    fn with(spec: &Spec, keys: Keys, map: Map, metrics: Option<Metrics>) -> Self {
        Self(Some(Arc::new(Open {
            keys,
            cache: Cache::new(spec.cache),
            map,
            metrics,
        })))
    }

    /// No map, because there is none or its secret could not be had: events get no id and say
    /// `degraded`. An id under another key would be a wrong one for ever, and one without a key
    /// would tell the identifier.
    pub fn unavailable() -> Self {
        Self(None)
    }

    /// Whether there is a map.
    pub fn is_available(&self) -> bool {
        self.0.is_some()
    }
}

impl Map {
    /// Carries a look-up out. Waits only for servers, and at most until the deadline of the step.
    async fn run(&self, lookup: &mut Lookup) {
        match self {
            Self::Memory(memory) => {
                loop {
                    let commands = lookup.next();
                    if commands.is_empty() {
                        break;
                    }
                    let answers: Vec<_> = commands.iter().map(|each| memory.run(each)).collect();
                    lookup.answer(answers.into_iter());
                }
                for command in lookup.afterwards() {
                    memory.run(&command);
                }
            }
            Self::Redis(redis) => redis.run(lookup).await,
        }
    }
}

impl Step {
    /// Made of all that decides which identifiers an event has, beside its text.
    pub fn fingerprint(identifiers: &[(String, FieldId)], invalid: &[Box<str>]) -> u64 {
        use sha2::{Digest, Sha256};
        let mut sha = Sha256::new();
        for (kind, _) in identifiers {
            sha.update(kind);
            sha.update([0]);
        }
        for value in invalid {
            sha.update([1]);
            sha.update(&**value);
        }
        let digest = sha.finalize();
        u64::from_be_bytes(std::array::from_fn(|at| digest[at]))
    }
}

fn keys(spec: &Spec) -> Result<Keys, Error> {
    Ok(match &spec.secret {
        Some(reference) => Keys::new(&reference.resolve().map_err(Error::Key)?),
        None => Keys::random(),
    })
}

/// A deadline for everything that a request asks of the map, where a document says nothing.
pub const DEADLINE: Duration = Duration::from_millis(30);
