//! A set of documents becomes a set of pipelines: all problems reported together, what did not
//! change reused, what does not compile held at its last good content with whatever uses it.
//!
//! The index and its pinned entries are all or nothing: if one of them is wrong, the index before
//! stays, and floating documents go on under it. Compiling is pure: contents come in, a set goes
//! out.

mod attempt;
mod choose;
#[cfg(test)]
mod tests;
mod uses;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub use crate::document::digest::{Checksum, Content, DataId, Digest};

use crate::device;
use crate::document::diagnostic::{Diagnostic, Diagnostics};
use crate::document::index::{Index, Kind};
use crate::document::paths::Paths;
use crate::document::set::attempt::Attempt;
use crate::document::set::choose::Chosen;
use crate::document::set::uses::Uses;
use crate::document::tables::Tables;
use crate::event::Label;
use crate::pipeline::validate::catalog::Catalog;
use crate::pipeline::{Plan, RepoName};
use crate::sink;

/// The dataId of the index.
pub const INDEX: &str = "weir.index";
/// The dataId of the switches, where no index says otherwise.
pub const SWITCHES: &str = "weir.switches";

/// What is compiled.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// What stands in the source now: contents, and why some could not be read.
    pub documents: &'a BTreeMap<DataId, Result<Content, String>>,
    /// The last set that compiled.
    pub previous: Option<&'a Set>,
    /// Whether the samples of changed repos run: not for a set that has passed them before.
    pub run_samples: bool,
    /// Whether `documents` are all that stand in the source, so that those which no index names are
    /// worth a warning.
    pub listed: bool,
}

/// What came of it.
#[derive(Debug)]
pub struct Compilation {
    /// What can go live. `None`: refused, and nothing else changed.
    pub set: Option<Set>,
    /// Whether the index, or what it pins, was refused; a set is then that of the index before.
    pub refused: bool,
    /// Documents that stay at their last good content, or have none.
    pub held: Vec<DataId>,
    /// Everything that is wrong, or looks wrong.
    pub diagnostics: Vec<Diagnostic>,
    /// How many repos were compiled anew.
    pub compiled_repos: usize,
}

/// A compiled set.
#[derive(Debug)]
pub struct Set {
    /// The same on every instance, and whether it came from a config center or a directory.
    pub digest: Digest,
    /// What it is made of.
    pub entries: Vec<Entry>,
    /// By name.
    pub repos: BTreeMap<RepoName, Arc<CompiledRepo>>,
    /// Repos without a good content: they answer 503.
    pub without_document: BTreeSet<RepoName>,
    /// By label: what the producers document declares.
    pub producers: BTreeMap<Label, sink::Spec>,
    /// The IP table and the device map.
    pub tables: Tables,
    /// From URL paths to repos.
    pub paths: Paths,
    /// Where the switches stand.
    pub switches: Option<DataId>,
    chosen: Chosen,
    catalogs: BTreeMap<String, CompiledCatalog>,
    /// By dataId: the good contents, those of held documents among them.
    good: BTreeMap<DataId, Content>,
}

/// A document of a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it is.
    pub kind: Kind,
    /// Its name in the set.
    pub name: String,
    /// Where it stands.
    pub data_id: DataId,
    /// Of the content in force; `None`: there is none.
    pub sha256: Option<Checksum>,
    /// Whether the index binds it to this content.
    pub pinned: bool,
    /// Whether something newer stands in the source, or nothing any more.
    pub held: bool,
    /// Of the newer content, if there is one.
    pub refused: Option<Checksum>,
}

/// A compiled repo, with what identifies it.
#[derive(Debug)]
pub struct CompiledRepo {
    /// What happens to its events.
    pub plan: Arc<Plan>,
    /// How its events are attributed to devices.
    pub device: Option<device::Step>,
    /// Of its document and of everything in others that it depends on.
    pub identity: Digest,
    content: Content,
    uses: Uses,
}

/// The documents of one catalog, compiled.
#[derive(Clone, Debug)]
struct CompiledCatalog {
    catalog: Arc<Catalog>,
    parts: Vec<(DataId, Content)>,
}

impl Set {
    /// The producers that repos use; those of a held repo may be gone from the document.
    pub fn producers_in_use(&self) -> BTreeMap<Label, sink::Spec> {
        let mut used = BTreeMap::new();
        for repo in self.repos.values() {
            for (label, spec) in &repo.uses.producers {
                let declared = self.producers.get(label).unwrap_or(spec);
                used.entry(label.clone())
                    .or_insert_with(|| declared.clone());
            }
        }
        used
    }

    /// The contents that this set is made of, the index among them: enough to compile it again.
    pub fn contents(&self) -> impl Iterator<Item = (&DataId, &Content)> {
        self.good.iter()
    }

    /// The set as if some documents had never belonged to it: those that `keep` is false for.
    #[must_use]
    pub fn retain(mut self, keep: impl Fn(&DataId) -> bool) -> Self {
        self.good.retain(|data_id, _| keep(data_id));
        self.entries.retain(|entry| keep(&entry.data_id));
        let left = |kind, name: &str| {
            let mut entries = self.entries.iter();
            entries.any(|entry| entry.kind == kind && entry.name == name)
        };
        self.repos.retain(|name, _| left(Kind::Repo, name.as_str()));
        self.without_document
            .retain(|name| left(Kind::Repo, name.as_str()));
        self.catalogs
            .retain(|_, catalog| catalog.parts.iter().all(|(data_id, _)| keep(data_id)));
        if !self.good.contains_key(INDEX) {
            self.chosen.content = None;
        }
        self.switches = self.switches.filter(|data_id| keep(data_id));
        self
    }

    /// The content of a document that is in force.
    pub fn content(&self, data_id: &str) -> Option<&Content> {
        self.good.get(data_id)
    }

    /// Whether an index says what belongs to it.
    pub fn has_index(&self) -> bool {
        self.chosen.content.is_some()
    }

    /// The index, or what stands for it in a directory without one.
    pub fn index(&self) -> &Index {
        &self.chosen.index
    }
}

/// The index of a text; `None` if it is wrong, which [`compile`] tells.
pub fn index(content: &Content) -> Option<Index> {
    choose::read_index(content, &mut Diagnostics::new(INDEX))
}

/// Compiles a set.
pub fn compile(input: &Input<'_>) -> Compilation {
    let mut diagnostics = Vec::new();
    let mut compiled_repos = 0;
    if let Some(chosen) = Chosen::read(input, &mut diagnostics) {
        let attempt = Attempt::run(input, chosen);
        if !attempt.refused {
            return attempt.finish(diagnostics);
        }
        compiled_repos = attempt.compiled_repos;
        diagnostics.extend(attempt.diagnostics.into_iter().filter(Diagnostic::is_error));
    }
    let refusal = |diagnostics| Compilation {
        set: None,
        refused: true,
        held: vec![DataId::new(INDEX)],
        diagnostics,
        compiled_repos,
    };
    let Some(previous) = input.previous else {
        return refusal(diagnostics);
    };
    let attempt = Attempt::run(input, previous.chosen.clone());
    let mut compilation = attempt.finish(Vec::new());
    for diagnostic in compilation.diagnostics.drain(..) {
        if !diagnostics.contains(&diagnostic) {
            diagnostics.push(diagnostic);
        }
    }
    let changed = compilation.set.as_ref().map(|set| &set.digest) != Some(&previous.digest);
    compilation.held.insert(0, DataId::new(INDEX));
    if !changed {
        return Compilation {
            held: compilation.held,
            ..refusal(diagnostics)
        };
    }
    Compilation {
        refused: true,
        diagnostics,
        ..compilation
    }
}
