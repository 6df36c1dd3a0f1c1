//! The task that brings what stands in the source to life: read, compile, make ready, store one
//! pointer, report. The source only nudges; everything is looked at again on a timer.
//!
//! A producer whose cluster must first answer holds up its own set, never the switches: they are
//! compiled against what is live, and go live meanwhile.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::center::directory::Directory;
use crate::center::{Contents, Unreadable};
use crate::delivery::{Connected, Delivery};
use crate::document::diagnostic::{At, Diagnostic, Diagnostics};
use crate::document::digest::{Content, DataId};
use crate::document::index::Kind;
use crate::document::set::{self, Compilation, Set};
use crate::document::switches::{self, Switches};
use crate::event::Label;
use crate::rollout::Settings;
use crate::rollout::publish::{News, Publisher};
use crate::rollout::stage::{Answers, Ready, chain};
use crate::sink;
use crate::tasks::{Drained, Ended};
use crate::telemetry::clock;

/// Documents as the compiler takes them.
type Documents = BTreeMap<DataId, Result<Content, String>>;
const HELD_SWITCHES: &str = "the last good switches stay in force; publish the document again";
type Wanted = Vec<(Label, sink::Spec)>;

/// Clusters being asked whether they answer.
struct Asking(Pin<Box<dyn Future<Output = (Wanted, Vec<Connected>)> + Send>>);

impl fmt::Debug for Asking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Asking")
    }
}

/// Brings documents to life.
#[derive(Debug)]
pub(super) struct Reconciler {
    pub(super) source: Arc<Directory>,
    /// Relative paths of tables are looked for here.
    pub(super) base: PathBuf,
    pub(super) settings: Settings,
    pub(super) delivery: Delivery,
    pub(super) publisher: Publisher,
    /// What stood in the source when it was last read.
    contents: Contents,
    /// Documents that compile and could not be made ready, with why; until something changes.
    unready: BTreeMap<DataId, String>,
    answers: Answers,
    asking: Option<Asking>,
    ready: Ready,
    set: Option<Arc<Set>>,
    switches: Arc<Switches>,
    /// The text of the last switches that compiled.
    good_switches: Option<Content>,
    /// When the contents that are being worked on were noticed.
    noticed: Instant,
}

/// Why a set cannot go live as it stands.
enum Obstacle {
    /// Its clusters are being asked whether they answer.
    Asking,
    /// These documents must be held, for these reasons.
    Hold(Vec<(DataId, String)>),
}

impl Reconciler {
    pub(super) fn new(
        source: Directory,
        base: PathBuf,
        settings: Settings,
        delivery: Delivery,
        publisher: Publisher,
    ) -> Self {
        Self {
            source: Arc::new(source),
            base,
            settings,
            delivery,
            publisher,
            contents: Contents::new(),
            unready: BTreeMap::new(),
            answers: Answers::default(),
            asking: None,
            ready: Ready::default(),
            set: None,
            switches: Arc::default(),
            good_switches: None,
            noticed: Instant::now(),
        }
    }

    /// Reconciles until the process drains.
    pub(super) async fn run(mut self, stop: CancellationToken) -> Ended {
        loop {
            self.reconcile().await;
            let timer = tokio::time::sleep(self.pause());
            let source = Arc::clone(&self.source);
            tokio::select! {
                () = stop.cancelled() => return Ok(Drained),
                () = source.nudged() => {}
                () = timer => {}
                (wanted, connected) = answered(&mut self.asking) => {
                    self.asking = None;
                    self.answers.note(wanted, connected);
                    self.advance().await;
                }
            }
        }
    }

    /// Until the next look without a nudge: the interval give or take 30 %, or the next moment at
    /// which a switch ends.
    fn pause(&self) -> Duration {
        let interval = self.settings.interval.duration();
        let spread = interval.mul_f64(0.6);
        let jitter = spread.mul_f64(f64::from(self.noticed.elapsed().subsec_nanos()) / 1e9);
        let regular = interval.saturating_sub(interval.mul_f64(0.3)) + jitter;
        let until = self.switches.next_until.map(|until| {
            let left = until.duration_since(clock::timestamp());
            Duration::try_from(left).unwrap_or_default() + Duration::from_millis(1)
        });
        until.map_or(regular, |until| until.min(regular))
    }

