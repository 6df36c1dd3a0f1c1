//! `splitter` and `assigner`.

use serde_json::json;

use super::{after, fails, refused, run};

/// What a splitter with these keys makes of a line.
fn parts(keys: serde_json::Value, line: &str) -> serde_json::Value {
    let event = json!({ "message": line }).to_string();
    let after = after(json!([{ "splitter": keys }])[0].clone(), &event);
    serde_json::from_str::<serde_json::Value>(&after).unwrap()["parts"].take()
}

#[test]
fn an_access_line_becomes_its_parts() {
    let line =
        r#"1.2.3.4 - [10/Oct/2025:13:55:36 +0800] "GET /a?b=c HTTP/1.1" 200 "x \"y\" z" "" é"#;
    let split = parts(json!({"quotes": ["\"", "[]"]}), line);
    let expected = json!([
        "1.2.3.4",
        "-",
        "10/Oct/2025:13:55:36 +0800",
        "GET /a?b=c HTTP/1.1",
        "200",
        r#"x \"y\" z"#,
        "",
        "é"
    ]);
    assert_eq!(split, expected);
}

#[test]
fn separators_in_a_row_are_empty_parts_unless_merged() {
    assert_eq!(
        parts(json!({"separators": "|"}), "a||b|"),
        json!(["a", "", "b", ""])
    );
    assert_eq!(
        parts(json!({"separators": ["\t", ","], "merge": true}), ",a\t,b,"),
        json!(["a", "b"])
    );
    assert_eq!(parts(json!({}), ""), json!([""]));
    assert_eq!(parts(json!({"merge": true}), "  "), json!([""]));
}

#[test]
fn a_doubled_quote_is_one_and_an_open_quote_is_a_character() {
    assert_eq!(
        parts(json!({"separators": ","}), r#""say ""hi, you""",b"#),
        json!([r#"say "hi, you""#, "b"])
    );
    assert_eq!(
        parts(json!({"separators": ","}), r#""a,b"#),
        json!([r#""a"#, "b"])
    );
    assert_eq!(
        parts(json!({"separators": ","}), r#"a"b,c",d"#),
        json!([r#"a"b"#, r#"c""#, "d"])
    );
    assert_eq!(
        parts(json!({"separators": ",", "quotes": []}), r#""a,b""#),
        json!([r#""a"#, r#"b""#])
    );
}

#[test]
fn a_line_of_open_quotes_is_gone_through_once() {
    // Gone through once for each quote, it would take hours.
    let count = 500_000;
    let line = "\"a ".repeat(count);
    let event = json!({ "message": line }).to_string();
    let ran = run(json!([{"splitter": {"to": ["first"]}}]), &event);
    assert!(ran.event.ends_with(r#","first":"\"a"}"#), "{}", ran.failed);
}

#[test]
fn a_part_is_quoted_also_after_a_quote_that_never_ends() {
    let split = |line| parts(json!({"separators": ",", "quotes": ["\"", "[]"]}), line);
    assert_eq!(split(r#""a,"",b"#), json!([r#""a"#, "", "b"]));
    assert_eq!(split(r#""a,"""",b"#), json!([r#""a"#, r#"""#, "b"]));
    assert_eq!(split(r#""a,""b,c"#), json!([r#""a"#, r#"""b"#, "c"]));
    assert_eq!(
        split(r#""a\",\"b,[b,c]"#),
        json!([r#""a\""#, r#"\"b"#, "b,c"])
    );
    assert_eq!(split(r#"[a,"b,c",["#), json!(["[a", "b,c", "["]));
}

#[test]
fn separators_are_seen_through_escapes() {
    let step = json!({"splitter": {"separators": "\t", "to": ["a", "b"]}});
    let event = r#"{"message":"x\u0009\ty\"\ud83d\ude00"}"#;
    let expected = r#"{"message":"x\u0009\ty\"\ud83d\ude00","a":"x","b":""}"#;
    assert_eq!(after(step, event), expected);
}

#[test]
fn parts_go_to_fields_by_their_place() {
    let step = json!({"splitter": {"field": "m", "to": ["a", null, "o.b", "c"]}});
    assert_eq!(
        after(step, r#"{"m":"1 2 3"}"#),
        r#"{"m":"1 2 3","a":"1","o":{"b":"3"}}"#
    );
    let exact = json!({"splitter": {"field": "m", "to": ["a", "b"], "exact": true}});
    fails(exact.clone(), r#"{"m":"1 2 3"}"#);
    fails(exact.clone(), r#"{"m":12}"#);
    assert_eq!(after(exact, r#"{"n":1}"#), r#"{"n":1}"#);
}

#[test]
fn an_assigner_names_parts_and_takes_the_list_away() {
    let steps = json!([
        {"splitter": {"separators": "|"}},
        {"filter": {"field": "parts.0", "eq": "v1"}},
        {"assigner": {"to": {"status": 2, "ip": 1}}},
        {"remove": "message"},
    ]);
    let ran = run(steps.clone(), r#"{"message":"v1|1.2.3.4|200"}"#);
    assert_eq!(ran.event, r#"{"ip":"1.2.3.4","status":"200"}"#);
    assert_eq!(
        run(steps, r#"{"message":"v2|1.2.3.4|200"}"#).event,
        "filter"
    );
}

#[test]
fn an_assigner_takes_any_list() {
    let step = json!({"assigner": {"field": "l", "to": ["a", null, "b"], "keep": true}});
    assert_eq!(
        after(step.clone(), r#"{"l":[ {"x":1} , 2, 3.0]}"#),
        r#"{"l":[ {"x":1} , 2, 3.0],"a":{"x":1},"b":3.0}"#
    );
    assert_eq!(after(step.clone(), r#"{"l":[1]}"#), r#"{"l":[1],"a":1}"#);
    fails(step, r#"{"l":"1"}"#);
    fails(
        json!({"assigner": {"field": "l", "to": ["a", "b"], "exact": true}}),
        r#"{"l":[1]}"#,
    );
}

#[test]
fn a_splitter_that_makes_no_sense_is_refused() {
    refused(
        json!({"splitter": {"separators": "||"}}),
        "/splitter/separators",
        "not one ASCII",
    );
    refused(
        json!({"splitter": {"separators": ["|", "é"]}}),
        "/splitter/separators/1",
        "not one ASCII",
    );
    refused(
        json!({"splitter": {"separators": ["\""]}}),
        "/splitter/separators",
        "a separator and a quote",
    );
    assert_eq!(
        after(
            json!({"splitter": {"separators": "\"", "quotes": [], "to": ["a", "b"]}}),
            r#"{"message":"x\"y"}"#
        ),
        r#"{"message":"x\"y","a":"x","b":"y"}"#
    );
    refused(
        json!({"splitter": {"quotes": "abc"}}),
        "/splitter/quotes",
        "neither",
    );
    refused(
        json!({"splitter": {"to": ["a"], "as": "b"}}),
        "/splitter",
        "both",
    );
    refused(
        json!({"splitter": {"exact": true}}),
        "/splitter/exact",
        "needs `to`",
    );
    refused(
        json!({"splitter": {"to": [null]}}),
        "/splitter/to",
        "no field",
    );
    refused(
        json!({"assigner": {"to": ["a", "a"]}}),
        "/assigner/to",
        "more than once",
    );
}
