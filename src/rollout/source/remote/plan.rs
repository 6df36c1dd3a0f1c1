//! Which documents are to be read: those of the index as it stands now, and those of the set that
//! is compiled from, which goes on when the index is refused.

use std::collections::{BTreeMap, BTreeSet};

use crate::center::{Contents, Unreadable};
use crate::document::digest::{Checksum, Content, DataId};
use crate::document::index::Index;
use crate::document::set::{self, INDEX, Set};
use crate::rollout::source::Known;

/// What is to be read, and what need not be.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// The index as it stands; nothing if it is missing.
    pub(super) index: Option<Result<String, Unreadable>>,
    /// The documents to read.
    pub(super) fetch: BTreeSet<String>,
    /// Pinned contents that are known by their digest.
    pub(super) known: Contents,
    /// The documents whose changes are worth a nudge.
    pub(super) listen: BTreeSet<String>,
}

impl Plan {
    pub(super) fn of(index: Option<Result<String, Unreadable>>, known: &Known) -> Self {
        let mut wanted = Wanted::default();
        let live = known.set.as_deref();
        let now = match &index {
            Some(Ok(text)) => read(text, live, &mut wanted),
            Some(Err(_)) | None => false,
        };
        // An index that is as before, and compiled, says it all.
        if let Some(set) = live.filter(|_| !now) {
            wanted.add(set.index());
        }
        wanted.into_plan(index, known)
    }
}

/// Takes what an index wants. True if it is the one of the set that is compiled from.
fn read(text: &str, live: Option<&Set>, wanted: &mut Wanted) -> bool {
    let before = live.filter(|set| set.content(INDEX).is_some_and(|index| *index.text == *text));
    if let Some(set) = before {
        wanted.add(set.index());
        return true;
    }
    if let Some(index) = set::index(&Content::new(text)) {
        wanted.add(&index);
    }
    false
}

/// Documents by how they are wanted.
#[derive(Debug, Default)]
struct Wanted {
    floating: BTreeSet<String>,
    pinned: BTreeMap<String, Checksum>,
}

impl Wanted {
    /// The first index that pins a document decides to which content.
    fn add(&mut self, index: &Index) {
        for entry in &index.entries {
            let data_id = entry.data_id.to_string();
            match entry.pinned {
                Some(sha256) => {
                    self.pinned.entry(data_id).or_insert(sha256);
                }
                None => {
                    self.floating.insert(data_id);
                }
            }
        }
        self.floating
            .extend(index.switches.as_ref().map(DataId::to_string));
    }

    fn into_plan(self, index: Option<Result<String, Unreadable>>, known: &Known) -> Plan {
        let mut plan = Plan {
            index,
            fetch: self.floating.clone(),
            listen: self.floating,
            known: Contents::new(),
        };
        plan.listen.insert(INDEX.to_owned());
        for (data_id, sha256) in self.pinned {
            if plan.fetch.contains(&data_id) {
                continue;
            }
            match content(&data_id, sha256, known) {
                Some(text) => {
                    plan.known.insert(data_id, Ok(text));
                }
                None => {
                    plan.fetch.insert(data_id);
                }
            }
        }
        plan
    }
}

/// A content that is known by its digest, wherever it stood.
fn content(data_id: &str, sha256: Checksum, known: &Known) -> Option<String> {
    let fits = |content: &&Content| content.sha256 == sha256;
    let live = known.set.as_deref();
    let here = live.and_then(|set| set.content(data_id)).filter(fits);
    let elsewhere = || live?.contents().map(|(_, content)| content).find(fits);
    if let Some(content) = here.or_else(elsewhere) {
        return Some(content.text.to_string());
    }
    let last = known.contents.get(data_id)?.as_ref().ok()?;
    (Checksum::of(last.as_bytes()) == sha256).then(|| last.clone())
}
