//! Executers from their written form to the event that leaves them.

#![expect(
    clippy::needless_pass_by_value,
    reason = "documents are written as literals where they are used"
)]

mod cast;
mod parse;
mod privacy;
mod script;
mod shape;
mod split;

use serde_json::{Value, json};

use crate::document::diagnostic::{At, Diagnostic, Severity};
use crate::document::executer::ExecuterForm;
use crate::document::scope::{Scope, World};
use crate::event::{Batch, Depth, Fate};
use crate::pipeline::Context;
use crate::pipeline::executer::Step;
use crate::secret::Secret;
use crate::tables::Tables;

/// What became of an event.
#[derive(Debug, PartialEq)]
struct Ran {
    /// The event, or the reason's code.
    event: String,
    /// On how many events the steps could not work.
    failed: u32,
    /// What was noted, as `path: message`.
    notes: Vec<String>,
}

/// Compiles the steps and runs events through them, as one batch.
fn batch(steps: Value, events: &[&str]) -> (Batch, u32) {
    let world = World::default();
    let mut scope = Scope::new("weir.repo.test", &world);
    let steps = compile(steps, &mut scope);
    let found = scope.diagnostics.into_vec();
    assert!(found.is_empty(), "{found:?}");
    let mut batch = Batch::new(events.concat().into(), scope.fields.build().into());
    let mut at = 0;
    for event in events {
        batch.read(1, at, at + event.len(), Depth::DEFAULT).unwrap();
        at += event.len();
    }
    let mut failed = 0;
    with_context(|context| {
        failed = steps.iter().map(|step| step.run(&mut batch, context)).sum();
    });
    (batch, failed)
}

/// What becomes of several events.
fn run_all(steps: Value, events: &[&str]) -> Vec<String> {
    let (mut batch, _) = batch(steps, events);
    (0..events.len())
        .map(|index| left(&mut batch, index))
        .collect()
}

/// What becomes of one event.
fn run(steps: Value, event: &str) -> Ran {
    let (mut batch, failed) = batch(steps, &[event]);
    let note = |found: &crate::event::Violation| format!("{}: {}", found.field, found.message);
    Ran {
        event: left(&mut batch, 0),
        failed,
        notes: batch.violations().iter().map(note).collect(),
    }
}

