//! The live revision: one pointer, taken once a request.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use hashbrown::{HashMap, HashSet};

use crate::device;
use crate::pipeline::{Pipeline, RepoName};
use crate::secret::Secret;
use crate::tables::Tables;
use crate::telemetry::meter::RepoMeter;

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
    /// Repos of the set that have no good document: they answer 503, not 404.
    pub without_document: HashSet<RepoName>,
    /// From URL paths to repos.
    pub paths: Paths,
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
    /// Who may send, in the order of the plan's keys. Whether anybody may is for the plan to say.
    pub keys: Vec<Key>,
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
    /// The repo of a name.
    pub fn repo(&self, name: &str) -> Found<'_> {
        match self.repos.get(name) {
            Some(repo) => Found::Repo(repo),
            None if self.without_document.contains(name) => Found::NoDocument,
            None => Found::Nothing,
        }
    }

    /// The repo that a URL path is mapped to.
    pub fn mapped(&self, path: &str) -> Found<'_> {
        self.paths
            .find(path)
            .map_or(Found::Nothing, |name| self.repo(name.as_str()))
    }
}

/// From URL paths to repos: the exact path, else the longest path above it that is mapped.
#[derive(Debug, Default)]
pub struct Paths(HashMap<Box<str>, RepoName>);

impl Paths {
    /// The mapping of the index.
    pub fn new(mapping: impl IntoIterator<Item = (String, RepoName)>) -> Self {
        let boxed = |(path, repo): (String, RepoName)| (path.into_boxed_str(), repo);
        Self(mapping.into_iter().map(boxed).collect())
    }

    /// The repo of a path: of `/a/b/c`, what `/a/b/c`, `/a/b/`, `/a/b`, `/a/`, `/a` or `/` says, the
    /// first that there is.
    pub fn find(&self, path: &str) -> Option<&RepoName> {
        if self.0.is_empty() {
            return None;
        }
        let mut rest = path;
        loop {
            if let Some(repo) = self.0.get(rest) {
                return Some(repo);
            }
            rest = match rest.strip_suffix('/') {
                Some(above) => above,
                None => &rest[..=rest.rfind('/')?],
            };
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_path_above_wins() {
        let map = [
            ("/v1", "a"),
            ("/v1/track", "b"),
            ("/v1/track/web/", "c"),
            ("/x/", "d"),
        ];
        let paths = Paths::new(map.map(|(path, repo)| (path.to_owned(), RepoName::new(repo))));
        let find = |path| paths.find(path).map(RepoName::as_str);
        assert_eq!(find("/v1/track"), Some("b"));
        assert_eq!(find("/v1/track/"), Some("b"));
        assert_eq!(find("/v1/track/ios"), Some("b"));
        assert_eq!(find("/v1/tracker"), Some("a"));
        assert_eq!(find("/v1/track/web/x/y"), Some("c"));
        assert_eq!(find("/v1/track/web"), Some("b"));
        assert_eq!(find("/v2"), None);
        assert_eq!(find("/x"), None);
        assert_eq!(find(""), None);
    }

    #[test]
    fn a_root_path_takes_everything() {
        let paths = Paths::new([("/".to_owned(), RepoName::new("all"))]);
        assert!(paths.find("/any/thing").is_some());
        assert!(paths.find("/").is_some());
    }
}
