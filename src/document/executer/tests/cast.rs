//! `cast`, and times.

use serde_json::{Value, json};

use super::{after, fails, refused};

/// Checks what a cast of `a` makes of values; those without a result must fail.
fn casts(keys: Value, table: &[(&str, Option<&str>)]) {
    let mut cast = keys;
    cast["field"] = "a".into();
    for (value, expected) in table {
        let event = format!(r#"{{"a":{value}}}"#);
        match expected {
            Some(expected) => {
                let expected = format!(r#"{{"a":{expected}}}"#);
                assert_eq!(after(json!({ "cast": cast }), &event), expected, "{cast}");
            }
            None => fails(json!({ "cast": cast }), &event),
        }
    }
}

#[test]
fn integers_keep_all_their_digits() {
    let table = [
        ("12345678901234567890123", Some("12345678901234567890123")),
        (
            r#"" 12345678901234567890123 ""#,
            Some("12345678901234567890123"),
        ),
        (r#""+007""#, Some("7")),
        (r#""-0""#, Some("0")),
        (r#""-12""#, Some("-12")),
        ("12.0", Some("12")),
        (r#""1.2e1""#, Some("12")),
        ("-0.0", Some("0")),
        ("true", Some("1")),
        ("null", Some("null")),
        ("12.5", None),
        ("1e300", None),
        (r#""""#, None),
        (r#""0x10""#, None),
        ("[]", None),
    ];
    casts(json!({"to": "int"}), &table);
}

#[test]
fn floats_are_finite_numbers() {
    let table = [
        ("1e400", Some("1e400")),
        ("3", Some("3")),
        (r#""1.50""#, Some("1.5")),
        (r#""-3""#, Some("-3")),
        (r#"".5""#, Some("0.5")),
        (r#""1e2""#, Some("100.0")),
        (r#""inf""#, None),
        (r#""NaN""#, None),
        (r#""1e999""#, None),
        ("{}", None),
    ];
    casts(json!({"to": "float"}), &table);
}

#[test]
fn booleans_are_words_or_one_and_zero() {
    let table = [
        ("false", Some("false")),
        ("1", Some("true")),
        ("0.0", Some("false")),
        (r#""TRUE""#, Some("true")),
        (r#""no""#, Some("false")),
        ("2", None),
        (r#""maybe""#, None),
    ];
    casts(json!({"to": "bool"}), &table);
}

#[test]
fn strings_hold_the_text_of_what_was_there() {
    let table = [
        ("1.50", Some(r#""1.50""#)),
        (r#""\u0041""#, Some(r#""\u0041""#)),
        (r#"{"b":"\""}"#, Some(r#""{\"b\":\"\\\"\"}""#)),
        ("false", Some(r#""false""#)),
    ];
    casts(json!({"to": "string"}), &table);
}

#[test]
fn times_become_milliseconds() {
    let table = [
        ("1750000000123", Some("1750000000123")),
        (r#""1750000000123""#, Some("1750000000123")),
        (r#""2025-06-15T23:06:40.5+08:00""#, Some("1750000000500")),
        (r#""2025-06-15 15:06:40""#, Some("1750000000000")),
        (r#""2025-06-15""#, Some("1749945600000")),
        ("true", None),
        (r#""yesterday""#, None),
        (r#""inf""#, None),
        ("1e30", None),
        ("99999999999999999999", None),
    ];
    casts(json!({"to": "datetime"}), &table);
    casts(
        json!({"to": "datetime", "unit": "s"}),
        &[("1750000000.25", Some("1750000000250"))],
    );
    casts(
        json!({"to": "datetime", "unit": "us"}),
        &[("1750000000123456", Some("1750000000123"))],
    );
    casts(
        json!({"to": "datetime", "unit": "ns", "output": "us"}),
        &[("1750000000123456789", Some("1750000000123456"))],
    );
}

#[test]
fn times_are_read_and_written_as_told() {
    let access = json!({"to": "datetime", "format": "%d/%b/%Y:%H:%M:%S %z", "output": "rfc3339"});
    casts(
        access,
        &[
            (
                r#""15/Jun/2025:23:06:40 +0800""#,
                Some(r#""2025-06-15T15:06:40Z""#),
            ),
            (r#""15/Jun/2025""#, None),
        ],
    );
    let local =
        json!({"to": "datetime", "format": "%Y-%m-%d %H:%M:%S", "offset": "+08:00", "output": "s"});
    casts(local, &[(r#""2025-06-15 23:06:40""#, Some("1750000000"))]);
    casts(
        json!({"to": "datetime", "format": "%s"}),
        &[(r#""1750000000""#, Some("1750000000000"))],
    );
    casts(
        json!({"to": "datetime", "offset": "+08:00"}),
        &[(r#""2025-06-15T23:06:40""#, Some("1750000000000"))],
    );
}

#[test]
fn a_cast_may_go_elsewhere_or_take_several_fields() {
    let step = json!({"cast": {"field": "a", "to": "int", "as": "b"}});
    assert_eq!(after(step.clone(), r#"{"a":"1"}"#), r#"{"a":"1","b":1}"#);
    assert_eq!(after(step.clone(), r#"{"a":1}"#), r#"{"a":1,"b":1}"#);
    assert_eq!(after(step, r#"{"c":1}"#), r#"{"c":1}"#);
    let several = json!({"cast": {"field": ["a", "b", "c"], "to": "int"}});
    assert_eq!(after(several, r#"{"a":"1","c":"3"}"#), r#"{"a":1,"c":3}"#);
}

#[test]
fn a_cast_that_makes_no_sense_is_refused() {
    let cast = |keys: Value| json!({ "cast": keys });
    refused(
        cast(json!({"field": ["a", "b"], "to": "int", "as": "c"})),
        "/cast/as",
        "one place",
    );
    refused(
        cast(json!({"field": "a", "to": "int", "unit": "s"})),
        "/cast/unit",
        "datetime",
    );
    refused(
        cast(json!({"field": "a", "to": "datetime", "format": "%!"})),
        "/cast/format",
        "wrong",
    );
    refused(
        cast(json!({"field": "a", "to": "datetime", "format": "%H:%M"})),
        "/cast/format",
        "whole date",
    );
    for format in ["%Y-%m-%d %H:%M %Z", "%% %F %T %:Q"] {
        refused(
            cast(json!({"field": "a", "to": "datetime", "format": format})),
            "/cast/format",
            "names of time zones",
        );
    }
    refused(
        cast(json!({"field": "a", "to": "datetime", "offset": "Mars"})),
        "/cast/offset",
        "offset",
    );
}
