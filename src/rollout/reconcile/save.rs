//! Keeping what is live for the next start. Where that fails, a change goes live all the same: an
//! instance that cannot be changed is worse than one that starts with old documents. It is tried
//! again with every read.

use std::sync::Arc;

use crate::document::set::Set;
use crate::rollout::history::{Part, State};
use crate::rollout::live::Digest;
use crate::rollout::publish::Origin;
use crate::rollout::reconcile::Reconciler;
use crate::rollout::store::{self, Store};
use crate::telemetry::clock;

/// A set that went live and is not kept yet, with its revision and what came of it.
pub(super) type Unsaved = (Arc<Set>, Digest, State);

impl Reconciler {
    /// Keeps a set and the switches.
    pub(super) async fn save(&mut self, set: Arc<Set>, revision: Digest, state: State) {
        self.unsaved = Some((set, revision, state));
        self.save_set().await;
        self.save_switches().await;
    }

    /// Keeps what could not be kept before.
    pub(super) async fn save_again(&mut self) {
        // The set that is kept last is what is served first: while another is pinned, not this one.
        if matches!(self.origin_of_live(), Origin::Source) {
            self.save_set().await;
        }
        self.save_switches().await;
    }

    async fn save_set(&mut self) {
        let Some((set, revision, state)) = self.unsaved.clone() else {
            return;
        };
        let saved = if self.store.is_newest(&set) {
            self.publisher.saved(Part::Set, &self.store, Ok(()));
            true
        } else {
            self.write(Part::Set, move |store| {
                store.save(&set, &revision, state, clock::timestamp())
            })
            .await
        };
        if saved {
            self.unsaved = None;
        }
    }

    /// Keeps the last good switches, if they are not kept already.
    pub(super) async fn save_switches(&mut self) {
        let good = self.good_switches.clone();
        if good == self.saved_switches {
            self.publisher.saved(Part::Switches, &self.store, Ok(()));
            return;
        }
        let saved = match good.clone() {
            Some((data_id, content)) => {
                self.write(Part::Switches, move |store| {
                    store.save_switches(&data_id, &content)
                })
                .await
            }
            None => true,
        };
        if saved {
            self.saved_switches = good;
        }
    }

    /// Writes to the state directory and tells what came of it; whether it was written.
    async fn write(
        &mut self,
        part: Part,
        write: impl FnOnce(&Store) -> Result<(), store::Error> + Send + 'static,
    ) -> bool {
        let store = Arc::clone(&self.store);
        match tokio::task::spawn_blocking(move || write(&store)).await {
            Ok(written) => {
                let done = written.is_ok();
                self.publisher.saved(part, &self.store, written);
                done
            }
            Err(panicked) => {
                tracing::error!(%panicked, "writing the state directory panicked");
                false
            }
        }
    }
}
