//! What the stages do with each event, one after the other, told instead of done: nothing is
//! delivered, no device is remembered, nothing is counted.
//!
//! The stages are those of the data path, over the same batch; after each one, every event is written
//! out and compared with what it was before.

use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::device::{self, Devices};
use crate::event::{Batch, Class, Effect, Fate, Record, Records, TargetId, Violation};
use crate::gateway::stopwatch::Stage;
use crate::pipeline::{Context, Pipeline, decode};

/// What became of the events of a body.
#[derive(Debug, Serialize)]
pub struct Explanation {
    /// The repo.
    pub repo: String,
    /// The digest of the revision.
    pub revision: String,
    /// Each event, in the order of the body.
    pub events: Vec<Explained>,
    /// Records of rejected events.
    pub rejects: Vec<Shown>,
}

/// What became of one event.
#[derive(Debug, Serialize)]
pub struct Explained {
    /// Line of the body, or element of the array, from 1.
    pub line: u32,
    /// `accepted` (it would be delivered), `filtered` or `rejected`.
    pub outcome: &'static str,
    /// Why it left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// The event as the last stage left it; absent if it could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<Box<RawValue>>,
    /// All that is wrong with it.
    pub violations: Vec<Found>,
    /// Where it would go.
    pub records: Vec<Shown>,
    /// What each stage did to it; stages that did nothing are left out.
    pub trace: Vec<Step>,
}

/// Something that is wrong with an event.
#[derive(Debug, Serialize)]
pub struct Found {
    /// The code of the reason.
    pub code: &'static str,
    /// The field, as a path.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub field: String,
    /// What was expected and found.
    pub message: String,
    /// `rejected`, `repaired`, or `shadow`.
    pub effect: &'static str,
    /// The validator that found it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validator: Option<String>,
}

/// A record that would be produced.
#[derive(Debug, Serialize)]
pub struct Shown {
    /// The producer's label.
    pub producer: String,
    /// The topic.
    pub topic: String,
    /// The key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// `P0` to `P3`.
    pub priority: &'static str,
    /// The headers.
    pub headers: serde_json::Map<String, Value>,
    /// The payload, where it is JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload: Option<Box<RawValue>>,
}

/// What a stage did to an event.
#[derive(Debug, Serialize)]
pub struct Step {
    /// The stage, in the words of the documents.
    pub stage: &'static str,
    /// The event after it, if it changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<Box<RawValue>>,
    /// Why it left here, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left: Option<&'static str>,
}

/// Runs the stages over a body and tells what they did. Devices are looked up and not remembered.
/// `headers` names the headers that records of a target carry.
pub async fn explain(
    pipeline: &Pipeline,
    device: Option<(&Devices, &device::Step)>,
    body: Vec<u8>,
    context: &Context<'_>,
    headers: impl Fn(TargetId) -> Vec<&'static str>,
) -> Result<Explanation, decode::Error> {
    let mut batch = pipeline.decode(body)?;
    let mut trace = Trace::new(&mut batch);
    pipeline.constrain(&mut batch, context);
    trace.after(Stage::Constraint, &mut batch);
    pipeline.execute(&mut batch, context);
    trace.after(Stage::Executers, &mut batch);
    pipeline.restrict(&mut batch, context);
    trace.after(Stage::Restrictions, &mut batch);
    pipeline.enrich(&mut batch, context);
    trace.after(Stage::Enrich, &mut batch);
    pipeline.validate(&mut batch, context);
    trace.after(Stage::Validate, &mut batch);
    if let Some((devices, step)) = device {
        devices.foresee(step, &mut batch, context.received).await;
        trace.after(Stage::Device, &mut batch);
    }
    let records = pipeline.route(&mut batch, context);
    trace.after(Stage::Route, &mut batch);
    Ok(Telling {
        pipeline,
        context,
        batch: &batch,
        records: &records,
        headers: &headers,
    }
    .tell(trace))
}

/// The events as they were after the last stage, and what has happened so far.
struct Trace {
    events: Vec<Traced>,
}

struct Traced {
    text: Vec<u8>,
    left: bool,
    steps: Vec<Step>,
}

impl Trace {
    fn new(batch: &mut Batch) -> Self {
        let mut trace = Self { events: Vec::new() };
        for index in 0..batch.events().len() {
            trace.events.push(Traced {
                text: written(batch, index),
                left: false,
                steps: Vec::new(),
            });
        }
        trace.after(Stage::Decode, batch);
        trace
    }

