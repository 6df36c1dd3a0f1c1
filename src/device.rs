//! Device mapping: many identifiers to one device id.

use crate::event::FieldId;
use crate::secret::Reference;

/// How devices are remembered, as compiled from the tables document.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Spec {
    /// Where.
    pub map: MapSpec,
    /// What the digests of identifiers are keyed with. `None`: whoever opens the map draws a key.
    pub secret: Option<Reference>,
}

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
}
