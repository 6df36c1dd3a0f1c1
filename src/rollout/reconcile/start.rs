//! The start: what was saved is served at once, and the source is read beside it. A directory is at
//! hand: as it stands it wins, and what was saved only says what was good before.

use std::sync::Arc;

use crate::center::Contents;
use crate::document::digest::DataId;
use crate::document::set::{INDEX, Set};
use crate::rollout::publish::Origin;
use crate::rollout::reconcile::{Documents, Reconciler, chain};
use crate::rollout::restore;
use crate::rollout::source::Read;
use crate::rollout::store::{Pin, Store};
use crate::telemetry::clock;

impl Reconciler {
    /// Serves what was saved, or what stands in the directory.
    pub(super) async fn start(&mut self) {
        self.publisher.begins(&self.source.shown(), &self.store);
        self.good_switches = self.store.switches().unwrap_or_else(|error| {
            let why = chain(&error);
            tracing::error!(why, "the saved switches cannot be used");
            None
        });
        self.saved_switches.clone_from(&self.good_switches);
        let newest = self.restore(|store| restore::newest(store, None)).await;
        if let Some(set) = newest {
            self.replace(contents(&set));
            if let Some((data_id, content)) = self.good_switches.clone()
                && set.switches.as_ref() == Some(&data_id)
            {
                self.documents.insert(data_id, Ok(content));
            }
            self.previous = Some(Arc::new(set));
        }
        self.stay_pinned().await;
        if self.source.is_local() {
            self.read_at_start().await;
        }
        self.advance().await;
    }

    /// The directory as it stands; what went away while the process did not run is not missed.
    async fn read_at_start(&mut self) {
        let known = self.known();
        let read = Arc::clone(&self.source).read(known).await;
        let now = clock::timestamp();
        match read {
            Ok(Read {
                contents, stale, ..
            }) => {
                self.publisher.reconciled(now, stale);
                if self.pinned.is_none()
                    && let Some(previous) = self.previous.take().and_then(Arc::into_inner)
                {
                    let indexed = contents.contains_key(INDEX);
                    let stands = |id: &DataId| indexed || contents.contains_key(id.as_str());
                    self.previous = Some(Arc::new(previous.retain(stands)));
                }
                self.origin = Origin::Source;
                self.replace(contents);
            }
            Err(why) => self.publisher.reconciled(now, Some(why)),
        }
    }

    /// Takes up the pin that was there before.
    async fn stay_pinned(&mut self) {
        let pin = match self.store.pin() {
            Ok(Some(pin)) => pin,
            Ok(None) => return,
            Err(error) => {
                let why = chain(&error);
                tracing::error!(
                    why,
                    "whether this instance is pinned cannot be read, it follows the documents"
                );
                return;
            }
        };
        let sets = self.store.sets();
        let saved = sets.iter().find(|saved| saved.set == pin.set).cloned();
        let restored = match saved {
            Some(saved) => {
                self.restore(move |store| restore::of(store, &saved, None))
                    .await
            }
            None => None,
        };
        match restored {
            Some(set) => self.stay_at(pin, set),
            None => tracing::error!(
                set = pin.set,
                "the pinned set cannot be restored, this instance follows the documents"
            ),
        }
    }

    /// From now on this set is what is compiled, whatever stands in the source.
    pub(super) fn stay_at(&mut self, pin: Pin, set: Set) {
        tracing::warn!(
            set = pin.set,
            reason = pin.reason,
            since = %pin.since,
            "this instance is pinned, no change of documents moves it"
        );
        self.publisher.pinned(Some(&pin));
        let documents: Documents = set
            .contents()
            .map(|(data_id, content)| (data_id.clone(), Ok(content.clone())))
            .collect();
        self.pinned = Some((pin, documents));
        self.previous = Some(Arc::new(set));
        self.unready.clear();
    }

    /// Something of the state directory, read and compiled where blocking is allowed.
    pub(super) async fn restore(
        &mut self,
        restore: impl FnOnce(&Store) -> Option<Set> + Send + 'static,
    ) -> Option<Set> {
        let store = Arc::clone(&self.store);
        let restored = tokio::task::spawn_blocking(move || restore(&store)).await;
        restored
            .inspect_err(|panicked| tracing::error!(%panicked, "restoring a set panicked"))
            .ok()
            .flatten()
    }
}

/// The contents of a set, as a source would have them.
fn contents(set: &Set) -> Contents {
    set.contents()
        .map(|(data_id, content)| (data_id.to_string(), Ok(content.text.to_string())))
        .collect()
}
