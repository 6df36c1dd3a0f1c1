//! Storing the pointer, and telling what came of a change: to the log, the metrics and the history.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::document::diagnostic::{Diagnostic, Severity};
use crate::document::set::{Compilation, Set};
use crate::document::switches::Switches;
use crate::rollout::bind::Binder;
use crate::rollout::history::{History, Outcome, State};
use crate::rollout::live::{Digest, Live};
use crate::rollout::retire::Retired;
use crate::rollout::stage::Ready;
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

/// What is told of a change beside the revision itself.
#[derive(Debug, Default)]
pub(super) struct News {
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
            refused: compilation.refused,
            held: compilation.held.iter().map(ToString::to_string).collect(),
            diagnostics: compilation.diagnostics,
            compiled: compilation.compiled_repos,
        }
    }
}

impl Publisher {
    /// Makes a set with its switches live.
    pub(super) fn live(
        &self,
        set: &Set,
        switches: &Switches,
        ready: &Ready,
        news: News,
        noticed: Instant,
    ) {
        let before = self.live.current();
        let revision = self.binder.bind(set, switches, ready, &before);
        let digest = revision.digest.clone();
        if before.digest != digest {
            self.metrics.revision_info.clear();
            let label = metrics::Revision {
                digest: digest.to_string(),
            };
            self.metrics.revision_info.get_or_create(&label).set(1);
        }
        self.retired.push(self.live.replace(Arc::new(revision)));
        self.report(&digest, &set.digest, news, noticed);
    }

    /// Tells that a release was refused; what is live stays.
    pub(super) fn refused(&self, set: Option<&Set>, news: News, noticed: Instant) {
        let digest = self.live.current().digest.clone();
        let none = Digest::new("");
        let set = set.map_or(&none, |set| &set.digest);
        self.report(&digest, set, news, noticed);
    }

    /// Tells that the documents were read.
    pub(super) fn reconciled(&self, at: Timestamp) {
        self.history.reconciled(at);
        self.metrics.reconcile_timestamp_seconds.set(at.as_second());
    }

    /// Tells how long compiling took.
    pub(super) fn compiled(&self, took: Duration) {
        self.metrics.compile_seconds.observe(took.as_secs_f64());
    }

    fn report(&self, digest: &Digest, set: &Digest, news: News, noticed: Instant) {
        let state = match news.held.is_empty() {
            _ if news.refused => State::Refused,
            true => State::Applied,
            false => State::Held,
        };
        let held = i64::try_from(news.held.len()).unwrap_or(i64::MAX);
        self.metrics.documents_held.set(held);
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
