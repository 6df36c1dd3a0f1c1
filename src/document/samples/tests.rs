//! What samples say of a repo, as the people who wrote it read it.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::device;
use crate::document::diagnostic::{At, Diagnostics};
use crate::document::repo::RepoForm;
use crate::document::samples::{MOST, SampleForm, run};
use crate::document::scope::{Producer, World};
use crate::event::Label;
use crate::pipeline::decode::Format;
use crate::pipeline::switched::Switched;
use crate::pipeline::{Pipeline, RepoName};

const ROOT: At<'static> = At::ROOT;
const FILES: Producer = Producer {
    message_max: 1 << 20,
    file: true,
};

/// A repo that takes shop events.
fn repo(format: Format) -> (Pipeline, device::Step) {
    let executers = json!([
        { "filter": { "field": "event", "not": { "eq": "debug" } } },
        { "rename": { "ts": "time" } },
    ]);
    repo_with(format, &executers)
}

fn repo_with(format: Format, executers: &Value) -> (Pipeline, device::Step) {
    let world = World {
        geo_columns: Some(vec!["city".to_owned()]),
        producers: [(Label::new("files"), FILES)].into(),
        devices: true,
        ..World::default()
    };
    let format = match format {
        Format::Jsonl => "jsonl",
        Format::Text => "text",
    };
    let document = json!({
        "version": 1,
        "input": { "format": format },
        "values": { "shop": [ "north", "south" ] },
        "constraint": { "any": [
            { "field": "event", "exists": true },
            { "field": "message", "exists": true },
        ] },
        "executers": executers,
        "enrich": {
            "time": { "as": "received" },
            "client_ip": { "as": "ip" },
            "geo": { "as": { "city": "geo.city" } },
        },
        "validate": [
            { "name": "kinds", "kind": "types", "fields": { "price": "float" }, "mode": "enforce" },
            { "name": "fresh", "kind": "freshness", "field": "time", "past": "1 h", "future": "1 h", "mode": "enforce" },
        ],
        "device": { "identifiers": { "oaid": "oaid" }, "as": "device", "new_as": "is_new" },
        "route": { "match": "all", "rules": [
            { "when": { "field": "event", "eq": "pay" }, "to": [ { "producer": "files", "topic": "paid" } ] },
            { "to": [ { "producer": "files", "topic": "events_{{ shop }}", "else": "events_other" } ] },
        ] },
    });
    let form: RepoForm = serde_json::from_value(document).unwrap();
    let (compiled, out) = form.compile(&RepoName::new("shop"), "weir.repo.shop", &world);
    assert_eq!(out.into_vec(), []);
    let switched = Arc::new(Switched::as_written(&compiled.plan));
    let plan = Arc::new(compiled.plan);
    (Pipeline { plan, switched }, compiled.device.unwrap())
}

/// What is said of the samples, as `pointer: message | hint`.
fn said(format: Format, samples: Value) -> Vec<String> {
    said_by(&repo(format), samples)
}

fn said_by((pipeline, step): &(Pipeline, device::Step), samples: Value) -> Vec<String> {
    let samples: Vec<SampleForm> = serde_json::from_value(samples).unwrap();
    let mut out = Diagnostics::new("weir.repo.shop");
    run(
        &samples,
        pipeline,
        Some(step),
        &ROOT.field("samples"),
        &mut out,
    );
    out.into_vec()
        .into_iter()
        .map(|each| format!("{}: {} | {}", each.pointer, each.message, each.hint))
        .collect()
}

fn said_of(sample: &Value) -> Vec<String> {
    let mut whole =
        json!({ "name": "one", "event": { "event": "view" }, "expect": { "outcome": "accepted" } });
    for (key, value) in sample.as_object().unwrap() {
        whole[key] = value.clone();
    }
    said(Format::Jsonl, json!([whole]))
}

#[test]
fn a_sample_that_comes_out_as_expected_is_silent() {
    let accepted = json!({
        "event": { "event": "view", "ts": 1750000000000_u64, "price": 1 },
        "received": "2025-06-15T15:06:40Z",
        "address": "192.0.2.7",
        "geo": { "city": "杭州" },
        "device": { "id": "d1", "is_new": true },
        "expect": {
            "outcome": "accepted",
            "fields": {
                "time": 1750000000000_u64, "received": 1750000000000_u64, "price": 1.0, "ip": "192.0.2.7",
                "geo.city": "杭州", "geo": { "city": "杭州" }, "device": "d1", "is_new": true,
            },
            "absent": [ "ts", "a.b" ],
        },
    });
    assert_eq!(said_of(&accepted), [""; 0]);
    let filtered = json!({ "event": { "event": "debug" }, "expect": { "outcome": "filtered", "code": "filter" } });
    assert_eq!(said_of(&filtered), [""; 0]);
    let rejected = json!({
        "event": { "event": "view", "price": "cheap" },
        "expect": { "outcome": "rejected", "code": "validate.type" },
    });
    assert_eq!(said_of(&rejected), [""; 0]);
}