    /// Reads the source and works on what changed.
    async fn reconcile(&mut self) {
        let source = Arc::clone(&self.source);
        let contents = match tokio::task::spawn_blocking(move || source.read()).await {
            Ok(Ok(contents)) => contents,
            Ok(Err(error)) => {
                tracing::warn!(
                    error = chain(&error),
                    "documents cannot be read, the last ones stay"
                );
                return;
            }
            Err(panicked) => {
                tracing::error!(%panicked, "reading documents panicked");
                return;
            }
        };
        let now = clock::timestamp();
        self.publisher.reconciled(now);
        let changed = contents != self.contents;
        let ended = self.switches.next_until.is_some_and(|until| until <= now);
        if changed || ended || self.ready.files_changed(&self.base) {
            self.noticed = Instant::now();
            if changed {
                self.contents = contents;
                self.unready.clear();
            }
            self.advance().await;
        }
    }

    /// Compiles what stands in the source, and makes live what can be.
    async fn advance(&mut self) {
        // Each round holds at least one more document, so this ends.
        for _ in 0..=self.contents.len() {
            let Some(mut compilation) = self.compile().await else {
                return;
            };
            let Some(set) = compilation.set.take().map(Arc::new) else {
                self.apply_switches();
                let set = self.set.as_deref();
                self.publisher
                    .refused(set, News::of(compilation), self.noticed);
                return;
            };
            match self.make_ready(&set).await {
                Ok(ready) => return self.go_live(set, ready, compilation),
                Err(Obstacle::Asking) => return self.apply_switches(),
                Err(Obstacle::Hold(documents)) => self.unready.extend(documents),
            }
        }
    }

    async fn compile(&mut self) -> Option<Compilation> {
        let documents = self.documents();
        let previous = self.set.clone();
        let compile = move || {
            set::compile(&set::Input {
                documents: &documents,
                previous: previous.as_deref(),
                run_samples: true,
            })
        };
        let started = Instant::now();
        let compiled = tokio::task::spawn_blocking(compile).await;
        self.publisher.compiled(started.elapsed());
        compiled
            .inspect_err(|panicked| tracing::error!(%panicked, "compiling panicked, the last revision stays"))
            .ok()
    }

    fn documents(&self) -> Documents {
        let document = |(name, content): (&String, &Result<String, Unreadable>)| {
            let data_id = DataId::new(name);
            let content = match self.unready.get(&data_id) {
                Some(why) => Err(why.clone()),
                None => content
                    .clone()
                    .map(Content::new)
                    .map_err(|Unreadable(why)| why),
            };
            (data_id, content)
        };
        self.contents.iter().map(document).collect()
    }

    /// Clients that answer, tables, the device map: what did not change is kept.
    async fn make_ready(&mut self, set: &Arc<Set>) -> Result<Ready, Obstacle> {
        let unlike = self.ready.unlike(set);
        self.answers.keep(&unlike);
        let wanted: Wanted = unlike
            .into_iter()
            .filter(|(label, spec)| !self.answers.knows(label, spec))
            .collect();
        if !wanted.is_empty() {
            self.ask(wanted);
            return Err(Obstacle::Asking);
        }
        let mut ready = self.ready.clone();
        let mut hold = Vec::new();
        if let Err(silent) = ready.take(set, &self.answers) {
            hold.push((document(set, Kind::Producers), silent.join("; ")));
        }
        let (set, base, first) = (Arc::clone(set), self.base.clone(), self.set.is_none());
        let loaded = tokio::task::spawn_blocking(move || {
            let tables = ready
                .load_tables(&set, &base)
                .err()
                .map(|error| chain(&error));
            let devices = ready.open_devices(&set).err().map(|error| chain(&error));
            let failed = tables
                .into_iter()
                .chain(devices)
                .reduce(|a, b| format!("{a}; {b}"));
            (ready, failed.map(|why| (document(&set, Kind::Tables), why)))
        });
        let Ok((ready, failed)) = loaded.await else {
            tracing::error!("loading tables panicked, the last revision stays");
            return Err(Obstacle::Asking);
        };
        match failed {
            // At the start there is nothing to fall back to: serve without, and say so.
            Some((document, why)) if first => {
                let document = document.map(|id| id.to_string());
                tracing::error!(document, why, "tables are missing, events go without them");
            }
            Some((document, why)) => hold.push((document, why)),
            None => {}
        }
        let hold: Vec<_> = hold
            .into_iter()
            .filter_map(|(document, why)| Some((document?, why)))
            .collect();
        if hold.is_empty() {
            Ok(ready)
        } else {
            Err(Obstacle::Hold(hold))
        }
    }

