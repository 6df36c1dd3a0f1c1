//! The task that brings what stands in the source to life: read, compile, make ready, save, store
//! one pointer, report. The source only nudges; everything is looked at again on a timer.
//!
//! A producer whose cluster must first answer holds up its own set, never the switches: they are
//! compiled against what is live, and go live meanwhile. A source that does not answer holds up
//! nothing at all: it is read beside everything else.

mod asking;
mod command;
mod past;
mod pause;
mod prepare;
mod retry;
mod save;
mod start;
mod swap;
mod switches;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::pin::Pin as PinBox;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::center::{Contents, Unreadable};
use crate::delivery::Delivery;
use crate::document::digest::{Content, DataId};
use crate::document::set::{self, Compilation, INDEX, Set};
use crate::document::switches::Switches;
use crate::event::Label;
use crate::rollout::Settings;
use crate::rollout::control::{Answer, Command};
use crate::rollout::publish::{News, Origin, Publisher};
use crate::rollout::reconcile::asking::Asking;
use crate::rollout::reconcile::past::Looked;
use crate::rollout::reconcile::retry::{Reasons, Unready};
use crate::rollout::reconcile::save::Unsaved;
use crate::rollout::source::{Known, Read, Source};
use crate::rollout::stage::{Answers, Ready, chain};
use crate::rollout::store::{Pin, Store};
use crate::sink;
use crate::tasks::{Drained, Ended};
use crate::telemetry::clock;

/// Documents as the compiler takes them.
type Documents = BTreeMap<DataId, Result<Content, String>>;
type Wanted = Vec<(Label, sink::Spec)>;
/// What is known of the source after a read; `Err` says why nothing is.
type WasRead = Result<Read, String>;

/// Something under way beside the reconciler's own steps.
struct Underway<T>(PinBox<Box<dyn Future<Output = T> + Send>>);

impl<T> fmt::Debug for Underway<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Underway")
    }
}

impl<T> Future for Underway<T> {
    type Output = T;

    fn poll(mut self: PinBox<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        self.0.as_mut().poll(context)
    }
}

impl<T> Underway<T> {
    fn new(future: impl Future<Output = T> + Send + 'static) -> Self {
        Self(Box::pin(future))
    }
}

/// Brings documents to life.
#[derive(Debug)]
pub(super) struct Reconciler {
    source: Arc<Source>,
    store: Arc<Store>,
    /// Relative paths of tables are looked for here.
    base: PathBuf,
    settings: Settings,
    delivery: Delivery,
    publisher: Publisher,
    commands: mpsc::Receiver<Command>,
    /// Who waits for the outcome of a pin.
    waiting: Vec<Answer>,
    /// What stood in the source when it was last read; before the first read, what was saved.
    contents: Arc<Contents>,
    /// The documents that were asked for then.
    asked: Arc<BTreeSet<String>>,
    /// The same for the compiler.
    documents: Documents,
    /// Where `contents` are from.
    origin: Origin,
    /// That this instance stays where it is, with the documents of that set.
    pinned: Option<(Pin, Documents)>,
    unready: Unready,
    answers: Answers,
    asking: Asking,
    /// Whether a set waits for what is being asked.
    waits_for_answers: bool,
    reading: Option<Underway<WasRead>>,
    /// Whether the source nudged, and what it gives may be behind its own word.
    nudged: bool,
    /// Reads in a row of which something failed.
    failures: u32,
    /// Documents without a good content whose history was looked through; until something changes.
    looked_back: BTreeMap<DataId, Looked>,
    ready: Ready,
    /// The set that is compiled from: what does not compile stays as it is there.
    previous: Option<Arc<Set>>,
    /// The set that is live.
    set: Option<Arc<Set>>,
    switches: Arc<Switches>,
    /// The last switches that compiled.
    good_switches: Option<(DataId, Content)>,
    /// Those of them that are in the state directory.
    saved_switches: Option<(DataId, Content)>,
    /// The live set, where it could not be kept yet.
    unsaved: Option<Unsaved>,
    /// When the contents that are being worked on were noticed.
    noticed: Instant,
}

