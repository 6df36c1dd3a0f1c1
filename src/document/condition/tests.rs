//! Conditions from their written form to their verdict, and against a plain evaluator on trees.

use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::document::condition::ConditionForm;
use crate::document::diagnostic::{At, Diagnostic};
use crate::document::scope::{Scope, World};
use crate::event::{Batch, Depth};
use crate::pipeline::Context;
use crate::tables::Tables;

/// The time of receipt in all of these tests: 1,750,000,000,000 ms.
const RECEIVED: &str = "2025-06-15T15:06:40Z";

fn holds(condition: Value, event: &str) -> bool {
    let world = World::default();
    let mut scope = Scope::new("weir.repo.test", &world);
    let form: ConditionForm = serde_json::from_value(condition).unwrap();
    let condition = form.compile(&mut scope, &At::ROOT);
    let found = scope.diagnostics.into_vec();
    assert!(found.is_empty(), "{found:?}");
    let mut batch = Batch::new(event.into(), scope.fields.build().into());
    batch.read(1, 0, event.len(), Depth::DEFAULT).unwrap();
    let tables = Tables::default();
    let context = Context {
        received: RECEIVED.parse().unwrap(),
        client: None,
        key: None,
        tables: &tables,
        geo: None,
        revision: "",
        batch: "",
        instance: "",
    };
    condition.holds(&batch.event(0), &context)
}

fn problems(condition: Value) -> Vec<Diagnostic> {
    let world = World::default();
    let mut scope = Scope::new("weir.repo.test", &world);
    let form: ConditionForm = serde_json::from_value(condition).unwrap();
    form.compile(&mut scope, &At::ROOT.field("constraint"));
    scope.diagnostics.into_vec()
}

