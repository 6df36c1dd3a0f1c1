//! One JSON record for each rejected event: what was wrong with it, who sent it, and what it was.
//!
//! ```json
//! {"id":"01J…-7","event_id":"…","repo":"tracking","line":8,"stage":"validate","code":"validate.type",
//!  "violations":[{"code":"validate.type","field":"properties.price","message":"expected float, got
//!  string","sample":"99 xxx","validator":"plan","effect":"rejected"}],"sdk":"android",
//!  "sdk_version":"4.1.0","received":"2025-06-15T15:06:40.500Z","address":"203.0.113.0",
//!  "revision":"3f2a91c0d4e5","payload":"{…}","payload_bytes":812}
//! ```
//! What is not known is left out. The payload is a string, because it need not be JSON; beyond
//! [`Rejects::PAYLOAD`] it is cut, and `"payload_cut":true` says so.

use sha2::{Digest, Sha256};

use crate::event::{
    Batch, Class, Effect, EventMut, Fate, FieldId, Json, Kind, Priority, Reason, Record, Records,
    Span, TargetId, TopicId, Violation,
};
use crate::pipeline::validate::Validator;
use crate::pipeline::{Context, Pipeline, RepoName};

/// Where rejected events go.
#[derive(Debug)]
pub struct Rejects {
    /// Producer and ack.
    pub target: TargetId,
    /// The topic.
    pub topic: TopicId,
    /// Which lane.
    pub priority: Priority,
    /// What identifies an event.
    pub event_id: EventId,
    /// Where the SDK's name stands.
    pub sdk: FieldId,
    /// Where the SDK's version stands.
    pub sdk_version: FieldId,
}

/// What identifies an event.
#[derive(Clone, Debug, Default)]
pub struct EventId {
    /// The fields that hold an id; the first that is there counts.
    pub from: Vec<FieldId>,
}

/// What is read of an event before its record is written.
struct Read {
    index: usize,
    reason: Reason,
    event_id: String,
    sdk: Option<String>,
    sdk_version: Option<String>,
}

impl Rejects {
    /// Most bytes of a payload that are kept.
    pub const PAYLOAD: usize = 64 << 10;
    /// What is kept of a payload when the record would not fit its producer.
    const LITTLE: usize = 1 << 10;
    /// Most violations of one event that are told.
    const VIOLATIONS: usize = 50;

    /// Appends a record for every rejected event.
    pub fn run(
        &self,
        pipeline: &Pipeline,
        batch: &mut Batch,
        context: &Context<'_>,
        records: &mut Records,
    ) {
        if batch.left(Class::Rejected) == 0 {
            return;
        }
        let repo = &pipeline.plan.repo;
        let rejected = self.read(repo, batch);
        let violations = batch.violations_by_event();
        let max = pipeline.plan.targets[usize::from(self.target.0)].message_max as usize;
        for read in &rejected {
            let of_event = |each: &&Violation| each.event as usize == read.index;
            let first = violations.partition_point(|each| (each.event as usize) < read.index);
            let own: Vec<_> = violations[first..]
                .iter()
                .copied()
                .take_while(of_event)
                .collect();
            let document = Document {
                read,
                repo,
                batch,
                context,
                violations: &own,
                validators: &pipeline.plan.validators,
            };
            let start = records.buffer.len();
            document.write(Self::PAYLOAD, &mut records.buffer);
            if records.buffer.len() - start > max {
                records.buffer.truncate(start);
                document.write(Self::LITTLE, &mut records.buffer);
            }
            self.push(start, records);
        }
    }

    fn read(&self, repo: &RepoName, batch: &mut Batch) -> Vec<Read> {
        let mut rejected = Vec::with_capacity(batch.left(Class::Rejected));
        for index in 0..batch.events().len() {
            let reason = match batch.events()[index].fate {
                Fate::Left(reason) if reason.class() == Class::Rejected => reason,
                Fate::Left(_) | Fate::Live => continue,
            };
            let event = batch.event(index);
            rejected.push(Read {
                index,
                reason,
                event_id: self.event_id.of(repo, &event),
                sdk: event.get(self.sdk).and_then(text),
                sdk_version: event.get(self.sdk_version).and_then(text),
            });
        }
        rejected
    }

    fn push(&self, start: usize, records: &mut Records) {
        let position = |at| u32::try_from(at).ok();
        let (Some(start), Some(end)) = (position(start), position(records.buffer.len())) else {
            records.buffer.truncate(start);
            return;
        };
        records.items.push(Record {
            event: None,
            target: self.target,
            topic: self.topic,
            priority: self.priority,
            key: None,
            payload: Span { start, end },
        });
    }
}

