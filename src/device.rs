//! Device mapping: many identifiers to one device id, and whether the device is new.
//!
//! An identifier is normalised and checked by its type ([`identifier`]), and known to the map only
//! by a keyed digest. The id of a device that nobody has seen is an HMAC of its strongest identifier,
//! so that races and replays of the same event agree on it; later its other identifiers lead there
//! too. What the map does are single-key operations, claim and get, so that it may as well stand
//! elsewhere.

mod attribute;
mod digest;
mod identifier;
mod memory;
mod resolve;

use std::sync::Arc;

use crate::event::FieldId;
use crate::secret::Reference;

pub use attribute::Counts;
pub use identifier::{Kind, is_personal};

use digest::Keys;
use memory::Memory;

/// How devices are remembered, as compiled from the tables document.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Spec {
    /// Where.
    pub map: MapSpec,
    /// What the digests of identifiers are keyed with; without one a key of this process's own, and
    /// ids that change with every start.
    pub secret: Option<Reference>,
}

/// Why the map could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("the device map has no key")]
pub struct Error(#[from] crate::secret::Error);

/// Where devices are remembered.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum MapSpec {
    /// In this process: each instance has its own, and it is gone after a restart.
    Memory {
        /// At most so many identifiers; the oldest are forgotten first.
        most: u32,
    },
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
    /// Values that identify nothing, beside those that are always refused; in lower case.
    pub invalid: Vec<Box<str>>,
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

/// The device map of a process. Kept over revisions as long as its [`Spec`] stays the same.
#[derive(Clone, Debug, Default)]
pub struct Devices(Option<Arc<Open>>);

/// The map with its keys.
#[derive(Debug)]
struct Open {
    keys: Keys,
    map: Memory,
}

impl Devices {
    /// The map of a spec, under the secret that its reference leads to. After an error, take
    /// [`Devices::unavailable`].
    pub fn open(spec: &Spec) -> Result<Self, Error> {
        let keys = match &spec.secret {
            Some(reference) => Keys::new(&reference.resolve()?),
            None => Keys::random(),
        };
        Ok(Self::with(spec, keys))
    }

    fn with(spec: &Spec, keys: Keys) -> Self {
        let MapSpec::Memory { most } = spec.map;
        let map = Memory::new(most as usize);
        Self(Some(Arc::new(Open { keys, map })))
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
