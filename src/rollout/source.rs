//! The two sources of documents. A source only nudges; what stands in it is read whole, as far as
//! it can be read, and compiled by the reconciler.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use crate::center::Contents;
use crate::center::directory::{self, Directory};
use crate::document::set::Set;
use crate::rollout::stage::chain;

/// Where documents come from.
#[derive(Debug)]
pub(super) enum Source {
    /// A directory of this machine.
    Directory(Directory),
}

/// A source, as it is shown to operators.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Shown {
    /// The path.
    Directory(String),
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(path) => write!(f, "the directory {path}"),
        }
    }
}

/// What is known before a read.
#[derive(Clone, Debug)]
pub(super) struct Known {
    /// What was read last.
    pub(super) contents: Arc<Contents>,
    /// The set that is compiled from.
    pub(super) set: Option<Arc<Set>>,
}

/// What came of a read.
#[derive(Debug)]
pub(super) struct Read {
    /// What stands in the source; for documents that could not be read, what was read last.
    pub(super) contents: Contents,
    /// What could not be read, and why.
    pub(super) stale: Option<String>,
}

impl Source {
    pub(super) fn directory(root: &Path) -> Result<Self, directory::Error> {
        Directory::open(root).map(Self::Directory)
    }

    /// Waits until something may have changed since the last call.
    pub(super) async fn nudged(&self) {
        match self {
            Self::Directory(directory) => directory.nudged().await,
        }
    }

    /// Reads what stands there; `Err` says why nothing could be read.
    pub(super) async fn read(self: Arc<Self>, _known: Known) -> Result<Read, String> {
        match *self {
            Self::Directory(_) => self.read_directory().await,
        }
    }

    async fn read_directory(self: Arc<Self>) -> Result<Read, String> {
        let read = tokio::task::spawn_blocking(move || match &*self {
            Self::Directory(directory) => directory.read(),
        });
        match read.await {
            Ok(Ok(contents)) => Ok(Read {
                contents,
                stale: None,
            }),
            Ok(Err(error)) => Err(chain(&error)),
            Err(panicked) => Err(format!("reading documents panicked: {panicked}")),
        }
    }

    /// Whether it is at hand, so that what stands in it wins over what was saved.
    pub(super) fn is_local(&self) -> bool {
        matches!(self, Self::Directory(_))
    }

    pub(super) fn shown(&self) -> Shown {
        match self {
            Self::Directory(directory) => Shown::Directory(directory.root().display().to_string()),
        }
    }
}
