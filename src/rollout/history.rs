//! What came of each change: the outcome that the admin port, the log and the metrics report.

use std::collections::VecDeque;
use std::sync::Mutex;

use jiff::Timestamp;
use serde::Serialize;

use crate::document::diagnostic::Diagnostic;

/// How many outcomes are kept.
const KEPT: usize = 50;

/// What came of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Made live.
    Applied,
    /// Never made live: all of it stays as it was.
    Refused,
    /// Part of it is kept at its last good content; the rest is live.
    Held,
}

impl State {
    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Refused => "refused",
            Self::Held => "held",
        }
    }
}

/// One change and what came of it.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// Counts up by one with each outcome of this process.
    pub sequence: u64,
    /// When it was known.
    pub at: Timestamp,
    /// What came of it.
    pub state: State,
    /// The revision that was live afterwards.
    pub digest: String,
    /// The set that was live afterwards, without its switches.
    pub set: String,
    /// The documents kept at their last good content.
    pub held: Vec<String>,
    /// How many repos were compiled for it; the others kept their pipelines.
    pub compiled: usize,
    /// From noticing to live, in milliseconds.
    pub took_ms: u64,
    /// All that is wrong.
    pub diagnostics: Vec<Diagnostic>,
}

/// The revision now and before, and the newest outcomes.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// The live revision; none before the first.
    pub digest: Option<String>,
    /// What came of the newest change.
    pub state: Option<State>,
    /// Since when the live revision is live.
    pub since: Option<Timestamp>,
    /// The revision before it.
    pub previous: Option<String>,
    /// The newest outcomes, the newest first.
    pub outcomes: VecDeque<Outcome>,
    /// When the documents were last read and found as they are.
    pub reconciled: Option<Timestamp>,
}

/// Outcomes by the time they were known.
#[derive(Debug, Default)]
pub struct History(Mutex<Report>);

impl History {
    /// Notes an outcome; its sequence is given here.
    pub fn push(&self, mut outcome: Outcome) {
        let mut report = self.lock();
        outcome.sequence = report.outcomes.front().map_or(0, |newest| newest.sequence) + 1;
        report.state = Some(outcome.state);
        if report.digest.as_ref() != Some(&outcome.digest) {
            report.previous = report.digest.replace(outcome.digest.clone());
            report.since = Some(outcome.at);
        }
        report.outcomes.push_front(outcome);
        report.outcomes.truncate(KEPT);
    }

    /// Notes that the documents were read.
    pub fn reconciled(&self, at: Timestamp) {
        self.lock().reconciled = Some(at);
    }

    /// A copy for showing.
    pub fn report(&self) -> Report {
        self.lock().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Report> {
        // Nothing panics while it is held; if it did, the report is still whole.
        self.0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(state: State, digest: &str) -> Outcome {
        Outcome {
            sequence: 0,
            at: Timestamp::UNIX_EPOCH,
            state,
            digest: digest.to_owned(),
            set: digest.to_owned(),
            held: Vec::new(),
            compiled: 0,
            took_ms: 0,
            diagnostics: Vec::new(),
        }
    }

    #[test]
    fn a_refused_change_leaves_the_revision_and_shows_its_state() {
        let history = History::default();
        history.push(outcome(State::Applied, "a"));
        history.push(outcome(State::Applied, "b"));
        history.push(outcome(State::Refused, "b"));
        let report = history.report();
        assert_eq!(report.digest.as_deref(), Some("b"));
        assert_eq!(report.previous.as_deref(), Some("a"));
        assert_eq!(report.state, Some(State::Refused));
        assert_eq!(report.outcomes.len(), 3);
        assert_eq!(report.outcomes[0].sequence, 3);
    }
}
