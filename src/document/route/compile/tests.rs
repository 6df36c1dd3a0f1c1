//! Where compiled routes send events, and what routes are refused for.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::document::diagnostic::At;
use crate::document::route::{Defaults, DeliveryForm, EventIdForm, RejectsForm, RouteForm};
use crate::document::scope::{Producer, Scope, World};
use crate::document::validate::{ValidatorForm, compile};
use crate::event::{
    Ack, Batch, ClientIp, Depth, Fate, Label, Path, Priority, Reason, Records, TargetId, TopicId,
};
use crate::pipeline::enrich::Enrich;
use crate::pipeline::route::EventId;
use crate::pipeline::switched::Switched;
use crate::pipeline::{Context, Pipeline, Plan, RepoName, fixture};
use crate::tables::Tables;

const DEFAULTS: Defaults = Defaults {
    ack: Ack::Any,
    event_limit: 200,
    growth: 100,
};

fn world() -> World {
    let mut world = World::default();
    for (label, message_max, file) in [
        ("big", 100_000, false),
        ("small", 300, false),
        ("f", 100_000, true),
    ] {
        world
            .producers
            .insert(Label::new(label), Producer { message_max, file });
    }
    world
}

fn scope(world: &World) -> Scope<'_> {
    let mut scope = Scope::new("weir.repo.r", world);
    let strings = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
    scope.values = vec![
        (Path::parse("project").unwrap(), strings(&["shop", "read"])),
        (Path::parse("p.v").unwrap(), strings(&["1", "2", "3"])),
    ];
    scope
}

/// A pipeline of a document's route, and perhaps of its rejects and validators.
fn pipeline(document: &Value) -> Pipeline {
    let world = world();
    let mut scope = scope(&world);
    let route: RouteForm = serde_json::from_value(document["route"].clone()).unwrap();
    let router = route.compile(DEFAULTS, &mut scope, &At::ROOT.field("route"));
    let rejects = document.get("rejects").map(|rejects| {
        let form: RejectsForm = serde_json::from_value(rejects.clone()).unwrap();
        let id = document.get("event_id").map(|id| {
            let form: EventIdForm = serde_json::from_value(id.clone()).unwrap();
            form.compile(&mut scope, &At::ROOT.field("event_id"))
        });
        let id = id.unwrap_or_default();
        form.compile(id, &mut scope, &At::ROOT.field("rejects"))
            .unwrap()
    });
    let validators = document.get("validate").map(|validate| {
        let forms: Vec<ValidatorForm> = serde_json::from_value(validate.clone()).unwrap();
        compile(&forms, None, &mut scope, &At::ROOT.field("validate"))
    });
    assert_eq!(scope.diagnostics.into_vec(), []);
    let plan = Plan {
        repo: RepoName::new("r"),
        fields: Arc::new(scope.fields.build()),
        access: fixture::access(),
        constraint: None,
        executers: Vec::new(),
        enrich: Enrich::default(),
        validators: validators.unwrap_or_default(),
        router,
        targets: scope.targets,
        topics: scope.topics,
        rejects,
        growth: DEFAULTS.growth,
        errors_shown: 20,
    };
    let switched = Switched::as_written(&plan).into();
    Pipeline {
        plan: Arc::new(plan),
        switched,
    }
}

/// Routes events, and gives the batch and the records.
fn route(pipeline: &Pipeline, events: &[&str], adapt: impl FnOnce(&mut Batch)) -> (Batch, Records) {
    let body = events.join("\n").into_bytes();
    let mut batch = Batch::new(body, pipeline.plan.fields.clone());
    let mut start = 0;
    for (line, event) in (1u32..).zip(events) {
        let end = start + event.len();
        batch.read(line, start, end, Depth(8)).unwrap();
        start = end + 1;
    }
    let tables = Tables::default();
    let context = Context {
        received: "2025-06-15T15:06:40.5Z".parse().unwrap(),
        client: Some(ClientIp::new("203.0.113.7".parse().unwrap())),
        key: None,
        tables: &tables,
        geo: None,
        revision: "3f2a91c0d4e5",
        batch: "01J",
        instance: "i",
    };
    adapt(&mut batch);
    pipeline.validate(&mut batch, &context);
    let records = pipeline.route(&mut batch, &context);
    (batch, records)
}