    /// Asks clusters whether they answer; what is being asked already is dropped, and asked again
    /// if it is still wanted.
    fn ask(&mut self, wanted: Wanted) {
        let delivery = self.delivery.clone();
        let within = match self.set {
            Some(_) => self.settings.answer_within,
            None => self.settings.start_within,
        };
        let within = within.duration();
        self.asking = Some(Asking(Box::pin(async move {
            let connected = delivery.connect(&wanted, within).await;
            (wanted, connected)
        })));
    }

    fn go_live(&mut self, set: Arc<Set>, ready: Ready, compilation: Compilation) {
        let mut news = News::of(compilation);
        let switches = self.compile_switches(&set, &mut news);
        self.publisher
            .live(&set, &switches, &ready, news, self.noticed);
        self.set = Some(set);
        self.ready = ready;
        self.switches = switches;
        self.answers.forget();
    }

    /// Makes the switches live by themselves, on the set that is live.
    fn apply_switches(&mut self) {
        let Some(set) = self.set.clone() else { return };
        let mut news = News::default();
        let switches = self.compile_switches(&set, &mut news);
        if switches.digest != self.switches.digest || switches.listed != self.switches.listed {
            self.publisher
                .live(&set, &switches, &self.ready, news, self.noticed);
            self.switches = switches;
        }
    }

    /// The switches for a set. Those that do not compile are held: the last good ones stay.
    fn compile_switches(&mut self, set: &Set, news: &mut News) -> Arc<Switches> {
        let Some(document) = &set.switches else {
            self.good_switches = None;
            return Arc::default();
        };
        let now = clock::timestamp();
        let compile = |content: &Content| {
            switches::compile(document, content, set, now, Some(&self.switches))
        };
        let written = match self.contents.get(document.as_str()) {
            Some(Ok(text)) => Ok(Content::new(text.as_str())),
            Some(Err(Unreadable(why))) => Err(format!("the switches {why}")),
            None => Err("the switches are missing".to_owned()),
        };
        let compiled = match &written {
            Ok(content) => compile(content),
            Err(why) => Err(about(document, why)),
        };
        match (compiled, written) {
            (Ok(switches), Ok(content)) => {
                news.diagnostics.extend(switches.warnings.iter().cloned());
                self.good_switches = Some(content);
                Arc::new(switches)
            }
            (Err(problems), _) => {
                news.held.push(document.to_string());
                news.diagnostics.extend(problems);
                let good = self
                    .good_switches
                    .as_ref()
                    .and_then(|good| compile(good).ok());
                good.map(Arc::new).unwrap_or_default()
            }
            (Ok(_), Err(_)) => Arc::default(),
        }
    }
}

/// Waits for clusters that are being asked; for ever when none are.
async fn answered(asking: &mut Option<Asking>) -> (Wanted, Vec<Connected>) {
    match asking {
        Some(Asking(asking)) => asking.await,
        None => std::future::pending().await,
    }
}

/// What is wrong with switches that cannot be read.
fn about(document: &DataId, why: &str) -> Vec<Diagnostic> {
    let mut found = Diagnostics::new(document.as_str());
    found.error(&At::ROOT, why, HELD_SWITCHES);
    found.into_vec()
}

/// Where the document of a kind stands, of which a set has at most one.
fn document(set: &Set, kind: Kind) -> Option<DataId> {
    let entry = set.entries.iter().find(|entry| entry.kind == kind);
    entry.map(|entry| entry.data_id.clone())
}
