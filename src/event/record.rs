//! What a pipeline hands to delivery: the Kafka messages of one request, in one buffer.

use std::fmt;
use std::sync::Arc;

use crate::event::Span;

/// The name of a Kafka topic (or of a folder below a file producer).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Topic(Arc<str>);

impl Topic {
    /// Longest name that Kafka takes.
    pub const MAX: usize = 249;

    /// A name that Kafka takes: letters, digits, `.`, `_`, `-`, at most 249, not `.` or `..`.
    pub fn parse(name: &str) -> Option<Self> {
        let legal = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'_' | b'-');
        let good = !name.is_empty()
            && name.len() <= Self::MAX
            && name.bytes().all(legal)
            && !matches!(name, "." | "..");
        good.then(|| Self(name.into()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A producer's name in the documents.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Label(Arc<str>);

impl Label {
    /// A label; documents see to it that it is not empty.
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How important an event is; under pressure low priority is shed first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Priority {
    /// Never shed while anything can take it.
    P0,
    /// Important.
    P1,
    /// The default.
    #[default]
    P2,
    /// First to be shed.
    P3,
}

impl Priority {
    /// All of them, most important first.
    pub const ALL: [Priority; 4] = [Priority::P0, Priority::P1, Priority::P2, Priority::P3];

    /// `P0` to `P3`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::P0 => "P0",
            Self::P1 => "P1",
            Self::P2 => "P2",
            Self::P3 => "P3",
        }
    }

    /// 0 to 3.
    pub fn index(self) -> usize {
        self as usize
    }
}

/// What "safe" means for a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Ack {
    /// It is in this process's queue; a loss later is counted and logged.
    Memory,
    /// Kafka acknowledged it.
    Kafka,
    /// Kafka acknowledged it, or it is fsynced here.
    #[default]
    Any,
    /// It is fsynced here.
    Disk,
    /// It is fsynced here and Kafka acknowledged it.
    Both,
}

/// Headers that every record of a target carries, beside those of its producer: name and value.
pub type ConstantHeaders = Arc<[(Box<str>, Box<str>)]>;

/// A target of a pipeline: index into its list of targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TargetId(pub u16);

/// A topic of a pipeline: index into its list of topics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TopicId(pub u32);

/// One Kafka message.
#[derive(Clone, Copy, Debug)]
pub struct Record {
    /// Index of its event in the batch; `None` for a reject record, which never changes a reply.
    pub event: Option<u32>,
    /// Producer, headers and ack.
    pub target: TargetId,
    /// Where to.
    pub topic: TopicId,
    /// Which lane of the producer.
    pub priority: Priority,
    /// The key, in the record buffer.
    pub key: Option<Span>,
    /// The payload, in the record buffer. Several records of one event may share it.
    pub payload: Span,
}

/// The records of one request.
#[derive(Debug, Default)]
pub struct Records {
    /// Payloads and keys.
    pub buffer: Vec<u8>,
    /// In the order of their events.
    pub items: Vec<Record>,
}
