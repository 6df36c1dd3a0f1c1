//! One attempt at a set: every document compiled, kept or held, in the order in which they use each
//! other: producers, tables, catalogs, repos.

mod catalogs;
mod contents;
mod others;
mod repos;
mod shapes;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::de::DeserializeOwned;

use crate::document::diagnostic::{At, Diagnostic, Diagnostics};
use crate::document::digest::{Checksum, Content, DataId, Digest};
use crate::document::index::{self, Index, Kind};
use crate::document::producers::ProducersForm;
use crate::document::set::choose::Chosen;
use crate::document::set::{Compilation, CompiledRepo, Entry, INDEX, Input, Set};
use crate::document::shape::Shape;
use crate::document::tables::TablesForm;
use crate::document::text;
use crate::pipeline::RepoName;

pub(super) use others::Others;
use shapes::Shapes;

/// One attempt at a set.
pub(super) struct Attempt<'a> {
    input: &'a Input<'a>,
    chosen: Chosen,
    shapes: Shapes,
    entries: Vec<Entry>,
    good: BTreeMap<DataId, Content>,
    held: Vec<DataId>,
    repos: BTreeMap<RepoName, Arc<CompiledRepo>>,
    without_document: BTreeSet<RepoName>,
    others: Others,
    pub(super) diagnostics: Vec<Diagnostic>,
    /// Whether something that the index pins is wrong.
    pub(super) refused: bool,
    pub(super) compiled_repos: usize,
}

impl<'a> Attempt<'a> {
    pub(super) fn run(input: &'a Input<'a>, chosen: Chosen) -> Self {
        let index = Arc::clone(&chosen.index);
        let mut attempt = Self {
            input,
            chosen,
            shapes: Shapes::default(),
            entries: Vec::new(),
            good: BTreeMap::new(),
            held: Vec::new(),
            repos: BTreeMap::new(),
            without_document: BTreeSet::new(),
            others: Others::default(),
            diagnostics: Vec::new(),
            refused: false,
            compiled_repos: 0,
        };
        let of_kind = |kind| index.entries.iter().filter(move |entry| entry.kind == kind);
        of_kind(Kind::Producers).for_each(|entry| attempt.producers(entry));
        of_kind(Kind::Tables).for_each(|entry| attempt.tables(entry));
        let mut catalogs: BTreeMap<&str, Vec<&index::Entry>> = BTreeMap::new();
        for entry in of_kind(Kind::Catalog) {
            catalogs.entry(&entry.name).or_default().push(entry);
        }
        for (name, parts) in catalogs {
            attempt.catalog(name, &parts);
        }
        attempt.others.complete();
        of_kind(Kind::Repo).for_each(|entry| attempt.repo(entry));
        attempt
    }

    pub(super) fn finish(self, mut diagnostics: Vec<Diagnostic>) -> Compilation {
        let mut good = self.good;
        if let Some(content) = &self.chosen.content {
            good.insert(DataId::new(INDEX), content.clone());
        }
        diagnostics.extend(self.diagnostics);
        let set = Set {
            digest: digest(&self.chosen.index, &self.entries),
            entries: self.entries,
            repos: self.repos,
            without_document: self.without_document,
            producers: self.others.producers,
            tables: self.others.tables,
            paths: self.chosen.index.paths.clone(),
            switches: self.chosen.index.switches.clone(),
            chosen: self.chosen,
            catalogs: self.others.catalogs,
            good,
        };
        Compilation {
            set: Some(set),
            refused: false,
            held: self.held,
            diagnostics,
            compiled_repos: self.compiled_repos,
        }
    }

    fn producers(&mut self, entry: &index::Entry) {
        let before = self.before(entry.kind, |set| set.producers.clone());
        let (specs, held) = self.settle(entry, before, |shapes, content, out| {
            read(
                shapes.producers(),
                content,
                out,
                |form: &ProducersForm, out| form.compile(&At::ROOT, out),
            )
        });
        self.others.producers = specs.unwrap_or_default();
        self.others.held_producers = held.then(|| entry.data_id.clone());
    }