/// Of each event: its records as `producer/topic key priority`, or the reason it has none.
fn ways(document: &Value, events: &[&str]) -> Vec<String> {
    ways_of(document, events, |_| ())
}

fn ways_of(document: &Value, events: &[&str], adapt: impl FnOnce(&mut Batch)) -> Vec<String> {
    let pipeline = pipeline(document);
    let (batch, records) = route(&pipeline, events, adapt);
    let text =
        |span: crate::event::Span| String::from_utf8(span.of(&records.buffer).to_vec()).unwrap();
    let mut ways = Vec::new();
    for (index, event) in (0u32..).zip(batch.events()) {
        let own = records
            .items
            .iter()
            .filter(|record| record.event == Some(index));
        let own: Vec<_> = own
            .map(|record| {
                assert_eq!(text(record.payload), events[index as usize]);
                let producer = &pipeline.plan.targets[usize::from(record.target.0)].producer;
                let topic = &pipeline.plan.topics[record.topic.0 as usize];
                let key = record.key.map(text).unwrap_or_default();
                format!("{producer}/{topic} {key} {}", record.priority.as_str())
            })
            .collect();
        ways.push(match event.fate {
            Fate::Live => own.join(", "),
            Fate::Left(reason) => {
                assert_eq!(own, [""; 0], "a rejected event has no record");
                reason.code().to_owned()
            }
        });
    }
    ways
}

#[test]
fn the_first_rule_that_holds_takes_an_event() {
    let document = json!({ "route": [
        { "when": { "field": "e", "eq": "a" }, "to": { "producer": "big", "topic": "one", "key": "k", "priority": "P0" } },
        { "when": { "field": "e", "in": ["a", "b"] }, "to": [
            { "producer": "big", "topic": "two" }, { "producer": "small", "topic": "two", "key": "k" } ] },
        { "otherwise": { "producer": "big", "topic": "rest" } },
    ] });
    assert_eq!(
        ways(
            &document,
            &[
                r#"{"e":"a","k":"x"}"#,
                r#"{"e":"b","k":7.0}"#,
                r#"{"e":"c"}"#
            ]
        ),
        [
            "big/one x P0",
            "big/two  P2, small/two 7.0 P2",
            "big/rest  P2"
        ]
    );
}

