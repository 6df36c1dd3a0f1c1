//! Where the records of a pipeline go: its targets and topics, bound to running clients once, when
//! a revision goes live.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use crate::delivery::connection::{Connection, TopicState};
use crate::delivery::lane::Lane;
use crate::event::{Ack, ConstantHeaders, Label, Priority, TargetId, Topic, TopicId};
use crate::sink::Spec;

/// A producer label with its lanes and what they send through. While it is kept, its client runs.
#[derive(Clone, Debug)]
pub struct Producer {
    pub(super) label: Label,
    pub(super) lanes: [Arc<Lane>; 4],
    /// One for all lanes; one for each of them where order is strict.
    pub(super) connections: Arc<[Arc<Connection>]>,
}

impl Producer {
    /// The label.
    pub fn label(&self) -> &Label {
        &self.label
    }

    /// What it was started with.
    pub fn spec(&self) -> &Spec {
        &self.connections[0].spec
    }

    /// Whether a record would be let through now.
    pub fn open(&self) -> bool {
        let now = Instant::now();
        self.connections
            .iter()
            .any(|connection| connection.breaker.would_admit(now))
    }
}

/// The targets and topics of one pipeline.
#[derive(Debug)]
pub struct Destinations {
    targets: Box<[Target]>,
    topics: Box<[Topic]>,
}

/// A target: where, and when its records are safe.
#[derive(Debug)]
pub(super) struct Target {
    producer: Producer,
    pub(super) ack: Ack,
    pub(super) headers: ConstantHeaders,
    /// For each connection, the states of the topics; found when first needed.
    topics: Box<[Topics]>,
}

/// The states of a pipeline's topics on one connection.
type Topics = Box<[OnceLock<Arc<TopicState>>]>;

impl Destinations {
    pub(super) fn new(targets: Vec<(Producer, Ack)>, topics: &[Topic]) -> Self {
        let bind = |(producer, ack): (Producer, Ack)| {
            let unknown = || topics.iter().map(|_| OnceLock::new()).collect();
            let topics = producer.connections.iter().map(|_| unknown()).collect();
            Target {
                producer,
                ack,
                headers: ConstantHeaders::from([]),
                topics,
            }
        };
        Self {
            targets: targets.into_iter().map(bind).collect(),
            topics: topics.into(),
        }
    }

    /// The same, with the constant headers of each target in their order.
    #[must_use]
    pub fn with_headers(mut self, headers: impl IntoIterator<Item = ConstantHeaders>) -> Self {
        for (target, headers) in self.targets.iter_mut().zip(headers) {
            target.headers = headers;
        }
        self
    }

    /// Whether these targets are bound here, in this order.
    pub fn are(&self, targets: &[(Producer, Ack)]) -> bool {
        let same = |(bound, (producer, ack)): (&Target, &(Producer, Ack))| {
            bound.ack == *ack
                && bound.producer.label == producer.label
                && Arc::ptr_eq(&bound.producer.connections, &producer.connections)
        };
        self.targets.len() == targets.len() && self.targets.iter().zip(targets).all(same)
    }

    /// Whether any of the targets would let a record through. With none, nothing needs to be read.
    pub fn open(&self) -> bool {
        self.targets.is_empty() || self.targets.iter().any(|target| target.producer.open())
    }

    /// The names of the headers that records of a target carry; to show them.
    pub fn headers(&self, target: TargetId) -> Vec<&'static str> {
        self.target(target).producer.spec().headers()
    }

    /// The target that records name by this id.
    pub(super) fn target(&self, id: TargetId) -> &Target {
        &self.targets[usize::from(id.0)]
    }

    /// The topic of a target, on the connection of a priority.
    pub(super) fn topic(
        &self,
        target: &Target,
        priority: Priority,
        topic: TopicId,
    ) -> Arc<TopicState> {
        let index = topic.0 as usize;
        let place = &target.topics[target.lane_connection(priority)][index];
        let find = || target.connection(priority).topic(&self.topics[index]);
        place.get_or_init(find).clone()
    }
}

impl Target {
    pub(super) fn lane(&self, priority: Priority) -> &Arc<Lane> {
        &self.producer.lanes[priority.index()]
    }

    pub(super) fn connection(&self, priority: Priority) -> &Arc<Connection> {
        &self.producer.connections[self.lane_connection(priority)]
    }

    fn lane_connection(&self, priority: Priority) -> usize {
        // There is one, or one for each priority.
        priority.index() % self.producer.connections.len()
    }
}
