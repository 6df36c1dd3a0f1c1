//! Compares what became of a sample with what was expected, and says where they differ.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::document::diagnostic::{At, Diagnostics};
use crate::document::samples::run::Ran;
use crate::document::samples::{Outcome, SampleForm};
use crate::document::shape::suggestion;
use crate::event::{Class, Effect, Fate, Path, Reason, Violation};
use crate::pipeline::Pipeline;

/// Most violations that a message tells.
const TOLD: usize = 3;
/// Longest part of a value that a message repeats.
const SHOWN: usize = 120;

/// Reports expectations that no event could meet.
pub(super) fn check(sample: &SampleForm, at: &At<'_>, out: &mut Diagnostics) {
    let expect = &sample.expect;
    let at = at.field("expect");
    let outcome = expect.outcome.as_str();
    if expect.outcome == Outcome::Accepted {
        if expect.code.is_some() {
            let hint =
                "an accepted event has no code; say which `fields` it has, or which are `absent`";
            out.error(&at.field("code"), "`code` with `outcome: accepted`", hint);
        }
        if expect.topic.is_some() && expect.topics.is_some() {
            let hint = "write all topics into `topics`";
            out.error(&at.field("topic"), "`topic` and `topics` at once", hint);
        }
    } else {
        let given = [
            ("topic", expect.topic.is_some()),
            ("topics", expect.topics.is_some()),
            ("fields", !expect.fields.is_empty()),
            ("absent", !expect.absent.is_empty()),
        ];
        for (name, _) in given.into_iter().filter(|(_, given)| *given) {
            let message = format!("`{name}` with `outcome: {outcome}`");
            let hint = format!("an event that is {outcome} is not delivered: remove `{name}`");
            out.error(&at.field(name), message, hint);
        }
    }
    for path in expect.fields.keys() {
        check_path(path, &at.field("fields").field(path), out);
    }
    for (index, path) in expect.absent.iter().enumerate() {
        check_path(path, &at.field("absent").item(index), out);
    }
}

fn check_path(path: &str, at: &At<'_>, out: &mut Diagnostics) {
    if let Err(error) = Path::parse(path) {
        out.error(at, format!("`{path}` is not a path"), error.to_string());
    }
}

/// Reports every difference. `at` is where the expectations stand.
pub(super) fn compare(
    sample: &SampleForm,
    ran: &mut Ran,
    pipeline: &Pipeline,
    at: &At<'_>,
    out: &mut Diagnostics,
) {
    let expect = &sample.expect;
    let got = Got::of(ran, pipeline);
    let name = &sample.name;
    if got.outcome != expect.outcome {
        let wanted = expect.outcome.as_str();
        let message = format!(
            "the sample `{name}` should be {wanted}, and is {}",
            got.text()
        );
        out.error(&at.field("outcome"), message, got.hint());
        return;
    }
    if let Some(code) = &expect.code
        && !got.has_code(code)
    {
        let message = format!(
            "the sample `{name}` should be {} with `{code}`, and is {}",
            got.outcome.as_str(),
            got.text()
        );
        out.error(&at.field("code"), message, got.hint());
    }
    if got.outcome == Outcome::Accepted {
        compare_topics(sample, ran, pipeline, at, out);
        compare_fields(sample, ran, at, out);
    }
}

/// What became of a sample, to compare and to tell.
struct Got {
    outcome: Outcome,
    reason: Option<Reason>,
    /// Those that led to it.
    violations: Vec<Violation>,
    /// The name of the validator of the first of them.
    validator: Option<String>,
}

impl Got {
    fn of(ran: &Ran, pipeline: &Pipeline) -> Self {
        let reason = match ran.batch.events()[0].fate {
            Fate::Live => None,
            Fate::Left(reason) => Some(reason),
        };
        let led = |violation: &&Violation| violation.effect == Effect::Rejected;
        let violations: Vec<_> = ran.batch.violations_of(0).filter(led).cloned().collect();
        let validators = &pipeline.plan.validators;
        let validator = violations
            .first()
            .and_then(|first| validators.get(usize::from(first.validator?)));
        Self {
            outcome: match reason.map(Reason::class) {
                None => Outcome::Accepted,
                Some(Class::Filtered) => Outcome::Filtered,
                Some(Class::Rejected | Class::Retry) => Outcome::Rejected,
            },
            reason,
            violations,
            validator: validator.map(|validator| validator.name.to_string()),
        }
    }

    /// An event that is rejected for several reasons has all their codes.
    fn has_code(&self, code: &str) -> bool {
        self.reason.is_some_and(|reason| reason.code() == code)
            || self.outcome == Outcome::Rejected
                && self
                    .violations
                    .iter()
                    .any(|each| each.reason.code() == code)
    }

    fn text(&self) -> String {
        match (self.outcome, self.reason) {
            (Outcome::Rejected, _) if !self.violations.is_empty() => {
                format!("rejected with {}", self.told(TOLD))
            }
            (outcome, Some(reason)) => format!("{} with `{}`", outcome.as_str(), reason.code()),
            (outcome, None) => outcome.as_str().to_owned(),
        }
    }