/// Checks one operator on `a` against events that hold only `a`.
fn check(operators: Value, yes: &[&str], no: &[&str]) {
    let mut condition = operators;
    condition["field"] = "a".into();
    for (values, expected) in [(yes, true), (no, false)] {
        for value in values {
            let event = format!(r#"{{"b":0,"a":{value}}}"#);
            assert_eq!(
                holds(condition.clone(), &event),
                expected,
                "{condition} {value}"
            );
        }
    }
}

#[test]
fn equal_numbers_are_equal_however_they_are_written() {
    check(
        json!({"eq": 1}),
        &["1", "1.0", "1e0", "10E-1"],
        &["2", "\"1\"", "true", "[1]"],
    );
    check(json!({"eq": 1.5}), &["1.5", "15e-1"], &["1", "\"1.5\""]);
    check(json!({"eq": 0}), &["0", "-0", "-0.0"], &["1e-300"]);
    check(
        json!({"in": [0, 7, 1e3]}),
        &["0", "-0.0", "7", "1000"],
        &["1001"],
    );
    check(
        json!({"eq": 9_007_199_254_740_993_u64}),
        &["9007199254740993"],
        &["9007199254740992", "9007199254740994"],
    );
    check(
        json!({"in": [9_007_199_254_740_993_u64, u64::MAX]}),
        &["9007199254740993", "18446744073709551615"],
        &["9007199254740992", "18446744073709551614"],
    );
}

#[test]
fn strings_are_compared_by_their_characters() {
    check(
        json!({"eq": "a\\b"}),
        &[r#""a\\b""#, r#""\u0061\u005cb""#],
        &[r#""a\b""#, r#""ab""#],
    );
    check(
        json!({"eq": "né😀"}),
        &[r#""né😀""#, r#""n\u00e9\ud83d\ude00""#],
        &[r#""ne""#],
    );
    check(
        json!({"in": ["x", "a\n"]}),
        &[r#""x""#, r#""a\n""#, r#""\u0078""#],
        &[r#""y""#, "1"],
    );
    check(
        json!({"prefix": "ab"}),
        &[r#""ab""#, r#""abc""#, r#""\u0061b\n""#],
        &[r#""a""#, r#""xab""#],
    );
    check(
        json!({"prefix": ["ab", "x", "ab2"]}),
        &[r#""ab""#, r#""xy""#, r#""\u0078""#],
        &[r#""a""#, r#""yab""#, "1"],
    );
    check(
        json!({"suffix": "n"}),
        &[r#""n""#, r#""an""#, r#""\u006e""#],
        &[r#""\n""#, r#""na""#],
    );
    check(
        json!({"suffix": [".js", "ss"]}),
        &[r#""a.js""#, r#""s\u0073""#],
        &[r#""js.""#],
    );
    check(json!({"contains": "b\""}), &[r#""ab\"c""#], &[r#""b\\""#]);
    check(
        json!({"contains": ["q", "zz"]}),
        &[r#""aqb""#, r#""\u0071""#],
        &[r#""z""#],
    );
    check(
        json!({"regex": "^é.$"}),
        &[r#""éa""#, r#""\u00e9\u0061""#],
        &[r#""éab""#, "1"],
    );
}

#[test]
fn a_missing_field_fails_everything_but_not_existing() {
    for operators in [
        json!({"eq": null}),
        json!({"in": [null, "a"]}),
        json!({"type": ["null", "string"]}),
        json!({"exists": true}),
        json!({"prefix": "a"}),
        json!({"within": {"past": "1 d"}}),
    ] {
        let mut condition = operators.clone();
        condition["field"] = "a.b".into();
        assert!(!holds(condition, r#"{"a":{"c":1}}"#), "{operators}");
        assert!(holds(
            json!({"field": "a.b", "not": operators}),
            r#"{"a":{}}"#
        ));
    }
    assert!(holds(
        json!({"field": "a.b", "exists": false}),
        r#"{"a":1}"#
    ));
    check(json!({"exists": true}), &["null", "{}"], &[]);
    check(json!({"eq": null}), &["null"], &["0", "false", "\"null\""]);
}

#[test]
fn a_type_is_what_the_value_looks_like() {
    check(
        json!({"type": "int"}),
        &["1", "-1", "123456789012345678901234567890"],
        &["1.0", "1e2", "\"1\""],
    );
    check(json!({"type": "float"}), &["1.0", "1e2"], &["1"]);
    check(json!({"type": "number"}), &["1.0", "1"], &["true"]);
    check(
        json!({"type": ["list", "object"]}),
        &["[]", "{}"],
        &["null", "\"\""],
    );
    check(json!({"type": "bool"}), &["true", "false"], &["0"]);
}

#[test]
fn bounds_are_inclusive_or_not_as_written() {
    check(
        json!({"range": {"min": 1, "max": 2}}),
        &["1", "2", "1.5"],
        &["0.99", "2.01", "\"1\""],
    );
    check(
        json!({"range": {"above": 1, "below": 2}}),
        &["1.5"],
        &["1", "2", "1e400"],
    );
    check(json!({"range": {"min": -5}}), &["-5", "1e400"], &["-5.1"]);
    check(json!({"range": {"min": 0}}), &["0", "-0", "-0.0"], &["-1"]);
    // Both integers are the same double.
    check(
        json!({"range": {"min": 9_007_199_254_740_993_i64}}),
        &["9007199254740993", "1e16"],
        &["9007199254740992"],
    );
    check(
        json!({"range": {"below": 9_007_199_254_740_993_i64}}),
        &["9007199254740992"],
        &["9007199254740993"],
    );
}

#[test]
fn a_window_is_measured_from_the_time_of_receipt() {
    let window = json!({"within": {"past": "10 s", "future": "1 s"}});
    check(
        window,
        &[
            "1750000000000",
            "1749999990000",
            "1750000001000",
            "\"2025-06-15T23:06:40+08:00\"",
            "\" 2025-06-15T15:06:40Z \"",
        ],
        &[
            "1749999989999",
            "1750000001001",
            "1750000000",
            "\"2025-06-15\"",
            "null",
        ],
    );
    check(
        json!({"within": {"past": "1 s", "unit": "s"}}),
        &["1750000000", "1749999999.5", "9e9"],
        &["1749999998"],
    );
    check(
        json!({"within": {"future": "1 s", "unit": "us"}}),
        &["1750000000000000"],
        &["1750000002000000"],
    );
}

#[test]
fn an_address_is_looked_for_in_networks() {
    check(
        json!({"cidr": ["10.0.0.0/8", "2001:db8::/32", "192.0.2.1"]}),
        &[
            r#""10.1.2.3""#,
            r#""::ffff:10.0.0.1""#,
            r#""2001:db8::1""#,
            r#""192.0.2.1""#,
        ],
        &[r#""11.0.0.1""#, r#""192.0.2.2""#, r#""x""#, "10"],
    );
    check(
        json!({"cidr": "::ffff:10.0.0.0/104"}),
        &[r#""10.1.2.3""#, r#""::ffff:10.0.0.1""#],
        &[r#""11.0.0.1""#, r#""::a""#],
    );
}

#[test]
fn a_field_speaks_for_everything_below_it() {
    let condition = json!({"field": "a", "any": [{"prefix": "x"}, {"not": {"type": "string"}}, {"field": "b", "eq": 0}]});
    assert!(holds(condition.clone(), r#"{"a":"xy"}"#));
    assert!(holds(condition.clone(), r#"{"a":1}"#));
    assert!(!holds(condition.clone(), r#"{"a":"y"}"#));
    assert!(holds(condition, r#"{"a":"y","b":0}"#));
    assert!(holds(
        json!({"field": "list.1", "eq": 2}),
        r#"{"list":[1,2]}"#
    ));
}

fn wrong_shapes() -> Vec<(Value, &'static str, &'static str)> {
    vec![
        (json!({}), "/constraint", "empty"),
        (json!({"all": []}), "/constraint/all", "empty"),
        (json!({"eq": 1}), "/constraint", "which field"),
        (json!({"field": "a"}), "/constraint", "says nothing"),
        (
            json!({"field": "a..b", "eq": 1}),
            "/constraint/field",
            "not a path",
        ),
        (
            json!({"field": "a", "eq": [1]}),
            "/constraint/eq",
            "compared",
        ),
        (json!({"field": "a", "in": []}), "/constraint/in", "empty"),
        (
            json!({"field": "a", "in": [1, {}]}),
            "/constraint/in/1",
            "compared",
        ),
        (
            json!({"field": "a", "prefix": ""}),
            "/constraint/prefix",
            "empty text",
        ),
        (
            json!({"any": [{"field": "a", "regex": "(x"}]}),
            "/constraint/any/0/regex",
            "unclosed group",
        ),
    ]
}

fn wrong_values() -> Vec<(Value, &'static str, &'static str)> {
    vec![
        (
            json!({"field": "a", "range": {}}),
            "/constraint/range",
            "no bound",
        ),
        (
            json!({"field": "a", "range": {"min": 2, "max": 1}}),
            "/constraint/range",
            "never",
        ),
        (
            json!({"field": "a", "range": {"min": 2, "below": 2}}),
            "/constraint/range",
            "never",
        ),
        (
            json!({"field": "a", "within": {}}),
            "/constraint/within",
            "no side",
        ),
        (
            json!({"field": "a", "cidr": ["10.0.0.0/33"]}),
            "/constraint/cidr/0",
            "not a network",
        ),
        (
            json!({"field": "a", "exists": false, "eq": 1}),
            "/constraint/exists",
            "never",
        ),
        (
            json!({"field": "a", "type": "int", "prefix": "x"}),
            "/constraint",
            "never",
        ),
        (
            json!({"field": "a", "eq": 1, "in": [2, 3]}),
            "/constraint/in",
            "never",
        ),
        (
            json!({"not": {"field": "a", "not": {}}}),
            "/constraint/not/not",
            "empty",
        ),
    ]
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    for (condition, pointer, message) in [wrong_shapes(), wrong_values()].concat() {
        let found = problems(condition.clone());
        assert_eq!(found.len(), 1, "{condition}: {found:?}");
        assert_eq!(found[0].pointer, pointer, "{condition}");
        assert!(found[0].message.contains(message), "{condition}: {found:?}");
        assert!(!found[0].hint.is_empty());
    }
}

#[test]
fn an_operator_that_does_not_exist_is_refused() {
    let form = serde_json::from_value::<ConditionForm>(json!({"field": "a", "equals": 1}));
    assert!(
        form.unwrap_err()
            .to_string()
            .contains("unknown field `equals`")
    );
}

/// What the condition language means, said on trees as plainly as possible.
fn naive(condition: &Value, above: Option<&str>, event: &Value) -> bool {
    let field = condition["field"].as_str().or(above);
    let list = |key: &str| condition[key].as_array();
    let value = field.and_then(|path| {
        path.split('.').try_fold(event, |at, name| match at {
            Value::Array(list) => list.get(name.parse::<usize>().ok()?),
            other => other.get(name),
        })
    });
    let strings = |value: &Value| match value {
        Value::Array(list) => list
            .iter()
            .map(|s| s.as_str().unwrap().to_owned())
            .collect(),
        one => vec![one.as_str().unwrap().to_owned()],
    };
    let text = value.and_then(Value::as_str);
    condition
        .as_object()
        .unwrap()
        .iter()
        .all(|(key, wanted)| match key.as_str() {
            "field" => true,
            "all" => list("all")
                .unwrap()
                .iter()
                .all(|each| naive(each, field, event)),
            "any" => list("any")
                .unwrap()
                .iter()
                .any(|each| naive(each, field, event)),
            "not" => !naive(wanted, field, event),
            "exists" => value.is_some() == wanted.as_bool().unwrap(),
            "type" => {
                value.is_some_and(|value| strings(wanted).iter().any(|name| is_a(value, name)))
            }
            "eq" => value.is_some_and(|value| same(value, wanted)),
            "in" => {
                value.is_some_and(|value| list("in").unwrap().iter().any(|one| same(value, one)))
            }
            "prefix" => {
                text.is_some_and(|text| strings(wanted).iter().any(|s| text.starts_with(s)))
            }
            "suffix" => text.is_some_and(|text| strings(wanted).iter().any(|s| text.ends_with(s))),
            "contains" => text.is_some_and(|text| strings(wanted).iter().any(|s| text.contains(s))),
            "regex" => text.is_some_and(|text| {
                regex::Regex::new(wanted.as_str().unwrap())
                    .unwrap()
                    .is_match(text)
            }),
            "range" => value.and_then(Value::as_f64).is_some_and(|number| {
                wanted["min"].as_f64().is_none_or(|min| number >= min)
                    && wanted["below"].as_f64().is_none_or(|below| number < below)
            }),
            other => panic!("{other}"),
        })
}

fn is_a(value: &Value, name: &str) -> bool {
    match name {
        "string" => value.is_string(),
        "int" => value.is_i64() || value.is_u64(),
        "float" => value.is_f64(),
        "number" => value.is_number(),
        "bool" => value.is_boolean(),
        "list" => value.is_array(),
        "object" => value.is_object(),
        other => other == "null" && value.is_null(),
    }
}

fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        _ => a == b,
    }
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3..3_i32).prop_map(Value::from),
        (-3..3_i32).prop_map(|n| (f64::from(n) / 2.0).into()),
        text().prop_map(Value::from),
    ]
}

fn text() -> impl Strategy<Value = String> {
    prop::collection::vec(
        prop_oneof![
            "[ab]",
            Just("\\".to_owned()),
            Just("\n".to_owned()),
            Just("é😀".to_owned())
        ],
        1..4,
    )
    .prop_map(|parts| parts.concat())
}

fn texts() -> impl Strategy<Value = Value> {
    prop_oneof![
        text().prop_map(Value::from),
        prop::collection::vec(text(), 1..4).prop_map(Value::from)
    ]
}

fn operator() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<bool>().prop_map(|wanted| json!({ "exists": wanted })),
        prop::sample::subsequence(
            vec![
                "string", "int", "float", "number", "bool", "list", "object", "null"
            ],
            1..4
        )
        .prop_map(|names| json!({ "type": names })),
        scalar().prop_map(|value| json!({ "eq": value })),
        prop::collection::vec(scalar(), 1..5).prop_map(|values| json!({ "in": values })),
        texts().prop_map(|texts| json!({ "prefix": texts })),
        texts().prop_map(|texts| json!({ "suffix": texts })),
        texts().prop_map(|texts| json!({ "contains": texts })),
        "[ab.]{1,3}".prop_map(|pattern| json!({ "regex": pattern })),
        (-3..1_i32).prop_map(|min| json!({ "range": { "min": min, "below": 1.5 } })),
    ]
}

fn condition() -> impl Strategy<Value = Value> {
    let path = prop::sample::select(vec!["a", "b", "o.a", "o.b", "l.0", "l.1"]);
    let leaf = (path, operator(), any::<bool>()).prop_map(|(path, operators, not)| {
        let mut condition = if not {
            json!({ "not": operators })
        } else {
            operators
        };
        condition["field"] = path.into();
        condition
    });
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..3).prop_map(|all| json!({ "all": all })),
            prop::collection::vec(inner.clone(), 1..3).prop_map(|any| json!({ "any": any })),
            inner.prop_map(|not| json!({ "not": not })),
        ]
    })
}

fn event() -> impl Strategy<Value = Value> {
    let value = prop_oneof![4 => scalar(), 1 => Just(json!([])), 1 => Just(json!({}))].boxed();
    let member = || prop::option::of(value.clone());
    (
        member(),
        member(),
        member(),
        prop::collection::vec(scalar(), 0..3),
    )
        .prop_map(|(a, b, c, l)| {
            let mut event = json!({ "l": l });
            for (at, value) in [("/a", a), ("/b", b)] {
                if let Some(value) = value {
                    event[&at[1..]] = value;
                }
            }
            if let Some(value) = c {
                event["o"] = json!({ "a": value });
            }
            event
        })
}

/// The same JSON with every character of its strings' values and keys escaped.
fn escaped(value: &Value) -> String {
    match value {
        Value::String(text) => {
            let units: String = text
                .encode_utf16()
                .map(|unit| format!("\\u{unit:04x}"))
                .collect();
            format!("\"{units}\"")
        }
        Value::Array(list) => {
            let list: Vec<_> = list.iter().map(escaped).collect();
            format!("[{}]", list.join(","))
        }
        Value::Object(map) => {
            let member = |(key, value): (&String, &Value)| {
                format!("{}:{}", escaped(&key.as_str().into()), escaped(value))
            };
            let members: Vec<_> = map.iter().map(member).collect();
            format!("{{{}}}", members.join(","))
        }
        other => other.to_string(),
    }
}

proptest! {
    #[test]
    fn conditions_mean_on_bytes_what_they_mean_on_trees(condition in condition(), event in event()) {
        let expected = naive(&condition, None, &event);
        prop_assert_eq!(holds(condition.clone(), &event.to_string()), expected);
        prop_assert_eq!(holds(condition, &escaped(&event)), expected);
    }
}

#[test]
fn the_time_of_receipt_of_these_tests_is_a_round_number() {
    assert_eq!(
        RECEIVED.parse::<Timestamp>().unwrap().as_millisecond(),
        1_750_000_000_000
    );
}
