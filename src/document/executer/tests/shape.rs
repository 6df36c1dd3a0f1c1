//! `rename`, `remove`, `keep`, `set` and `lookup`.

use serde_json::{Value, json};

use super::{after, batch, fails, refused, run};

#[test]
fn renamed_values_keep_their_bytes() {
    let event = r#"{"ts": 1.50e3 ,"x":"\u0041"}"#;
    assert_eq!(
        after(json!({"rename": {"ts": "time"}}), event),
        r#"{"x":"\u0041","time":1.50e3}"#
    );
    assert_eq!(after(json!({"rename": {"gone": "time"}}), event), event);
}

#[test]
fn fields_can_change_places() {
    let step = json!({"rename": {"a": "b", "b": "a"}});
    assert_eq!(after(step.clone(), r#"{"a":1,"b":2}"#), r#"{"a":2,"b":1}"#);
    assert_eq!(after(step, r#"{"b":2}"#), r#"{"a":2}"#);
}

#[test]
fn a_rename_goes_into_and_out_of_objects() {
    let into = json!({"rename": {"a": "p.a"}});
    assert_eq!(
        after(into.clone(), r#"{"a":1,"p":{"x":2}}"#),
        r#"{"p":{"x":2,"a":1}}"#
    );
    assert_eq!(after(into.clone(), r#"{"a":1}"#), r#"{"p":{"a":1}}"#);
    assert_eq!(
        after(json!({"rename": {"p.a": "a"}}), r#"{"p":{"a":[1]}}"#),
        r#"{"p":{},"a":[1]}"#
    );
    assert_eq!(
        after(json!({"rename": {"a": "a.b"}}), r#"{"a":1}"#),
        r#"{"a":{"b":1}}"#
    );
    fails(into, r#"{"a":1,"p":"text"}"#);
}

#[test]
fn a_rename_replaces_what_stood_there() {
    let step = json!({"rename": {"a": "b"}});
    assert_eq!(after(step, r#"{"b":{"c":1},"a":2}"#), r#"{"b":2}"#);
}

#[test]
fn an_escaped_key_is_found() {
    assert_eq!(
        after(json!({"remove": "ab"}), r#"{"\u0061b":1,"c":2}"#),
        r#"{"c":2}"#
    );
    assert_eq!(
        after(json!({"keep": "ab"}), r#"{"\u0061b":1,"c":2}"#),
        r#"{"\u0061b":1}"#
    );
}

#[test]
fn removed_fields_go_with_all_below_them() {
    let step = json!({"remove": ["p", "a.b", "gone"]});
    assert_eq!(
        after(step, r#"{"p":{"x":1},"a":{"b":1,"c":2}}"#),
        r#"{"a":{"c":2}}"#
    );
    refused(json!({"remove": []}), "/remove", "no field");
    refused(json!({"remove": ["a", "b..c"]}), "/remove/1", "not a path");
    refused(json!({"remove": ["a", "a"]}), "/remove", "more than once");
}

#[test]
fn elements_of_a_list_go_by_the_number_they_had() {
    let remove = |paths: serde_json::Value, event| after(json!({ "remove": paths }), event);
    assert_eq!(
        remove(json!(["t.0", "t.1"]), r#"{"t":["a","b","c"]}"#),
        r#"{"t":["c"]}"#
    );
    assert_eq!(
        remove(
            json!(["t.10", "t.2"]),
            r#"{"t":[0,1,2,3,4,5,6,7,8,9,10,11]}"#
        ),
        r#"{"t":[0,1,3,4,5,6,7,8,9,11]}"#
    );
    assert_eq!(
        remove(
            json!(["t.0", "t.0.x", "t.1.x"]),
            r#"{"t":[{"x":1},{"x":2,"y":3}]}"#
        ),
        r#"{"t":[{"y":3}]}"#
    );
    let rename = json!({"rename": {"t.0": "first", "t.1": "second"}});
    assert_eq!(
        after(rename, r#"{"t":["a","b","c"]}"#),
        r#"{"t":["c"],"first":"a","second":"b"}"#
    );
}

#[test]
fn a_rename_that_fails_leaves_lists_and_the_other_fields_alone() {
    let event = r#"{"a":1,"p":"text","t":["x","y"]}"#;
    fails(json!({"rename": {"t.0": "p.x"}}), event);
    fails(json!({"rename": {"a": "b", "t.0": "p.x"}}), event);
    fails(json!({"rename": {"t.0": "t.1"}}), event);
    assert_eq!(
        after(json!({"rename": {"o.1": "o.2"}}), r#"{"o":{"1":1,"2":2}}"#),
        r#"{"o":{"2":1}}"#
    );
}

#[test]
fn what_is_kept_stays_byte_for_byte_and_in_order() {
    let event = r#"{"z":1e400, "a":"\/","p":{"x":[ 1 ],"y":2},"q":3}"#;
    let step = json!({"keep": ["a", "z", "p.x", "q.r", "none"]});
    assert_eq!(
        after(step, event),
        r#"{"z":1e400,"a":"\/","p":{"x":[ 1 ]}}"#
    );
    let steps = json!([{"set": {"n": 1}}, {"keep": ["n", "a"]}, {"rename": {"a": "b"}}]);
    assert_eq!(run(steps, event).event, r#"{"n":1,"b":"\/"}"#);
}

#[test]
fn elements_of_a_list_are_kept_by_their_number() {
    let keep = |paths: Value, event| after(json!({ "keep": paths }), event);
    let event = r#"{"r":["x",{"a":1,"b":2},[3,4]],"s":1}"#;
    assert_eq!(keep(json!("r.0"), event), r#"{"r":["x"]}"#);
    assert_eq!(
        keep(json!(["r.2.1", "r.1.b"]), event),
        r#"{"r":[{"b":2},[4]]}"#
    );
    assert_eq!(keep(json!("r.7"), event), r#"{"r":[]}"#);
    assert_eq!(keep(json!(["r.a", "r.1.0"]), event), r#"{"r":[{}]}"#);
    assert_eq!(keep(json!(["r.00", "s"]), event), r#"{"s":1}"#);
}

#[test]
fn templates_take_values_with_their_type_or_as_text() {
    let event = r#"{"a":"x\n","n":12345678901234567890,"o":{"k":"\""}}"#;
    let set = |value| after(json!({"set": {"s": value}}), event);
    let with = |value: &str| format!("{},\"s\":{value}}}", &event[..event.len() - 1]);
    assert_eq!(set(json!({"k": [1, null]})), with(r#"{"k":[1,null]}"#));
    assert_eq!(set(json!("{{ n }}")), with("12345678901234567890"));
    assert_eq!(
        set(json!("{{n}}-{{ a }}")),
        with(r#""12345678901234567890-x\n""#)
    );
    assert_eq!(set(json!("o: {{ o }}")), with(r#""o: {\"k\":\"\\\"\"}""#));
    assert_eq!(
        set(json!(["{{ o }}", "é\"{{ o.k }}"])),
        with(r#"[{"k":"\""},"é\"\""]"#)
    );
    fails(json!({"set": {"s": "{{ gone }}"}}), event);
}

#[test]
fn assignments_see_the_event_from_before_the_step() {
    let step = json!({"set": {"a": "{{ b }}", "b": "{{ a }}"}});
    assert_eq!(after(step, r#"{"a":1,"b":2}"#), r#"{"a":2,"b":1}"#);
}

#[test]
fn a_set_makes_objects_but_never_inside_other_values() {
    let step = json!({"set": {"p.q.r": true}});
    assert_eq!(after(step.clone(), "{}"), r#"{"p":{"q":{"r":true}}}"#);
    assert_eq!(
        after(step.clone(), r#"{"p":{"q":{"r":0}}}"#),
        r#"{"p":{"q":{"r":true}}}"#
    );
    fails(step, r#"{"p":[1]}"#);
    refused(json!({"set": {"a": "{{ b"}}), "/set/a", "no `}}`");
    refused(json!({"set": {"a": "x{{ }}"}}), "/set/a", "not a path");
}

#[test]
fn a_set_of_which_one_field_does_not_fit_sets_none() {
    let event = r#"{"b":"str","secret":"SECRET","e":"EEE"}"#;
    fails(
        json!({"set": {"b.c": "x-{{ secret }}", "d": "<{{ e }}>"}}),
        event,
    );
    fails(json!({"set": {"a": 1, "b.c": 2}}), event);
    let below_each_other = json!([{"set": {"x": 1, "x.y": "{{ secret }}!", "z": "{{ e }}!"}}]);
    let ran = run(below_each_other, event);
    assert!(ran.event.ends_with(r#","x":1,"z":"EEE!"}"#), "{ran:?}");
}

#[test]
fn a_step_with_many_fields_writes_the_event_anew_once() {
    let names: Vec<_> = (0..40).map(|n| format!("p.s{n}")).collect();
    let each = |value: &dyn Fn(usize) -> Value| -> Value {
        let pairs = names.iter().enumerate();
        pairs.map(|(n, name)| (name.clone(), value(n))).collect()
    };
    let line = vec!["x"; 40].join(" ");
    let members: Vec<_> = (0..40).map(|n| format!("\"s{n}\":{n}")).collect();
    let event = format!(
        r#"{{"line":"{line}","large":"{}","p":{{{}}}}}"#,
        "x".repeat(100_000),
        members.join(",")
    );
    for step in [
        json!({ "set": each(&|n| json!(n)) }),
        json!({ "remove": names }),
        json!({ "hash": { "field": names, "length": 8 } }),
        json!({ "mask": { "field": names } }),
        json!({ "cast": { "field": names, "to": "string" } }),
        json!({ "rename": each(&|n| json!(format!("q.s{n}"))) }),
        json!({ "splitter": { "field": "line", "to": names } }),
        json!({ "lookup": { "field": "line", "table": { line.as_str(): each(&|n| json!(n)) } } }),
    ] {
        let reader = json!({ "filter": { "field": "p", "exists": true } });
        let (batch, failed) = batch(json!([reader, step]), &[&event]);
        assert_eq!((batch.live(), failed), (1, 0));
        assert!(batch.text().len() < 3 * event.len(), "{step}");
    }
}

#[test]
fn an_object_is_read_with_what_the_step_did_below_it() {
    let step = json!({ "cast": { "field": ["p.a", "p"], "to": "string" } });
    assert_eq!(
        after(step, r#"{"p":{"a":1,"b":2}}"#),
        r#"{"p":"{\"a\":\"1\",\"b\":2}"}"#
    );
}

#[test]
fn a_table_gives_what_a_value_stands_for() {
    let step = json!({"lookup": {
        "field": "code", "as": "name", "table": {"1": "one", "true": {"y": 1}, "a\"": null}, "default": "?"
    }});
    for (code, name) in [
        ("1", "\"one\""),
        ("\"1\"", "\"one\""),
        ("true", r#"{"y":1}"#),
        (r#""a\"""#, "null"),
        ("2", "\"?\""),
    ] {
        let event = format!(r#"{{"code":{code}}}"#);
        assert_eq!(
            after(step.clone(), &event),
            format!(r#"{{"code":{code},"name":{name}}}"#)
        );
    }
    assert_eq!(after(step, "{}"), r#"{"name":"?"}"#);
}

#[test]
fn a_table_sets_several_fields_at_once() {
    let step = json!({"lookup": {"field": "c", "table": {"cn": {"region": "asia", "o.tz": 8}}}});
    assert_eq!(
        after(step.clone(), r#"{"c":"cn"}"#),
        r#"{"c":"cn","region":"asia","o":{"tz":8}}"#
    );
    assert_eq!(after(step.clone(), r#"{"c":"de"}"#), r#"{"c":"de"}"#);
    fails(step, r#"{"c":"cn","o":1}"#);
    refused(
        json!({"lookup": {"field": "c", "table": {}}}),
        "/lookup/table",
        "empty",
    );
    refused(
        json!({"lookup": {"field": "c", "table": {"x": 1}}}),
        "/lookup/table/x",
        "where the value goes",
    );
}
