//! What an operator asks of one instance: pin it to a set that was live before, let it go again.
//! The reconciler does it between two other steps, and answers when the outcome is known.

use tokio::sync::{mpsc, oneshot};

/// Asks for the reconciler's service. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Control(mpsc::Sender<Command>);

/// Why what was asked for was not done. Nothing has changed then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No set that is kept has this digest.
    #[error(
        "no kept set or revision has the digest `{0}`; /api/revisions lists those that can be pinned"
    )]
    Unknown(String),
    /// There is nothing to go back to.
    #[error("no set is kept from before the live one; /api/revisions lists those that are")]
    NoPrevious,
    /// It is not pinned.
    #[error("this instance is not pinned")]
    NotPinned,
    /// What was kept of the set cannot be used any more.
    #[error("the set {0} cannot be restored from the state directory; the log says why")]
    Damaged(String),
    /// The process ends.
    #[error("the process is stopping")]
    Stopping,
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Stay at this set, or the set of this revision.
    Pin(String),
    /// Stay at the set before the live one.
    Rollback,
    /// Follow the documents again.
    Unpin,
}

/// Where the answer goes.
pub(super) type Answer = oneshot::Sender<Result<(), Error>>;

/// One question.
#[derive(Debug)]
pub(super) struct Command {
    pub(super) action: Action,
    pub(super) reason: String,
    pub(super) answer: Answer,
}

/// A handle, and the end that the reconciler listens at.
pub(super) fn channel() -> (Control, mpsc::Receiver<Command>) {
    let (sender, receiver) = mpsc::channel(8);
    (Control(sender), receiver)
}

impl Control {
    /// Pins this instance to the set of a digest (a set's or a revision's), until it is unpinned.
    /// Returns when the outcome is known.
    pub async fn pin(&self, digest: &str, reason: &str) -> Result<(), Error> {
        self.ask(Action::Pin(digest.to_owned()), reason).await
    }

    /// Pins this instance to the set before the live one.
    pub async fn rollback(&self, reason: &str) -> Result<(), Error> {
        self.ask(Action::Rollback, reason).await
    }

    /// Lets this instance follow the documents again.
    pub async fn unpin(&self, reason: &str) -> Result<(), Error> {
        self.ask(Action::Unpin, reason).await
    }

    async fn ask(&self, action: Action, reason: &str) -> Result<(), Error> {
        let (answer, answered) = oneshot::channel();
        let command = Command {
            action,
            reason: reason.to_owned(),
            answer,
        };
        let sent = self.0.send(command).await;
        sent.map_err(|_| Error::Stopping)?;
        answered.await.map_err(|_| Error::Stopping)?
    }
}
