//! What an operator asks of this instance alone. A pin keeps index and documents; the switches go
//! on: an emergency must reach a pinned instance too.

use std::sync::Arc;
use std::time::Instant;

use crate::rollout::control::{Action, Command, Error};
use crate::rollout::history::Part;
use crate::rollout::reconcile::Reconciler;
use crate::rollout::restore;
use crate::rollout::store::{Pin, Saved};
use crate::telemetry::clock;

impl Reconciler {
    /// Does what was asked for, and answers when its outcome is known.
    pub(super) async fn obey(&mut self, command: Command) {
        let Command {
            action,
            reason,
            answer,
        } = command;
        let done = match action {
            Action::Pin(digest) => match self.kept(&digest) {
                Some(saved) => self.pin(saved, &reason).await,
                None => Err(Error::Unknown(digest)),
            },
            Action::Rollback => match self.before_the_live_one() {
                Some(saved) => self.pin(saved, &reason).await,
                None => Err(Error::NoPrevious),
            },
            Action::Unpin => self.unpin(&reason).await,
        };
        match done {
            Ok(()) => {
                self.waiting.push(answer);
                self.noticed = Instant::now();
                self.advance().await;
            }
            Err(error) => {
                tracing::warn!(%error, reason, "what an operator asked for was not done");
                // Who has gone away needs no answer.
                let _gone = answer.send(Err(error));
            }
        }
    }

    async fn pin(&mut self, saved: Arc<Saved>, reason: &str) -> Result<(), Error> {
        let (digest, live) = (saved.set.clone(), self.set.clone());
        let restored = self
            .restore(move |store| restore::of(store, &saved, live.as_deref()))
            .await
            .ok_or_else(|| Error::Damaged(digest.clone()))?;
        let pin = Pin::new(&digest, reason, clock::timestamp());
        let written = self.store.save_pin(Some(&pin));
        self.publisher.saved(Part::Pin, &self.store, written);
        self.stay_at(pin, restored);
        Ok(())
    }

    async fn unpin(&mut self, reason: &str) -> Result<(), Error> {
        let Some((pin, _)) = self.pinned.take() else {
            return Err(Error::NotPinned);
        };
        tracing::warn!(
            set = pin.set,
            reason,
            "this instance is not pinned any more"
        );
        self.publisher.pinned(None);
        let written = self.store.save_pin(None);
        self.publisher.saved(Part::Pin, &self.store, written);
        // What is held goes back to what was good before the pin, not to what was pinned.
        let live = self.set.clone();
        let newest = self
            .restore(move |store| restore::newest(store, live.as_deref()))
            .await;
        if let Some(newest) = newest {
            self.previous = Some(Arc::new(newest));
        }
        self.unready.clear();
        Ok(())
    }

    /// The kept set of a digest: its own, or that of a revision.
    fn kept(&self, digest: &str) -> Option<Arc<Saved>> {
        let of_revision = self.publisher.set_of(digest);
        let fits = |saved: &&Arc<Saved>| {
            saved.set == digest
                || saved.revision == digest
                || Some(&saved.set) == of_revision.as_ref()
        };
        self.store.sets().iter().find(fits).cloned()
    }

    /// The set that was live before the live one.
    fn before_the_live_one(&self) -> Option<Arc<Saved>> {
        let live = self.set.as_ref()?.digest.to_string();
        crate::rollout::store::before(&self.store.sets(), &live).cloned()
    }
}