#[test]
fn all_rules_that_hold_take_an_event_once_for_each_place() {
    let document = json!({ "route": { "match": "all", "rules": [
        { "when": { "field": "a", "exists": true }, "to": { "producer": "big", "topic": "t" } },
        { "when": { "field": "b", "exists": true }, "to": [
            { "producer": "big", "topic": "t" }, { "producer": "big", "topic": "u" } ] },
        { "otherwise": { "producer": "big", "topic": "rest" } },
    ] } });
    assert_eq!(
        ways(&document, &[r#"{"a":1,"b":2}"#, r#"{"b":2}"#, "{}"]),
        [
            "big/t  P2, big/u  P2",
            "big/t  P2, big/u  P2",
            "big/rest  P2"
        ]
    );
}

#[test]
fn an_event_that_no_rule_takes_is_rejected() {
    let document = json!({ "route": [
        { "when": { "field": "a", "exists": true }, "to": { "producer": "big", "topic": "t" } } ] });
    assert_eq!(
        ways(&document, &[r#"{"a":1}"#, "{}"]),
        ["big/t  P2", "route.none"]
    );
}

#[test]
fn records_of_one_event_share_its_bytes() {
    let document = json!({ "route": [{ "to": [
        { "producer": "big", "topic": "t", "key": "k" }, { "producer": "f", "topic": "t" } ] }] });
    let (_, records) = route(&pipeline(&document), &[r#"{"k":"\u00e4"}"#], |_| ());
    assert_eq!(records.items.len(), 2);
    assert_eq!(records.items[0].payload, records.items[1].payload);
    assert_eq!(
        records.buffer,
        r#"{"k":"\u00e4"}ä"#.as_bytes(),
        "a key is without escapes"
    );
}

#[test]
fn keys_are_the_content_of_a_field() {
    let document = json!({ "route": [{ "to": { "producer": "big", "topic": "t", "key": "k" } }] });
    let events = [
        r#"{"k":"a\"b"}"#,
        r#"{"k":1.50}"#,
        r#"{"k":true}"#,
        r#"{"k":null}"#,
        r#"{"k":""}"#,
        "{}",
        r#"{"k":[1]}"#,
    ];
    let (_, records) = route(&pipeline(&document), &events, |_| ());
    let keys: Vec<_> = records
        .items
        .iter()
        .map(|record| {
            record
                .key
                .map(|key| std::str::from_utf8(key.of(&records.buffer)).unwrap())
        })
        .collect();
    assert_eq!(
        keys,
        [
            Some(r#"a"b"#),
            Some("1.50"),
            Some("true"),
            None,
            None,
            None,
            Some("[1]")
        ]
    );
}

#[test]
fn topics_are_chosen_by_declared_values() {
    let target = |fallback: Option<&str>| {
        let mut target = json!({ "producer": "big", "topic": "e_{{ project }}.{{p.v}}" });
        if let Some(fallback) = fallback {
            target["else"] = fallback.into();
        }
        json!({ "route": [{ "otherwise": target }] })
    };
    let events = [
        r#"{"project":"shop","p":{"v":"1"}}"#,
        r#"{"project":"re\u0061d","p":{"v":3}}"#,
        r#"{"project":"read","p":{"v":4}}"#,
        r#"{"project":"read"}"#,
        r#"{"project":null,"p":{"v":1}}"#,
    ];
    assert_eq!(
        ways(&target(None), &events),
        [
            "big/e_shop.1  P2",
            "big/e_read.3  P2",
            "route.value",
            "route.value",
            "route.value"
        ]
    );
    assert_eq!(
        ways(&target(Some("e_other")), &events)[1..],
        [
            "big/e_read.3  P2",
            "big/e_other  P2",
            "big/e_other  P2",
            "big/e_other  P2"
        ]
    );
    let pipeline = pipeline(&target(None));
    assert_eq!(pipeline.plan.topics.len(), 6);
    let (batch, _) = route(&pipeline, &[r#"{"project":"secret"}"#], |_| ());
    assert_eq!(batch.violations()[0].field, "project");
    assert!(!batch.violations()[0].message.contains("secret"));
}

#[test]
fn priority_is_that_of_restriction_then_route_then_catalog() {
    let document = |priority: Option<&str>| json!({ "route": [{ "to": { "producer": "big", "topic": "t", "priority": priority } }] });
    let of = |route: Option<&str>, catalog, restricted| {
        ways_of(&document(route), &["{}"], |batch| {
            let event = batch.event(0).event;
            (event.priority, event.restricted) = (catalog, restricted);
        })
    };
    use Priority::{P0, P3};
    assert_eq!(of(None, None, None), ["big/t  P2"]);
    assert_eq!(of(None, Some(P0), None), ["big/t  P0"]);
    assert_eq!(of(Some("P1"), Some(P0), None), ["big/t  P1"]);
    assert_eq!(of(Some("P1"), Some(P0), Some(P3)), ["big/t  P3"]);
}

#[test]
fn a_redirected_event_goes_there_and_nowhere_else() {
    let document = json!({ "route": [
        { "when": { "field": "a", "exists": true }, "to": { "producer": "big", "topic": "t" } },
        { "otherwise": { "producer": "f", "topic": "u", "key": "k" } },
    ] });
    let found = ways_of(&document, &[r#"{"a":1,"k":"x"}"#], |batch| {
        batch.event(0).event.redirect = Some((TargetId(1), TopicId(1)));
    });
    assert_eq!(found, ["f/u x P2"]);
}

#[test]
fn what_is_too_large_for_its_producer_or_has_grown_too_much_is_rejected() {
    let document = json!({ "route": [{ "to": [
        { "producer": "big", "topic": "t" }, { "producer": "small", "topic": "t", "key": "k" } ] }] });
    let key = "x".repeat(160);
    assert_eq!(
        ways(&document, &[&format!(r#"{{"k":"{key}"}}"#), r#"{"k":"x"}"#]),
        ["route.too_large", "big/t  P2, small/t x P2"],
        "one target that cannot take it is enough: accepted would not be true"
    );
    let document = json!({ "route": [{ "to": { "producer": "big", "topic": "t", "key": "a" } }] });
    let grown = |bytes: usize| {
        let (batch, records) = route(&pipeline(&document), &[r#"{"a":1}"#], |batch| {
            let field = crate::event::FieldId(0);
            let text = format!("\"{}\"", "x".repeat(bytes));
            batch
                .event(0)
                .set(field, |_, out| out.extend_from_slice(text.as_bytes()));
        });
        (
            batch.events()[0].fate,
            records.items.len(),
            records.buffer.len(),
        )
    };
    assert_eq!(grown(99), (Fate::Live, 1, 107 + 99));
    assert_eq!(grown(100), (Fate::Left(Reason::RouteTooLarge), 0, 0));
}

#[test]
fn ack_is_what_the_target_says_or_else_the_delivery() {
    let form: RouteForm = serde_json::from_value(json!([{ "to": [
        { "producer": "big", "topic": "t" },
        { "producer": "big", "topic": "t", "ack": "kafka" },
        { "producer": "big", "topic": "u", "headers": { "env": "prod" } } ] }]))
    .unwrap();
    for (delivery, expected) in [
        (DeliveryForm::Sync, Ack::Any),
        (DeliveryForm::Async, Ack::Memory),
    ] {
        let world = world();
        let mut scope = scope(&world);
        let defaults = Defaults {
            ack: delivery.into(),
            ..DEFAULTS
        };
        form.compile(defaults, &mut scope, &At::ROOT);
        let acks: Vec<_> = scope.targets.iter().map(|target| target.ack).collect();
        assert_eq!(acks, [expected, Ack::Kafka, expected]);
        assert_eq!(&*scope.targets[2].headers, [("env".into(), "prod".into())]);
    }
}

#[test]
fn each_rejected_event_makes_one_reject_record() {
    let document = json!({
        "route": [{ "otherwise": { "producer": "big", "topic": "t" } }],
        "rejects": { "producer": "big", "topic": "rejects" },
        "event_id": { "from": ["id", "properties.id"] },
        "validate": [
            { "name": "plan", "kind": "types", "fields": { "a": "int", "b": "string" } },
            { "name": "looks", "kind": "required", "mode": "shadow", "fields": ["c"] },
        ],
    });
    let bad =
        r#"{"id":"e-1","a":"12 abc","b":7,"properties":{"$lib":"android","$lib_version":"4.1"}}"#;
    let (batch, records) = route(
        &pipeline(&document),
        &[r#"{"a":1}"#, bad, r#"{"a":2,"c":0}"#],
        |batch| {
            batch.event(2).leave(Reason::Filter);
        },
    );
    assert_eq!(batch.live(), 1);
    let rejects: Vec<_> = records
        .items
        .iter()
        .filter(|record| record.event.is_none())
        .collect();
    assert_eq!(
        rejects.len(),
        1,
        "neither accepted nor filtered events have one"
    );
    assert_eq!(rejects[0].priority, Priority::P3);
    let record: Value = serde_json::from_slice(rejects[0].payload.of(&records.buffer)).unwrap();
    assert_eq!(
        record,
        json!({
            "id": "01J-1", "event_id": "e-1", "repo": "r", "line": 2, "stage": "validate",
            "code": "validate.type",
            "violations": [
                { "code": "validate.type", "field": "a", "message": "expected int, got string",
                  "sample": "99 xxx", "validator": "plan", "effect": "rejected" },
                { "code": "validate.type", "field": "b", "message": "expected string, got int",
                  "sample": "9", "validator": "plan", "effect": "rejected" },
                { "code": "validate.required", "field": "c", "message": "expected a value",
                  "validator": "looks", "effect": "shadow" },
            ],
            "sdk": "android", "sdk_version": "4.1", "received": "2025-06-15T15:06:40.500Z",
            "address": "203.0.113.0", "revision": "3f2a91c0d4e5", "payload": bad,
            "payload_bytes": bad.len(),
        })
    );
}

#[test]
fn reject_payloads_are_cut_and_need_not_be_text() {
    let document = json!({
        "route": [{ "otherwise": { "producer": "big", "topic": "t" } }],
        "rejects": { "producer": "big", "topic": "rejects" },
    });
    let pipeline = pipeline(&document);
    let body = [
        b"\xff\xfe{\"a\"".to_vec(),
        vec![b'"'; 70_000],
        "ä".repeat(40_000).into_bytes(),
    ];
    let mut batch = Batch::new(body.concat(), pipeline.plan.fields.clone());
    let mut start = 0;
    for (line, part) in (1u32..).zip(&body) {
        let end = start + u32::try_from(part.len()).unwrap();
        let mut event = batch.push(line, crate::event::Span { start, end });
        event.reject(Reason::DecodeUtf8, "", "not UTF-8".to_owned());
        start = end;
    }
    let tables = Tables::default();
    let context = Context {
        received: "2025-06-15T15:06:40Z".parse().unwrap(),
        client: None,
        key: None,
        tables: &tables,
        geo: None,
        revision: "",
        batch: "b",
        instance: "",
    };
    let records = pipeline.route(&mut batch, &context);
    let documents: Vec<Value> = records
        .items
        .iter()
        .map(|record| serde_json::from_slice(record.payload.of(&records.buffer)).unwrap())
        .collect();
    assert_eq!(documents[0]["payload"], "\u{fffd}\u{fffd}{\"a\"");
    assert!(documents[0].get("payload_cut").is_none());
    assert_eq!(documents[0]["stage"], "decode");
    assert_eq!(documents[0]["event_id"].as_str().unwrap().len(), 32);
    assert_ne!(documents[0]["event_id"], documents[1]["event_id"]);
    // Quotes are escaped: the record would be larger than its producer takes.
    assert_eq!(documents[1]["payload"].as_str().unwrap().len(), 1 << 10);
    assert_eq!(documents[1]["payload_cut"], true);
    assert_eq!(documents[1]["payload_bytes"], 70_000);
    assert_eq!(documents[2]["payload"].as_str().unwrap().len(), 64 << 10);
    assert_eq!(documents[2]["payload_cut"], true);
}

#[test]
fn the_id_of_an_event_is_that_of_repo_and_bytes() {
    let id = |repo: &str, event: &str| {
        let fields = Arc::new(crate::event::FieldsBuilder::default().build());
        let mut batch = Batch::new(event.into(), fields);
        batch.read(1, 0, event.len(), Depth(8)).unwrap();
        EventId::default().of(&RepoName::new(repo), &batch.event(0))
    };
    // printf 'r\0{}' | sha256sum
    assert_eq!(id("r", "{}"), "757efcc70cda36d9cce91d98ab73536e");
    assert_ne!(id("r", "{}"), id("s", "{}"));
    assert_ne!(id("r", "{}"), id("r", "{ }"));
}

#[test]
fn routes_that_cannot_work_are_errors() {
    let world = world();
    let mut scope = scope(&world);
    let form: RouteForm = serde_json::from_value(json!([
        { "otherwise": { "producer": "bog", "topic": "t" } },
        { "to": { "producer": "big", "topic": "t" } },
        { "when": { "field": "a", "exists": true } },
        { "when": { "field": "a", "exists": true }, "to": [
            { "producer": "big", "topic": "a/b", "ack": "disk" },
            { "producer": "big", "topic": "t_{{ env }}", "ack": "both" },
            { "producer": "big", "topic": "t_{{ project" },
            { "producer": "big", "topic": "t", "else": "u" },
            { "producer": "big", "topic": "/{{ project }}", "else": "{{ project }}" },
        ] },
    ]))
    .unwrap();
    let defaults = Defaults {
        event_limit: 99_950,
        ..DEFAULTS
    };
    form.compile(defaults, &mut scope, &At::ROOT.field("route"));
    let form: RejectsForm =
        serde_json::from_value(json!({ "producer": "small", "topic": "r_{{ project }}" })).unwrap();
    form.compile(EventId::default(), &mut scope, &At::ROOT.field("rejects"));
    let found: Vec<_> = scope
        .diagnostics
        .into_vec()
        .into_iter()
        .map(|each| format!("{}: {}", each.pointer, each.message))
        .collect();
    insta::assert_snapshot!(found.join("\n"));
}

#[test]
fn a_template_with_too_many_outcomes_is_refused() {
    let world = world();
    let mut scope = scope(&world);
    let many = (0..101).map(|n| n.to_string()).collect::<Vec<_>>();
    scope.values = vec![
        (Path::parse("a").unwrap(), many.clone()),
        (Path::parse("b").unwrap(), many),
    ];
    let form: RouteForm = serde_json::from_value(json!([
        { "otherwise": { "producer": "big", "topic": "{{a}}_{{b}}" } } ]))
    .unwrap();
    form.compile(DEFAULTS, &mut scope, &At::ROOT.field("route"));
    let found = scope.diagnostics.into_vec();
    assert_eq!(
        found[0].message,
        "the template makes more than 10000 topics"
    );
}
