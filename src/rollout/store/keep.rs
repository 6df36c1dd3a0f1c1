//! Which sets are worth keeping, and which of them was live before which.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::rollout::store::Saved;

/// How many sets are kept.
pub(super) const KEPT: usize = 20;

/// The set that was live before another; before one that is not kept, the newest.
pub fn before<'s>(sets: &'s [Arc<Saved>], live: &str) -> Option<&'s Arc<Saved>> {
    let place = sets.iter().position(|saved| saved.set == live);
    sets.get(place.map_or(0, |place| place + 1))
}

/// The newest different sets, those that held documents were last good in, and the pinned one.
pub(super) fn worth_keeping(sets: &[Arc<Saved>], pinned: Option<&str>) -> Vec<Arc<Saved>> {
    let mut known = BTreeSet::new();
    let mut held: BTreeSet<&str> = BTreeSet::new();
    if let Some(newest) = sets.first() {
        let documents = newest.documents.iter().filter(|document| document.held);
        held.extend(documents.map(|document| document.data_id.as_str()));
    }
    let mut kept = Vec::new();
    for saved in sets {
        if !known.insert(saved.set.as_str()) {
            continue;
        }
        let documents = saved.documents.iter().filter(|document| !document.held);
        let good: Vec<&str> = documents
            .map(|document| document.data_id.as_str())
            .collect();
        let needed = good.iter().any(|data_id| held.contains(data_id));
        if kept.len() < KEPT || needed || pinned == Some(saved.set.as_str()) {
            good.iter().for_each(|data_id| {
                held.remove(data_id);
            });
            kept.push(Arc::clone(saved));
        }
    }
    kept
}
