//! `hash` and `mask`.

use serde_json::{Value, json};

use super::{after, compile, refused};
use crate::document::scope::{Scope, World};
use crate::event::{Batch, Depth};
use crate::pipeline::executer::Step;

fn hash(keys: Value) -> Value {
    let mut hash = keys;
    hash["field"] = "a".into();
    json!({ "hash": hash })
}

#[test]
fn a_value_under_a_repeated_key_is_not_let_through() {
    let field = json!({"field": "p.phone"});
    for step in [
        json!({ "hash": field }),
        json!({ "mask": field }),
        json!({ "remove": "p.phone" }),
    ] {
        let left = after(step.clone(), r#"{"p":{"phone":"138"},"p":{},"a":1}"#);
        assert_eq!(left, r#"{"p":{},"a":1}"#, "{step}");
        let left = after(step.clone(), r#"{"p":{"phone":"138","phone":null}}"#);
        assert!(!left.contains("138"), "{step} {left}");
    }
}

#[test]
fn a_digest_is_of_the_characters() {
    let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    for text in ["abc", r"\u0061bc"] {
        let event = format!(r#"{{"a":"{text}"}}"#);
        assert_eq!(
            after(hash(json!({})), &event),
            format!(r#"{{"a":"{abc}"}}"#)
        );
    }
    assert_eq!(
        after(
            hash(json!({"normalize": true, "length": 16})),
            r#"{"a":" ABC\n"}"#
        ),
        format!(r#"{{"a":"{}"}}"#, &abc[..16])
    );
    assert_eq!(
        after(hash(json!({"algorithm": "md5"})), r#"{"a":"abc"}"#),
        r#"{"a":"900150983cd24fb0d6963f7d28e17f72"}"#
    );
    assert_eq!(
        after(hash(json!({"algorithm": "md5"})), r#"{"a":1}"#),
        r#"{"a":"c4ca4238a0b923820dcc509a6f75849b"}"#
    );
    assert_eq!(after(hash(json!({})), r#"{"a":null}"#), r#"{"a":null}"#);
}

#[test]
fn a_key_changes_the_digest() {
    // As in RFC 4231's construction, under the key `key`.
    let event = r#"{"a":"The quick brown fox jumps over the lazy dog"}"#;
    let expected = r#"{"a":"f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8"}"#;
    assert_eq!(after(hash(json!({"secret": "env:KEY"})), event), expected);
}

#[test]
fn without_its_key_a_value_goes_rather_than_being_shown() {
    let world = World::default();
    let mut scope = Scope::new("weir.repo.test", &world);
    let steps = compile(json!([hash(json!({"secret": "env:KEY"}))]), &mut scope);
    let event = r#"{"a":"secret","b":1}"#;
    let mut batch = Batch::new(event.into(), scope.fields.build().into());
    batch.read(1, 0, event.len(), Depth::DEFAULT).unwrap();
    let [step]: [Step; 1] = steps.try_into().unwrap();
    step.bind(None);
    let mut failed = 0;
    super::with_context(|context| failed = step.run(&mut batch, context));
    assert_eq!(
        (super::left(&mut batch, 0).as_str(), failed),
        (r#"{"b":1}"#, 1)
    );
}

#[test]
fn masked_characters_are_counted_not_bytes() {
    let mask = |keys: Value, text: &str| {
        let mut mask = keys;
        mask["field"] = json!(["a", "gone"]);
        after(json!({ "mask": mask }), &format!(r#"{{"a":{text}}}"#))
    };
    assert_eq!(
        mask(json!({"first": 3, "last": 4}), r#""13812345678""#),
        r#"{"a":"138****5678"}"#
    );
    assert_eq!(mask(json!({"first": 1}), r#""é\u00e9x""#), r#"{"a":"é**"}"#);
    assert_eq!(
        mask(json!({"first": 3, "last": 4}), r#""1234567""#),
        r#"{"a":"*******"}"#
    );
    assert_eq!(
        mask(json!({"last": 2, "replace": "…"}), r#""secret""#),
        r#"{"a":"…et"}"#
    );
    assert_eq!(mask(json!({"with": "\""}), "12"), r#"{"a":"\"\""}"#);
    assert_eq!(mask(json!({"first": 1}), r#""""#), r#"{"a":""}"#);
    assert_eq!(mask(json!({}), "null"), r#"{"a":null}"#);
}

#[test]
fn what_protects_nothing_is_refused() {
    refused(
        hash(json!({"length": 4})),
        "/hash/length",
        "8 are the least",
    );
    refused(
        hash(json!({"algorithm": "md5", "length": 64})),
        "/hash/length",
        "32 hex digits",
    );
    refused(
        hash(json!({"algorithm": "md5", "secret": "env:K"})),
        "/hash/algorithm",
        "HMAC",
    );
    refused(
        json!({"mask": {"field": "a", "with": "x", "replace": "y"}}),
        "/mask",
        "both",
    );
}
