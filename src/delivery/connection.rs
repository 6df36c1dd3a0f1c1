//! A running client with its breaker and its topics: what the lanes of one or more labels share.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use hashbrown::HashMap;

use crate::delivery::breaker::Breaker;
use crate::delivery::budget::Budget;
use crate::delivery::stall::Progress;
use crate::event::{Priority, Reason, Topic};
use crate::sink::{self, Client, Spec};
use crate::telemetry::metrics::Metrics;

/// How long a topic that is unknown, or not for us, is left alone.
pub(super) const TOPIC_REST: Duration = Duration::from_secs(5);
/// How long a cluster that was away has to answer when it is asked again.
const ASK: Duration = Duration::from_secs(1);
/// Between two attempts to replace a client that failed for good.
const REPLACE_REST: Duration = Duration::from_secs(5);

/// A running client.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) spec: Spec,
    client: ArcSwap<Client>,
    pub(super) breaker: Breaker,
    /// Whether the other side ever answered.
    pub(super) answered: AtomicBool,
    topics: Mutex<HashMap<Topic, Arc<TopicState>>>,
    tags: AtomicU32,
    /// Touched by the ticker alone.
    watch: Mutex<Watch>,
    /// One look-up of topics, and one replacement, at a time.
    looking: AtomicBool,
    replacing: AtomicBool,
}

#[derive(Debug)]
struct Watch {
    progress: Progress,
    replace_at: Instant,
}

/// A topic on a connection.
#[derive(Debug)]
pub(super) struct TopicState {
    pub(super) name: Topic,
    tag: u32,
    pub(super) breaker: Breaker,
    /// By priority, at most half a lane: a topic without a leader must leave room for others.
    budgets: [Budget; 4],
    pub(super) acknowledged: AtomicU64,
    progress: Mutex<Progress>,
}

impl TopicState {
    /// What it may have on the way in a lane of this priority.
    pub(super) fn budget(&self, priority: Priority) -> &Budget {
        &self.budgets[priority.index()]
    }

    /// What the client names its groups by.
    pub(super) fn tag(&self) -> u32 {
        self.tag
    }

    /// Its records are refused, for a while. Tells when that is new.
    pub(super) fn refuse(&self, target: &Spec, reason: Reason, now: Instant) {
        if self.breaker.trip(reason, now + TOPIC_REST) {
            let (topic, reason) = (self.name.as_str(), reason.code());
            tracing::error!(sink = %target, topic, reason, "topic refused: records for it are turned away");
        }
    }

    /// Some of its records were taken. Tells when that is new.
    pub(super) fn taken(&self, target: &Spec, records: u64) {
        self.acknowledged.fetch_add(records, Ordering::Relaxed);
        self.open(target);
    }

    fn open(&self, target: &Spec) {
        if self.breaker.acknowledged() {
            tracing::info!(sink = %target, topic = self.name.as_str(), "topic takes records again");
        }
    }
}

impl Connection {
    pub(super) fn start(spec: Spec, metrics: &Metrics) -> Result<Self, sink::Error> {
        let client = Client::start(&spec, metrics)?;
        let now = Instant::now();
        Ok(Self {
            spec,
            client: ArcSwap::from_pointee(client),
            breaker: Breaker::default(),
            answered: AtomicBool::new(false),
            topics: Mutex::default(),
            tags: AtomicU32::new(0),
            watch: Mutex::new(Watch {
                progress: Progress::new(now),
                replace_at: now,
            }),
            looking: AtomicBool::new(false),
            replacing: AtomicBool::new(false),
        })
    }

    /// The client that serves now.
    pub(super) fn client(&self) -> Arc<Client> {
        self.client.load_full()
    }

    /// The topic's state on this connection.
    pub(super) fn topic(&self, name: &Topic) -> Arc<TopicState> {
        let fresh = || {
            Arc::new(TopicState {
                name: name.clone(),
                tag: self.tags.fetch_add(1, Ordering::Relaxed),
                breaker: Breaker::default(),
                budgets: Priority::ALL.map(|_| Budget::new(self.spec.budget() / 2)),
                acknowledged: AtomicU64::new(0),
                progress: Mutex::new(Progress::new(Instant::now())),
            })
        };
        lock(&self.topics)
            .entry(name.clone())
            .or_insert_with(fresh)
            .clone()
    }

    /// Something was acknowledged. Tells when that is new.
    pub(super) fn acknowledged(&self) {
        self.answered.store(true, Ordering::Release);
        if self.breaker.acknowledged() {
            tracing::info!(sink = %self.spec, "producer answers again");
        }
    }

