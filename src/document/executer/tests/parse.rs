//! `parse`, one test a kind.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{after, fails, refused};

/// What a parser whose result goes to `out` makes of the text in `a`.
fn parsed(kind: &str, keys: Value, text: &str) -> Value {
    let mut parse = keys;
    parse[kind] = "a".into();
    if parse["query_as"].is_null() {
        parse.as_object_mut().unwrap().remove("query_as");
        parse["as"] = "out".into();
    }
    let event = json!({ "a": text }).to_string();
    let event = after(json!({ "parse": parse }), &event);
    serde_json::from_str::<Value>(&event).unwrap()["out"].take()
}

#[test]
fn json_in_a_string_takes_its_place() {
    let step = json!({"parse": {"json": "a"}});
    assert_eq!(
        after(step.clone(), r#"{"a":" {\"b\": [1.0]} ","c":1}"#),
        r#"{"a":{"b": [1.0]},"c":1}"#
    );
    assert_eq!(after(step.clone(), r#"{"a":null}"#), r#"{"a":null}"#);
    for wrong in [
        r#"{"a":"{"}"#,
        r#"{"a":"1 2"}"#,
        r#"{"a":"\"\\ud800\""}"#,
        r#"{"a":{}}"#,
        r#"{"a":""}"#,
    ] {
        fails(step.clone(), wrong);
    }
    let deep = format!(r#"{{"a":"{}{}"}}"#, "[".repeat(500), "]".repeat(500));
    fails(step, &deep);
}

#[test]
fn fields_inside_parsed_json_are_there_for_later_steps() {
    let steps = json!([{"parse": {"json": "a"}}, {"rename": {"a.b": "b"}}, {"remove": "a"}]);
    assert_eq!(
        super::run(steps, r#"{"a":"{\"b\":1}"}"#).event,
        r#"{"b":1}"#
    );
}

#[test]
fn a_url_becomes_its_parts() {
    let url = "HTTPS://user:pw@Shop.Example:8443/a%20b/c?x=1&y#top";
    let expected = json!({
        "scheme": "https", "host": "shop.example", "port": 8443, "path": "/a%20b/c", "query": "x=1&y", "fragment": "top"
    });
    assert_eq!(parsed("url", json!({}), url), expected);
    assert_eq!(
        parsed("url", json!({}), "/only/path?q"),
        json!({"path": "/only/path", "query": "q"})
    );
    assert_eq!(
        parsed("url", json!({}), "http://[2001:db8::1]:80/"),
        json!({"scheme": "http", "host": "[2001:db8::1]", "port": 80, "path": "/"})
    );
    for wrong in ["", "no url", "word", "http://h:99999/", "http://h:x/"] {
        let event = json!({ "a": wrong }).to_string();
        fails(json!({"parse": {"url": "a", "as": "out"}}), &event);
    }
}

#[test]
fn parameters_are_decoded_and_the_last_one_counts() {
    let query = "?b=1&a=x+%C3%A9%22&&c&b=2&=3&d=%zz%ff";
    let expected = json!({"a": "x é\"", "c": "", "b": "2", "": "3", "d": "%zz\u{fffd}"});
    assert_eq!(parsed("query", json!({}), query), expected);
    assert_eq!(
        parsed("url", json!({"query_as": "out"}), "http://h/?utm=1"),
        json!({"utm": "1"})
    );
    assert_eq!(
        parsed("url", json!({"query_as": "out"}), "http://h/"),
        json!({})
    );
    let many: Vec<_> = (0..5000).map(|n| format!("k{}={n}", n % 50)).collect();
    let read = parsed("query", json!({}), &many.join("&"));
    assert_eq!(read.as_object().unwrap().len(), 50);
    assert_eq!(read["k7"], "4957");
}

#[test]
fn pairs_may_be_quoted() {
    let text = r#"level=info  msg="a \"b\" = c" flag n=1 n=2 open="x"#;
    let expected =
        json!({"level": "info", "msg": "a \"b\" = c", "flag": "", "n": "2", "open": "\"x"});
    assert_eq!(parsed("key_value", json!({}), text), expected);
    assert_eq!(
        parsed(
            "key_value",
            json!({"pairs": ";", "separator": ":"}),
            "a:1; b : 2 ;"
        ),
        json!({"a": "1", "b": "2"})
    );
}

#[test]
fn named_groups_become_fields() {
    let step = json!({"parse": {"regex": "m", "pattern": "^(?<verb>[A-Z]+) (?<o_path>\\S+)(?: (?<v>.*))?$"}});
    let event = r#"{"m":"GET /\u00e9"}"#;
    assert_eq!(
        after(step.clone(), event),
        r#"{"m":"GET /\u00e9","verb":"GET","o_path":"/é"}"#
    );
    fails(step, r#"{"m":"get"}"#);
    let below = json!({"parse": {"regex": "m", "as": "r", "pattern": "(?<x>.)"}});
    assert_eq!(
        after(below.clone(), r#"{"m":"ab"}"#),
        r#"{"m":"ab","r":{"x":"a"}}"#
    );
    fails(below, r#"{"m":"ab","r":1}"#);
}

#[test]
fn base64_is_taken_in_either_alphabet() {
    for text in ["w6k/w79+", "w6k_w79-", "w6k/\\nw79+"] {
        let event = format!(r#"{{"a":"{text}"}}"#);
        assert_eq!(
            after(json!({"parse": {"base64": "a"}}), &event),
            r#"{"a":"é?ÿ~"}"#
        );
    }
    assert_eq!(parsed("base64", json!({}), "YQ"), "a");
    assert_eq!(parsed("base64", json!({}), "YQ=="), "a");
    fails(json!({"parse": {"base64": "a"}}), r#"{"a":"*"}"#);
    fails(json!({"parse": {"base64": "a"}}), r#"{"a":"/w=="}"#);
}

#[test]
fn a_user_agent_is_told_apart() {
    let chrome = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36";
    let expected = json!({
        "browser": "Chrome", "browser_version": "126.0.0.0", "os": "Windows 10", "os_version": "NT 10.0", "vendor": "Google", "device": "pc"
    });
    assert_eq!(parsed("user_agent", json!({}), chrome), expected);
    let iphone = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1";
    let read = parsed("user_agent", json!({}), iphone);
    assert_eq!(
        (&read["os"], &read["os_version"], &read["device"]),
        (&json!("iPhone"), &json!("17.5"), &json!("smartphone"))
    );
    assert_eq!(
        parsed(
            "user_agent",
            json!({}),
            "Googlebot/2.1 (+http://www.google.com/bot.html)"
        )["device"],
        "crawler"
    );
    assert_eq!(
        parsed("user_agent", json!({}), "é".repeat(2000).as_str()),
        json!({})
    );
}

#[test]
fn a_time_is_parsed_as_it_is_cast() {
    let step = json!({"parse": {"time": "t", "unit": "s", "output": "rfc3339", "as": "at"}});
    assert_eq!(
        after(step.clone(), r#"{"t":1750000000}"#),
        r#"{"t":1750000000,"at":"2025-06-15T15:06:40Z"}"#
    );
    fails(step, r#"{"t":"soon"}"#);
}

#[test]
fn a_parser_that_makes_no_sense_is_refused() {
    let parse = |keys: Value| json!({ "parse": keys });
    refused(parse(json!({})), "/parse", "what is parsed");
    refused(
        parse(json!({"json": "a", "query": "b"})),
        "/parse",
        "several kinds: json, query",
    );
    refused(
        parse(json!({"json": "a", "pattern": "x"})),
        "/parse/pattern",
        "only a `regex`",
    );
    refused(
        parse(json!({"json": "a", "unit": "s"})),
        "/parse/unit",
        "only a `time`",
    );
    refused(
        parse(json!({"key_value": "a", "pairs": "=", "separator": "="})),
        "/parse/pairs",
        "both between pairs and inside",
    );
    refused(parse(json!({"url": "a"})), "/parse", "goes nowhere");
    refused(parse(json!({"regex": "a"})), "/parse", "no pattern");
    refused(
        parse(json!({"regex": "a", "pattern": "(?<x"})),
        "/parse/pattern",
        "does not compile",
    );
    refused(
        parse(json!({"regex": "a", "pattern": "(x)"})),
        "/parse/pattern",
        "no named group",
    );
    refused(
        parse(json!({"key_value": "a", "pairs": "ab"})),
        "/parse/pairs",
        "not one character",
    );
    refused(parse(json!({"json": "a..b"})), "/parse/json", "not a path");
}

/// Pieces of what is parsed, and of what breaks parsers.
fn text() -> impl Strategy<Value = String> {
    let pieces = vec![
        "Mozilla/5.0 (",
        "Windows ",
        "NT 10.0; ",
        "iPhone; ",
        "DoCoMo/2.0 ",
        "Opera/9.8 ",
        "KDDI-",
        "UP.Browser/",
        "Android ",
        "PlayStation ",
        "Googlebot/2.1",
        "CPU OS 1_",
        "J-PHONE/",
        "Version/",
        ")",
        ";",
        "/",
        "?",
        "#",
        ":",
        "//",
        "@",
        "[::1]",
        "http",
        "=",
        "&",
        "%",
        "%C3",
        "+",
        " ",
        "\"",
        "\\",
        "|",
        "é",
        "😀",
        "\n",
        "\u{0}",
        "a",
        "1",
        "-",
        "{",
        "}",
        "[",
        "]",
        ",",
        "null",
        "w6k",
    ];
    prop::collection::vec(prop::sample::select(pieces), 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn whatever_a_string_holds_the_event_stays_json(text in text()) {
        let event = json!({ "a": text }).to_string();
        let keys = [
            json!({"user_agent": "a"}),
            json!({"url": "a", "as": "b", "query_as": "c"}),
            json!({"query": "a"}),
            json!({"key_value": "a"}),
            json!({"base64": "a"}),
            json!({"json": "a"}),
            json!({"time": "a"}),
            json!({"regex": "a", "pattern": "(?s)(?<x>.)(?<y>.*)"}),
        ];
        let parsers = keys.map(|keys| json!({ "parse": keys }));
        let others = [
            json!({"splitter": {"field": "a", "separators": ["|", ",", "\n"], "quotes": ["\"", "[]"]}}),
            json!({"cast": {"field": "a", "to": "float"}}),
            json!({"mask": {"field": "a", "first": 1, "last": 1}}),
        ];
        for step in parsers.into_iter().chain(others) {
            let ran = super::run(json!([step.clone()]), &event);
            prop_assert!(serde_json::from_str::<Value>(&ran.event).is_ok(), "{} {}", step, ran.event);
        }
    }

    #[test]
    fn without_quotes_a_splitter_cuts_at_every_separator(text in text()) {
        let step = json!({"splitter": {"field": "a", "separators": ["|", " ", "\n"], "quotes": []}});
        let event = json!({ "a": text }).to_string();
        let split: Value = serde_json::from_str(&after(step, &event)).unwrap();
        let expected: Vec<_> = text.split(['|', ' ', '\n']).collect();
        prop_assert_eq!(&split["parts"], &json!(expected));
    }
}
