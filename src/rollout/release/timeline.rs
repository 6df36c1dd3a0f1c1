//! Which sets stood in Nacos one after the other, told from the histories of the index and of the
//! documents that floated in it. A walk from now into the past: one change after the other is
//! undone, the newest first, and wherever the set's digest changes another set stood.
//!
//! What floats changes on the way, so whoever walks is asked for the history of a document when it
//! first floats ([`Walk::wants`]), and for the content before a change when that is next
//! ([`Walk::next`]).

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use jiff::Timestamp;

use crate::center::nacos::{Operation, Row};
use crate::document::digest::{Checksum, Content, DataId, Digest};
use crate::document::index::{EntryForm, IndexForm};
use crate::document::set::INDEX;
use crate::rollout::release::{digest, is_called, read_index, sha256};

/// A set that stood in Nacos.
#[derive(Clone, Debug)]
pub struct Past {
    /// Its digest; `None`: there was no index, or one that cannot be read.
    pub digest: Option<Digest>,
    /// The index, if there was one that can be read.
    pub index: Option<IndexForm>,
    /// The contents of documents that floated, by dataId.
    pub floating: BTreeMap<DataId, Content>,
    /// What made it; `None`: before the history that is left.
    pub origin: Option<Origin>,
}

/// What made a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// When.
    pub at: Timestamp,
    /// Which document was changed.
    pub document: DataId,
    /// Who, if that is known: as the index says, else as Nacos has it.
    pub by: Option<String>,
    /// Who as Nacos has it.
    pub user: Option<String>,
    /// Why, if the index says so.
    pub reason: Option<String>,
    /// Of a rollback: the digest of the set that it took back.
    pub undoes: Option<String>,
    /// The entries that changed, as kind and name.
    pub changed: Vec<String>,
}

/// The walk.
#[derive(Debug, Default)]
pub struct Walk {
    /// What stood at this point: the index and everything that was asked for.
    state: BTreeMap<DataId, Content>,
    /// Changes that are not undone yet, the newest first.
    rows: BTreeMap<DataId, VecDeque<Row>>,
    /// The number of the last change that was undone.
    reached: Option<u64>,
    /// The set that the walk is in, as it stood last: what is written while a release is carried out
    /// is the same set.
    newest: Option<Past>,
    /// The set of now, and those before it that were found.
    found: Vec<Past>,
}

/// A change that is to be undone next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Next {
    /// Of which document.
    pub document: DataId,
    /// The row of the history; of an insert nothing need be read, there was nothing before.
    pub row: Row,
}

/// What a document's history says of a point in the past.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum At {
    /// It held what it holds now.
    Now,
    /// It held what this row has.
    Row(Row),
    /// It was not there.
    Absent,
}

impl Walk {
    /// Documents whose history is needed, and was not given yet: the index first.
    pub fn wants(&self) -> Vec<DataId> {
        let index = DataId::new(INDEX);
        if !self.rows.contains_key(&index) {
            return vec![index];
        }
        let floating = self.index().into_iter().flat_map(|index| index.documents);
        let floating = floating.filter(|entry| entry.sha256.is_none());
        let wanted = floating.map(|entry| DataId::new(&entry.data_id));
        wanted.filter(|id| !self.rows.contains_key(id)).collect()
    }

    /// Where the content of a document is to be found as it was at this point.
    pub fn at(&self, rows: &[Row]) -> At {
        let later = |row: &&Row| self.reached.is_some_and(|reached| number(row) > reached);
        match rows.iter().take_while(later).last() {
            None => At::Now,
            Some(row) if row.operation == Operation::Insert => At::Absent,
            Some(row) => At::Row(row.clone()),
        }
    }

    /// Gives the history of a document (the newest first), and its content at this point.
    pub fn give(&mut self, document: &DataId, rows: Vec<Row>, content: Option<Content>) {
        let reached = self.reached;
        let earlier = |row: &Row| reached.is_none_or(|reached| number(row) < reached);
        let rows = rows.into_iter().filter(earlier).collect();
        self.rows.insert(document.clone(), rows);
        self.set(document, content);
    }

    /// The newest change that is not undone; `None`: the history ends here.
    pub fn next(&self) -> Option<Next> {
        let newest = self
            .rows
            .iter()
            .filter_map(|(id, rows)| Some((id, rows.front()?)));
        let (document, row) = newest.max_by_key(|(_, row)| number(row))?;
        Some(Next {
            document: document.clone(),
            row: row.clone(),
        })
    }

    /// Undoes it: `before` is what the document held before.
    pub fn undo(&mut self, next: &Next, before: Option<Content>) {
        let now = self.view();
        let newest = self.newest.take().unwrap_or_else(|| now.clone());
        if let Some(rows) = self.rows.get_mut(&next.document) {
            rows.pop_front();
        }
        self.reached = Some(number(&next.row));
        self.set(&next.document, before);
        let was = self.view();
        if was.digest == now.digest {
            self.newest = Some(newest);
            return;
        }
        let origin = Some(origin(next, &now, &was));
        self.found.push(Past { origin, ..newest });
    }