    fn after(&mut self, stage: Stage, batch: &mut Batch) {
        for (index, traced) in self.events.iter_mut().enumerate() {
            if traced.left {
                continue;
            }
            let left = match batch.events()[index].fate {
                Fate::Live => None,
                Fate::Left(reason) => Some(reason.code()),
            };
            traced.left = left.is_some();
            let text = written(batch, index);
            let changed = (text != traced.text).then(|| raw(&text)).flatten();
            traced.text = text;
            if changed.is_some() || left.is_some() {
                traced.steps.push(Step {
                    stage: stage.name(),
                    event: changed,
                    left,
                });
            }
        }
    }
}

/// The event with its edits; empty if it could not be read.
fn written(batch: &mut Batch, index: usize) -> Vec<u8> {
    let unread = |violation: &Violation| violation.reason.code().starts_with("decode.");
    let index_of = u32::try_from(index).unwrap_or(u32::MAX);
    if batch.violations_of(index_of).any(unread) {
        return Vec::new();
    }
    let fields = std::sync::Arc::clone(batch.fields());
    let mut text = Vec::new();
    batch.event(index).write(&fields, &mut text);
    text
}

fn raw(text: &[u8]) -> Option<Box<RawValue>> {
    let text = String::from_utf8(text.to_vec()).ok()?;
    RawValue::from_string(text).ok()
}

/// All there is to tell.
struct Telling<'t, H> {
    pipeline: &'t Pipeline,
    context: &'t Context<'t>,
    batch: &'t Batch,
    records: &'t Records,
    headers: &'t H,
}

impl<H: Fn(TargetId) -> Vec<&'static str>> Telling<'_, H> {
    fn tell(&self, trace: Trace) -> Explanation {
        let events = trace.events.into_iter().zip(0u32..);
        Explanation {
            repo: self.pipeline.plan.repo.to_string(),
            revision: self.context.revision.to_owned(),
            events: events
                .map(|(traced, index)| self.event(index, traced))
                .collect(),
            rejects: self.records_of(None, true),
        }
    }

    fn event(&self, index: u32, traced: Traced) -> Explained {
        let event = &self.batch.events()[index as usize];
        let (outcome, reason) = match event.fate {
            Fate::Live => ("accepted", None),
            Fate::Left(reason) => {
                let outcome = match reason.class() {
                    Class::Filtered => "filtered",
                    Class::Rejected => "rejected",
                    Class::Retry => "retry",
                };
                (outcome, Some(reason.code()))
            }
        };
        Explained {
            line: event.line,
            outcome,
            reason,
            event: raw(&traced.text),
            violations: self
                .batch
                .violations_of(index)
                .map(|v| self.found(v))
                .collect(),
            records: self.records_of(Some(index), false),
            trace: traced.steps,
        }
    }

    fn found(&self, violation: &Violation) -> Found {
        let validators = &self.pipeline.plan.validators;
        let validator = violation
            .validator
            .and_then(|index| validators.get(usize::from(index)));
        Found {
            code: violation.reason.code(),
            field: violation.field.clone(),
            message: violation.message.clone(),
            effect: match violation.effect {
                Effect::Rejected => "rejected",
                Effect::Repaired => "repaired",
                Effect::Shadow | Effect::ShadowRepair => "shadow",
            },
            validator: validator.map(|validator| validator.name.to_string()),
        }
    }

    fn records_of(&self, event: Option<u32>, payload: bool) -> Vec<Shown> {
        let items = self.records.items.iter().zip(0u32..);
        let own = items.filter(|(record, _)| record.event == event);
        own.map(|(record, index)| self.shown(record, index, payload))
            .collect()
    }

    fn shown(&self, record: &Record, index: u32, payload: bool) -> Shown {
        let plan = &self.pipeline.plan;
        let target = plan.targets.get(usize::from(record.target.0));
        let topic = plan.topics.get(record.topic.0 as usize);
        let buffer = &self.records.buffer;
        let key = record.key.map(|key| key.of(buffer));
        let header = |name: &'static str| {
            let value = match name {
                "batch" => format!("{}/{index}", self.context.batch),
                _ => self.context.revision.to_owned(),
            };
            (name.to_owned(), value.into())
        };
        let constant = target.iter().flat_map(|target| target.headers.iter());
        let constant = constant.map(|(name, value)| (name.to_string(), Value::from(&**value)));
        let named = (self.headers)(record.target).into_iter();
        Shown {
            producer: target.map_or_else(String::new, |target| target.producer.to_string()),
            topic: topic.map_or_else(String::new, ToString::to_string),
            key: key.map(|key| String::from_utf8_lossy(key).into_owned()),
            priority: record.priority.as_str(),
            headers: constant.chain(named.map(header)).collect(),
            payload: payload.then(|| raw(record.payload.of(buffer))).flatten(),
        }
    }
}
