//! What came of each change: the outcome that the admin port, the log and the metrics report.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::document::diagnostic::Diagnostic;
use crate::rollout::source::Shown;
use crate::rollout::store::{self, Pin, Saved};

/// How many outcomes are kept.
const KEPT: usize = 50;

/// What came of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Made live.
    Applied,
    /// Never made live: all of it stays as it was.
    Refused,
    /// Part of it is kept at its last good content; the rest is live.
    Held,
    /// Made live by an operator for this instance alone; no change of documents moves it.
    Pinned,
    /// Made live from the state directory at the start; the source has not been read yet.
    Snapshot,
    /// What is live stays, because the source cannot be read.
    Stale,
}

impl State {
    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Refused => "refused",
            Self::Held => "held",
            Self::Pinned => "pinned",
            Self::Snapshot => "snapshot",
            Self::Stale => "stale",
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

/// What this instance serves, why, and what came of the newest changes.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// The live revision; none before the first.
    pub digest: Option<String>,
    /// The set of it, without its switches.
    pub set: Option<String>,
    /// What came of the newest change; `pinned` and `stale` come before it.
    pub state: Option<State>,
    /// Since when the live revision is live.
    pub since: Option<Timestamp>,
    /// The revision before it.
    pub previous: Option<String>,
    /// Where documents come from.
    pub source: Option<Shown>,
    /// When all documents were last read.
    pub reconciled: Option<Timestamp>,
    /// Why what stands in the source is not known, while it is not.
    pub stale: Option<Stale>,
    /// That an operator keeps this instance where it is.
    pub pinned: Option<Pin>,
    /// The documents that are kept at their last good content, or refused.
    pub held: Vec<Held>,
    /// Why what is live would not survive a restart, if so.
    pub unsaved: Option<String>,
    /// The newest outcomes, the newest first.
    pub outcomes: VecDeque<Outcome>,
}

/// That some or all documents cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stale {
    /// When a read failed first.
    pub since: Timestamp,
    /// What could not be read, and why.
    pub why: String,
}

/// A document that is kept at its last good content, or refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Held {
    /// Its dataId.
    pub document: String,
    /// What is wrong with it, or said of it.
    pub diagnostics: Vec<Diagnostic>,
}

/// The sets that can be gone back to.
#[derive(Clone, Debug, Serialize)]
pub struct Revisions {
    /// The set that is live.
    pub live: Option<String>,
    /// That an operator keeps this instance where it is.
    pub pinned: Option<Pin>,
    /// The set that `/api/rollback` goes back to.
    pub previous: Option<String>,
    /// The kept ones, by when they went live, the newest first.
    pub sets: Vec<Arc<Saved>>,
}

/// Whether something was known before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// It was.
    Before,
    /// It is news.
    News,
}

/// What is kept for the next start, each by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The set that is live.
    Set,
    /// The switches in force.
    Switches,
    /// Whether this instance is pinned.
    Pin,
}

/// Outcomes by the time they were known, and what else there is to tell.
#[derive(Debug, Default)]
pub struct History(Mutex<Told>);

#[derive(Debug, Default)]
struct Told {
    report: Report,
    kept: Vec<Arc<Saved>>,
    /// What would not survive a restart, and why.
    unsaved: BTreeMap<Part, String>,
}

impl History {
    /// Notes an outcome; its sequence is given here.
    pub fn push(&self, mut outcome: Outcome) {
        let report = &mut self.lock().report;
        outcome.sequence = report.outcomes.front().map_or(0, |newest| newest.sequence) + 1;
        // Before the first revision there is none to show.
        if !outcome.digest.is_empty() && report.digest.as_ref() != Some(&outcome.digest) {
            report.previous = report.digest.replace(outcome.digest.clone());
            report.since = Some(outcome.at);
        }
        report.set = Some(outcome.set.clone()).filter(|set| !set.is_empty());
        report.held = held(&outcome);
        report.outcomes.push_front(outcome);
        report.outcomes.truncate(KEPT);
    }

    /// Notes where documents come from.
    pub fn source(&self, source: Shown) {
        self.lock().report.source = Some(source);
    }

    /// Notes that the documents were read, or why not all of them could be.
    pub fn reconciled(&self, at: Timestamp, failed: Option<String>) -> Known {
        let report = &mut self.lock().report;
        let before = report.stale.take();
        let Some(why) = failed else {
            report.reconciled = Some(at);
            return before.map_or(Known::Before, |_| Known::News);
        };
        let same = before.as_ref().is_some_and(|before| before.why == why);
        let since = before.map_or(at, |before| before.since);
        report.stale = Some(Stale { since, why });
        if same { Known::Before } else { Known::News }
    }

    /// Notes whether this instance is pinned.
    pub fn pinned(&self, pin: Option<Pin>) {
        self.lock().report.pinned = pin;
    }

    /// Notes which sets are kept.
    pub fn kept(&self, sets: Vec<Arc<Saved>>) {
        self.lock().kept = sets;
    }

    /// Notes that something is kept for the next start, or why not.
    pub fn saved(&self, part: Part, failed: Option<String>) -> Known {
        let mut told = self.lock();
        let before = told.unsaved.remove(&part);
        let known = if before == failed {
            Known::Before
        } else {
            Known::News
        };
        told.unsaved.extend(failed.map(|why| (part, why)));
        let all: Vec<_> = told.unsaved.values().cloned().collect();
        told.report.unsaved = (!all.is_empty()).then(|| all.join("; "));
        known
    }