    /// How many sets were found, that of now among them.
    pub fn found(&self) -> usize {
        self.found.len()
    }

    /// The sets that were found so far, the newest first.
    pub fn sets(&self) -> impl Iterator<Item = &Past> {
        self.found.iter()
    }

    /// All sets that were found, the newest first. Where the history ended, the last one is what
    /// stood before it, made by a change that nobody knows any more.
    pub fn end(mut self) -> Vec<Past> {
        let last = self.newest.take().unwrap_or_else(|| self.view());
        let ended = self.next().is_none();
        if ended && last.digest.is_some() || self.found.is_empty() {
            self.found.push(last);
        }
        for at in 0..self.found.len() {
            let (now, older) = self.found[at..].split_at_mut(1);
            now[0].unsay(older);
        }
        self.found
    }

    fn set(&mut self, document: &DataId, content: Option<Content>) {
        match content {
            Some(content) => self.state.insert(document.clone(), content),
            None => self.state.remove(document),
        };
    }

    fn index(&self) -> Option<IndexForm> {
        read_index(self.state.get(INDEX)?).ok()
    }

    fn view(&self) -> Past {
        let index = self.index();
        let floating = index.iter().flat_map(|index| &index.documents);
        let floating = floating.filter(|entry| entry.sha256.is_none());
        let contents = floating.filter_map(|entry| {
            let (id, content) = self.state.get_key_value(entry.data_id.as_str())?;
            Some((id.clone(), content.clone()))
        });
        Past {
            floating: contents.collect(),
            digest: index
                .as_ref()
                .map(|index| digest(index, |id| self.state.get(id))),
            index,
            origin: None,
        }
    }
}

impl Past {
    /// An index that says of itself what an older one says too was published again, by somebody who
    /// did not say why.
    fn unsay(&mut self, older: &[Self]) {
        let released = |past: &Self| past.index.as_ref().and_then(|index| index.release.clone());
        let own = released(self);
        let is_copy = own.is_some() && older.iter().any(|past| released(past) == own);
        if let Some(origin) = self.origin.as_mut().filter(|_| is_copy) {
            origin.by.clone_from(&origin.user);
            origin.reason = None;
            origin.undoes = None;
        }
    }

    /// The content that stood under a dataId and floated.
    pub fn content(&self, data_id: &str) -> Option<&Content> {
        self.floating.get(data_id)
    }
}

impl Past {
    /// What the entries of a name hold, to tell one time from another.
    pub fn holds(&self, called: &str) -> Vec<Checksum> {
        let entries = self.index.iter().flat_map(|index| &index.documents);
        let entries = entries.filter(|entry| is_called(entry, called));
        entries
            .filter_map(|entry| sha256(entry, |id| self.content(id)))
            .collect()
    }
}

/// Nacos numbers all changes of all documents in one row.
fn number(row: &Row) -> u64 {
    row.id.parse().unwrap_or_default()
}

fn origin(next: &Next, now: &Past, was: &Past) -> Origin {
    let of_index = next.document.as_str() == INDEX;
    let release = now.index.as_ref().filter(|_| of_index);
    let release = release.and_then(|index| index.release.clone());
    let address = next.row.address.as_ref();
    let somebody = address.map(|address| format!("somebody at {address}"));
    let user = next.row.user.clone().or(somebody);
    Origin {
        user: user.clone(),
        at: next.row.at,
        document: next.document.clone(),
        by: release.as_ref().map(|release| release.by.clone()).or(user),
        reason: release.as_ref().map(|release| release.reason.clone()),
        undoes: release.and_then(|release| release.undoes),
        changed: changed(now, was),
    }
}

/// The entries whose content differs, or that only one of the two has.
fn changed(now: &Past, was: &Past) -> Vec<String> {
    let of = |past: &Past| -> BTreeMap<String, BTreeSet<String>> {
        let mut contents = BTreeMap::<_, BTreeSet<_>>::new();
        for entry in past.index.iter().flat_map(|index| &index.documents) {
            let found = sha256(entry, |id| past.content(id));
            let found = found.map_or_else(|| "missing".to_owned(), |sha256| sha256.to_string());
            contents.entry(name(entry)).or_default().insert(found);
        }
        contents
    };
    let (now_has, had) = (of(now), of(was));
    let mut changed: Vec<_> = now_has
        .iter()
        .filter(|(name, contents)| had.get(*name) != Some(contents))
        .map(|(name, _)| name.clone())
        .collect();
    let gone = had.keys().filter(|name| !now_has.contains_key(*name));
    changed.extend(gone.map(|name| format!("{name} (removed)")));
    let paths = |past: &Past| past.index.as_ref().map(|index| index.paths.clone());
    if paths(now) != paths(was) && now.index.is_some() && was.index.is_some() {
        changed.push("paths".to_owned());
    }
    changed
}

/// An entry as people call it.
pub fn name(entry: &EntryForm) -> String {
    format!("{} {}", entry.kind.as_str(), entry.name)
}