    /// The first violations: "`validate.type` at `properties.price`: expected float, got string".
    fn told(&self, most: usize) -> String {
        let told = self.violations.iter().take(most).map(|each| {
            let code = each.reason.code();
            if each.field.is_empty() {
                format!("`{code}`: {}", each.message)
            } else {
                format!("`{code}` at `{}`: {}", each.field, each.message)
            }
        });
        let mut text = told.collect::<Vec<_>>().join("; ");
        if self.violations.len() > most && most > 1 {
            text.push_str(&format!("; and {} more", self.violations.len() - most));
        }
        text
    }

    fn hint(&self) -> String {
        let or_else = "or change the sample";
        match (self.reason, &self.validator) {
            (None, _) => "if that is as it should be, change `expect`".to_owned(),
            (Some(_), Some(name)) => format!("look at the validator `{name}`, {or_else}"),
            (Some(Reason::Constraint), _) => format!("look at `constraint`, {or_else}"),
            (Some(Reason::Filter | Reason::ScriptFilter), _) => {
                format!("look at the filters among the `executers`, {or_else}")
            }
            (Some(Reason::RouteNone | Reason::RouteValue), _) => {
                format!("look at `route` and `values`, {or_else}")
            }
            (Some(_), None) => format!("correct the document, {or_else}"),
        }
    }
}

fn compare_topics(
    sample: &SampleForm,
    ran: &Ran,
    pipeline: &Pipeline,
    at: &At<'_>,
    out: &mut Diagnostics,
) {
    let expect = &sample.expect;
    let wanted: BTreeSet<&str> = match (&expect.topic, &expect.topics) {
        (Some(topic), _) => [topic.as_str()].into(),
        (None, Some(topics)) => topics.iter().map(String::as_str).collect(),
        (None, None) => return,
    };
    let topics = &pipeline.plan.topics;
    let own = ran
        .records
        .items
        .iter()
        .filter(|record| record.event == Some(0));
    let got: BTreeSet<&str> = own
        .filter_map(|record| topics.get(record.topic.0 as usize))
        .map(|topic| topic.as_str())
        .collect();
    if wanted == got {
        return;
    }
    let name = &sample.name;
    let message = format!(
        "the sample `{name}` should go to {}, and goes to {}",
        listed(&wanted),
        listed(&got)
    );
    let known: Vec<&str> = topics.iter().map(|topic| topic.as_str()).collect();
    let stranger = wanted.iter().find(|topic| !known.contains(topic));
    let hint = match stranger {
        Some(topic) => format!("no route leads to `{topic}`; {}", suggestion(topic, &known)),
        None => "look at `route` and `values`, or change the sample".to_owned(),
    };
    let field = if expect.topic.is_some() {
        "topic"
    } else {
        "topics"
    };
    out.error(&at.field(field), message, hint);
}

/// "`a` and `b`".
fn listed(names: &BTreeSet<&str>) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    if quoted.is_empty() {
        return "no topic".to_owned();
    }
    quoted.join(" and ")
}

fn compare_fields(sample: &SampleForm, ran: &mut Ran, at: &At<'_>, out: &mut Diagnostics) {
    let (expect, name) = (&sample.expect, &sample.name);
    if expect.fields.is_empty() && expect.absent.is_empty() {
        return;
    }
    let mut text = Vec::new();
    let fields = std::sync::Arc::clone(ran.batch.fields());
    ran.batch.event(0).write(&fields, &mut text);
    let event = match serde_json::from_slice::<Value>(&text) {
        Ok(event) => event,
        Err(error) => {
            let message = format!("the sample `{name}`, as delivered, cannot be read: {error}");
            out.error(at, message, "take the number out of it that is too large");
            return;
        }
    };
    let hint = "correct the document, or change the sample";
    for (path, wanted) in &expect.fields {
        let got = find(&event, path);
        if !got.is_some_and(|got| same(wanted, got)) {
            let got = match got {
                Some(got) => format!("is {}", shown(got)),
                None => "is not there".to_owned(),
            };
            let message = format!(
                "`{path}` of the sample `{name}` should be {}, and {got}",
                shown(wanted)
            );
            out.error(&at.field("fields").field(path), message, hint);
        }
    }
    for (index, path) in expect.absent.iter().enumerate() {
        if let Some(got) = find(&event, path) {
            let message = format!(
                "`{path}` of the sample `{name}` should not be there, and is {}",
                shown(got)
            );
            out.error(&at.field("absent").item(index), message, hint);
        }
    }
}

/// What stands at a path.
fn find<'v>(event: &'v Value, path: &str) -> Option<&'v Value> {
    let path = Path::parse(path).ok()?;
    path.names()
        .iter()
        .try_fold(event, |value, name| match value {
            Value::Object(members) => members.get(&**name),
            Value::Array(items) => items.get(name.parse::<usize>().ok()?),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
        })
}

/// Whether two values are the same, numbers by what they are worth (`1` is `1.0`).
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(a), Value::Number(b)) => {
            a == b || (a.is_f64() || b.is_f64()) && a.as_f64() == b.as_f64()
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        _ => one == other,
    }
}

/// A value as JSON, cut if it is long.
fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("`{}…`", &text[..end]),
        None => format!("`{text}`"),
    }
}
