//! What validators compile to, and what they are refused for.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::document::catalog::{self, CatalogForm, Part};
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
    let (compiled, problems) = catalog::compile(&[part]);
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

/// A catalog check of one event `e` with these properties, and of one event.
#[expect(clippy::needless_pass_by_value, reason = "calls read better")]
fn property(rules: Value, actions: Value, value: &str) -> Books {
    let catalog = json!({ "version": 1, "violations": actions,
        "events": { "e": { "properties": { "p": rules } } } });
    let event = format!(r#"{{"event":"e","properties":{{"a":1,"p":{value},"z":2}}}}"#);
    run_in(&world(catalog), plan(), &[&event])
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
fn each_type_takes_its_values_and_no_others() {
    let cases = [
        ("string", r#""a""#, "1"),
        ("int", "-12", "12.0"),
        ("int", "123456789012345678901234567890", "1e3"),
        ("float", "1", r#""1""#),
        ("float", "1e400", "true"),
        ("bool", "false", "0"),
        (
            "datetime",
            r#""2025-06-15T15:06:40+02:00""#,
            r#""yesterday""#,
        ),
        ("datetime", "1750000000", "true"),
        ("list", "[]", "{}"),
        ("object", "{}", "[]"),
    ];
    for (kind, right, wrong) in cases {
        let right = property(json!(kind), json!({}), right);
        assert_eq!(right.violations, [""; 0], "{kind}");
        let books = property(json!(kind), json!({}), wrong);
        assert_eq!(books.fates, ["validate.type"], "{kind} {wrong}");
    }
    let null = property(json!("int"), json!({}), "null");
    assert_eq!(null.fates, [with("null")], "null is like missing");
}

#[test]
fn each_action_does_what_it_says() {
    let of =
        |action: &str, value: &str| property(json!("int"), json!({ "wrong_type": action }), value);
    assert_eq!(of("accept", r#""12""#).fates, [with(r#""12""#)]);
    assert!(of("accept", r#""12""#).violations.is_empty());
    assert_eq!(of("coerce", r#""12""#).fates, [with("12")]);
    assert_eq!(of("coerce", r#""12""#).effects, [Effect::Repaired]);
    assert_eq!(of("coerce", r#""twelve""#).fates, ["validate.type"]);
    assert_eq!(
        of("drop_property", r#""12""#).fates,
        [r#"{"event":"e","properties":{"a":1,"z":2}}"#]
    );
    assert_eq!(of("null_property", r#""12""#).fates, [with("null")]);
    let rejected = of("reject", r#""secret 12""#);
    assert_eq!(rejected.fates, ["validate.type"]);
    let found = &rejected.batch.violations()[0];
    assert_eq!(found.field, "properties.p");
    assert_eq!(found.message, "expected int, got string");
    assert_eq!(found.sample.as_deref(), Some("xxxxxx 99"));
}

#[test]
fn a_required_value_that_is_taken_away_is_missing() {
    for action in ["drop_property", "null_property"] {
        let rule = json!({ "type": "int", "required": true });
        let types = json!([{
            "name": "v", "kind": "types", "fields": { "p": rule }, "wrong_type": action,
        }]);
        let books = run(types, &[r#"{"p":"x"}"#]);
        assert_eq!(books.fates, ["validate.required"], "{action}");
        assert_eq!(books.effects, [Effect::Repaired, Effect::Rejected]);
        let books = property(rule.clone(), json!({ "wrong_type": action }), r#""x""#);
        assert_eq!(books.fates, ["validate.required"], "{action}");
        assert_eq!(books.effects, [Effect::Repaired, Effect::Rejected]);
        let accepted = json!({ "wrong_type": action, "missing": "accept" });
        let books = property(rule, accepted, r#""x""#);
        assert_eq!(books.effects, [Effect::Repaired]);
        assert!(!books.fates[0].contains("\"x\""), "{:?}", books.fates);
    }
}

#[test]
fn many_repairs_write_the_event_anew_once() {
    let number = |n: usize| (format!("p.s{n}"), json!("int"));
    let mut fields: serde_json::Map<String, Value> = (0..40).map(number).collect();
    fields.insert("p".to_owned(), json!("object"));
    let validators = json!([
        { "name": "v", "kind": "types", "fields": fields, "wrong_type": "coerce" },
    ]);
    let members: Vec<_> = (0..40).map(|n| format!("\"s{n}\":\"{n}\"")).collect();
    let large = "x".repeat(100_000);
    let event = format!(r#"{{"large":"{large}","p":{{{}}}}}"#, members.join(","));
    let books = run(validators, &[&event]);
    assert_eq!(books.effects, [Effect::Repaired; 40]);
    assert!(books.batch.text().len() < 3 * event.len());
}

#[test]
fn coercion_makes_only_what_is_clear() {
    let cases = [
        ("int", r#"" 12 ""#, "12"),
        ("int", "12.0", "12"),
        ("int", "1.2e1", "12"),
        ("int", r#""99999999999999999999""#, "99999999999999999999"),
        ("int", "12.5", ""),
        ("int", "true", ""),
        ("float", r#""1.50""#, "1.50"),
        ("float", r#"".5""#, "0.5"),
        ("float", r#""1e999999""#, "1e999999"),
        ("float", r#""inf""#, ""),
        ("float", r#""NaN""#, ""),
        ("string", "1.50", r#""1.50""#),
        ("string", "false", r#""false""#),
        ("string", "[1]", ""),
        ("bool", r#""TRUE""#, "true"),
        ("bool", "0", "false"),
        ("bool", "2", ""),
        ("datetime", r#""1750000000000""#, "1750000000000"),
        ("list", r#""[1,2]""#, "[1,2]"),
        ("list", r#""a""#, ""),
        ("object", r#""{\"b\":1}""#, r#"{"b":1}"#),
    ];
    for (kind, value, expected) in cases {
        let books = property(json!(kind), json!({ "wrong_type": "coerce" }), value);
        let expected = match expected {
            "" => "validate.type".to_owned(),
            expected => with(expected),
        };
        assert_eq!(books.fates, [expected], "{kind} {value}");
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn ranges_sets_and_patterns_are_checked() {
    let cases = [
        (
            json!({ "type": "int", "min": 0, "max": 9 }),
            "9",
            "10",
            "range: expected 0 to 9",
        ),
        (
            json!({ "type": "int", "max": 9_007_199_254_740_992_i64 }),
            "9007199254740992",
            "9007199254740993",
            "range: expected at most 9007199254740992",
        ),
        (
            json!({ "type": "float", "max": 1.5 }),
            "1.5",
            "1e400",
            "range: expected at most 1.5",
        ),
        (
            json!({ "type": "string", "max": 3 }),
            r#""äöü""#,
            r#""abcd""#,
            "range: expected at most 3 characters, got 4",
        ),
        (
            json!({ "type": "string", "length": 2 }),
            r#""\u00e4b""#,
            r#""a""#,
            "range: expected 2 characters, got 1",
        ),
        (
            json!({ "type": "list", "min": 1 }),
            "[[]]",
            "[]",
            "range: expected at least 1 elements, got 0",
        ),
        (
            json!({ "enum": ["a", 1, true] }),
            "1.0",
            r#""b""#,
            "enum: expected one of the declared values",
        ),
        (
            json!({ "type": "list", "enum": ["a", "b"] }),
            r#"["b","a"]"#,
            r#"["a","c"]"#,
            "enum: expected one of the declared values",
        ),
        (
            json!({ "type": "string", "pattern": "^[a-z]+$" }),
            r#""\u0061b""#,
            r#""A""#,
            "pattern: expected text of the declared pattern",
        ),
    ];
    for (rules, right, wrong, message) in cases {
        let books = property(rules.clone(), json!({}), right);
        assert_eq!(books.fates, [with(right)], "{rules}");
        let books = property(rules, json!({}), wrong);
        let code = message.split(':').next().unwrap();
        assert_eq!(books.fates, [format!("validate.{code}")]);
        assert_eq!(books.violations.len(), 1);
        assert!(
            books.violations[0].ends_with(&message[code.len()..]),
            "{:?}",
            books.violations
        );
    }
}

#[test]
fn one_value_may_be_wrong_in_several_ways() {
    let rules = json!({ "type": "string", "max": 2, "enum": ["ab"], "pattern": "^a" });
    let actions = json!({ "out_of_range": "null_property", "bad_enum": "drop_property",
        "bad_pattern": "accept" });
    let books = property(rules.clone(), actions, r#""xyz""#);
    assert_eq!(books.violations.len(), 2);
    assert_eq!(books.fates, [r#"{"event":"e","properties":{"a":1,"z":2}}"#]);
    let all = json!({ "out_of_range": "coerce", "bad_enum": "coerce", "bad_pattern": "reject" });
    let books = property(rules.clone(), all.clone(), r#"" AB ""#);
    assert_eq!(
        books.fates,
        [with(r#""ab""#)],
        "what was made right is looked at again"
    );
    let books = property(rules, all, r#""b""#);
    assert_eq!(books.violations.len(), 2);
    assert_eq!(books.fates, ["validate.enum"]);
}

#[test]
fn coercion_takes_the_nearest_bound() {
    let coerce = || json!({ "out_of_range": "coerce" });
    let ranged = json!({ "type": "float", "min": -1, "max": 1.5 });
    assert_eq!(property(ranged.clone(), coerce(), "7").fates, [with("1.5")]);
    assert_eq!(property(ranged, coerce(), "-7").fates, [with("-1")]);
    let text = json!({ "type": "string", "min": 2, "max": 3 });
    assert_eq!(
        property(text.clone(), coerce(), r#""äbcd""#).fates,
        [with(r#""äbc""#)]
    );
    assert_eq!(property(text, coerce(), r#""a""#).fates, ["validate.range"]);
    let list = json!({ "type": "list", "max": 1 });
    assert_eq!(
        property(list, coerce(), r#"[{"a":1}, 2]"#).fates,
        [with(r#"[{"a":1}]"#)]
    );
}

#[test]
fn bounds_are_compared_as_numbers_are() {
    let ranged = json!({ "type": "float", "min": 0, "max": 1.5 });
    assert_eq!(property(ranged, json!({}), "-0.0").fates, [with("-0.0")]);
    let coerce = json!({ "out_of_range": "coerce" });
    // Both are the same double.
    let large = json!({ "type": "int", "min": 9_007_199_254_740_993_i64, "max": i64::MAX });
    assert_eq!(
        property(large, coerce, "9007199254740992").fates,
        [with("9007199254740993")]
    );
}

#[test]
fn catalog_knows_events_by_their_most_specific_name() {
    let catalog = json!({ "version": 1, "events": {
        "shop_*": { "priority": "P3", "properties": { "p": "int" } },
        "shop_*_click": { "priority": "P1" },
        "shop_cart_click": { "status": "blocked" },
        "shop_new_click": { "status": "draft" },
        "old": { "status": "deprecated" },
    } });
    let books = run_in(
        &world(catalog),
        plan(),
        &[
            r#"{"event":"shop_a_click","properties":{"p":"x"}}"#,
            r#"{"event":"shop_a","properties":{"p":"x"}}"#,
            r#"{"event":"shop_cart_click"}"#,
            r#"{"event":"shop_new_click"}"#,
            r#"{"event":"old"}"#,
            r#"{"event":"other"}"#,
            r#"{"event":7}"#,
            r"{}",
        ],
    );
    assert_eq!(
        books.fates,
        [
            r#"{"event":"shop_a_click","properties":{"p":"x"}}"#,
            "validate.type",
            "validate.blocked",
            r#"{"event":"shop_new_click"}"#,
            r#"{"event":"old"}"#,
            "validate.unknown",
            "validate.unknown",
            "validate.unknown",
        ]
    );
    let priorities: Vec<_> = books
        .batch
        .events()
        .iter()
        .map(|event| event.priority)
        .collect();
    use crate::event::Priority::{P1, P3};
    assert_eq!(priorities[..2], [Some(P1), Some(P3)]);
}

#[test]
fn validator_says_otherwise_than_its_catalog() {
    let catalog = json!({ "version": 1, "events": { "e": { "status": "draft" } },
        "violations": { "unknown_event": "accept", "draft": "reject" } });
    let events = [r#"{"event":"e"}"#, r#"{"event":"f"}"#];
    let books = run_in(&world(catalog.clone()), plan(), &events);
    assert_eq!(books.fates, ["validate.blocked", events[1]]);
    let other = json!([{ "name": "plan", "kind": "catalog", "catalog": "app",
        "unknown_event": "reject", "draft": "accept" }]);
    let books = run_in(&world(catalog), other, &events);
    assert_eq!(books.fates, [events[0], "validate.unknown"]);
}

#[test]
fn properties_come_from_groups_from_shared_ones_and_from_the_event() {
    let catalog = json!({ "version": 1,
        "properties": { "os": "string", "price": "float", "url": { "type": "string", "required": true } },
        "groups": { "device": ["os"] },
        "events": { "e": { "use": ["device", "url", "price"], "properties": { "price": "int" },
            "required": ["os"] } } });
    let books = run_in(
        &world(catalog),
        json!([{ "name": "plan", "kind": "catalog", "catalog": "app", "unknown_property": "reject" }]),
        &[
            r#"{"event":"e","properties":{"os":"a","url":"u","price":1}}"#,
            r#"{"event":"e","properties":{"os":null,"price":1.5,"who":1}}"#,
            r#"{"event":"e"}"#,
        ],
    );
    assert_eq!(books.fates[1..], ["validate.required", "validate.required"]);
    let mut found = books.violations;
    found.sort();
    assert_eq!(
        found,
        [
            "1 validate.required properties.os: expected a value",
            "1 validate.required properties.url: expected a value",
            "1 validate.type properties.price: expected int, got float",
            "1 validate.unknown properties.who: the catalog does not know this property of the event",
            "2 validate.required properties.os: expected a value",
            "2 validate.required properties.url: expected a value",
        ]
    );
}

#[test]
fn unknown_properties_are_dropped_and_the_others_stay_as_they_are_written() {
    let catalog = json!({ "version": 1, "violations": { "unknown_property": "drop_property" },
        "events": { "e": { "properties": { "a": "float", "b\"": "string" } } } });
    let books = run_in(
        &world(catalog),
        plan(),
        &[
            r#"{"event":"e","properties":{ "x":1 , "a" : 1.50, "b\"":"\u00e4","x":{"y":[1]}, "":0 },"tail":1e2}"#,
            r#"{"event":"e","properties":{"x":1}}"#,
            r#"{"event":"e","properties":{"\u0061":1}}"#,
        ],
    );
    assert_eq!(
        books.fates,
        [
            r#"{"event":"e","properties":{"a":1.50,"b\"":"\u00e4"},"tail":1e2}"#,
            r#"{"event":"e","properties":{}}"#,
            r#"{"event":"e","properties":{"\u0061":1}}"#,
        ]
    );
    assert_eq!(books.violations.len(), 4);
}

#[test]
fn last_of_repeated_properties_counts() {
    let catalog = json!({ "version": 1, "violations": { "wrong_type": "drop_property" },
        "events": {
            "e": { "properties": { "a": "int" } },
            "f": { "properties": { "a": { "type": "int", "required": true } } },
        } });
    let books = run_in(
        &world(catalog),
        plan(),
        &[
            r#"{"event":"e","properties":{"a":"x","a":1}}"#,
            r#"{"event":"e","properties":{"a":1,"b":0,"\u0061":"x"}}"#,
            r#"{"event":"f","properties":{"a":1,"a":null}}"#,
        ],
    );
    assert_eq!(
        books.fates,
        [
            r#"{"event":"e","properties":{"a":"x","a":1}}"#,
            r#"{"event":"e","properties":{"b":0}}"#,
            "validate.required",
        ]
    );
}

#[test]
fn catalog_sees_what_earlier_stages_changed_in_the_properties() {
    let catalog = json!({ "version": 1, "events": { "e": { "properties": { "p": "int" } } } });
    let both = json!([
        { "name": "first", "kind": "types", "fields": { "properties.p": "int" }, "wrong_type": "coerce" },
        { "name": "plan", "kind": "catalog", "catalog": "app" },
    ]);
    let books = run_in(&world(catalog), both, &[&with(r#""5""#)]);
    assert_eq!(books.fates, [with("5")]);
    assert_eq!(
        books.violations,
        ["0 validate.type properties.p: expected int, got string"]
    );
}

#[test]
fn properties_may_stand_in_the_event_itself_or_elsewhere() {
    let catalog = json!({ "version": 1, "violations": { "wrong_type": "coerce" },
        "events": { "e": { "properties": { "p": { "type": "int", "required": true } } } } });
    let check = |properties: &str, event: &str| {
        let validators = json!([{ "name": "plan", "kind": "catalog", "catalog": "app",
            "event": "type", "properties": properties }]);
        run_in(&world(catalog.clone()), validators, &[event])
    };
    let flat = check(".", r#"{"type":"e","p":"1"}"#);
    assert_eq!(flat.fates, [r#"{"type":"e","p":1}"#]);
    assert_eq!(
        flat.violations,
        ["0 validate.type p: expected int, got string"]
    );
    let deep = check("data.props", r#"{"type":"e","data":{"props":{"p":"1"}}}"#);
    assert_eq!(deep.fates, [r#"{"type":"e","data":{"props":{"p":1}}}"#]);
    let wrong = check("data", r#"{"type":"e","data":[1]}"#);
    assert_eq!(wrong.fates, ["validate.type"]);
}

#[test]
fn personal_data_is_hashed_masked_or_dropped_also_in_shadow() {
    let catalog = json!({ "version": 1, "events": { "e": { "properties": {
        "h": { "type": "string", "personal": "hash" },
        "m": { "type": "string", "personal": "mask" },
        "d": { "personal": "drop" },
        "n": { "type": "int", "personal": "hash" },
    } } } });
    let event =
        r#"{"event":"e","properties":{"h":"abc","m":"13812345678","d":[1],"n":null,"k":1}}"#;
    for mode in ["enforce", "shadow"] {
        let validators =
            json!([{ "name": "plan", "kind": "catalog", "catalog": "app", "mode": mode }]);
        let books = run_in(&world(catalog.clone()), validators, &[event]);
        assert_eq!(
            books.fates,
            [concat!(
                r#"{"event":"e","properties":{"h":"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad","#,
                r#""m":"13*******78","n":null,"k":1}}"#
            )],
            "{mode}"
        );
    }
}

#[test]
fn personal_data_under_a_repeated_key_is_not_let_through() {
    let rule = json!({ "type": "string", "personal": "hash" });
    let types = json!([{ "name": "v", "kind": "types", "fields": { "p.h": rule } }]);
    let catalog = json!({ "version": 1, "events": { "e": { "properties": { "h": rule } } } });
    let plan = json!([{ "name": "plan", "kind": "catalog", "catalog": "app", "properties": "p" }]);
    for event in [
        r#"{"event":"e","p":{"h":"138","h":null}}"#,
        r#"{"event":"e","p":{"h":"138"},"p":{}}"#,
        r#"{"event":"e","p":{"h":"138"},"p":null}"#,
    ] {
        let world = world(catalog.clone());
        for validators in [&types, &plan] {
            let books = run_in(&world, validators.clone(), &[event]);
            assert!(!books.fates[0].contains("138"), "{:?}", books.fates);
        }
    }
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
