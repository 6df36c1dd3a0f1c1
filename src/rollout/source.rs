//! The two sources of documents. A source only nudges; what stands in it is read whole, as far as
//! it can be read, and compiled by the reconciler.

mod remote;

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;

use crate::center::Contents;
use crate::center::directory::{self, Directory};
use crate::center::nacos::{self, Nacos};
use crate::document::set::Set;
use crate::rollout::source::remote::Remote;
use crate::rollout::stage::chain;
use crate::tasks::Tasks;

/// Which source documents come from.
#[derive(Clone, Debug)]
pub enum Settings {
    /// A directory of this machine.
    Directory(PathBuf),
    /// A namespace of Nacos.
    Nacos(nacos::Settings),
}

/// Why a source cannot be one.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The directory cannot be read.
    #[error(transparent)]
    Directory(#[from] directory::Error),
    /// The settings of Nacos cannot work. That it is away is no error.
    #[error(transparent)]
    Nacos(#[from] nacos::Error),
}

/// Where documents come from.
#[derive(Debug)]
pub(super) enum Source {
    Directory(Directory),
    Nacos(Remote),
}

/// A source, as it is shown to operators.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Shown {
    /// A directory.
    Directory {
        /// Its path.
        path: String,
    },
    /// Nacos.
    Nacos {
        /// The server that is asked first.
        server: String,
        /// The namespace of this environment.
        namespace: String,
        /// The group of all documents.
        group: String,
    },
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory { path } => write!(f, "the directory {path}"),
            Self::Nacos {
                server,
                namespace,
                group,
            } => write!(
                f,
                "namespace `{namespace}`, group `{group}` of Nacos {server}"
            ),
        }
    }
}

impl Shown {
    /// What tells one environment from another: servers and paths may change under it.
    pub(super) fn environment(&self) -> String {
        match self {
            Self::Directory { .. } => "directory".to_owned(),
            Self::Nacos {
                namespace, group, ..
            } => format!("nacos {namespace} {group}"),
        }
    }
}

/// A version of a document that is remembered at the source.
#[derive(Clone, Debug)]
pub(super) struct Version(String);

/// What is known before a read.
#[derive(Clone, Debug)]
pub(super) struct Known {
    /// What was read last.
    pub(super) contents: Arc<Contents>,
    /// The documents that were asked for then, whether they were there or not.
    pub(super) asked: Arc<BTreeSet<String>>,
    /// The set that is compiled from.
    pub(super) set: Option<Arc<Set>>,
}

/// What came of a read.
#[derive(Debug)]
pub(super) struct Read {
    /// What stands in the source; for documents that could not be read, what was read last.
    pub(super) contents: Contents,
    /// The documents that were asked for.
    pub(super) asked: BTreeSet<String>,
    /// What could not be read, and why.
    pub(super) stale: Option<String>,
}

impl Source {
    /// Opens a source. Nacos need not be there; `state` is a folder for its library.
    pub(super) fn open(settings: &Settings, state: &Path, tasks: &Tasks) -> Result<Self, Error> {
        match settings {
            Settings::Directory(root) => Ok(Self::Directory(Directory::open(root)?)),
            Settings::Nacos(settings) => {
                let nacos = Nacos::connect(settings)?;
                Ok(Self::Nacos(Remote::new(nacos, state, tasks)))
            }
        }
    }

    /// Waits until something may have changed since the last call.
    pub(super) async fn nudged(&self) {
        match self {
            Self::Directory(directory) => directory.nudged().await,
            Self::Nacos(remote) => remote.nudged().await,
        }
    }

    /// Reads what stands there; `Err` says why nothing could be read.
    pub(super) async fn read(self: Arc<Self>, known: Known) -> Result<Read, String> {
        if let Self::Nacos(remote) = &*self {
            return remote.read(&known).await;
        }
        let read = tokio::task::spawn_blocking(move || match &*self {
            Self::Directory(directory) => directory.read(),
            Self::Nacos(_) => Ok(Contents::new()),
        });
        match read.await {
            Ok(Ok(contents)) => Ok(Read {
                contents,
                asked: BTreeSet::new(),
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

    /// The versions of a document that are remembered at the source, the newest first.
    pub(super) async fn versions(&self, data_id: &str) -> Result<Vec<Version>, nacos::Error> {
        match self {
            Self::Directory(_) => Ok(Vec::new()),
            Self::Nacos(remote) => remote.versions(data_id).await,
        }
    }

    /// The content of such a version; nothing if it cannot be a document.
    pub(super) async fn version(
        &self,
        data_id: &str,
        version: &Version,
    ) -> Result<Option<String>, nacos::Error> {
        match self {
            Self::Directory(_) => Ok(None),
            Self::Nacos(remote) => remote.version(data_id, version).await,
        }
    }

    pub(super) fn shown(&self) -> Shown {
        match self {
            Self::Directory(directory) => Shown::Directory {
                path: directory.root().display().to_string(),
            },
            Self::Nacos(remote) => remote.shown(),
        }
    }
}
