//! The walls around a program: steps, time, memory, and what of the library it may use.

use serde_json::json;

use super::{body, error, step};
use crate::document::executer::tests::{after, problems, refused, run, run_all};

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
    let outcome = run_all(json!([step(script)]), &lines.split(' ').collect::<Vec<_>>());
    assert_eq!(outcome.last().unwrap(), r#"{"do_":"work","done":true}"#);
}

#[test]
fn garbage_of_earlier_events_does_not_count() {
    let script = body("local t = {} for i = 1, 20000 do t[i] = {i} end event.n = #t return event");
    let outcome = run_all(json!([script]), &["{}"; 40]);
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
    let outcome = run_all(json!([step(script)]), &["{}"; 3]);
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

#[test]
fn what_runs_long_without_an_interrupt_is_bounded() {
    let long = "local text, part = ('a'):rep(2e6), ('a'):rep(1e6) .. 'b'\n";
    for (work, said) in [
        ("text:find(part, 1, true)", "too long to look for"),
        ("text:find(part)", "too long to look for"),
        ("text:split(part)", "too long to look for"),
        (
            "local list = table.create(8000, 1) table.sort(list)",
            "more steps than it may",
        ),
    ] {
        let script = json!({"script": {
            "source": format!("function process(event)\n{long}{work}\nreturn event end"),
            "memory": "64 MiB", "steps": 20_000,
        }});
        let message = error(script, "{}");
        assert!(message.contains(said), "{work}: {message}");
    }
}

#[test]
fn what_is_bounded_works_as_it_did() {
    let script = body(
        "local list = {3, 1, 2} table.sort(list)
        event.sorted = table.concat(list, ' ')
        table.sort(list, function(a, b) return a > b end)
        event.back = table.concat(list, ' ')
        local from, to = ('a.b.c'):find('.', 3, true)
        event.found = from .. ' ' .. to
        event.captured = select(3, string.find('k=v', '(%w)=(%w)'))
        event.number = string.find(1234, 34)
        event.split = #string.split('a,b,c') .. #('a;b'):split(';')
        return event",
    );
    assert_eq!(
        after(script, "{}"),
        r#"{"back":"3 2 1","captured":"k","found":"4 4","number":3,"sorted":"1 2 3","split":"32"}"#
    );
}