/// What a reconciler works with.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) source: Source,
    pub(super) store: Arc<Store>,
    pub(super) base: PathBuf,
    pub(super) settings: Settings,
    pub(super) delivery: Delivery,
    pub(super) publisher: Publisher,
    pub(super) commands: mpsc::Receiver<Command>,
}

/// Why a set cannot go live as it stands.
enum Obstacle {
    /// Its clusters are being asked whether they answer.
    Asking,
    /// These documents must be held, for these reasons.
    Hold(Reasons),
}

impl Reconciler {
    pub(super) fn new(parts: Parts) -> Self {
        Self {
            source: Arc::new(parts.source),
            store: parts.store,
            base: parts.base,
            settings: parts.settings,
            delivery: parts.delivery,
            publisher: parts.publisher,
            commands: parts.commands,
            waiting: Vec::new(),
            contents: Arc::default(),
            asked: Arc::default(),
            documents: Documents::new(),
            origin: Origin::Disk,
            pinned: None,
            unready: Unready::default(),
            answers: Answers::default(),
            asking: Asking::default(),
            waits_for_answers: false,
            reading: None,
            nudged: false,
            failures: 0,
            looked_back: BTreeMap::new(),
            ready: Ready::default(),
            previous: None,
            set: None,
            switches: Arc::default(),
            good_switches: None,
            saved_switches: None,
            unsaved: None,
            noticed: Instant::now(),
        }
    }

    /// Reconciles until the process drains.
    pub(super) async fn run(mut self, stop: CancellationToken) -> Ended {
        self.start().await;
        let mut next = tokio::time::Instant::now() + self.pause();
        if !self.source.is_local() {
            self.read();
        }
        loop {
            let source = Arc::clone(&self.source);
            let idle = self.reading.is_none();
            tokio::select! {
                () = stop.cancelled() => return Ok(Drained),
                () = source.nudged(), if idle => {
                    self.nudged = true;
                    self.read();
                }
                () = tokio::time::sleep_until(next), if idle => self.read(),
                read = done(&mut self.reading) => {
                    self.reading = None;
                    self.take(read).await;
                    next = tokio::time::Instant::now() + self.pause();
                }
                (wanted, connected) = self.asking.answered() => {
                    self.answers.note(wanted, connected);
                    if self.waits_for_answers {
                        self.advance().await;
                    }
                }
                Some(command) = self.commands.recv() => self.obey(command).await,
            }
        }
    }

    /// Begins to read the source.
    fn read(&mut self) {
        let known = self.known();
        self.reading = Some(Underway::new(Arc::clone(&self.source).read(known)));
    }

    fn known(&self) -> Known {
        Known {
            contents: Arc::clone(&self.contents),
            asked: Arc::clone(&self.asked),
            set: self.previous.clone(),
        }
    }

    /// Works on what changed.
    async fn take(&mut self, read: WasRead) {
        let now = clock::timestamp();
        let (contents, why) = match read {
            Ok(Read {
                contents,
                asked,
                stale,
            }) => {
                self.asked = Arc::new(asked);
                (Some(contents), stale)
            }
            Err(why) => (None, Some(why)),
        };
        self.save_again().await;
        let stale = why.is_some();
        self.failures = if stale { self.failures + 1 } else { 0 };
        self.publisher.reconciled(now, why);
        let changed = contents
            .filter(|contents| matches!(self.origin, Origin::Disk) || *contents != *self.contents);
        let ended = self.switches.next_until.is_some_and(|until| until <= now);
        let files = self.unready.is_empty() && self.ready.files_changed(&self.base);
        if changed.is_some() || ended || files {
            self.noticed = Instant::now();
            self.unready.tell();
            if let Some(contents) = changed {
                self.origin = Origin::Source;
                self.replace(contents);
            }
            self.advance().await;
        } else if self.tries_again() || (!stale && self.looks_back_again().await) {
            self.noticed = Instant::now();
            self.advance().await;
        }
    }

