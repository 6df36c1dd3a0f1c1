//! From conditions to targets: which record goes where.
//!
//! An event is written once, however many targets take it; its records share the bytes. A topic is
//! never built while events flow: all that a template can make are known when the document compiles.

mod reject;
mod topic;

use crate::event::{
    Ack, Batch, ConstantHeaders, EventMut, FieldId, Fields, Json, Kind, Label, Priority, Reason,
    Record, Records, Span, TargetId, TopicId,
};
use crate::pipeline::condition::Condition;
use crate::pipeline::{Context, Pipeline, Plan};

pub use reject::{EventId, Rejects};
pub use topic::{Placeholder, Template, TopicChoice};

/// Where records go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Which producer.
    pub producer: Label,
    /// When such a record is safe.
    pub ack: Ack,
    /// The largest record that the producer takes, in bytes.
    pub message_max: u32,
    /// Constant headers, beside those that the producer writes.
    pub headers: ConstantHeaders,
}

/// The rules of a repo.
#[derive(Debug, Default)]
pub struct Router {
    /// In the order in which they are tried.
    pub rules: Vec<Rule>,
    /// Whether every rule that holds counts, or only the first.
    pub all: bool,
    /// Where events go that no rule took.
    pub otherwise: Vec<Way>,
}

/// Which events go where.
#[derive(Debug)]
pub struct Rule {
    /// Which events; `None`: all of them.
    pub when: Option<Condition>,
    /// Where they go.
    pub to: Vec<Way>,
}

/// One way for an event: it becomes one record.
#[derive(Debug)]
pub struct Way {
    /// Producer and ack.
    pub target: TargetId,
    /// The topic.
    pub topic: TopicChoice,
    /// The field whose content is the key.
    pub key: Option<FieldId>,
    /// How important; `None`: as the catalog says.
    pub priority: Option<Priority>,
}

/// Why an event has no record.
struct Refused {
    reason: Reason,
    field: String,
    message: String,
}

impl Router {
    /// Appends the records of every event that is left. One that cannot go all of its ways goes
    /// none of them: it is rejected.
    pub fn run(
        &self,
        pipeline: &Pipeline,
        batch: &mut Batch,
        context: &Context<'_>,
        records: &mut Records,
    ) {
        let plan = &*pipeline.plan;
        // Those of the batch: the switches may have added some.
        let fields = batch.fields().clone();
        records.buffer.reserve(batch.text().len());
        records.items.reserve(batch.live());
        batch.each(|event| {
            let (bytes, items) = (records.buffer.len(), records.items.len());
            if let Err(refused) = self.route(plan, &fields, event, context, records) {
                records.buffer.truncate(bytes);
                records.items.truncate(items);
                event.reject(refused.reason, &refused.field, refused.message);
            }
        });
    }

    fn route(
        &self,
        plan: &Plan,
        fields: &Fields,
        event: &EventMut<'_>,
        context: &Context<'_>,
        records: &mut Records,
    ) -> Result<(), Refused> {
        let mut out = Out::write(plan, fields, event, records)?;
        if let Some((target, topic)) = event.event.redirect {
            return out.send(target, topic, self.key_of(target), None);
        }
        let mut matched = false;
        for rule in &self.rules {
            let holds = |when: &Condition| when.holds(event, context);
            if rule.when.as_ref().is_none_or(holds) {
                matched = true;
                out.send_all(&rule.to)?;
                if !self.all {
                    return Ok(());
                }
            }
        }
        if matched {
            return Ok(());
        }
        if self.otherwise.is_empty() {
            return Err(Refused {
                reason: Reason::RouteNone,
                field: String::new(),
                message: "no rule takes this event".to_owned(),
            });
        }
        out.send_all(&self.otherwise)
    }

    /// The key of the first way to a target: redirected records have it too.
    fn key_of(&self, target: TargetId) -> Option<FieldId> {
        self.ways().find(|way| way.target == target)?.key
    }

    /// All ways, in the order in which they are tried.
    pub fn ways(&self) -> impl Iterator<Item = &Way> {
        let rules = self.rules.iter().flat_map(|rule| &rule.to);
        rules.chain(&self.otherwise)
    }
}

/// One event, written, on its way to its targets.
struct Out<'o, 'e> {
    plan: &'o Plan,
    fields: &'o Fields,
    event: &'o EventMut<'e>,
    records: &'o mut Records,
    payload: Span,
    first: usize,
}

impl<'o, 'e> Out<'o, 'e> {
    fn write(
        plan: &'o Plan,
        fields: &'o Fields,
        event: &'o EventMut<'e>,
        records: &'o mut Records,
    ) -> Result<Self, Refused> {
        let start = records.buffer.len();
        event.write(fields, &mut records.buffer);
        let payload = span(records, start)?;
        let most = event.event.received.len() + plan.growth as usize;
        if payload.len() > most {
            let message = format!(
                "the pipeline added more than the {} bytes that `growth` allows",
                plan.growth
            );
            return Err(too_large(message));
        }
        Ok(Self {
            plan,
            fields,
            event,
            first: records.items.len(),
            records,
            payload,
        })
    }

    fn send_all(&mut self, ways: &[Way]) -> Result<(), Refused> {
        for way in ways {
            let topic = way.topic.of(self.event).map_err(|field| Refused {
                reason: Reason::RouteValue,
                field: self.fields.path(field).to_string(),
                message: "expected one of the values that a topic is declared for".to_owned(),
            })?;
            self.send(way.target, topic, way.key, way.priority)?;
        }
        Ok(())
    }

    fn send(
        &mut self,
        target: TargetId,
        topic: TopicId,
        key: Option<FieldId>,
        priority: Option<Priority>,
    ) -> Result<(), Refused> {
        // Two rules may lead to the same place.
        let mut sent = self.records.items[self.first..].iter();
        if sent.any(|record| (record.target, record.topic) == (target, topic)) {
            return Ok(());
        }
        let start = self.records.buffer.len();
        if let Some(key) = key.and_then(|key| self.event.get(key)) {
            write_key(key, &mut self.records.buffer);
        }
        let key = span(self.records, start)?;
        let max = self.plan.targets[usize::from(target.0)].message_max as usize;
        let size = self.payload.len() + key.len();
        if size > max {
            let message = format!("expected at most {max} bytes for its producer, got {size}");
            return Err(too_large(message));
        }
        let event = self.event;
        self.records.items.push(Record {
            event: Some(event.index),
            target,
            topic,
            priority: event
                .event
                .restricted
                .or(priority)
                .or(event.event.priority)
                .unwrap_or_default(),
            key: (!key.is_empty()).then_some(key),
            payload: self.payload,
        });
        Ok(())
    }
}

/// What was appended to the buffer since `start`.
fn span(records: &Records, start: usize) -> Result<Span, Refused> {
    let position = |at| u32::try_from(at).map_err(|_| too_large("more than 4 GiB".to_owned()));
    Ok(Span {
        start: position(start)?,
        end: position(records.buffer.len())?,
    })
}

fn too_large(message: String) -> Refused {
    Refused {
        reason: Reason::RouteTooLarge,
        field: String::new(),
        message,
    }
}

/// The characters of a string, the text of anything else; nothing for `null`.
fn write_key(value: Json<'_>, out: &mut Vec<u8>) {
    match value.kind() {
        Kind::Null => {}
        Kind::String => match value.as_str() {
            Some(text) => out.extend_from_slice(text.as_bytes()),
            None => out.extend_from_slice(value.inside()),
        },
        Kind::Bool | Kind::Number | Kind::Array | Kind::Object => {
            out.extend_from_slice(value.raw());
        }
    }
}