fn with_context(run: impl FnOnce(&Context<'_>)) {
    let tables = Tables::default();
    run(&Context {
        received: "2025-06-15T15:06:40Z".parse().unwrap(),
        client: None,
        key: None,
        tables: &tables,
        geo: None,
        revision: "",
        batch: "",
        instance: "",
    });
}

fn left(batch: &mut Batch, index: usize) -> String {
    let fields = batch.fields().clone();
    let event = batch.event(index);
    if let Fate::Left(reason) = event.event.fate {
        return reason.code().to_owned();
    }
    let mut out = Vec::new();
    event.write(&fields, &mut out);
    String::from_utf8(out).unwrap()
}

fn compile(steps: Value, scope: &mut Scope<'_>) -> Vec<Step> {
    let forms: Vec<ExecuterForm> = serde_json::from_value(steps).unwrap();
    let at = At::ROOT.field("executers");
    let steps: Vec<_> = forms
        .iter()
        .enumerate()
        .filter_map(|(index, form)| form.compile(scope, &at.item(index)))
        .collect();
    for step in &steps {
        if step.secret().is_some() {
            step.bind(Some(&Secret::new("key")));
        }
    }
    steps
}

/// The event that leaves one step without trouble.
fn after(step: Value, event: &str) -> String {
    let ran = run(json!([step]), event);
    assert_eq!((ran.failed, ran.notes), (0, vec![]), "{step} {event}");
    ran.event
}

/// Asserts that one step cannot work on the event, and leaves it as it was.
fn fails(step: Value, event: &str) {
    let ran = run(json!([step]), event);
    let expected = Ran {
        event: event.to_owned(),
        failed: 1,
        notes: vec![],
    };
    assert_eq!(ran, expected, "{step}");
}

fn problems(steps: Value) -> Vec<Diagnostic> {
    let world = World::default();
    let mut scope = Scope::new("weir.repo.test", &world);
    compile(steps, &mut scope);
    scope.diagnostics.into_vec()
}

/// Asserts that a step has one problem: its pointer below the step, and a part of its message.
fn refused(step: Value, pointer: &str, message: &str) {
    let found = problems(json!([step]));
    assert_eq!(found.len(), 1, "{step}: {found:?}");
    assert_eq!(found[0].pointer, format!("/executers/0{pointer}"), "{step}");
    assert!(found[0].message.contains(message), "{step}: {found:?}");
    assert!(!found[0].hint.is_empty());
}

#[test]
fn a_filter_keeps_what_meets_it() {
    let filter = json!({"filter": {"field": "event", "not": {"prefix": "debug_"}}});
    let kept = r#"{"event":"view"}"#;
    assert_eq!(after(filter.clone(), kept), kept);
    assert_eq!(after(filter, r#"{"event":"debug_x"}"#), "filter");
}

#[test]
fn a_step_passes_over_events_that_its_condition_does_not_mean() {
    let step = json!({"when": {"field": "a", "eq": 1}, "remove": "b"});
    assert_eq!(after(step.clone(), r#"{"a":1,"b":2}"#), r#"{"a":1}"#);
    assert_eq!(after(step, r#"{"a":2,"b":2}"#), r#"{"a":2,"b":2}"#);
}

#[test]
fn on_error_says_what_happens_to_an_event_that_a_step_cannot_work_on() {
    let event = r#"{"a":"x","b":1}"#;
    let step =
        |on_error: &str| json!([{"cast": {"field": "a", "to": "int"}, "on_error": on_error}]);
    assert_eq!(run(step("keep"), event).event, event);
    assert_eq!(run(step("remove"), event).event, r#"{"b":1}"#);
    let rejected = run(step("reject"), event);
    assert_eq!(rejected.event, "execute.failed");
    assert_eq!(rejected.notes, ["a: cast: this is not an integer"]);
    assert_eq!(rejected.failed, 1);
}

#[test]
fn an_event_that_left_goes_through_no_further_step() {
    let steps = json!([
        {"filter": {"field": "a", "exists": false}},
        {"cast": {"field": "a", "to": "int"}, "on_error": "reject"},
    ]);
    let ran = run(steps, r#"{"a":"x"}"#);
    assert_eq!((ran.event.as_str(), ran.failed), ("filter", 0));
}

#[test]
fn a_step_is_exactly_one_kind() {
    refused(json!({}), "", "does nothing");
    refused(json!({"name": "x"}), "", "does nothing");
    refused(
        json!({"remove": "a", "keep": "b"}),
        "",
        "several kinds: remove, keep",
    );
    refused(json!({"name": "", "remove": "a"}), "/name", "empty");
    refused(
        json!({"locked": true, "remove": "a"}),
        "/locked",
        "nothing to lock",
    );
    let unknown = serde_json::from_value::<ExecuterForm>(json!({"renam": {}}));
    assert!(
        unknown
            .unwrap_err()
            .to_string()
            .contains("unknown field `renam`")
    );
}

#[test]
fn a_step_tells_its_name_and_kind() {
    let world = World::default();
    let mut scope = Scope::new("weir.repo.test", &world);
    let written = json!([{"name": "campaign", "locked": true, "parse": {"query": "q"}}]);
    let steps = compile(written, &mut scope);
    let step = &steps[0];
    assert_eq!(
        (step.name.as_deref(), step.locked, step.kind()),
        (Some("campaign"), true, "parse")
    );
}

#[test]
fn paths_in_another_notation_are_doubtful() {
    for (path, hint) in [
        ("tags[0]", "`tags.0`"),
        ("$.a", "`a`"),
        (" a", "take it away"),
        ("a .b", "take it away"),
    ] {
        refused(json!({"remove": [path]}), "/remove/0", "the name");
        let found = problems(json!([{"remove": [path]}]));
        assert_eq!(found[0].severity, Severity::Warning);
        assert!(found[0].hint.contains(hint), "{found:?}");
    }
    assert_eq!(
        problems(json!([{"remove": ["$lib_version", "utm[source]", "a b"]}])),
        []
    );
}

#[test]
fn fields_named_twice_are_told_beside_other_problems() {
    let found = problems(json!([{"keep": ["a..b"]}, {"remove": ["c", "c"]}]));
    let pointers: Vec<_> = found.iter().map(|each| each.pointer.as_str()).collect();
    assert_eq!(pointers, ["/executers/0/keep/0", "/executers/1/remove"]);
    assert_eq!(problems(json!([{"keep": ["a..b", "c..d"]}])).len(), 2);
}
