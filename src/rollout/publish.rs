//! Storing the pointer, and telling what came of a change: to the log, the metrics and the history.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::document::diagnostic::{At, Diagnostic, Diagnostics, Severity};
use crate::document::digest::DataId;
use crate::document::set::{Compilation, INDEX, Set};
use crate::document::switches::Switches;
use crate::rollout::bind::Binder;
use crate::rollout::history::{History, Known, Outcome, Part, State};
use crate::rollout::live::{Digest, Live, Revision};
use crate::rollout::retire::Retired;
use crate::rollout::source::Shown;
use crate::rollout::stage::{Ready, chain};
use crate::rollout::store::{self, Pin, Store};
use crate::telemetry::clock;
use crate::telemetry::metrics::{self, Metrics};

/// Makes revisions live and tells of it.
#[derive(Clone, Debug)]
pub(super) struct Publisher {
    pub(super) live: Arc<Live>,
    pub(super) history: Arc<History>,
    pub(super) retired: Retired,
    pub(super) binder: Binder,
    pub(super) metrics: Metrics,
}

/// Where what goes live is from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Origin {
    /// The source.
    #[default]
    Source,
    /// The state directory, at the start.
    Disk,
    /// An operator, for this instance alone.
    Pin,
}

/// What is told of a change beside the revision itself.
#[derive(Debug, Default)]
pub(super) struct News {
    /// Where it is from.
    pub(super) origin: Origin,
    /// Whether the index, or what it pins, was refused.
    pub(super) refused: bool,
    /// Documents kept at their last good content.
    pub(super) held: Vec<String>,
    /// All that is wrong.
    pub(super) diagnostics: Vec<Diagnostic>,
    /// How many repos were compiled.
    pub(super) compiled: usize,
}

impl News {
    /// Of a compilation.
    pub(super) fn of(compilation: Compilation) -> Self {
        Self {
            origin: Origin::default(),
            refused: compilation.refused,
            held: compilation.held.iter().map(ToString::to_string).collect(),
            diagnostics: compilation.diagnostics,
            compiled: compilation.compiled_repos,
        }
    }

    /// That there is nothing to serve, and never was.
    pub(super) fn no_index(source: &Shown) -> Self {
        let mut found = Diagnostics::new(INDEX);
        let message = format!("there is no index in {source}");
        let hint = "`weir apply --init` makes the namespace and its first index";
        found.error(&At::ROOT, message, hint);
        Self {
            refused: true,
            held: vec![INDEX.to_owned()],
            diagnostics: found.into_vec(),
            ..Self::default()
        }
    }

    /// Adds what goes live without something that it needs.
    pub(super) fn lack(&mut self, documents: &BTreeMap<DataId, String>) {
        let hint = "this is tried again; until then events go as before, or without it";
        for (document, why) in documents {
            let document = document.as_str();
            if !self.held.iter().any(|held| held == document) {
                self.held.push(document.to_owned());
            }
            let mut told = self.diagnostics.iter();
            if !told.any(|told| told.document == document && told.message.contains(why)) {
                let mut found = Diagnostics::new(document);
                found.error(&At::ROOT, why, hint);
                self.diagnostics.extend(found.into_vec());
            }
        }
    }

    /// What came of it.
    pub(super) fn state(&self) -> State {
        match (self.refused, self.held.is_empty(), self.origin) {
            (true, ..) => State::Refused,
            (_, false, _) => State::Held,
            (.., Origin::Source) => State::Applied,
            (.., Origin::Disk) => State::Snapshot,
            (.., Origin::Pin) => State::Pinned,
        }
    }
}

impl Publisher {
    /// Tells where documents come from, and what is kept of earlier ones.
    pub(super) fn begins(&self, source: &Shown, store: &Store) {
        self.history.source(source.clone());
        self.history.kept(store.sets());
    }

    /// Binds a set with its switches to what it needs at run time.
    pub(super) fn bind(&self, set: &Set, switches: &Switches, ready: &Ready) -> Revision {
        let before = self.live.current();
        self.binder.bind(set, switches, ready, &before)
    }