    /// The set that a revision of this process was of.
    pub fn set_of(&self, revision: &str) -> Option<String> {
        let told = self.lock();
        let mut outcomes = told.report.outcomes.iter();
        let found = outcomes.find(|outcome| outcome.digest == revision)?;
        Some(found.set.clone())
    }

    /// A copy for showing.
    pub fn report(&self) -> Report {
        let mut report = self.lock().report.clone();
        let newest = report.outcomes.front().map(|newest| newest.state);
        report.state = match (&report.pinned, &report.stale, newest) {
            (Some(_), ..) => Some(State::Pinned),
            (None, Some(_), newest) if newest != Some(State::Snapshot) => Some(State::Stale),
            (None, _, newest) => newest,
        };
        report
    }

    /// The sets that can be gone back to.
    pub fn revisions(&self) -> Revisions {
        let told = self.lock();
        let live = told.report.set.clone();
        let previous = store::before(&told.kept, live.as_deref().unwrap_or_default());
        Revisions {
            previous: previous.map(|saved| saved.set.clone()),
            live,
            pinned: told.report.pinned.clone(),
            sets: told.kept.clone(),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Told> {
        // Nothing panics while it is held; if it did, the report is still whole.
        self.0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Each held document with what is said of it: in it, or where the index names it.
fn held(outcome: &Outcome) -> Vec<Held> {
    let held = |document: &String| {
        let named = format!("`{document}`");
        let about = |each: &&Diagnostic| {
            each.document == *document || (each.is_error() && each.message.contains(&named))
        };
        Held {
            document: document.clone(),
            diagnostics: outcome.diagnostics.iter().filter(about).cloned().collect(),
        }
    };
    outcome.held.iter().map(held).collect()
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

    #[test]
    fn a_refusal_before_the_first_revision_shows_none() {
        let history = History::default();
        history.push(outcome(State::Refused, ""));
        let report = history.report();
        assert_eq!(
            (report.digest, report.set, report.since),
            (None, None, None)
        );
        history.push(outcome(State::Applied, "a"));
        let report = history.report();
        assert_eq!(
            (report.digest.as_deref(), report.previous),
            (Some("a"), None)
        );
    }

    #[test]
    fn what_is_not_kept_is_told_until_it_is_whatever_else_is_kept() {
        let history = History::default();
        let full = || Some("full".to_owned());
        assert_eq!(history.saved(Part::Set, full()), Known::News);
        assert_eq!(history.saved(Part::Set, full()), Known::Before);
        assert_eq!(history.saved(Part::Pin, full()), Known::News);
        assert_eq!(history.saved(Part::Switches, None), Known::Before);
        assert_eq!(history.report().unsaved.as_deref(), Some("full; full"));
        assert_eq!(history.saved(Part::Set, None), Known::News);
        assert_eq!(history.report().unsaved.as_deref(), Some("full"));
        history.saved(Part::Pin, None);
        assert_eq!(history.report().unsaved, None);
    }

    #[test]
    fn a_pin_is_told_before_staleness_and_staleness_before_the_outcome() {
        let history = History::default();
        history.push(outcome(State::Applied, "a"));
        let at = Timestamp::from_second;
        let failed =
            |second, why: &str| history.reconciled(at(second).unwrap(), Some(why.to_owned()));
        assert_eq!(failed(1, "silent"), Known::News);
        assert_eq!(failed(2, "silent"), Known::Before);
        assert_eq!(failed(3, "refused"), Known::News);
        let report = history.report();
        assert_eq!(report.state, Some(State::Stale));
        let stale = report.stale.unwrap();
        assert_eq!(
            (stale.since, stale.why.as_str()),
            (at(1).unwrap(), "refused")
        );
        history.pinned(Some(Pin::new("a", "why", at(4).unwrap())));
        assert_eq!(history.report().state, Some(State::Pinned));
        history.pinned(None);
        assert_eq!(history.reconciled(at(5).unwrap(), None), Known::News);
        assert_eq!(history.reconciled(at(6).unwrap(), None), Known::Before);
        assert_eq!(history.report().state, Some(State::Applied));
    }

    #[test]
    fn a_held_document_is_told_with_what_is_wrong_where_the_index_names_it() {
        let diagnostic = |document: &str, message: &str| Diagnostic {
            severity: crate::document::diagnostic::Severity::Error,
            document: document.to_owned(),
            pointer: "/documents/0/data_id".to_owned(),
            line: None,
            message: message.to_owned(),
            hint: String::new(),
        };
        let mut missing = outcome(State::Held, "a");
        missing.held = vec!["weir.repo.a".to_owned()];
        missing.diagnostics = vec![
            diagnostic("weir.repo.b", "something else"),
            diagnostic("weir.index", "there is no document `weir.repo.a`"),
        ];
        let history = History::default();
        history.push(missing);
        let held = history.report().held;
        assert_eq!(held.len(), 1);
        assert_eq!(held[0].diagnostics.len(), 1);
        assert_eq!(held[0].diagnostics[0].document, "weir.index");
    }
}
