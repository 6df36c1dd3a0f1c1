//! From a saved set to a compiled one, without running its samples: it has passed them.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::document::digest::{Content, DataId};
use crate::document::set::{self, Compilation, Set};
use crate::rollout::stage::chain;
use crate::rollout::store::{Saved, Store};

/// The newest set that can be had; damaged ones are told in the log and passed over. Blocking.
pub(super) fn newest(store: &Store, live: Option<&Set>) -> Option<Set> {
    let sets = store.sets();
    sets.iter().find_map(|saved| of(store, saved, live))
}

/// One saved set. What it shares with the live one is taken from there. Where a repo of it does not
/// compile alone, because it was held and its pipeline is of an older set, the older sets are
/// compiled first. Blocking.
pub(super) fn of(store: &Store, saved: &Arc<Saved>, live: Option<&Set>) -> Option<Set> {
    let documents = read(store, saved)?;
    let shared = live.map(|live| compile(&documents, Some(live)));
    let same = shared.filter(|shared| {
        let digest = shared.set.as_ref().map(|set| set.digest.as_str());
        shared.held.is_empty() && digest == Some(saved.set.as_str())
    });
    let alone = same.unwrap_or_else(|| compile(&documents, None));
    let set = if complete(&alone, &documents) {
        alone.set
    } else {
        let before = before(store, saved);
        let after = compile(&documents, before.as_ref());
        after.set.or(alone.set)
    };
    if set.is_none() {
        tracing::error!(set = saved.set, "a saved set does not compile");
    }
    set
}

/// What was live before a saved set, compiled one after the other, the oldest first.
fn before(store: &Store, saved: &Saved) -> Option<Set> {
    let sets = store.sets();
    let older = sets
        .iter()
        .rev()
        .take_while(|older| older.number < saved.number);
    older.fold(None, |before, older| {
        let Some(documents) = read(store, older) else {
            return before;
        };
        compile(&documents, before.as_ref()).set.or(before)
    })
}

fn read(store: &Store, saved: &Saved) -> Option<BTreeMap<DataId, Content>> {
    let read = store.contents(saved).inspect_err(|error| {
        let why = chain(error);
        tracing::error!(set = saved.set, why, "a saved set cannot be used");
        store.forget(saved.number);
    });
    read.ok()
}

fn compile(documents: &BTreeMap<DataId, Content>, previous: Option<&Set>) -> Compilation {
    let documents = documents
        .iter()
        .map(|(data_id, content)| (data_id.clone(), Ok(content.clone())))
        .collect();
    set::compile(&set::Input {
        documents: &documents,
        previous,
        run_samples: false,
        listed: false,
    })
}

/// Whether every saved document is in force again.
fn complete(compilation: &Compilation, documents: &BTreeMap<DataId, Content>) -> bool {
    let in_force = |set: &Set| {
        documents
            .keys()
            .all(|data_id| set.content(data_id.as_str()).is_some())
    };
    !compilation.refused && compilation.set.as_ref().is_some_and(in_force)
}
