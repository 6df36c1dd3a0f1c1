//! The scanner against `serde_json`: the same verdict on every text, the same value for every field.

use serde_json::Value;

use crate::event::{Depth, Json};

#[test]
fn verdicts_are_those_of_serde_json() {
    for text in [
        "{}",
        "[]",
        "null",
        "nul",
        "true",
        "tru",
        "-",
        "-0",
        "01",
        "1.",
        "1.0",
        ".5",
        "1e",
        "1e+",
        "1e+5",
        "\"\\u12\"",
        "\"\\u00e9\"",
        "\"\\ud800\"",
        "\"\\ud83d\\ude00\"",
        "\"\\udc00\"",
        "\"\\ud800\\u0041\"",
        "\"\\x\"",
        "\"a\u{1}\"",
        "\"a\nb\"",
        "{\"a\":}",
        "{\"a\" 1}",
        "{,}",
        "{\"a\":1,}",
        "[1,]",
        "[,1]",
        "{\"\":{\"\":[]}}",
        "\"",
        "\"abc",
        "{\"a\":1",
        "[1 2]",
        "",
        " ",
        "{}{}",
        "1 2",
        "\u{feff}{}",
        "\"\u{7f}\"",
        "'a'",
        "{a:1}",
        "NaN",
        "-Infinity",
        "+1",
    ] {
        let ours = Json::parse(text.as_bytes(), Depth::MAX);
        let theirs = serde_json::from_slice::<Value>(text.as_bytes());
        assert_eq!(ours.is_ok(), theirs.is_ok(), "{text}: {ours:?}, {theirs:?}");
    }
}