#[test]
fn another_outcome_is_told_with_its_cause() {
    assert_eq!(
        said_of(&json!({ "event": { "event": "view", "price": "cheap" } })),
        [
            "/samples/0/expect/outcome: the sample `one` should be accepted, and is rejected with \
             `validate.type` at `price`: expected float, got string | look at the validator `kinds`, \
             or change the sample"
        ]
    );
    assert_eq!(
        said_of(&json!({ "event": { "event": "debug" } })),
        [
            "/samples/0/expect/outcome: the sample `one` should be accepted, and is filtered with \
             `filter` | look at the filters among the `executers`, or change the sample"
        ]
    );
    assert_eq!(
        said_of(&json!({ "expect": { "outcome": "rejected" } })),
        [
            "/samples/0/expect/outcome: the sample `one` should be rejected, and is accepted | if \
             that is as it should be, change `expect`"
        ]
    );
    assert_eq!(
        said_of(&json!({
            "event": { "event": "view", "price": "cheap" },
            "expect": { "outcome": "rejected", "code": "validate.enum" },
        })),
        [
            "/samples/0/expect/code: the sample `one` should be rejected with `validate.enum`, and is \
             rejected with `validate.type` at `price`: expected float, got string | look at the \
             validator `kinds`, or change the sample"
        ]
    );
}

#[test]
fn every_field_that_differs_is_told() {
    let sample = json!({
        "event": { "event": "view", "price": 2 },
        "expect": {
            "outcome": "accepted",
            "fields": { "price": 2.5, "title": "x", "event": "view" },
            "absent": [ "price", "is_new", "device" ],
        },
    });
    let hint = "correct the document, or change the sample";
    assert_eq!(
        said_of(&sample),
        [
            format!(
                "/samples/0/expect/fields/price: `price` of the sample `one` should be `2.5`, and is `2` | {hint}"
            ),
            format!(
                "/samples/0/expect/fields/title: `title` of the sample `one` should be `\"x\"`, and is not there | {hint}"
            ),
            format!(
                "/samples/0/expect/absent/0: `price` of the sample `one` should not be there, and is `2` | {hint}"
            ),
            format!(
                "/samples/0/expect/absent/1: `is_new` of the sample `one` should not be there, and is `null` | {hint}"
            ),
        ]
    );
}

#[test]
fn topics_are_compared_as_a_set() {
    let goes_to = |event: &str, expect: Value| {
        let mut expect = expect;
        expect["outcome"] = "accepted".into();
        said_of(&json!({ "event": { "event": event, "shop": "north" }, "expect": expect }))
    };
    assert_eq!(goes_to("view", json!({ "topic": "events_north" })), [""; 0]);
    assert_eq!(
        goes_to("pay", json!({ "topics": [ "paid", "events_north" ] })),
        [""; 0]
    );
    assert_eq!(
        goes_to("pay", json!({ "topic": "paid" })),
        [
            "/samples/0/expect/topic: the sample `one` should go to `paid`, and goes to \
             `events_north` and `paid` | look at `route` and `values`, or change the sample"
        ]
    );
    assert_eq!(
        goes_to("view", json!({ "topics": [ "event_north" ] })),
        [
            "/samples/0/expect/topics: the sample `one` should go to `event_north`, and goes to \
             `events_north` | no route leads to `event_north`; did you mean `events_north`?"
        ]
    );
}

#[test]
fn a_sample_is_received_at_its_own_time() {
    let received = |event: Value, received: Option<&str>| {
        let mut sample =
            json!({ "name": "one", "event": event, "expect": { "outcome": "accepted" } });
        if let Some(received) = received {
            sample["received"] = received.into();
        }
        let sample: SampleForm = serde_json::from_value(sample).unwrap();
        sample.received().to_string()
    };
    for time in [
        json!(1_400_000_000),
        json!(1_400_000_000_000_u64),
        json!(1_400_000_000_000_000_u64),
        json!(1_400_000_000_000_000_000_u64),
        json!("2014-05-13T16:53:20Z"),
    ] {
        let event = json!({ "time": time });
        assert_eq!(
            received(event.clone(), None),
            "2014-05-13T16:53:20Z",
            "{time}"
        );
        assert_eq!(
            received(event, Some("2020-01-01T08:00:00+08:00")),
            "2020-01-01T00:00:00Z"
        );
    }
    for event in [json!({}), json!({ "time": "soon" }), json!({ "time": [] })] {
        assert_eq!(received(event, None), "2026-01-01T00:00:00Z");
    }
}

