//! Documents that compile and could not be made ready, because a cluster or a file was away, are
//! tried again: they go live by themselves once what they need is back.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::document::digest::DataId;
use crate::rollout::reconcile::Reconciler;

/// Documents that compile and could not be made ready, with why; until something changes.
#[derive(Debug, Default)]
pub(super) struct Unready {
    documents: BTreeMap<DataId, String>,
    /// What they were before they were tried again.
    before: Option<BTreeMap<DataId, String>>,
    since: Option<Instant>,
}

impl Unready {
    /// Adds documents; true if it was known before they were tried again that they are not ready.
    pub(super) fn hold(&mut self, documents: Vec<(DataId, String)>) -> bool {
        self.documents.extend(documents);
        self.since = Some(Instant::now());
        let known = self.before.as_ref() == Some(&self.documents);
        if known {
            self.before = None;
        }
        known
    }

    /// Forgets them: something changed.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.documents.is_empty()
    }

    /// Whether it is one of them.
    pub(super) fn contains(&self, data_id: &DataId) -> bool {
        self.documents.contains_key(data_id)
    }

    /// Documents and why they are not ready.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&DataId, &String)> {
        self.documents.iter()
    }
}

impl Reconciler {
    /// Whether documents that are not ready are to be tried again now; from then on they are.
    pub(super) fn tries_again(&mut self) -> bool {
        let Some(since) = self.unready.since else {
            return false;
        };
        if self.asking.is_some() || since.elapsed() < self.settings.interval.duration() / 2 {
            return false;
        }
        self.answers.forget();
        self.unready = Unready {
            before: Some(std::mem::take(&mut self.unready.documents)),
            ..Unready::default()
        };
        true
    }
}
