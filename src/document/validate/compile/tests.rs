//! What validators compile to, and what they are refused for.

mod catalog;
mod property;

use std::sync::Arc;

use serde_json::{Value, json};

use crate::document::catalog::{CatalogForm, Part, compile as compile_catalog};
use crate::document::device::DeviceForm;
use crate::document::diagnostic::At;
use crate::document::scope::{Scope, World};
use crate::document::validate::{ValidatorForm, compile};
use crate::event::{Batch, Depth, Effect, Fate};
use crate::pipeline::Context;
use crate::pipeline::validate::{Validator, conclude};
use crate::tables::Tables;

/// What became of events: of each the fate, with the event as it goes on.
struct Books {
    fates: Vec<String>,
    violations: Vec<String>,
    effects: Vec<Effect>,
    batch: Batch,
}

fn world(catalog: Value) -> World {
    let form: CatalogForm = serde_json::from_value(catalog).unwrap();
    let part = Part {
        document: "weir.catalog.app",
        form: &form,
    };
    let (compiled, problems) = compile_catalog(&[part]);
    assert_eq!(problems, []);
    let mut world = World::default();
    world.catalogs.insert("app".to_owned(), compiled.unwrap());
    world
}

fn run(validators: Value, events: &[&str]) -> Books {
    run_in(&World::default(), validators, events)
}

fn run_in(world: &World, validators: Value, events: &[&str]) -> Books {
    let mut scope = Scope::new("weir.repo.r", world);
    let forms: Vec<ValidatorForm> = serde_json::from_value(validators).unwrap();
    let validators = compile(&forms, None, &mut scope, &At::ROOT.field("validate"));
    assert_eq!(scope.diagnostics.into_vec(), []);
    let fields = Arc::new(scope.fields.build());
    let body = events.join("\n");
    let mut batch = Batch::new(body.into_bytes(), fields.clone());
    let mut start = 0;
    for (line, event) in (1u32..).zip(events) {
        let end = start + event.len();
        batch.read(line, start, end, Depth(32)).unwrap();
        start = end + 1;
    }
    check(&validators, &mut batch);
    let mut books = Books {
        fates: Vec::new(),
        violations: Vec::new(),
        effects: Vec::new(),
        batch,
    };
    for index in 0..events.len() {
        let event = books.batch.event(index);
        let mut out = Vec::new();
        event.write(&fields, &mut out);
        books.fates.push(match event.event.fate {
            Fate::Live => String::from_utf8(out).unwrap(),
            Fate::Left(reason) => reason.code().to_owned(),
        });
    }
    for found in books.batch.violations() {
        books.violations.push(format!(
            "{} {} {}: {}",
            found.event,
            found.reason.code(),
            found.field,
            found.message
        ));
        books.effects.push(found.effect);
    }
    books
}

fn check(validators: &[Validator], batch: &mut Batch) {
    let tables = Tables::default();
    let context = Context {
        received: "2025-06-15T15:06:40Z".parse().unwrap(),
        client: None,
        key: None,
        tables: &tables,
        geo: None,
        revision: "",
        batch: "",
        instance: "",
    };
    for validator in validators {
        validator.run(validator.mode, batch, &context);
    }
    conclude(batch);
    for validator in validators {
        validator.protect(validator.mode, batch);
    }
}

fn plan() -> Value {
    json!([{ "name": "plan", "kind": "catalog", "catalog": "app" }])
}

