//! Making ready what a set needs before it goes live, and saving it.

use std::sync::Arc;

use crate::document::digest::DataId;
use crate::document::index::Kind;
use crate::document::set::Set;
use crate::rollout::history::State;
use crate::rollout::live::Digest;
use crate::rollout::reconcile::{Obstacle, Reconciler, Underway, Wanted};
use crate::rollout::stage::{Ready, chain};
use crate::rollout::store::{self, Store};
use crate::telemetry::clock;

impl Reconciler {
    /// Clients that answer, tables, the device map: what did not change is kept.
    pub(super) async fn make_ready(&mut self, set: &Arc<Set>) -> Result<Ready, Obstacle> {
        let unlike = self.ready.unlike(set);
        self.answers.keep(&unlike);
        let wanted: Wanted = unlike
            .into_iter()
            .filter(|(label, spec)| !self.answers.knows(label, spec))
            .collect();
        if !wanted.is_empty() {
            self.ask(wanted);
            return Err(Obstacle::Asking);
        }
        let mut ready = self.ready.clone();
        let mut hold = Vec::new();
        if let Err(silent) = ready.take(set, &self.answers) {
            hold.push((document(set, Kind::Producers), silent.join("; ")));
        }
        let (set, base, first) = (Arc::clone(set), self.base.clone(), self.set.is_none());
        let opener = self.publisher.binder.devices.clone();
        let loaded = tokio::task::spawn_blocking(move || {
            let tables = ready
                .load_tables(&set, &base)
                .err()
                .map(|error| chain(&error));
            let devices = ready
                .open_devices(&set, &opener)
                .err()
                .map(|error| chain(&error));
            let failed = tables
                .into_iter()
                .chain(devices)
                .reduce(|a, b| format!("{a}; {b}"));
            (ready, failed.map(|why| (document(&set, Kind::Tables), why)))
        });
        let Ok((ready, failed)) = loaded.await else {
            tracing::error!("loading tables panicked, the last revision stays");
            return Err(Obstacle::Asking);
        };
        match failed {
            // At the start there is nothing to fall back to: serve without, say so, try again.
            Some((document, why)) if first => {
                let document = document.map(|id| id.to_string());
                tracing::error!(document, why, "tables are missing, events go without them");
                self.again = true;
            }
            Some((document, why)) => hold.push((document, why)),
            None => {}
        }
        let hold: Vec<_> = hold
            .into_iter()
            .filter_map(|(document, why)| Some((document?, why)))
            // What is held already stays as it is, files that went bad under it too.
            .filter(|(document, _)| !self.unready.contains(document))
            .collect();
        if hold.is_empty() {
            Ok(ready)
        } else {
            Err(Obstacle::Hold(hold))
        }
    }

    /// Asks clusters whether they answer; what is being asked already is dropped, and asked again
    /// if it is still wanted.
    fn ask(&mut self, wanted: Wanted) {
        let delivery = self.delivery.clone();
        let within = match self.set {
            Some(_) => self.settings.answer_within,
            None => self.settings.start_within,
        };
        let within = within.duration();
        self.asking = Some(Underway::new(async move {
            let connected = delivery.connect(&wanted, within).await;
            (wanted, connected)
        }));
    }

    /// Keeps a set and the switches for the next start. Where that fails, the change goes live all
    /// the same: an instance that cannot be changed is worse than one that starts with old documents.
    pub(super) async fn save(&mut self, set: &Arc<Set>, revision: &Digest, state: State) {
        if !self.store.is_newest(set) {
            let (set, revision) = (Arc::clone(set), revision.clone());
            self.write(move |store| store.save(&set, &revision, state, clock::timestamp()))
                .await;
        }
        self.save_switches().await;
    }

    /// Keeps the last good switches, if they are not kept already.
    pub(super) async fn save_switches(&mut self) {
        if self.good_switches == self.saved_switches {
            return;
        }
        if let Some((data_id, content)) = self.good_switches.clone() {
            let written = self
                .write(move |store| store.save_switches(&data_id, &content))
                .await;
            if !written {
                return;
            }
        }
        self.saved_switches.clone_from(&self.good_switches);
    }

    /// Writes to the state directory and tells what came of it; whether it was written.
    async fn write(
        &mut self,
        write: impl FnOnce(&Store) -> Result<(), store::Error> + Send + 'static,
    ) -> bool {
        let store = Arc::clone(&self.store);
        match tokio::task::spawn_blocking(move || write(&store)).await {
            Ok(written) => {
                let done = written.is_ok();
                self.publisher.saved(&self.store, written);
                done
            }
            Err(panicked) => {
                tracing::error!(%panicked, "writing the state directory panicked");
                false
            }
        }
    }
}

/// Where the document of a kind stands, of which a set has at most one.
fn document(set: &Set, kind: Kind) -> Option<DataId> {
    let entry = set.entries.iter().find(|entry| entry.kind == kind);
    entry.map(|entry| entry.data_id.clone())
}
