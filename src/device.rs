//! Device mapping: many identifiers to one device id.

use crate::event::FieldId;

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