    /// Opens the breaker, and tells when that is new.
    fn trip(&self, now: Instant) {
        if self.breaker.trip(Reason::Unavailable, now) {
            let target = &self.spec;
            tracing::error!(sink = %target, "producer does not answer: records for it are turned away");
        }
    }

    /// Looks at the age of what is waited for, and opens breakers: the cluster's, or those of
    /// single topics when others are being answered.
    pub(super) fn watch(&self, now: Instant) {
        let mut oldest: Option<Duration> = None;
        let mut by_tag: HashMap<u32, Duration> = HashMap::new();
        let client = self.client();
        let acknowledged = client.waiting(|tag, age| {
            oldest = oldest.max(Some(age));
            by_tag
                .entry(tag)
                .and_modify(|known| *known = age.max(*known))
                .or_insert(age);
        });
        client.abandon_lost();
        let after = self.spec.breaker_after();
        if lock(&self.watch)
            .progress
            .stalled(now, acknowledged, oldest, after)
        {
            if self.breaker.refuses().is_none() {
                self.trip(now);
            }
            return;
        }
        let mut topics = lock(&self.topics);
        for topic in topics.values() {
            let acknowledged = topic.acknowledged.load(Ordering::Relaxed);
            let age = by_tag.get(&topic.tag).copied();
            let stalled = lock(&topic.progress).stalled(now, acknowledged, age, after);
            if stalled && topic.breaker.refuses().is_none() {
                topic.refuse(&self.spec, Reason::Unavailable, now);
            }
        }
        // Nobody binds it any more, and nothing of it is on the way.
        topics.retain(|_, topic| Arc::strong_count(topic) > 1);
    }

    /// Topics that are being turned away, and why.
    pub(super) fn refused(&self) -> Vec<(Topic, Reason)> {
        let topics = lock(&self.topics);
        let refused = |topic: &Arc<TopicState>| {
            topic
                .breaker
                .refuses()
                .map(|reason| (topic.name.clone(), reason))
        };
        topics.values().filter_map(refused).collect()
    }

    /// Asks the cluster for topics that it did not know, so that one that was made since serves
    /// before a caller has to try. Blocks.
    pub(super) fn look_up(&self) {
        if self.looking.swap(true, Ordering::AcqRel) {
            return;
        }
        let client = self.client();
        for (name, reason) in self.refused() {
            if reason == Reason::UnknownTopic && client.knows(&name) {
                self.topic(&name).open(&self.spec);
            }
        }
        self.looking.store(false, Ordering::Release);
    }

    /// Whether no records should come here: it is being turned away from, or has never answered.
    pub(super) fn away(&self) -> bool {
        self.breaker.refuses().is_some() || !self.answered.load(Ordering::Acquire)
    }

    /// Whether it is away and no record is there to find out that it is back: an instance that is
    /// not ready gets none.
    pub(super) fn must_ask(&self, now: Instant) -> bool {
        self.away() && self.breaker.would_admit(now) && self.client().outstanding() == 0
    }

    /// Asks the other side whether it is back. Blocks.
    pub(super) fn ask(&self) {
        if self.looking.swap(true, Ordering::AcqRel) {
            return;
        }
        if self.client().answers(ASK).is_ok() {
            self.acknowledged();
        }
        self.looking.store(false, Ordering::Release);
    }

    /// Whether the client has failed for good, and may be replaced now.
    pub(super) fn must_replace(&self, now: Instant) -> bool {
        self.client().failed() && now >= lock(&self.watch).replace_at
    }

    /// Puts a new client in the place of one that failed for good. What the old one had queued
    /// fails as `Fenced`. Blocks.
    pub(super) fn replace(&self, metrics: &Metrics) {
        if self.replacing.swap(true, Ordering::AcqRel) {
            return;
        }
        let target = &self.spec;
        match Client::start(&self.spec, metrics) {
            Ok(client) => {
                let old = self.client.swap(Arc::new(client));
                metrics.clients_replaced.inc();
                let failed = old.close(Duration::ZERO, Reason::Fenced);
                tracing::warn!(sink = %target, failed, "producer replaced after it failed for good");
            }
            Err(error) => {
                tracing::error!(sink = %target, %error, "producer failed for good, and cannot be replaced");
            }
        }
        lock(&self.watch).replace_at = Instant::now() + REPLACE_REST;
        self.replacing.store(false, Ordering::Release);
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