fn with(value: &str) -> String {
    format!(r#"{{"event":"e","properties":{{"a":1,"p":{value},"z":2}}}}"#)
}

#[test]
fn required_fields_are_there_and_not_null() {
    let validators = json!([{ "name": "v", "kind": "required", "fields": ["a", "b.c"] }]);
    let books = run(
        validators,
        &[
            r#"{"a":0,"b":{"c":false}}"#,
            r#"{"a":null,"b":{}}"#,
            r#"{"a":1,"b":{"c":""}}"#,
        ],
    );
    assert_eq!(
        books.fates,
        [
            r#"{"a":0,"b":{"c":false}}"#,
            "validate.required",
            r#"{"a":1,"b":{"c":""}}"#
        ]
    );
    assert_eq!(
        books.violations,
        [
            "1 validate.required a: expected a value",
            "1 validate.required b.c: expected a value"
        ],
        "all of them, not the first"
    );
}

#[test]
fn all_validators_look_and_the_first_verdict_is_the_reason() {
    let validators = json!([
        { "name": "looks", "kind": "types", "fields": { "a": "int" }, "mode": "shadow" },
        { "name": "first", "kind": "types", "fields": { "b": "bool" } },
        { "name": "second", "kind": "required", "fields": ["c"] },
        { "name": "off", "kind": "required", "fields": ["d"], "mode": "off" },
    ]);
    let books = run(
        validators,
        &[r#"{"a":"x","b":1}"#, r#"{"a":"x","b":true,"c":1}"#],
    );
    assert_eq!(
        books.fates,
        ["validate.type", r#"{"a":"x","b":true,"c":1}"#]
    );
    assert_eq!(
        books.violations,
        [
            "0 validate.type a: expected int, got string",
            "1 validate.type a: expected int, got string",
            "0 validate.type b: expected bool, got int",
            "0 validate.required c: expected a value",
        ]
    );
    use Effect::{Rejected, Shadow};
    assert_eq!(books.effects, [Shadow, Shadow, Rejected, Rejected]);
    let validators: Vec<_> = books
        .batch
        .violations()
        .iter()
        .map(|v| v.validator)
        .collect();
    assert_eq!(validators, [Some(0), Some(0), Some(1), Some(2)]);
}

#[test]
fn shadow_changes_nothing() {
    let validators = json!([{ "name": "v", "kind": "types", "mode": "shadow",
        "fields": { "a": "int", "b": "int" }, "wrong_type": "drop_property" }]);
    let books = run(validators, &[r#"{"a":"1","b":[]}"#]);
    assert_eq!(books.fates, [r#"{"a":"1","b":[]}"#]);
    assert_eq!(books.effects, [Effect::ShadowRepair, Effect::ShadowRepair]);
    let samples = books.batch.violations().iter();
    let samples: Vec<_> = samples.map(|v| v.sample.as_deref()).collect();
    assert_eq!(samples, [Some("9"), Some("[…]")]);
}

#[test]
fn freshness_is_a_window_around_the_time_of_receipt() {
    let validators = json!([{ "name": "v", "kind": "freshness", "field": "t", "past": "1 h", "future": "1 min" }]);
    let events = [
        r#"{"t":1749996400000}"#,
        r#"{"t":1749996399999}"#,
        r#"{"t":1750000060000}"#,
        r#"{"t":1750000060001}"#,
        r#"{"t":"2025-06-15T15:06:40Z"}"#,
        r#"{"t":"now"}"#,
        r#"{"t":null}"#,
        r"{}",
    ];
    let books = run(validators, &events);
    let expected = [
        events[0],
        "validate.freshness",
        events[2],
        "validate.freshness",
        events[4],
        "validate.type",
        events[6],
        events[7],
    ];
    assert_eq!(books.fates, expected);
}

#[test]
fn size_is_that_of_the_event_as_it_is_now() {
    let validators = |max: u32| {
        json!([
            { "name": "drop", "kind": "types", "fields": { "big": "int" }, "wrong_type": "drop_property" },
            { "name": "size", "kind": "size", "max": max },
        ])
    };
    let event = r#"{"a":1,"big":"xxxxxxxxxxxxxxxxxxxx"}"#;
    assert_eq!(run(validators(7), &[event]).fates, [r#"{"a":1}"#]);
    let books = run(validators(6), &[event]);
    assert_eq!(books.fates, ["validate.size"]);
    assert_eq!(
        books.violations[1],
        "0 validate.size : expected at most 6 bytes, got 7"
    );
}

#[test]
fn schema_finds_all_that_is_wrong_and_never_tells_values() {
    let validators = json!([{ "name": "v", "kind": "schema", "schema": {
        "type": "object",
        "properties": { "a": { "type": "integer" }, "b.c": { "items": { "maxLength": 2 } } },
        "required": ["z"],
    } }]);
    let books = run(
        validators,
        &[
            r#"{"a":1,"z":0}"#,
            r#"{"a":"secret","b.c":["ok","secret"]}"#,
        ],
    );
    assert_eq!(books.fates, [r#"{"a":1,"z":0}"#, "validate.schema"]);
    assert_eq!(books.violations.len(), 3);
    let text = books.violations.join("\n");
    assert!(text.contains(" a: "), "{text}");
    assert!(text.contains(r" b\.c.1: "), "{text}");
    assert!(!text.contains("secret"), "{text}");
    let of_field =
        json!([{ "name": "v", "kind": "schema", "field": "a.b", "schema": { "minimum": 3 } }]);
    let books = run(
        of_field,
        &[
            r#"{"a":{"b":2}}"#,
            r#"{"a":{"b":3}}"#,
            r#"{"a":{"b":1e400}}"#,
            "{}",
        ],
    );
    assert_eq!(
        books.fates,
        [
            "validate.schema",
            r#"{"a":{"b":3}}"#,
            "validate.schema",
            "{}"
        ]
    );
}

#[test]
fn condition_must_hold() {
    let validators = json!([{ "name": "v", "kind": "condition", "message": "only from our apps",
        "condition": { "field": "app", "in": ["a", "b"] } }]);
    let books = run(validators, &[r#"{"app":"a"}"#, r#"{"app":"c"}"#, "{}"]);
    assert_eq!(
        books.fates,
        [r#"{"app":"a"}"#, "validate.condition", "validate.condition"]
    );
    assert_eq!(
        books.violations[0],
        "1 validate.condition : only from our apps"
    );
}

#[test]
fn validators_that_cannot_work_are_errors() {
    let world = World::default();
    let mut scope = Scope::new("weir.repo.r", &world);
    let forms: Vec<ValidatorForm> = serde_json::from_value(json!([
        { "name": "a", "kind": "catalog", "catalog": "app", "bad_pattern": "coerce" },
        { "name": "b", "kind": "freshness", "field": "t" },
        { "name": "b", "kind": "size", "max": 0 },
        { "name": "d", "kind": "schema", "schema": { "type": "integre" } },
        { "name": "e", "kind": "schema", "schema": { "$ref": "http://example.org/schema.json" } },
        { "name": "f", "kind": "types", "fields": { "x": { "type": "bool", "min": 1 },
            "y": { "type": "int", "min": 2, "max": 1, "pattern": "(" } } },
        { "name": "g", "kind": "required", "fields": ["is_new"] },
    ]))
    .unwrap();
    let device: DeviceForm = serde_json::from_value(json!({
        "identifiers": { "oaid": "properties.oaid" }, "new_as": "is_new" }))
    .unwrap();
    compile(
        &forms,
        Some(&device),
        &mut scope,
        &At::ROOT.field("validate"),
    );
    let found: Vec<_> = scope
        .diagnostics
        .into_vec()
        .into_iter()
        .map(|each| format!("{} {}", each.pointer, each.message))
        .collect();
    insta::assert_snapshot!(found.join("\n"));
}

#[test]
fn an_unknown_field_of_a_validator_is_refused() {
    let form = serde_json::from_value::<ValidatorForm>(json!({ "name": "a", "kind": "size",
        "max": 1, "maximum": 1 }));
    assert!(form.unwrap_err().to_string().contains("maximum"));
}

#[test]
fn a_validator_that_checks_nothing_is_refused() {
    for (validator, pointer) in [
        (
            json!({ "name": "a", "kind": "required", "fields": [] }),
            "/validate/0/fields",
        ),
        (
            json!({ "name": "a", "kind": "types", "fields": {} }),
            "/validate/0/fields",
        ),
        (
            json!({ "name": "a", "kind": "types", "fields": { "n": { "type": "int", "max": 10.5 } } }),
            "/validate/0/fields/n/max",
        ),
    ] {
        let world = World::default();
        let mut scope = Scope::new("weir.repo.r", &world);
        let forms: Vec<ValidatorForm> = serde_json::from_value(json!([validator])).unwrap();
        compile(&forms, None, &mut scope, &At::ROOT.field("validate"));
        let found = scope.diagnostics.into_vec();
        let pointers: Vec<_> = found.iter().map(|each| each.pointer.as_str()).collect();
        assert_eq!(pointers, [pointer], "{found:?}");
    }
}
