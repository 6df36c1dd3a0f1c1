//! The switches: compiled against the set that is live, or about to be, and held by themselves.

use std::sync::Arc;

use crate::document::diagnostic::{At, Diagnostic, Diagnostics};
use crate::document::digest::{Content, DataId};
use crate::document::set::Set;
use crate::document::switches::{self, Switches};
use crate::rollout::publish::News;
use crate::rollout::reconcile::Reconciler;
use crate::telemetry::clock;

const HELD: &str = "the last good switches stay in force; publish the document again";

impl Reconciler {
    /// Makes the switches live by themselves, on the set that is live.
    pub(super) async fn apply_switches(&mut self) {
        let Some(set) = self.set.clone() else { return };
        let mut news = News {
            origin: self.origin_of_live(),
            ..News::default()
        };
        let switches = self.compile_switches(&set, &mut news);
        if self.as_before(&switches) {
            // What is not listed may have ended: the next look is for what ends next.
            self.switches = switches;
        } else {
            self.switch(&set, switches, news).await;
        }
    }

    /// Whether these are the switches in force, with the notes that people see.
    pub(super) fn as_before(&self, switches: &Switches) -> bool {
        switches.digest == self.switches.digest && switches.listed == self.switches.listed
    }

    /// Stores a revision that differs from the live one in its switches alone.
    pub(super) async fn switch(&mut self, set: &Arc<Set>, switches: Arc<Switches>, news: News) {
        self.save_switches().await;
        let revision = self.publisher.bind(set, &switches, &self.ready);
        self.switches = switches;
        self.publisher
            .live(revision, &set.digest, news, self.noticed);
    }

    /// The switches for a set. Those that do not compile are held: the last good ones stay.
    pub(super) fn compile_switches(&mut self, set: &Set, news: &mut News) -> Arc<Switches> {
        let Some(document) = &set.switches else {
            self.good_switches = None;
            return Arc::default();
        };
        let now = clock::timestamp();
        let compile = |content: &Content| {
            switches::compile(document, content, set, now, Some(&self.switches))
        };
        let written = match self.documents.get(document) {
            Some(Ok(content)) => Ok(content.clone()),
            Some(Err(why)) => Err(format!("the switches {why}")),
            None => Err("the switches are missing".to_owned()),
        };
        let compiled = match &written {
            Ok(content) => compile(content),
            Err(why) => Err(about(document, why)),
        };
        match (compiled, written) {
            (Ok(switches), Ok(content)) => {
                news.diagnostics.extend(switches.warnings.iter().cloned());
                self.good_switches = Some((document.clone(), content));
                Arc::new(switches)
            }
            (Err(problems), _) => {
                news.held.push(document.to_string());
                news.diagnostics.extend(problems);
                let good = self.good_switches.as_ref();
                let good = good.filter(|(data_id, _)| data_id == document);
                let good = good.and_then(|(_, content)| compile(content).ok());
                good.map(Arc::new).unwrap_or_default()
            }
            (Ok(_), Err(_)) => Arc::default(),
        }
    }
}

/// What is wrong with switches that cannot be read.
fn about(document: &DataId, why: &str) -> Vec<Diagnostic> {
    let mut found = Diagnostics::new(document.as_str());
    found.error(&At::ROOT, why, HELD);
    found.into_vec()
}