#[test]
fn a_line_of_text_is_a_sample_of_a_text_repo() {
    let line = |event: Value| {
        let expect = json!({ "outcome": "accepted", "fields": { "message": "a|\"b\"" } });
        said(
            Format::Text,
            json!([{ "name": "line", "event": event, "expect": expect }]),
        )
    };
    assert_eq!(line(json!({ "message": "a|\"b\"" })), [""; 0]);
    let hint = "this repo takes text: write `event: { message: \"the line\" }`";
    for event in [
        json!({ "message": 1 }),
        json!({ "message": "a", "more": 1 }),
        json!({ "event": "a" }),
        json!({ "message": "a\nb" }),
    ] {
        let problem = "/samples/0/event: the sample `line` is not a line of text";
        assert_eq!(line(event), [format!("{problem} | {hint}")]);
    }
    assert_eq!(
        line(json!({ "message": "" })),
        ["/samples/0/event: the sample `line` is not one event | write something into it"]
    );
}

#[test]
fn expectations_that_no_event_could_meet_are_errors() {
    let told = |expect: Value| said_of(&json!({ "event": { "event": "debug" }, "expect": expect }));
    assert_eq!(
        told(json!({ "outcome": "filtered", "topic": "a", "fields": { "a": 1 } })),
        [
            "/samples/0/expect/topic: `topic` with `outcome: filtered` | an event that is filtered \
             is not delivered: remove `topic`",
            "/samples/0/expect/fields: `fields` with `outcome: filtered` | an event that is filtered \
             is not delivered: remove `fields`",
        ]
    );
    let both = json!({ "outcome": "accepted", "code": "x", "topic": "a", "topics": ["a"], "absent": ["a..b"] });
    let pointers: Vec<_> = told(both)
        .iter()
        .map(|said| said.split(':').next().unwrap().to_owned())
        .collect();
    let expect = "/samples/0/expect";
    assert_eq!(
        pointers,
        [
            format!("{expect}/code"),
            format!("{expect}/topic"),
            format!("{expect}/absent/0")
        ]
    );
}

#[test]
fn what_a_sample_fixes_must_be_asked_for() {
    assert_eq!(
        said_of(&json!({ "geo": { "citty": "x" } })),
        [
            "/samples/0/geo/citty: no geo step of this repo takes the column `citty` | did you mean `city`?"
        ]
    );
    let (pipeline, _) = repo(Format::Jsonl);
    let sample = json!({ "name": "one", "event": { "event": "view" }, "device": { "id": "d" }, "expect": { "outcome": "accepted" } });
    let samples: Vec<SampleForm> = serde_json::from_value(json!([sample])).unwrap();
    let mut out = Diagnostics::new("weir.repo.shop");
    run(&samples, &pipeline, None, &ROOT, &mut out);
    let found = out.into_vec();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].pointer, "/0/device");
}

#[test]
fn a_script_that_loops_is_stopped_and_told_whatever_becomes_of_the_event() {
    let looping = |on_error: &str| {
        let source = "function process(event) while true do end end";
        let script = json!({ "source": source, "steps": 1000 });
        repo_with(
            Format::Jsonl,
            &json!([{ "script": script, "on_error": on_error }]),
        )
    };
    let sample =
        |expect: Value| json!([{ "name": "one", "event": { "event": "view" }, "expect": expect }]);
    for (on_error, outcome) in [("keep", "accepted"), ("reject", "rejected")] {
        let said = said_by(&looping(on_error), sample(json!({ "outcome": outcome })));
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(
            said[0].starts_with("/executers/0/script: it fails on the sample `one`: "),
            "{said:?}"
        );
    }
    let meant = json!({ "outcome": "rejected", "code": "execute.script" });
    assert_eq!(said_by(&looping("reject"), sample(meant)), [""; 0]);
}

#[test]
fn no_more_samples_than_the_bound_run() {
    let wrong = json!({ "name": "one", "event": { "event": "debug" }, "expect": { "outcome": "accepted" } });
    let many = vec![wrong; MOST + 5];
    let said = said(Format::Jsonl, Value::Array(many));
    assert_eq!(said.len(), 1 + MOST);
    assert_eq!(
        said[0],
        "/samples: 205 samples, and at most 200 run | keep those that show something new"
    );
}
