//! The live revision: one pointer, taken once a request.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use hashbrown::HashMap;

use crate::device;
use crate::pipeline::{Pipeline, RepoName};
use crate::tables::Tables;

/// The digest of a revision: 12 hex characters, the same on every instance.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Digest(Arc<str>);

impl Digest {
    /// From the hex characters.
    pub fn new(hex: &str) -> Self {
        Self(hex.into())
    }

    /// The hex characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One compiled set with the switches in force: the compiled world, behind one `Arc`.
#[derive(Debug)]
pub struct Revision {
    /// Its identity.
    pub digest: Digest,
    /// By name, as in the URL.
    pub repos: HashMap<RepoName, Arc<Repo>>,
    /// The enrichment data.
    pub tables: Arc<Tables>,
}

/// A repo, bound to what it needs at run time.
#[derive(Debug)]
pub struct Repo {
    /// The compiled repo with the switches in force.
    pub pipeline: Pipeline,
    /// How its events are attributed to devices, if they are.
    pub device: Option<device::Step>,
}

/// The revision that serves new requests.
#[derive(Debug)]
pub struct Live(ArcSwap<Revision>);

impl Live {
    /// Starts with a revision.
    pub fn new(revision: Revision) -> Self {
        Self(ArcSwap::from_pointee(revision))
    }

    /// Takes the live revision for one request; it is held across awaits.
    pub fn current(&self) -> Arc<Revision> {
        self.0.load_full()
    }

    /// Makes a revision live and gives back the one before.
    pub fn replace(&self, revision: Arc<Revision>) -> Arc<Revision> {
        self.0.swap(revision)
    }
}