    /// From now on these contents are worked on. Texts that are known keep their digests.
    fn replace(&mut self, contents: Contents) {
        let mut known = std::mem::take(&mut self.documents);
        for (name, content) in &contents {
            let before = known.remove(name.as_str());
            let document = match content {
                Ok(text) => Ok(before
                    .and_then(Result::ok)
                    .filter(|before| *before.text == **text)
                    .unwrap_or_else(|| Content::new(text.as_str()))),
                Err(Unreadable(why)) => Err(why.clone()),
            };
            self.documents.insert(DataId::new(name), document);
        }
        self.contents = Arc::new(contents);
        self.unready.clear();
        self.looked_back.clear();
    }

    /// Compiles what stands in the source, or what this instance is pinned to, and makes live what
    /// can be.
    async fn advance(&mut self) {
        if self.documents.is_empty() && matches!(self.origin_of_live(), Origin::Disk) {
            return;
        }
        self.waits_for_answers = false;
        // Each round finds an earlier good content of a document, or holds one more: this ends.
        loop {
            if self.has_no_index() {
                return self.refuse(News::no_index(&self.source.shown())).await;
            }
            let Some(mut compilation) = self.compile().await else {
                return self.apply_switches().await;
            };
            let set = compilation.set.take().map(Arc::new);
            // What was saved is better than nothing, when what stands in the source is refused.
            let before = || self.previous.clone().filter(|_| self.set.is_none());
            let Some(set) = set.or_else(before) else {
                if self.unready.refuse() {
                    return;
                }
                return self.refuse(News::of(compilation)).await;
            };
            if self.look_back(&set).await {
                continue;
            }
            match self.make_ready(&set).await {
                Ok((ready, lacking)) => {
                    if self.unready.lack(lacking) && self.is_live(&set, &ready) {
                        return;
                    }
                    return self.go_live(set, ready, compilation).await;
                }
                Err(Obstacle::Asking) => {
                    self.waits_for_answers = true;
                    return self.apply_switches().await;
                }
                Err(Obstacle::Hold(documents)) => self.unready.hold(documents),
            }
        }
    }

    /// Whether a source that must have an index has none, and no set has ever had one.
    fn has_no_index(&self) -> bool {
        let needed = matches!(self.origin, Origin::Source) && !self.source.is_local();
        let had = self.previous.as_ref().is_some_and(|set| set.has_index());
        needed && self.pinned.is_none() && !had && !self.documents.contains_key(INDEX)
    }

    async fn compile(&mut self) -> Option<Compilation> {
        let documents = self.to_compile();
        let previous = self.previous.clone();
        let run_samples = matches!(self.origin, Origin::Source) && self.pinned.is_none();
        let listed = run_samples && self.source.is_local();
        let compile = move || {
            set::compile(&set::Input {
                documents: &documents,
                previous: previous.as_deref(),
                run_samples,
                listed,
            })
        };
        let started = Instant::now();
        let compiled = tokio::task::spawn_blocking(compile).await;
        self.publisher.compiled(started.elapsed());
        compiled
            .inspect_err(|panicked| tracing::error!(%panicked, "compiling panicked, the last revision stays"))
            .ok()
    }

    fn to_compile(&self) -> Documents {
        let mut documents = match &self.pinned {
            Some((_, documents)) => documents.clone(),
            None => self.documents.clone(),
        };
        for (data_id, why) in self.unready.held() {
            documents.insert(data_id.clone(), Err(why.clone()));
        }
        documents
    }
}

/// Waits for something under way; for ever where nothing is.
async fn done<T>(underway: &mut Option<Underway<T>>) -> T {
    match underway {
        Some(underway) => underway.await,
        None => std::future::pending().await,
    }
}
