//! Reading and editing events: the traps of bytes that are not a tree, and random edits compared
//! with the same ones on a tree.

use std::sync::Arc;

use crate::event::{Batch, Depth, EventMut, FieldId, Fields, FieldsBuilder, Json, Path};

fn fields(paths: &[&str]) -> Arc<Fields> {
    let mut builder = FieldsBuilder::default();
    for path in paths {
        builder.add(&Path::parse(path).unwrap()).unwrap();
    }
    Arc::new(builder.build())
}

fn id(event: &EventMut<'_>, path: &str) -> FieldId {
    event.fields.find(&Path::parse(path).unwrap()).unwrap()
}

fn batch(text: &str, paths: &[&str]) -> Batch {
    let mut batch = Batch::new(text.as_bytes().to_vec(), fields(paths));
    batch.read(1, 0, text.len(), Depth::DEFAULT).unwrap();
    batch
}

fn written(event: &EventMut<'_>) -> String {
    let mut out = b"before".to_vec();
    event.write(event.fields, &mut out);
    String::from_utf8(out)
        .unwrap()
        .strip_prefix("before")
        .unwrap()
        .to_owned()
}

/// Makes edits (`-a` removes, `a=1` sets) and gives what is written.
fn edit(text: &str, paths: &[&str], edits: &[&str]) -> String {
    let mut batch = batch(text, paths);
    let mut event = batch.event(0);
    for edit in edits {
        match edit.split_once('=') {
            Some((path, value)) => {
                let field = id(&event, path);
                assert!(event.set(field, |_, out| out.extend_from_slice(value.as_bytes())));
            }
            None => event.remove(id(&event, &edit[1..])),
        }
    }
    let out = written(&event);
    assert!(Json::parse(out.as_bytes(), Depth::MAX).is_ok(), "{out}");
    let grown = event.grown() as usize;
    assert!(
        out.len().saturating_sub(text.len()) <= grown,
        "{out} grew by more than {grown}"
    );
    out
}

#[test]
fn an_untouched_event_leaves_as_it_came() {
    let text = r#"{ "b" : 1e400,"a":12345678901234567890123, "":"\u0041" , "a" : -0.0 }"#;
    assert_eq!(edit(text, &["a", "b"], &[]), text);
}

#[test]
fn a_removed_member_takes_one_comma_with_it() {
    let paths = ["a", "b", "c"];
    for (text, edits, expected) in [
        (r#"{"a":1,"b":2,"c":3}"#, "-a", r#"{"b":2,"c":3}"#),
        (r#"{"a":1,"b":2,"c":3}"#, "-b", r#"{"a":1,"c":3}"#),
        (r#"{"a":1,"b":2,"c":3}"#, "-c", r#"{"a":1,"b":2}"#),
        (r#"{"a":1,"b":2,"c":3}"#, "-a -b", r#"{"c":3}"#),
        (r#"{"a":1,"b":2,"c":3}"#, "-b -c", r#"{"a":1}"#),
        (r#"{"a":1,"b":2,"c":3}"#, "-a -c", r#"{"b":2}"#),
        (r#"{"a":1,"b":2,"c":3}"#, "-a -b -c", "{}"),
        (r#"{"a":1}"#, "-a", "{}"),
        (r#"{ "a" : 1 , "b" : 2 }"#, "-a", r#"{ "b" : 2 }"#),
        (r#"{ "a" : 1 , "b" : 2 }"#, "-b", r#"{ "a" : 1 }"#),
        (r#"{ "a" : 1 }"#, "-a", "{ }"),
        (
            r#"{"x":[1,{}] , "a":{"y":2},"z":"," }"#,
            "-a",
            r#"{"x":[1,{}] , "z":"," }"#,
        ),
        (r#"{"x":"," , "a":{"y":2} }"#, "-a", r#"{"x":"," }"#),
        (r#"{"x":{} , "a":{"y":2} }"#, "-a", r#"{"x":{} }"#),
    ] {
        let edits: Vec<&str> = edits.split(' ').collect();
        assert_eq!(edit(text, &paths, &edits), expected, "{text} {edits:?}");
    }
}

#[test]
fn an_added_member_stands_before_the_closing_brace() {
    let paths = ["a", "b", "p", "p.x", "p.y"];
    for (text, edits, expected) in [
        ("{}", "a=1", r#"{"a":1}"#),
        ("{ }", "a=1 b=2", r#"{ "a":1,"b":2}"#),
        (r#"{"x":1 }"#, "b=2 a=1", r#"{"x":1 ,"a":1,"b":2}"#),
        (r#"{"a":1}"#, "-a b=2", r#"{"b":2}"#),
        (r#"{"a":1}"#, "-a a=2", r#"{"a":2}"#),
        (r#"{"x":{}}"#, "a=1", r#"{"x":{},"a":1}"#),
        (r#"{"p":{},"q":1}"#, "p.x=1", r#"{"p":{"x":1},"q":1}"#),
    ] {
        let edits: Vec<&str> = edits.split(' ').collect();
        assert_eq!(edit(text, &paths, &edits), expected, "{text} {edits:?}");
    }
}
