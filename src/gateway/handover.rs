//! A batch whose records were handed over: its last acknowledgement closes its books, whether or not
//! anyone still waits.
//!
//! While the client waits, its request does the waiting, and nothing is spawned. When the client goes
//! away, the request's future is dropped, and what is left moves into a task of its own.

use std::pin::Pin;
use std::sync::Arc;

use crate::delivery::{Outcome, Pending};
use crate::event::Batch;
use crate::gateway::receipt::Receipt;
use crate::gateway::{Gateway, books};
use crate::rollout::live::Repo;
use crate::tasks::Drained;

/// A batch that waits for its acknowledgements.
pub(super) struct Handover<'g, H: Send + 'static> {
    gateway: &'g Gateway,
    open: Option<Open<H>>,
}

/// What is needed to close the books.
struct Open<H> {
    outcome: Pin<Box<dyn Future<Output = Outcome> + Send>>,
    batch: Batch,
    repo: Arc<Repo>,
    /// Given up when the books are closed.
    _held: H,
}

impl<'g, H: Send + 'static> Handover<'g, H> {
    pub(super) fn new(
        gateway: &'g Gateway,
        repo: &Arc<Repo>,
        pending: Pending,
        batch: Batch,
        held: H,
    ) -> Self {
        let open = Open {
            outcome: Box::pin(pending.outcome()),
            batch,
            repo: Arc::clone(repo),
            _held: held,
        };
        Self {
            gateway,
            open: Some(open),
        }
    }

    /// Waits for the last acknowledgement and closes the books.
    pub(super) async fn settle(mut self) -> Receipt {
        let open = self.open.as_mut().expect("it is open until here");
        let outcome = open.outcome.as_mut().await;
        let open = self.open.take().expect("it was open while it waited");
        open.close(&outcome)
    }
}

impl<H: Send + 'static> Drop for Handover<'_, H> {
    fn drop(&mut self) {
        let Some(mut open) = self.open.take() else {
            return;
        };
        open.repo.meter.abandoned.inc();
        let gateway = self.gateway;
        gateway
            .tasks
            .spawn_on(&gateway.runtime, "abandoned batch", async move {
                let outcome = open.outcome.as_mut().await;
                open.close(&outcome);
                Ok(Drained)
            });
    }
}

impl<H> Open<H> {
    fn close(mut self, outcome: &Outcome) -> Receipt {
        for (event, reason) in &outcome.failures {
            self.batch.leave(*event as usize, *reason);
        }
        let pipeline = &self.repo.pipeline;
        let counts = books::close(&self.batch, pipeline, &self.repo.meter);
        Receipt::of(&self.batch, counts, pipeline.plan.errors_shown)
    }
}
