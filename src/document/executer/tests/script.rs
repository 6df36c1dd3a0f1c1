//! `script`: what a program sees, what becomes of its answer, and the walls around it.

use serde_json::{Value, json};

use super::{after, problems, refused, run};

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

/// Programs that would never end or take everything, and a word of the error that ends each.
const ATTACKS: &[(&str, &str)] = &[
    ("while true do end", "steps"),
    ("for i = 1, 1e18 do end", "steps"),
    (
        "local function f() return f() end return f()",
        "stack overflow",
    ),
    (
        "local function f() return 1 + f() end return f()",
        "stack overflow",
    ),
    (
        "while true do pcall(function() while true do end end) end",
        "steps",
    ),
    ("local function f() pcall(f) return f() end f()", "steps"),
    ("while true do pcall(error) end", "steps"),
    ("return string.rep('x', 1000000000)", "memory"),
    ("local s = 'x' while true do s = s .. s end", "memory"),
    ("local t = {} while true do t[#t + 1] = {t} end", "memory"),
    (
        "local t = {} for i = 1, 1e9 do t[i] = 'key' .. i end",
        "memory",
    ),
    ("return table.create(60000000, 0)", "memory"),
    ("return buffer.create(1e9)", "memory"),
    (
        "return string.find(string.rep('a', 100000), '.-.-.-.-.-b')",
        "steps",
    ),
    (
        "return string.gsub(string.rep('a', 50000), 'a*a*a*a*b', '')",
        "steps",
    ),
    (
        "return string.match(string.rep('(', 300000), string.rep('(', 300))",
        "capture",
    ),
    (
        "return table.concat(table.create(100000, string.rep('x', 100)))",
        "memory",
    ),
    ("return string.format('%99999s', 'x')", "format"),
    (
        "local t = setmetatable({}, {__index = function(t, k) return t[k] end}) return t.x",
        "overflow",
    ),
    (
        "table.sort(table.create(1000, 1), function() while true do end end)",
        "steps",
    ),
    (
        "for _ in string.gmatch(string.rep('a', 1000000), '') do end",
        "steps",
    ),
    ("return unpack({}, 1, 1e9)", "unpack"),
    (
        "return select('#', table.unpack(table.create(1e6, 1)))",
        "memory",
    ),
];

#[test]
fn what_never_ends_is_ended() {
    for (attack, message) in ATTACKS.iter().copied() {
        let found = error(body(attack), "{}");
        // On a machine that is busy with other things the deadline may come first.
        let ended = found.contains("longer than 500 ms");
        assert!(found.contains(message) || ended, "{attack}: {found}");
    }
}

#[test]
fn slow_steps_end_at_the_deadline() {
    let slow = "for i = 1, 1e5 do local s = string.reverse(string.rep('x', 1500000)) end";
    let found = error(body(slow), "{}");
    assert!(
        found.contains("longer than 500 ms") || found.contains("memory"),
        "{found}"
    );
    let caught = "while true do pcall(function() for i = 1, 1e5 do local s = string.rep('x', 500000) end end) end";
    error(body(caught), "{}");
}

#[test]
fn a_machine_works_on_after_each_kind_of_failure() {
    let script = "function process(event)
        if event.do_ == 'loop' then while true do end end
        if event.do_ == 'bomb' then return string.rep('x', 1e9) end
        if event.do_ == 'deep' then return process(event) + 1 end
        event.done = true
        return event
    end";
    let lines = r#"{"do_":"loop"} {"do_":"bomb"} {"do_":"deep"} {"do_":"work"}"#;
    let outcome = super::run_all(json!([step(script)]), &lines.split(' ').collect::<Vec<_>>());
    assert_eq!(outcome.last().unwrap(), r#"{"do_":"work","done":true}"#);
}

#[test]
fn garbage_of_earlier_events_does_not_count() {
    let script = body("local t = {} for i = 1, 20000 do t[i] = {i} end event.n = #t return event");
    let outcome = super::run_all(json!([script]), &["{}"; 40]);
    assert!(
        outcome.iter().all(|event| event == r#"{"n":20000}"#),
        "{outcome:?}"
    );
}

#[test]
fn nothing_is_kept_from_one_event_to_the_next() {
    let script = "
        count = 0
        local seen = 0
        local cache = {}
        function process(event)
            count = count + 1
            seen += 1
            table.insert(cache, event)
            leaked = (leaked or 0) + 1
            event.sums = {count, seen, #cache, leaked}
            return event
        end";
    let outcome = super::run_all(json!([step(script)]), &["{}"; 3]);
    assert!(
        outcome.iter().all(|event| event == r#"{"sums":[1,1,1,1]}"#),
        "{outcome:?}"
    );
}

#[test]
fn what_events_share_cannot_be_written_to() {
    for write in [
        "string.x = 1",
        "string.rep = nil",
        "math.pi = 3",
        "rawset(table, 'x', 1)",
        "getmetatable('').__index = nil",
        "getmetatable('').x = 1",
        "setmetatable(string, {})",
        "getmetatable(list {}).x = 1",
        "table.clear(string)",
        "table.insert(bit32, 1)",
    ] {
        let found = error(body(&format!("{write} return event")), "{}");
        assert!(
            found.contains("readonly")
                || found.contains("index boolean")
                || found.contains("protected"),
            "{write}: {found}"
        );
    }
}

#[test]
fn there_is_no_way_out_of_the_sandbox() {
    for name in [
        "io",
        "os",
        "require",
        "loadstring",
        "load",
        "dofile",
        "loadfile",
        "debug",
        "package",
        "coroutine",
        "getfenv",
        "setfenv",
        "collectgarbage",
        "gcinfo",
        "newproxy",
        "print",
        "_G",
        "shared",
        "math.random",
        "math.randomseed",
        "table.move",
        "string.dump",
    ] {
        let script = body(&format!("assert({name} == nil) return event"));
        assert_eq!(after(script, "{}"), "{}", "{name}");
    }
}

#[test]
fn a_program_that_cannot_run_is_refused_when_its_document_compiles() {
    let found = problems(json!([step(
        "function process(event)\n  return event +\nend"
    )]));
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].pointer, "/executers/0/script/source");
    assert!(
        found[0].message.contains("does not compile in line 3: "),
        "{found:?}"
    );
    refused(
        step("local x = 1"),
        "/script/source",
        "no function `process`",
    );
    refused(
        step("process = 1"),
        "/script/source",
        "no function `process`",
    );
    refused(
        step("error('no')"),
        "/script/source",
        "before it sees an event: script:1: no",
    );
    refused(
        step("while true do end"),
        "/script/source",
        "more steps than it may",
    );
    refused(
        step("local x = os.time()"),
        "/script/source",
        "attempt to index nil with 'time'",
    );
    refused(
        json!({"script": {"source": "", "steps": 0}}),
        "/script/steps",
        "from 1 to",
    );
    refused(
        json!({"script": {"source": "", "memory": "1 KiB"}}),
        "/script/memory",
        "64 KiB to 64 MiB",
    );
}

#[test]
fn the_limits_are_those_of_the_document() {
    let looping = "function process(event) for i = 1, 1000 do end return event end";
    let script = json!({"script": {"source": looping, "steps": 500}, "on_error": "reject"});
    assert_eq!(run(json!([script]), "{}").event, "execute.script");
    let script = json!({"script": {"source": looping, "steps": 1100}});
    assert_eq!(after(script, "{}"), "{}");
}