    /// Makes a revision live.
    pub(super) fn live(&self, revision: Revision, set: &Digest, news: News, noticed: Instant) {
        let before = self.live.current();
        let digest = revision.digest.clone();
        if before.digest != digest {
            self.metrics.revision_info.clear();
            let label = metrics::Revision {
                digest: digest.to_string(),
            };
            self.metrics.revision_info.get_or_create(&label).set(1);
        }
        self.retired.push(self.live.replace(Arc::new(revision)));
        self.report(&digest, set, news, noticed);
    }

    /// Tells that a release was refused; what is live stays.
    pub(super) fn refused(&self, set: Option<&Set>, news: News, noticed: Instant) {
        let digest = self.live.current().digest.clone();
        let none = Digest::new("");
        let set = set.map_or(&none, |set| &set.digest);
        self.report(&digest, set, news, noticed);
    }

    /// Tells that the documents were read; or, if some or all could not be, why.
    pub(super) fn reconciled(&self, at: Timestamp, failed: Option<String>) {
        self.metrics
            .source_reachable
            .set(i64::from(failed.is_none()));
        if failed.is_none() {
            self.metrics.reconcile_timestamp_seconds.set(at.as_second());
        }
        match (self.history.reconciled(at, failed.clone()), failed) {
            (Known::Before, _) => {}
            (Known::News, Some(why)) => {
                tracing::warn!(why, "documents cannot be read, the last ones stay");
            }
            (Known::News, None) => tracing::info!("documents can be read again"),
        }
    }

    /// Tells whether this instance is pinned.
    pub(super) fn pinned(&self, pin: Option<&Pin>) {
        self.metrics.pinned.set(i64::from(pin.is_some()));
        self.history.pinned(pin.cloned());
    }

    /// Tells what came of keeping something for the next start.
    pub(super) fn saved(&self, part: Part, store: &Store, written: Result<(), store::Error>) {
        let failed = written.err().map(|error| chain(&error));
        self.metrics
            .state_write_failures
            .inc_by(u64::from(failed.is_some()));
        self.history.kept(store.sets());
        match (self.history.saved(part, failed.clone()), failed) {
            (Known::Before, _) => {}
            (Known::News, Some(why)) => tracing::error!(
                why,
                "the state directory cannot be written: the change is live, and would not survive a restart"
            ),
            (Known::News, None) => tracing::info!("the state directory can be written again"),
        }
    }

    /// The set that a revision of this process was of.
    pub(super) fn set_of(&self, revision: &str) -> Option<String> {
        self.history.set_of(revision)
    }

    /// Tells how long compiling took.
    pub(super) fn compiled(&self, took: Duration) {
        self.metrics.compile_seconds.observe(took.as_secs_f64());
    }

    fn report(&self, digest: &Digest, set: &Digest, news: News, noticed: Instant) {
        let state = news.state();
        let held = i64::try_from(news.held.len()).unwrap_or(i64::MAX);
        self.metrics.documents_held.set(held);
        self.metrics.document_held.clear();
        for document in &news.held {
            let label = metrics::Document {
                document: document.clone(),
            };
            self.metrics.document_held.get_or_create(&label).set(1);
        }
        self.metrics
            .apply
            .get_or_create(&metrics::Applied {
                outcome: state.as_str(),
            })
            .inc();
        for each in &news.diagnostics {
            let Diagnostic {
                document,
                pointer,
                message,
                hint,
                ..
            } = each;
            match each.severity {
                Severity::Error => {
                    tracing::error!(document, pointer, message, hint, "document is wrong");
                }
                Severity::Warning => {
                    tracing::warn!(document, pointer, message, hint, "document is doubtful");
                }
            }
        }
        let took = noticed.elapsed();
        let (state_word, compiled) = (state.as_str(), news.compiled);
        tracing::info!(
            state = state_word,
            %digest,
            %set,
            compiled,
            took_ms = took.as_millis(),
            held = ?news.held,
            "change of documents"
        );
        self.history.push(Outcome {
            sequence: 0,
            at: clock::timestamp(),
            state,
            digest: digest.to_string(),
            set: set.to_string(),
            held: news.held,
            compiled: news.compiled,
            took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            diagnostics: news.diagnostics,
        });
    }
}
