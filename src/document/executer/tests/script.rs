//! `script`: what a program sees, and what becomes of its answer.

mod walls;

use serde_json::{Value, json};

use super::{after, run};

fn step(source: &str) -> Value {
    json!({ "script": { "source": source } })
}

/// A program whose function has this body.
fn body(body: &str) -> Value {
    step(&format!("function process(event)\n{body}\nend"))
}

/// Asserts that a program fails, and gives its message.
fn error(script: Value, event: &str) -> String {
    let mut script = script;
    script["on_error"] = "reject".into();
    let ran = run(json!([script]), event);
    assert_eq!(
        (ran.event.as_str(), ran.failed),
        ("execute.script", 1),
        "{script}"
    );
    ran.notes.concat()
}

#[test]
fn an_event_that_a_program_only_reads_stays_byte_for_byte() {
    let event = r#"{ "n" : 1.50e0,"big":12345678901234567890, "s":"\u0041\/","l":[ 1, {} ],"o":{},"z":null, "n" : 1 }"#;
    let reads = body("for k, v in pairs(event) do local s = tostring(v) end return event");
    assert_eq!(after(reads, event), event);
    let writes_the_same =
        body("event.n = 1 event.z = null event.l[1] = 1 event.s = 'A/' return event");
    assert_eq!(after(writes_the_same, event), event);
}

#[test]
fn what_a_program_leaves_alone_keeps_its_bytes() {
    let event = r#"{"b":1.50,"big":12345678901234567890,"p":{"y":"\u0041","x":1e2,"l":[]},"l":[1.0,2,{"k":1.0}],"a":0}"#;
    let script = body(
        "event.a = nil event.p.x = event.p.x + 1 event.l[2] = 'two' event.new = {z = true, y = null}
        event.add = list {} return event",
    );
    let expected = r#"{"b":1.50,"big":12345678901234567890,"p":{"y":"\u0041","x":101,"l":[]},"l":[1.0,"two",{"k":1.0}],"add":[],"new":{"y":null,"z":true}}"#;
    assert_eq!(after(script, event), expected);
}

#[test]
fn null_is_not_nil_and_a_list_not_an_object() {
    let event = r#"{"z":null,"l":[],"o":{}}"#;
    let script = body(
        "assert(event.z == null and event.z ~= nil and event.gone == nil)
        event.o.l = event.l event.p = {} table.insert(event.l, 'x') return event",
    );
    assert_eq!(
        after(script, event),
        r#"{"z":null,"l":["x"],"o":{"l":["x"]},"p":{}}"#
    );
    assert_eq!(
        after(body("event.l = nil event.l = {} return event"), event),
        event
    );
    assert_eq!(
        after(body("table.remove(event.l) return event"), r#"{"l":[1]}"#),
        r#"{"l":[]}"#
    );
}

#[test]
fn later_steps_see_what_a_program_wrote() {
    let steps = json!([
        body("event.a = {b = string.upper(event.s)} return event"),
        {"rename": {"a.b": "c"}},
        {"remove": "a"},
        body("event.d = event.c .. '!' return event"),
    ]);
    assert_eq!(
        run(steps, r#"{"s":"x"}"#).event,
        r#"{"s":"x","c":"X","d":"X!"}"#
    );
}

#[test]
fn nil_and_false_filter_the_event() {
    assert_eq!(after(body(""), "{}"), "filter.script");
    assert_eq!(
        after(body("return event.keep"), r#"{"keep":false}"#),
        "filter.script"
    );
}

#[test]
fn a_program_may_answer_with_another_table() {
    assert_eq!(
        after(body("return {a = 1, c = event.b}"), r#"{"b":[1.0]}"#),
        r#"{"a":1,"c":[1]}"#
    );
    assert_eq!(
        after(body("return {b = event.b}"), r#"{"a":1,"b":[1.0]}"#),
        r#"{"b":[1.0]}"#
    );
    assert_eq!(after(body("return {}"), r#"{"a":1}"#), "{}");
}

#[test]
fn of_members_with_the_same_key_a_program_sees_the_last() {
    let event = r#"{"a":1,"a":2,"b":0}"#;
    assert_eq!(
        after(body("event.b = event.a return event"), event),
        r#"{"a":2,"b":2}"#
    );
}

#[test]
fn an_error_names_the_line_and_is_cut() {
    let message = error(body("\nreturn event.a.b"), "{}");
    assert_eq!(message, ": script: script:3: attempt to index nil with 'b'");
    let long = error(body("error(string.rep('x', 100000))"), "{}");
    assert!(long.len() < 300, "{}", long.len());
    assert_eq!(
        run(json!([body("error('x')")]), r#"{"a":1}"#).event,
        r#"{"a":1}"#
    );
}

#[test]
fn what_is_no_event_is_an_error() {
    for (script, message) in [
        ("return 'x'", "returned a string"),
        ("return true", "returned a boolean"),
        ("return {1}", "returned a list"),
        ("return list {}", "returned a list"),
        (
            "event.f = print or type return event",
            "a function cannot stand",
        ),
        ("event.n = 0/0 return event", "NaN cannot stand"),
        ("event.n = 1/0 return event", "inf cannot stand"),
        ("event.s = '\\255' return event", "not UTF-8"),
        ("event['\\255'] = 1 return event", "not UTF-8"),
        ("event[1] = 1 event.a = 1 return event", "list"),
        ("event.l = {1, nil, 3} return event", "gap"),
        ("event.l = {1, a = 2} return event", "gap, or names"),
        ("event[true] = 1 return event", "boolean cannot be a key"),
        ("event.e = event return event", "nested too deep"),
        (
            "event.b = buffer.create(1) return event",
            "buffer cannot stand",
        ),
        (
            "local o = event for i = 1, 200 do o.o = {} o = o.o end return event",
            "nested too deep",
        ),
    ] {
        let found = error(body(script), "{}");
        assert!(found.contains(message), "{script}: {found}");
    }
}

#[test]
fn an_event_does_not_grow_without_bound() {
    let wide =
        "local s = string.rep('x', 1000000) for i = 1, 100 do event['k' .. i] = s end return event";
    assert!(error(body(wide), "{}").contains("larger than it may be"));
    let laughs =
        "local t = {a = 'haha'} for i = 1, 100 do t = {a = t, b = t} end event.t = t return event";
    assert!(error(body(laughs), "{}").contains("larger than it may be"));
}