    fn tables(&mut self, entry: &index::Entry) {
        let before = self.before(entry.kind, |set| set.tables.clone());
        let (tables, held) = self.settle(entry, before, |shapes, content, out| {
            read(shapes.tables(), content, out, |form: &TablesForm, out| {
                form.compile(&At::ROOT, out)
            })
        });
        self.others.tables = tables.unwrap_or_default();
        self.others.held_tables = held.then(|| entry.data_id.clone());
    }

    /// The last good content of a kind that a set has once, and what it was compiled to.
    fn before<T>(&self, kind: Kind, made: impl FnOnce(&Set) -> T) -> Option<(Content, T)> {
        let previous = self.input.previous?;
        let entry = previous.entries.iter().find(|entry| entry.kind == kind)?;
        let content = previous.good.get(&entry.data_id)?;
        Some((content.clone(), made(previous)))
    }

    /// Takes one document: what was compiled before, compiled now, or held; and whether it is held.
    fn settle<T>(
        &mut self,
        entry: &index::Entry,
        before: Option<(Content, T)>,
        compile: impl FnOnce(&mut Shapes, &Content, &mut Diagnostics) -> Option<T>,
    ) -> (Option<T>, bool) {
        let Some(content) = self.content(entry) else {
            return self.hold(entry, None, before);
        };
        if before
            .as_ref()
            .is_some_and(|(old, _)| old.sha256 == content.sha256)
        {
            self.keep(entry, content);
            return (before.map(|(_, made)| made), false);
        }
        let mut out = Diagnostics::new(entry.data_id.as_str());
        let made = compile(&mut self.shapes, &content, &mut out).filter(|_| !out.failed());
        self.diagnostics.extend(out.into_vec());
        if made.is_none() {
            return self.hold(entry, Some(content.sha256), before);
        }
        self.keep(entry, content);
        (made, false)
    }

    /// Stays at what was good before, if there was anything. A pinned entry refuses the release.
    fn hold<T>(
        &mut self,
        entry: &index::Entry,
        refused: Option<Checksum>,
        before: Option<(Content, T)>,
    ) -> (Option<T>, bool) {
        self.refused |= entry.pinned.is_some();
        self.held.push(entry.data_id.clone());
        let (content, made) = before.unzip();
        self.entries.push(Entry {
            kind: entry.kind,
            name: entry.name.clone(),
            data_id: entry.data_id.clone(),
            sha256: content.as_ref().map(|content| content.sha256),
            pinned: entry.pinned.is_some(),
            held: true,
            refused,
        });
        if let Some(content) = content {
            self.good.insert(entry.data_id.clone(), content);
        }
        (made, true)
    }

    fn keep(&mut self, entry: &index::Entry, content: Content) {
        self.entries.push(Entry {
            kind: entry.kind,
            name: entry.name.clone(),
            data_id: entry.data_id.clone(),
            sha256: Some(content.sha256),
            pinned: entry.pinned.is_some(),
            held: false,
            refused: None,
        });
        self.good.insert(entry.data_id.clone(), content);
    }
}

/// Reads a document and compiles it; problems get their lines.
fn read<F: DeserializeOwned, T>(
    shape: &Shape,
    content: &Content,
    out: &mut Diagnostics,
    compile: impl FnOnce(&F, &mut Diagnostics) -> T,
) -> Option<T> {
    let tree = text::parse(&content.text)
        .map_err(|error| out.text_error(&error))
        .ok()?;
    let form: Option<F> = shape.read(&tree.value, out);
    let made = form.map(|form| compile(&form, out));
    out.locate(&tree);
    made
}

/// Of the contents that are in force, and of the paths.
fn digest(index: &Index, entries: &[Entry]) -> Digest {
    let in_force = entries.iter().filter_map(|entry| {
        let sha256 = entry.sha256?;
        Some((entry.kind.as_str(), entry.name.as_str(), sha256))
    });
    Digest::of_set(
        in_force,
        index.paths.iter().map(|(path, repo)| (path, repo.as_str())),
    )
}
