//! Checks against a catalog: which events and properties it knows, and where they stand.

use serde_json::json;

use super::{plan, run_in, with, world};

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
