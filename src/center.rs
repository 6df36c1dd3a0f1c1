//! Where documents come from. A source nudges when something may have changed, and is read whole
//! when asked; what the contents mean is not its business.

pub mod directory;
pub mod nacos;

use std::collections::BTreeMap;

/// What stands in a source now, by dataId: the content, or why it could not be read.
pub type Contents = BTreeMap<String, Result<String, Unreadable>>;

/// Why one document could not be read; the others are not affected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(pub String);
