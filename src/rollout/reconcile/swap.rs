//! The end of a change: it is saved, goes live and is told of; or it is refused, and only told of.

use std::sync::Arc;

use crate::document::set::{Compilation, Set};
use crate::rollout::publish::{News, Origin};
use crate::rollout::reconcile::Reconciler;
use crate::rollout::stage::Ready;

impl Reconciler {
    pub(super) async fn go_live(&mut self, set: Arc<Set>, ready: Ready, compilation: Compilation) {
        let mut news = News::of(compilation);
        news.lack(self.unready.lacking());
        let switches = self.compile_switches(&set, &mut news);
        news.origin = self.origin_of_live();
        let revision = self.publisher.bind(&set, &switches, &ready);
        if matches!(news.origin, Origin::Source) {
            let (set, digest) = (Arc::clone(&set), revision.digest.clone());
            self.save(set, digest, news.state()).await;
        }
        self.publisher
            .live(revision, &set.digest, news, self.noticed);
        let producers = ready.producers.values();
        self.delivery.take(producers.map(|(_, producer)| producer));
        self.previous = Some(Arc::clone(&set));
        self.set = Some(set);
        self.ready = ready;
        self.switches = switches;
        self.answers.forget();
        self.answer();
    }

    /// Where what goes live now is from.
    pub(super) fn origin_of_live(&self) -> Origin {
        match self.pinned {
            Some(_) => Origin::Pin,
            None => self.origin,
        }
    }

    /// Tells that nothing of a change goes live but its switches.
    pub(super) async fn refuse(&mut self, mut news: News) {
        let live = self.set.clone();
        match &live {
            Some(set) => {
                let switches = self.compile_switches(set, &mut news);
                if self.as_before(&switches) {
                    self.switches = switches;
                    self.publisher.refused(Some(set), news, self.noticed);
                } else {
                    self.switch(set, switches, news).await;
                }
            }
            None => self.publisher.refused(None, news, self.noticed),
        }
        self.answer();
    }

    /// Tells those who asked for a pin that its outcome is known.
    fn answer(&mut self) {
        for waiting in self.waiting.drain(..) {
            // Who has gone away needs no answer.
            let _gone = waiting.send(Ok(()));
        }
    }
}
