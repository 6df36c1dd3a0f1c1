//! Making ready what a set needs before it goes live.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::document::digest::DataId;
use crate::document::index::Kind;
use crate::document::set::Set;
use crate::rollout::reconcile::retry::Reasons;
use crate::rollout::reconcile::{Obstacle, Reconciler, Wanted};
use crate::rollout::stage::{Missing, Ready};

impl Reconciler {
    /// Clients that answer, tables, the device map: what did not change is kept. Beside it the
    /// documents of which something is missing that does not keep the set from going live.
    pub(super) async fn make_ready(
        &mut self,
        set: &Arc<Set>,
    ) -> Result<(Ready, Reasons), Obstacle> {
        let unlike = self.ready.unlike(set);
        self.answers.keep(&unlike);
        let unknown: Wanted = unlike
            .into_iter()
            .filter(|(label, spec)| !self.answers.knows(label, spec))
            .collect();
        if !unknown.is_empty() {
            self.ask(unknown);
            return Err(Obstacle::Asking);
        }
        let mut ready = self.ready.clone();
        let live = self.set.clone();
        let mut missing = ready.take(set, live.as_deref(), &self.answers);
        let (wanted, base) = (Arc::clone(set), self.base.clone());
        let opener = self.publisher.binder.devices.clone();
        let loaded = tokio::task::spawn_blocking(move || {
            missing.extend(ready.load(&wanted, live.as_deref(), &base, &opener));
            (ready, missing)
        });
        let Ok((ready, missing)) = loaded.await else {
            tracing::error!("loading tables panicked, the last revision stays");
            return Err(Obstacle::Asking);
        };
        let (held, lacking) = self.sort(set, missing);
        if held.is_empty() {
            Ok((ready, lacking))
        } else {
            Err(Obstacle::Hold(held))
        }
    }

    /// By document: what it is held for, and what the set goes without. A document that is held
    /// already stays as it is, files that went bad under it too.
    fn sort(&self, set: &Set, missing: Vec<Missing>) -> (Reasons, Reasons) {
        let (mut held, mut lacking) = (BTreeMap::new(), BTreeMap::new());
        for Missing { kind, is_new, why } in missing {
            let Some(document) = document(set, kind) else {
                tracing::error!(why, "what a held repo needs is missing");
                continue;
            };
            let reasons: &mut Reasons = if is_new && !self.unready.holds(&document) {
                &mut held
            } else {
                &mut lacking
            };
            reasons
                .entry(document)
                .and_modify(|all| *all = format!("{all}; {why}"))
                .or_insert(why);
        }
        (held, lacking)
    }

    /// Asks clusters whether they answer, but those that are being asked already.
    fn ask(&mut self, mut wanted: Wanted) {
        wanted.retain(|each| !self.asking.includes(each));
        if wanted.is_empty() {
            return;
        }
        let within = match self.set {
            Some(_) => self.settings.answer_within,
            None => self.settings.start_within,
        };
        self.asking.ask(&self.delivery, wanted, within.duration());
    }
}

/// Where the document of a kind stands, of which a set has at most one.
fn document(set: &Set, kind: Kind) -> Option<DataId> {
    let entry = set.entries.iter().find(|entry| entry.kind == kind);
    entry.map(|entry| entry.data_id.clone())
}
