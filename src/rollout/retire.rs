//! Revisions that are no longer live. They are kept here until their last request is done, so that
//! no request frees a table or a pipeline.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::rollout::live::Revision;
use crate::tasks::{Drained, Ended};
use crate::telemetry::metrics::Metrics;

/// Between two looks while a retired revision still serves.
const LOOK: Duration = Duration::from_millis(200);

/// Revisions that still serve what began with them.
#[derive(Clone, Debug, Default)]
pub(super) struct Retired(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    waiting: Mutex<Vec<Arc<Revision>>>,
    added: Notify,
}

impl Retired {
    /// Takes a revision that was live until now.
    pub(super) fn push(&self, revision: Arc<Revision>) {
        self.waiting().push(revision);
        self.0.added.notify_one();
    }

    /// Frees revisions when their last request is done, until the process drains.
    pub(super) async fn run(self, metrics: Metrics, stop: CancellationToken) -> Ended {
        loop {
            let left = i64::try_from(self.sweep().await).unwrap_or(i64::MAX);
            metrics.revisions_retired.set(left);
            let next = async {
                match left {
                    0 => self.0.added.notified().await,
                    _ => tokio::time::sleep(LOOK).await,
                }
            };
            tokio::select! {
                () = stop.cancelled() => return Ok(Drained),
                () = next => {}
            }
        }
    }

    /// Frees what nobody uses, on a thread where that may take its time. Gives how many are left.
    async fn sweep(&self) -> usize {
        let (free, left) = {
            let mut waiting = self.waiting();
            let unused = |revision: &mut Arc<Revision>| Arc::strong_count(revision) == 1;
            let free: Vec<_> = waiting.extract_if(.., unused).collect();
            (free, waiting.len())
        };
        if !free.is_empty()
            && let Err(panicked) = tokio::task::spawn_blocking(move || drop(free)).await
        {
            tracing::error!(%panicked, "freeing a revision panicked");
        }
        left
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Revision>>> {
        self.0
            .waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