impl EventId {
    /// The first of its fields that is there; else the first 16 bytes, in hex, of SHA-256 over the
    /// repo, a zero byte and the event as received.
    pub fn of(&self, repo: &RepoName, event: &EventMut<'_>) -> String {
        let written = |field: &FieldId| event.get(*field).and_then(text);
        if let Some(id) = self.from.iter().find_map(written) {
            return id;
        }
        let mut sha = Sha256::new();
        sha.update(repo.as_str());
        sha.update([0]);
        sha.update(event.received());
        let digest = format!("{:x}", sha.finalize());
        digest[..32].to_owned()
    }
}

/// The content of a string, or a number as it is written.
fn text(value: Json<'_>) -> Option<String> {
    let text = match value.kind() {
        Kind::String => value.as_str()?.into_owned(),
        Kind::Number => String::from_utf8_lossy(value.raw()).into_owned(),
        Kind::Null | Kind::Bool | Kind::Array | Kind::Object => return None,
    };
    (!text.is_empty()).then_some(text)
}

struct Document<'d> {
    read: &'d Read,
    repo: &'d RepoName,
    batch: &'d Batch,
    context: &'d Context<'d>,
    violations: &'d [&'d Violation],
    validators: &'d [Validator],
}

impl Document<'_> {
    fn write(&self, most: usize, out: &mut Vec<u8>) {
        let (read, context) = (self.read, self.context);
        let event = &self.batch.events()[read.index];
        let code = read.reason.code();
        out.push(b'{');
        member(out, "id", &format!("{}-{}", context.batch, read.index));
        member(out, "event_id", &read.event_id);
        member(out, "repo", self.repo.as_str());
        raw(out, "line", &event.line.to_string());
        member(out, "stage", code.split('.').next().unwrap_or(code));
        member(out, "code", code);
        self.write_violations(out);
        if let Some(sdk) = &read.sdk {
            member(out, "sdk", sdk);
        }
        if let Some(version) = &read.sdk_version {
            member(out, "sdk_version", version);
        }
        member(out, "received", &format!("{:.3}", context.received));
        if let Some(client) = context.client {
            member(out, "address", &client.masked().to_string());
        }
        member(out, "revision", context.revision);
        self.write_payload(event.received.of(self.batch.text()), most, out);
        out.push(b'}');
    }

    fn write_violations(&self, out: &mut Vec<u8>) {
        key(out, "violations");
        out.push(b'[');
        for (index, violation) in self.violations.iter().take(Rejects::VIOLATIONS).enumerate() {
            if index > 0 {
                out.push(b',');
            }
            self.write_violation(violation, out);
        }
        out.push(b']');
        let left_out = self.violations.len().saturating_sub(Rejects::VIOLATIONS);
        if left_out > 0 {
            raw(out, "violations_left_out", &left_out.to_string());
        }
    }

    fn write_violation(&self, violation: &Violation, out: &mut Vec<u8>) {
        out.push(b'{');
        member(out, "code", violation.reason.code());
        if !violation.field.is_empty() {
            member(out, "field", &violation.field);
        }
        member(out, "message", &violation.message);
        if let Some(sample) = &violation.sample {
            member(out, "sample", sample);
        }
        let index = violation.validator.map(usize::from);
        if let Some(validator) = index.and_then(|index| self.validators.get(index)) {
            member(out, "validator", &validator.name);
        }
        let effect = match violation.effect {
            Effect::Rejected => "rejected",
            Effect::Repaired => "repaired",
            Effect::Shadow | Effect::ShadowRepair => "shadow",
        };
        member(out, "effect", effect);
        out.push(b'}');
    }

    fn write_payload(&self, received: &[u8], most: usize, out: &mut Vec<u8>) {
        let kept = &received[..received.len().min(most)];
        member(out, "payload", &lossy(kept));
        raw(out, "payload_bytes", &received.len().to_string());
        if kept.len() < received.len() {
            raw(out, "payload_cut", "true");
        }
    }
}

/// As text; a character that the cut went through is left out, others that are none are replaced.
fn lossy(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    let end = match std::str::from_utf8(bytes) {
        Err(error) if error.error_len().is_none() => error.valid_up_to(),
        Ok(_) | Err(_) => bytes.len(),
    };
    String::from_utf8_lossy(&bytes[..end])
}

fn member(out: &mut Vec<u8>, name: &str, value: &str) {
    key(out, name);
    Json::write_str(out, value);
}

fn raw(out: &mut Vec<u8>, name: &str, value: &str) {
    key(out, name);
    out.extend_from_slice(value.as_bytes());
}

/// A member's key, with a comma before it unless it is the first.
fn key(out: &mut Vec<u8>, name: &str) {
    if out.last() != Some(&b'{') {
        out.push(b',');
    }
    Json::write_str(out, name);
    out.push(b':');
}
