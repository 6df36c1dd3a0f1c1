//! The live revision: one pointer, taken once a request.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use hashbrown::{HashMap, HashSet};

use crate::delivery::Destinations;
use crate::device::{self, Devices};
pub use crate::document::digest::Digest;
pub use crate::document::paths::Paths;
pub use crate::document::switches::listing::Listed;
use crate::pipeline::{Pipeline, RepoName};
use crate::secret::Secret;
use crate::tables::Tables;
use crate::telemetry::meter::RepoMeter;

/// One compiled set with the switches in force: the compiled world, behind one `Arc`.
#[derive(Debug)]
pub struct Revision {
    /// Its identity.
    pub digest: Digest,
    /// By name, as in the URL.
    pub repos: HashMap<RepoName, Arc<Repo>>,
    /// Repos of the set that have no good document: they answer 503, not 404.
    pub without_document: HashSet<RepoName>,
    /// From URL paths to repos.
    pub paths: Paths,
    /// The switches in force, as people wrote them.
    pub switches: Arc<[Listed]>,
    /// The enrichment data.
    pub tables: Arc<Tables>,
    /// The device map.
    pub devices: Devices,
    /// False before the first revision: then every repo answers 503.
    pub serving: bool,
}

/// A repo, bound to what it needs at run time.
#[derive(Debug)]
pub struct Repo {
    /// The compiled repo with the switches in force.
    pub pipeline: Pipeline,
    /// How its events are attributed to devices, if they are.
    pub device: Option<device::Step>,
    /// Who may send, in the order of the plan's keys. Whether anybody may is for the plan to say.
    pub keys: Vec<Key>,
    /// Where its records go.
    pub destinations: Destinations,
    /// Its counters.
    pub meter: RepoMeter,
}

/// A key with its secret.
#[derive(Clone, Debug)]
pub struct Key {
    /// Its name in the documents.
    pub id: Arc<str>,
    /// `None` when it could not be had on this instance: then nobody can be told that it is wrong.
    pub secret: Option<Secret>,
}

/// What a revision knows of a name or path.
#[derive(Clone, Copy, Debug)]
pub enum Found<'r> {
    /// It serves it.
    Repo(&'r Arc<Repo>),
    /// It is in the set, but has no good document.
    NoDocument,
    /// No such thing.
    Nothing,
}

impl Revision {
    /// What is live before the first revision.
    fn before_the_first() -> Self {
        Self {
            digest: Digest::new(""),
            repos: HashMap::new(),
            without_document: HashSet::new(),
            paths: Paths::default(),
            switches: Arc::new([]),
            tables: Arc::default(),
            devices: Devices::unavailable(),
            serving: false,
        }
    }

    /// The repo of a name.
    pub fn repo(&self, name: &str) -> Found<'_> {
        match self.repos.get(name) {
            Some(repo) => Found::Repo(repo),
            None if !self.serving || self.without_document.contains(name) => Found::NoDocument,
            None => Found::Nothing,
        }
    }

    /// The repo that a URL path is mapped to.
    pub fn mapped(&self, path: &str) -> Found<'_> {
        match self.paths.find(path) {
            Some(name) => self.repo(name.as_str()),
            // Which paths are mapped is not known yet: clients drop what gets a 404.
            None if !self.serving => Found::NoDocument,
            None => Found::Nothing,
        }
    }
}

/// The revision that serves new requests.
#[derive(Debug)]
pub struct Live {
    revision: ArcSwap<Revision>,
    draining: AtomicBool,
}

impl Default for Live {
    /// Before the first revision.
    fn default() -> Self {
        let revision = ArcSwap::from_pointee(Revision::before_the_first());
        Self {
            revision,
            draining: AtomicBool::new(false),
        }
    }
}

impl Live {
    /// Whether new requests should come here; if not, why.
    pub fn ready(&self) -> Result<(), &'static str> {
        if self.draining.load(Ordering::Relaxed) {
            return Err("the process is draining");
        }
        if !self.revision.load().serving {
            return Err("no revision is live; /api/revision says what is wrong with the documents");
        }
        Ok(())
    }

    /// From now on new requests should go elsewhere.
    pub fn unready(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Takes the live revision for one request; it is held across awaits.
    pub fn current(&self) -> Arc<Revision> {
        self.revision.load_full()
    }

    /// Makes a revision live and gives back the one before.
    pub fn replace(&self, revision: Arc<Revision>) -> Arc<Revision> {
        self.revision.swap(revision)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn before_the_first_revision_no_name_and_no_path_is_unknown() {
        let live = Live::default();
        let revision = live.current();
        assert!(matches!(revision.repo("a"), Found::NoDocument));
        assert!(matches!(revision.mapped("/v1/track"), Found::NoDocument));
    }
}
