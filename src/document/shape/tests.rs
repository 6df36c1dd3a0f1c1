//! What the shape of a document is compared with, and what is said where it differs.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use proptest::prelude::*;
use serde::Deserialize;
use serde_json::json;

use super::*;
use crate::document::one_or_many::OneOrMany;
use crate::unit::{SecretRef, Size, TimeSpan};

/// A document with everything that documents use.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only its shape is used")]
struct Sample {
    /// How often it was raised. More of it.
    version: u32,
    small: Option<u8>,
    ratio: Option<f64>,
    limit: Option<Size>,
    after: Option<TimeSpan>,
    secret: Option<SecretRef>,
    mode: Option<Mode>,
    /// What to look at.
    fields: Option<OneOrMany<String>>,
    #[serde(default)]
    steps: Vec<StepForm>,
    checks: Option<Vec<Check>>,
    named: Option<BTreeMap<String, Inner>>,
    anything: Option<Value>,
    pair: Option<(String, u16)>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Mode {
    /// Acts.
    Enforce,
    /// Counts.
    Shadow,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
#[expect(dead_code, reason = "only its shape is used")]
enum StepForm {
    Rename(BTreeMap<String, String>),
    Cast(Inner),
    Drop,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
#[expect(dead_code, reason = "only its shape is used")]
enum Check {
    Required { fields: Vec<String> },
    Size { most: Size },
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only its shape is used")]
struct Inner {
    /// Where it stands.
    field: String,
    to: Option<Mode>,
}

fn problems(value: &Value) -> Vec<String> {
    let mut out = Diagnostics::new("d");
    let read: Option<Sample> = Shape::of::<Sample>().read(value, &mut out);
    assert_eq!(read.is_none(), out.failed(), "{value}");
    let line = |each: crate::document::diagnostic::Diagnostic| {
        format!("{}: {} | {}", each.pointer, each.message, each.hint)
    };
    out.into_vec().into_iter().map(line).collect()
}

fn good() -> Value {
    json!({
        "version": 1, "small": 3, "ratio": 2, "limit": "8 MiB", "after": "5 s",
        "secret": "env:KEY", "mode": "shadow", "fields": ["a", "b"],
        "steps": [ { "rename": { "a": "b" } }, { "cast": { "field": "x", "to": "enforce" } }, "drop" ],
        "checks": [ { "kind": "required", "fields": ["a"] }, { "kind": "size", "most": 10 } ],
        "named": { "x": { "field": "y" } }, "anything": { "z": [null] }, "pair": ["a", 1],
    })
}

fn with(pointer: &str, value: Value) -> Value {
    let mut all = good();
    let (above, name) = pointer.rsplit_once('/').unwrap();
    match all.pointer_mut(above).unwrap() {
        Value::Object(members) => {
            members.insert(name.to_owned(), value);
        }
        Value::Array(items) => items[name.parse::<usize>().unwrap()] = value,
        other => panic!("{other}"),
    }
    all
}

#[test]
fn a_good_document_has_no_problem() {
    assert_eq!(problems(&good()), [""; 0]);
    assert_eq!(problems(&json!({ "version": 1, "fields": "a" })), [""; 0]);
}

#[test]
fn every_problem_is_reported_at_its_place() {
    let all = json!({ "verion": 1, "limit": true, "steps": [ { "cast": { "feild": 1 } } ] });
    assert_eq!(
        problems(&all),
        [
            "/verion: unknown field `verion` | did you mean `version`?",
            "/limit: expected a size such as `8 MiB`, got `true` | what belongs here: A size: \
             `8 MiB`, with `B`, `KiB`, `MiB` or `GiB`; a bare integer is bytes",
            "/steps/0/cast/feild: unknown field `feild` | did you mean `field`?",
            "/steps/0/cast: missing field `field` | add `field`: Where it stands",
            ": missing field `version` | add `version`: How often it was raised",
        ]
    );
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table, one mistake a line")]
fn each_kind_of_mistake_says_what_to_do() {
    for (pointer, value, problem) in [
        (
            "/version",
            json!("7"),
            "expected a whole number, got the text `7` | remove the quotes",
        ),
        (
            "/version",
            json!(-1),
            "must be at least 0, got -1 | what belongs here: How often it was raised",
        ),
        (
            "/version",
            json!(1.5),
            "expected a whole number, got the number `1.5` | what belongs here: How often it was raised",
        ),
        (
            "/small",
            json!(256),
            "must be at most 255, got 256 | see the schema of this kind (`weir schema`)",
        ),
        (
            "/small",
            json!(null),
            "expected a whole number, got nothing | write a value, or remove the field",
        ),
        (
            "/mode",
            json!("shaddow"),
            "expected one of `enforce`, `shadow`, got the text `shaddow` | did you mean `shadow`?",
        ),
        (
            "/mode",
            json!(false),
            "expected one of `enforce`, `shadow`, got `false` | put it in quotes",
        ),
        (
            "/fields",
            json!(5),
            "expected a text or a list, got the number `5` | put it in quotes",
        ),
        (
            "/fields",
            json!([]),
            "expected at least 1 item, got 0 | add one, or remove the field",
        ),
        (
            "/after",
            json!("5 sec"),
            "expected a length of time such as `30 s`, got `5 sec` | what belongs here: A length of time: `30 s`, with `ms`, `s`, `min`, `h` or `d`",
        ),
        (
            "/secret",
            json!("hunter2"),
            "expected a reference to a secret such as `file:/etc/weir/secret`, got something else (not shown) | what belongs here: Where a secret stands: `file:/path` or `env:NAME`; never the secret itself",
        ),
        (
            "/secret",
            json!(4711),
            "expected a reference to a secret such as `file:/etc/weir/secret`, got something else (not shown) | what belongs here: Where a secret stands: `file:/path` or `env:NAME`; never the secret itself",
        ),
        (
            "/steps/0",
            json!({ "renam": {} }),
            "none of `rename`, `cast` is there | did you mean `rename`?",
        ),
        (
            "/steps/0",
            json!({ "rename": {}, "cast": {} }),
            "`rename` and `cast` cannot stand together | write one of `rename`, `cast` only",
        ),
        (
            "/steps/0",
            json!("dorp"),
            "expected `drop`, got the text `dorp` | did you mean `drop`?",
        ),
        (
            "/checks/0",
            json!({ "kind": "requird" }),
            "/kind: expected one of `required`, `size`, got the text `requird` | did you mean `required`?",
        ),
        (
            "/checks/0",
            json!({ "fields": [] }),
            "missing field `kind` | add `kind`: one of `required`, `size`",
        ),
        (
            "/named/x",
            json!([]),
            "expected an object, got a list | see the schema of this kind (`weir schema`)",
        ),
    ] {
        let found = problems(&with(pointer, value.clone()));
        let separator = if problem.starts_with('/') { "" } else { ": " };
        let expected = format!("{pointer}{separator}{problem}");
        assert_eq!(found, [expected], "{pointer} {value}");
    }
}

#[test]
fn what_only_serde_refuses_is_still_a_problem() {
    let found = problems(&with("/pair", json!(["a"])));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("/pair"), "{found:?}");
}

/// Values that are likely to be nearly right somewhere.
fn values() -> impl Strategy<Value = Value> {
    let leaf = prop::sample::select(vec![
        json!(null),
        json!(true),
        json!(0),
        json!(-1),
        json!(1.5),
        json!(300),
        json!(70_000),
        json!(u64::MAX),
        json!(""),
        json!("a"),
        json!("shadow"),
        json!("8 MiB"),
        json!("drop"),
        json!("env:X"),
        json!("5 s"),
        json!([]),
        json!({}),
        json!(["a", 1]),
        json!({ "field": "a" }),
        json!({ "rename": {} }),
        json!({ "kind": "size", "most": 1 }),
        json!({ "cast": { "field": "a" } }),
        json!({ "x": { "field": "a" } }),
    ]);
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::Array),
            prop::collection::vec((names(), inner), 0..3)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn names() -> impl Strategy<Value = String> {
    let names = [
        "field", "to", "kind", "fields", "most", "rename", "cast", "drop", "x", "mode",
    ];
    prop::sample::select(names.to_vec()).prop_map(str::to_owned)
}

/// All places of a value.
fn pointers(value: &Value, above: &str, out: &mut Vec<String>) {
    out.push(above.to_owned());
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                pointers(value, &format!("{above}/{name}"), out);
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                pointers(value, &format!("{above}/{index}"), out);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

static SHAPE: LazyLock<Shape> = LazyLock::new(Shape::of::<Sample>);

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn shape_finds_a_problem_whenever_serde_refuses(at in any::<prop::sample::Index>(), value in values(), add in prop::option::of(names())) {
        let mut all = good();
        let mut places = Vec::new();
        pointers(&all, "", &mut places);
        places.retain(|place| !place.starts_with("/pair"));
        let place = all.pointer_mut(at.get::<String>(&places)).unwrap();
        match (place, add) {
            (Value::Object(members), Some(name)) => { members.insert(name, value); }
            (place, _) => *place = value,
        }
        let mut out = Diagnostics::new("d");
        let shape = &*SHAPE;
        shape.check(&shape.root, &all, &At::ROOT, &mut out);
        let accepted = serde_json::from_value::<Sample>(all.clone()).is_ok();
        if !accepted {
            prop_assert!(out.failed(), "{}", all);
        }
    }
}
