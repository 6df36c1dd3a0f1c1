//! Background tasks: named, owned, drained. The only place that spawns.

use std::future::Future;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How a task ended. A task never just returns: it drains when told to, or it fails.
pub type Ended = Result<Drained, Error>;

/// A task that did what it had to before it ended.
#[derive(Debug)]
pub struct Drained;

/// Why a task failed.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Error(pub String);

/// All the tasks of the process. Cheap to clone; clones share one set.
#[derive(Clone, Debug, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
    failed: CancellationToken,
}

impl Tasks {
    /// Cancelled when the process drains.
    pub fn stop_signal(&self) -> CancellationToken {
        self.stop.child_token()
    }

    /// Cancelled when a task has failed: the process must stop.
    pub fn failure(&self) -> CancellationToken {
        self.failed.clone()
    }

    /// Runs a task on the current runtime. If it fails, that is logged and the process stops.
    pub fn spawn(&self, name: &'static str, task: impl Future<Output = Ended> + Send + 'static) {
        self.spawn_on(&Handle::current(), name, task);
    }

    /// Runs a task on a runtime that may outlive the current one.
    pub fn spawn_on(
        &self,
        runtime: &Handle,
        name: &'static str,
        task: impl Future<Output = Ended> + Send + 'static,
    ) {
        let failed = FailOnPanic {
            name,
            failed: self.failed.clone(),
            armed: true,
        };
        let task = async move {
            let mut failed = failed;
            let ended = task.await;
            failed.armed = false;
            if let Err(error) = ended {
                tracing::error!(task = name, %error, "task failed");
                failed.failed.cancel();
            }
        };
        self.tracker.spawn_on(task, runtime);
    }

    /// Tells every task to finish and waits, for at most `grace`. True if all drained.
    pub async fn drain(&self, grace: Duration) -> bool {
        self.stop.cancel();
        self.tracker.close();
        tokio::time::timeout(grace, self.tracker.wait())
            .await
            .is_ok()
    }
}

/// A task that panics must not vanish unseen.
struct FailOnPanic {
    name: &'static str,
    failed: CancellationToken,
    armed: bool,
}

impl Drop for FailOnPanic {
    fn drop(&mut self) {
        if self.armed && std::thread::panicking() {
            tracing::error!(task = self.name, "task panicked");
            self.failed.cancel();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn drains_every_task() {
        let tasks = Tasks::default();
        let stop = tasks.stop_signal();
        tasks.spawn("waits", async move {
            stop.cancelled().await;
            Ok(Drained)
        });
        assert!(tasks.drain(Duration::from_secs(5)).await);
    }

    #[tokio::test]
    async fn a_failing_task_is_noticed() {
        let tasks = Tasks::default();
        tasks.spawn("fails", async { Err(Error("disk".to_owned())) });
        tasks.failure().cancelled().await;
    }

    #[tokio::test]
    async fn a_panicking_task_is_noticed() {
        let tasks = Tasks::default();
        tasks.spawn("panics", async { panic!("on purpose") });
        tasks.failure().cancelled().await;
    }

    #[tokio::test]
    async fn a_stuck_task_does_not_hold_shutdown() {
        let tasks = Tasks::default();
        tasks.spawn("stuck", std::future::pending());
        assert!(!tasks.drain(Duration::from_millis(50)).await);
    }
}
