//! What is right of one value, and what is done about one that is wrong.

use serde_json::{Value, json};

use super::{Books, plan, run, run_in, with, world};
use crate::event::Effect;

/// A catalog check of one event `e` with these properties, and of one event.
#[expect(clippy::needless_pass_by_value, reason = "calls read better")]
fn property(rules: Value, actions: Value, value: &str) -> Books {
    let catalog = json!({ "version": 1, "violations": actions,
        "events": { "e": { "properties": { "p": rules } } } });
    let event = format!(r#"{{"event":"e","properties":{{"a":1,"p":{value},"z":2}}}}"#);
    run_in(&world(catalog), plan(), &[&event])
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
