//! What a repo document is refused for, and what its parts say to each other.

use serde_json::{Value, json};

use super::*;
use crate::document::scope::Producer;
use crate::document::shape::Shape;
use crate::event::Label;

fn world() -> World {
    let producer = Producer {
        message_max: 1_000_000,
        file: true,
    };
    World {
        producers: [(Label::new("files"), producer)].into(),
        ..World::default()
    }
}

/// The least that a repo document says, with more.
fn compile(more: Value) -> (Option<Compiled>, Vec<String>) {
    let mut value = json!({
        "version": 1,
        "route": [ { "otherwise": { "producer": "files", "topic": "t" } } ],
    });
    if let (Value::Object(all), Value::Object(more)) = (&mut value, more) {
        all.extend(more);
    }
    let world = world();
    let mut out = Diagnostics::new("weir.repo.a");
    let form: Option<RepoForm> = Shape::of::<RepoForm>().read(&value, &mut out);
    let compiled = form.map(|form| {
        let (compiled, found) = form.compile(&RepoName::new("a"), "weir.repo.a", &world);
        out.append(found);
        compiled
    });
    let line = |each: crate::document::diagnostic::Diagnostic| {
        assert!(!each.hint.is_empty(), "{each}");
        format!("{}: {}", each.pointer, each.message)
    };
    (compiled, out.into_vec().into_iter().map(line).collect())
}

fn problem(more: &Value) -> String {
    let (_, mut problems) = compile(more.clone());
    assert_eq!(problems.len(), 1, "{more}: {problems:?}");
    problems.remove(0)
}

#[test]
fn the_least_has_sensible_limits() {
    let (compiled, problems) = compile(json!({}));
    assert_eq!(problems, [""; 0]);
    let plan = compiled.unwrap().plan;
    assert_eq!(plan.access.limits.body, 8 << 20);
    assert_eq!(plan.access.limits.wire, 8 << 20);
    assert_eq!(plan.access.input.event_limit, 64 << 10);
    assert_eq!(plan.growth, 16 << 10);
    assert_eq!(plan.errors_shown, 20);
    assert_eq!(plan.targets[0].ack, Ack::Any);
    assert!(plan.access.keys.is_empty());
}

#[test]
fn the_default_ack_is_said_once() {
    let ack = |more| compile(more).0.unwrap().plan.targets[0].ack;
    assert_eq!(ack(json!({ "delivery": "async" })), Ack::Memory);
    assert_eq!(ack(json!({ "ack": "kafka" })), Ack::Kafka);
    let found = problem(&json!({ "ack": "kafka", "delivery": "sync" }));
    assert_eq!(found, "/ack: `ack` and `delivery` say the same thing");
    let found = problem(&json!({ "ack": "both" }));
    assert!(
        found.starts_with("/ack: `ack: both` needs a spool"),
        "{found}"
    );
}

#[test]
fn limits_that_contradict_each_other_are_told() {
    let limits = |limits: Value| problem(&json!({ "input": { "limits": limits } }));
    for (found, expected) in [
        (
            limits(json!({ "body": "32 KiB" })),
            "/input/limits/event: `event` (64 KiB) is larger than `body` (32 KiB)",
        ),
        (
            limits(json!({ "wire": "9 MiB" })),
            "/input/limits/wire: `wire` (9 MiB) is larger than `body` (8 MiB)",
        ),
        (
            limits(json!({ "events": 0 })),
            "/input/limits/events: must be at least 1, got 0",
        ),
        (
            limits(json!({ "wire": 0 })),
            "/input/limits/wire: a limit of 0 refuses everything",
        ),
        (
            limits(json!({ "event": "1 MiB" })),
            "/route/0/otherwise/producer: `files` takes records of 1000000 bytes; an event may \
             have 1048576, and the pipeline may add 16384",
        ),
    ] {
        assert_eq!(found, expected);
    }
    let (_, problems) = compile(json!({ "input": { "limits": { "body": "3 GiB" } } }));
    assert!(
        problems[0].starts_with("/input/limits/body: 3 GiB is more than"),
        "{problems:?}"
    );
}

#[test]
fn keys_rates_and_origins_are_checked() {
    let key = |id: &str, secret: &str| json!({ "id": id, "secret": secret });
    for (more, expected) in [
        (
            json!({ "auth": { "keys": [ key("a", "env:A"), key("a", "env:B") ] } }),
            "/auth/keys/1/id: the key `a` stands twice",
        ),
        (
            json!({ "auth": { "keys": [ key("a", "env:A"), key("b", "env:A") ] } }),
            "/auth/keys/1/secret: another key has the same secret, so this one never counts",
        ),
        (
            json!({ "auth": { "keys": [] } }),
            "/auth/keys: expected at least 1 item, got 0",
        ),
        (json!({ "rate": {} }), "/rate: the rate limits nothing"),
        (
            json!({ "rate": { "per": "key", "events_per_second": 5 } }),
            "/rate/per: there are no keys to count by",
        ),
        (
            json!({ "rate": { "requests_per_second": 0 } }),
            "/rate/requests_per_second: a rate is more than 0",
        ),
        (
            json!({ "cors": { "origins": ["*", "https://a.example/x"] } }),
            "/cors/origins/1: `https://a.example/x` is not an origin",
        ),
        (
            json!({ "values": { "project": [] } }),
            "/values/project: no value is declared",
        ),
    ] {
        assert_eq!(problem(&more), expected);
    }
    let (_, problems) = compile(json!({ "cors": { "origins": ["http://localhost:3000", "*"] } }));
    assert_eq!(problems, [""; 0]);
}

#[test]
fn a_name_moves_one_thing() {
    let validator = |name: &str| json!({ "name": name, "kind": "required", "fields": ["a"] });
    for (more, expected) in [
        (
            json!({ "executers": [ { "name": "x", "remove": "a" }, { "name": "x", "remove": "b" } ] }),
            "/executers/1: the name `x` stands twice, first under `executers`",
        ),
        (
            json!({ "executers": [ { "name": "x", "remove": "a" } ], "validate": [ validator("x") ] }),
            "/validate/0: the name `x` stands twice, first under `executers`",
        ),
        (
            json!({ "enrich": { "time": { "as": "t" } }, "validate": [ validator("time") ] }),
            "/validate/0: the name `time` stands twice, first under `enrich`",
        ),
    ] {
        assert_eq!(problem(&more), expected);
    }
}
