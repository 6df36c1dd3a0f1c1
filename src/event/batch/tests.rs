//! Reading and editing events: the traps of bytes that are not a tree, and random edits compared
//! with the same ones on a tree.

use std::collections::HashMap;
use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::event::{Batch, Depth, EventMut, FieldId, Fields, FieldsBuilder, Json, Path, Pool};
use crate::event::{Fate, Reason, Span, Syntax, arbitrary};

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

#[test]
fn a_body_never_gets_the_small_buffer_that_edits_were_made_in() {
    let pool = Pool::default();
    let text = format!(r#"{{"a":"{}"}}"#, "x".repeat(1000));
    for _ in 0..3 {
        let mut body = pool.text(text.len());
        body.extend_from_slice(text.as_bytes());
        let mut batch = Batch::over(body, fields(&["a"]), &pool);
        batch.read(1, 0, text.len(), Depth::DEFAULT).unwrap();
        let mut event = batch.event(0);
        let field = id(&event, "a");
        assert!(event.set(field, |_, out| out.extend_from_slice(b"1")));
        batch.strip(&pool);
        let next = pool.text(0);
        assert!(next.capacity() >= text.len(), "{}", next.capacity());
        pool.keep_text(next);
    }
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

#[test]
fn what_is_missing_above_a_field_is_made() {
    let paths = ["p.a", "p.b", "p.q.x", "p.q.y", "r.s.t", "z"];
    for (text, edits, expected) in [
        ("{}", "p.a=1", r#"{"p":{"a":1}}"#),
        ("{}", "r.s.t=1 z=2", r#"{"r":{"s":{"t":1}},"z":2}"#),
        ("{}", "p.q.x=1 p.a=2", r#"{"p":{"a":2,"q":{"x":1}}}"#),
        ("{}", "p.q.y=1 p.q.x=2", r#"{"p":{"q":{"x":2,"y":1}}}"#),
        ("{}", "p.a=1 -p.a", "{}"),
        (
            r#"{"p":{"q":{}}}"#,
            "p.q.x=1 p.b=2",
            r#"{"p":{"q":{"x":1},"b":2}}"#,
        ),
        (
            r#"{"p":{"a":1,"o":2},"z":0}"#,
            "-p p.b=3",
            r#"{"p":{"b":3},"z":0}"#,
        ),
        (
            r#"{"p":{"a":1,"o":2},"z":0}"#,
            "-p p.q.x=3 p.q.y=4",
            r#"{"p":{"q":{"x":3,"y":4}},"z":0}"#,
        ),
    ] {
        let edits: Vec<&str> = edits.split(' ').collect();
        assert_eq!(edit(text, &paths, &edits), expected, "{text} {edits:?}");
    }
}

#[test]
fn nothing_is_put_below_what_is_no_object() {
    for text in [
        r#"{"p":5}"#,
        r#"{"p":"x"}"#,
        r#"{"p":null}"#,
        r#"{"p":[]}"#,
        r#"{"p":[0]}"#,
    ] {
        let mut batch = batch(text, &["p.a.b", "p.5"]);
        let mut event = batch.event(0);
        for path in ["p.a.b", "p.a", "p.5"] {
            let field = id(&event, path);
            assert!(!event.accepts(field));
            assert!(!event.set(field, |_, out| out.push(b'1')));
            assert!(!event.point(field, Span { start: 0, end: 1 }));
        }
        assert_eq!(written(&event), text);
    }
}

#[test]
fn elements_are_replaced_and_removed_but_not_added() {
    let paths = ["t.0", "t.1.a", "t.2"];
    for (text, edits, expected) in [
        (r#"{"t":[1,2,3]}"#, "t.0=9 t.2=8", r#"{"t":[9,2,8]}"#),
        (r#"{"t":[1,2,3]}"#, "-t.0", r#"{"t":[2,3]}"#),
        (r#"{"t":[1,2,3]}"#, "-t.0 t.0=9", r#"{"t":[9,3]}"#),
        (r#"{"t":[1,2,3]}"#, "-t.0 -t.0 -t.0", r#"{"t":[]}"#),
        (
            r#"{"t":[1,{"a":1},3]}"#,
            "-t.2 t.1.a=2",
            r#"{"t":[1,{"a":2}]}"#,
        ),
        (r#"{"t":{"0":1}}"#, "t.0=2 t.2=3", r#"{"t":{"0":2,"2":3}}"#),
        ("{}", "t.0=1", r#"{"t":{"0":1}}"#),
    ] {
        let edits: Vec<&str> = edits.split(' ').collect();
        assert_eq!(edit(text, &paths, &edits), expected, "{text} {edits:?}");
    }
}

#[test]
fn the_last_of_equal_keys_counts_and_no_edit_brings_another_back() {
    let text = r#"{"a":1, "p":{"x":1}, "\u0061":2, "p":{"y":2,"x":3,"x":4}, "o":1,"o":2}"#;
    let paths = ["a", "p.x", "p.y", "n"];
    let mut read = batch(text, &paths);
    assert_eq!(read.duplicates, 3);
    let event = read.event(0);
    assert_eq!(event.get(id(&event, "a")).unwrap().raw(), b"2");
    assert_eq!(event.get(id(&event, "p.x")).unwrap().raw(), b"4");
    assert_eq!(written(&event), text);
    let one = r#"{"\u0061":2, "p":{"y":2,"x":4}, "o":1,"o":2"#;
    assert_eq!(edit(text, &paths, &["n=0"]), format!("{one},\"n\":0}}"));
    let without = r#"{"p":{"y":2,"x":4}, "o":1,"o":2}"#;
    assert_eq!(edit(text, &paths, &["-a"]), without);
    assert_eq!(
        edit(text, &paths, &["-p.x", "-p.y", "-a"]),
        r#"{"p":{}, "o":1,"o":2}"#
    );
    let valued = ["a", "p", "p.x", "p.y"];
    assert_eq!(
        edit(text, &valued, &["-p.x", "-a"]),
        r#"{"p":{"y":2}, "o":1,"o":2}"#
    );
}

#[test]
fn an_added_value_may_repeat_keys_too() {
    let paths = ["p.x", "q"];
    let edits = [r#"p={"x":1,"x":2}"#, "-p.x", "q=1"];
    assert_eq!(edit("{}", &paths, &edits), r#"{"p":{},"q":1}"#);
}

#[test]
fn an_empty_key_and_escapes_stay() {
    let text = r#"{"":1,"pr\u0069ce":1.50,"\u0000":"\/","":2}"#;
    assert_eq!(
        edit(text, &["price", "n"], &["n=1"]),
        text.replace(":2}", ":2,\"n\":1}")
    );
    assert_eq!(
        edit(text, &["price"], &["price=3"]),
        text.replace("1.50", "3")
    );
    assert_eq!(
        edit(text, &["price"], &["-price"]),
        text.replace(r#""pr\u0069ce":1.50,"#, "")
    );
    assert_eq!(
        edit("{}", &["a\"\u{1}"], &["a\"\u{1}=1"]),
        r#"{"a\"\u0001":1}"#
    );
}

#[test]
fn a_value_moves_by_its_place() {
    let mut batch = batch(r#"{"a":{"x":1},"b":2}"#, &["a", "a.x", "b", "a.y", "c.d"]);
    let mut event = batch.event(0);
    let [a, b, y, d] = ["a", "b", "a.y", "c.d"].map(|path| id(&event, path));
    let (inside, two) = (event.span(a).unwrap(), event.span(b).unwrap());
    event.remove(a);
    assert!(event.point(d, inside) && event.point(y, two));
    event.remove(b);
    assert_eq!(event.get(a).unwrap().raw(), br#"{"y":2}"#);
    assert_eq!(written(&event), r#"{"a":{"y":2},"c":{"d":{"x":1}}}"#);
}

#[test]
fn an_event_is_replaced_as_a_whole_or_not_at_all() {
    let mut batch = batch(r#"{"a":1}"#, &["a", "b.c"]);
    let mut event = batch.event(0);
    let [a, c] = ["a", "b.c"].map(|path| id(&event, path));
    event.set(a, |_, out| out.push(b'2'));
    for (json, at, syntax) in [
        (&b" {\"a\":}"[..], 6, Syntax::Expected("a value")),
        (b"[]", 0, Syntax::NotAnObject),
        (b"{} {}", 2, Syntax::Trailing),
        (b"\n{\"a\":1", 7, Syntax::Truncated),
        (b"{\"\xff", 2, Syntax::Utf8),
        (b"", 0, Syntax::Truncated),
    ] {
        let error = event.settle_from(json).unwrap_err();
        assert_eq!((error.at, error.syntax), (at, syntax));
        assert_eq!(written(&event), r#"{"a":2}"#);
        assert_eq!(event.get(a).unwrap().as_i64(), Some(2));
    }
    event.settle_from(br#" {"b":{"c":5},"a":"x"} "#).unwrap();
    assert_eq!(event.get(c).unwrap().as_i64(), Some(5));
    event.remove(a);
    assert_eq!(written(&event), r#"{"b":{"c":5}}"#);
    assert_eq!(event.received(), br#"{"a":1}"#);
    assert_eq!(event.grown(), 7);
}

#[test]
fn a_value_beyond_the_bound_sends_the_event_out() {
    let mut batch = batch(r#"{"a":1}"#, &["a"]);
    batch.limit_growth(10);
    let mut event = batch.event(0);
    let a = id(&event, "a");
    assert!(event.set(a, |_, out| out.resize(17, b'1')));
    assert_eq!(event.grown(), 16);
    assert!(!event.set(a, |_, out| out.resize(18, b'1')));
    assert_eq!(event.event.fate, Fate::Left(Reason::Grown));
    assert_eq!(batch.violations_of(0).count(), 1);
}

#[test]
fn what_cannot_be_read_after_an_edit_sends_the_event_out() {
    let mut batch = batch(r#"{"a":1,"b":2}"#, &["a.x", "b"]);
    let mut event = batch.event(0);
    let [a, b] = ["a", "b"].map(|path| id(&event, path));
    event.remove(b);
    event.set(a, |_, out| out.extend_from_slice(b"{broken"));
    assert_eq!(event.event.fate, Fate::Left(Reason::Execute));
    assert_eq!(written(&event), r#"{"a":1,"b":2}"#);
    assert_eq!(event.get(b).unwrap().as_i64(), Some(2));
}

#[test]
fn many_edits_are_written_like_few() {
    let paths: Vec<String> = (0..200).map(|i| format!("f{i}")).collect();
    let names: Vec<&str> = paths.iter().map(String::as_str).collect();
    let sets: Vec<String> = names.iter().map(|name| format!("{name}=1")).collect();
    let sets: Vec<&str> = sets.iter().map(String::as_str).collect();
    let members: Vec<String> = names.iter().map(|name| format!("\"{name}\":1")).collect();
    assert_eq!(
        edit("{}", &names, &sets),
        format!("{{{}}}", members.join(","))
    );
}

#[test]
fn what_is_made_by_several_edits_can_be_taken_away_among_them() {
    let mut batch = batch(r#"{"b":1}"#, &["a", "a.b"]);
    let mut event = batch.event(0);
    let (above, below) = (id(&event, "a"), id(&event, "a.b"));
    event.together(|event| {
        event.set(below, |_, out| out.push(b'1'));
        event.remove(above);
    });
    assert_eq!(written(&event), r#"{"b":1}"#);
    assert!(event.get(above).is_none());
}

#[test]
fn violations_come_out_by_event() {
    let mut batch = Batch::new(b"{}{}".to_vec(), fields(&[]));
    batch.read(1, 0, 2, Depth::DEFAULT).unwrap();
    batch.read(3, 2, 4, Depth::DEFAULT).unwrap();
    for (event, field) in [(1, "x"), (0, "y"), (1, "z")] {
        batch
            .event(event)
            .violate(Reason::ValidateType, field, String::new());
    }
    batch.event(1).leave(Reason::ValidateType);
    let fields: Vec<&str> = batch
        .violations_by_event()
        .iter()
        .map(|v| &*v.field)
        .collect();
    assert_eq!(fields, ["y", "x", "z"]);
    assert_eq!(batch.violations_of(1).count(), 2);
    let fates: Vec<_> = batch.fates().collect();
    assert_eq!(
        fates,
        [(1, Fate::Live), (3, Fate::Left(Reason::ValidateType))]
    );
}

/// An edit of a field, made on the event and on a tree.
#[derive(Clone, Debug)]
enum Edit {
    Set(Index, String),
    Remove(Index),
    Move(Index, Index),
    Copy(Index, Index),
    /// Removals, and values set after them, as one edit.
    Together(Vec<Index>, Vec<(Index, String)>),
    Settle,
    Replace(String),
}

fn any_edit() -> impl Strategy<Value = Edit> {
    let field = any::<Index>;
    let value = || arbitrary::node().prop_map(|node| node.text());
    prop_oneof![
        6 => (field(), value()).prop_map(|(field, value)| Edit::Set(field, value)),
        6 => field().prop_map(Edit::Remove),
        2 => (field(), field()).prop_map(|(from, to)| Edit::Move(from, to)),
        2 => (field(), field()).prop_map(|(from, to)| Edit::Copy(from, to)),
        3 => (vec(field(), 0..3), vec((field(), value()), 0..4))
            .prop_map(|(gone, values)| Edit::Together(gone, values)),
        1 => Just(Edit::Settle),
        1 => arbitrary::object().prop_map(|node| Edit::Replace(node.text())),
    ]
}

/// Edits a tree; false if it does not take the value.
fn set(tree: &mut Value, names: &[Box<str>], value: Value) -> bool {
    let (name, rest) = names.split_first().unwrap();
    let below = match tree {
        Value::Object(members) => members
            .entry(&**name)
            .or_insert_with(|| Value::Object(serde_json::Map::new())),
        Value::Array(list) => {
            match arbitrary::element(name).and_then(|index| list.get_mut(index)) {
                Some(element) => element,
                None => return false,
            }
        }
        _ => return false,
    };
    if rest.is_empty() {
        *below = value;
        return true;
    }
    set(below, rest, value)
}

fn remove(tree: &mut Value, names: &[Box<str>]) {
    let (last, above) = names.split_last().unwrap();
    let mut tree = tree;
    for name in above {
        let below = match tree {
            Value::Object(members) => members.get_mut(&**name),
            Value::Array(list) => arbitrary::element(name).and_then(|index| list.get_mut(index)),
            _ => None,
        };
        let Some(below) = below else { return };
        tree = below;
    }
    match tree {
        Value::Object(members) => drop(members.shift_remove(&**last)),
        Value::Array(list) => {
            if let Some(index) = arbitrary::element(last).filter(|index| *index < list.len()) {
                list.remove(index);
            }
        }
        _ => {}
    }
}

/// The fields that a stage works with: it has no ids of others.
fn valued(fields: &Fields) -> Vec<FieldId> {
    let all = (0..u16::try_from(fields.len()).unwrap()).map(FieldId);
    all.filter(|id| fields.valued(*id)).collect()
}

/// Makes the edit on both, and compares whether both take it.
fn make(edit: &Edit, event: &mut EventMut<'_>, tree: &mut Value) {
    let all: Vec<FieldId> = valued(event.fields);
    let fields = Arc::clone(event.fields);
    let names = |field: FieldId| fields.path(field).names();
    match edit {
        Edit::Set(field, json) => {
            let field = *field.get(&all);
            let value = serde_json::from_str(json).unwrap();
            let before = tree.clone();
            let takes = set(tree, names(field), value);
            assert_eq!(
                event.set(field, |_, out| out.extend_from_slice(json.as_bytes())),
                takes
            );
            if !takes {
                *tree = before;
            }
        }
        Edit::Remove(field) => {
            let field = *field.get(&all);
            remove(tree, names(field));
            event.remove(field);
        }
        Edit::Move(from, to) | Edit::Copy(from, to) => {
            let (from, to) = (*from.get(&all), *to.get(&all));
            let value = arbitrary::at(tree, names(from)).cloned();
            let span = event.span(from);
            assert_eq!(value.is_some(), span.is_some());
            if let (Some(value), Some(span)) = (value, span) {
                if matches!(edit, Edit::Move(..)) {
                    remove(tree, names(from));
                    event.remove(from);
                }
                let before = tree.clone();
                let takes = set(tree, names(to), value);
                assert_eq!(event.point(to, span), takes);
                if !takes {
                    *tree = before;
                }
            }
        }
        Edit::Together(gone, values) => event.together(|event| {
            for field in gone {
                make(&Edit::Remove(*field), event, tree);
            }
            for (field, json) in values {
                make(&Edit::Set(*field, json.clone()), event, tree);
            }
        }),
        Edit::Settle => event.settle(),
        Edit::Replace(json) => {
            *tree = serde_json::from_str(json).unwrap();
            event.settle_from(json.as_bytes()).unwrap();
        }
    }
}

/// An object that would be made for a member is not made if the member goes again, but a tree keeps
/// it: leave empty ones out.
fn drop_empty(tree: &mut Value) {
    match tree {
        Value::Object(members) => {
            members.values_mut().for_each(drop_empty);
            members.retain(|_, value| value.as_object().is_none_or(|below| !below.is_empty()));
        }
        Value::Array(list) => list.iter_mut().for_each(drop_empty),
        _ => {}
    }
}

/// Compares each field, and the whole of what is written.
fn compare(event: &EventMut<'_>, tree: &Value) {
    for id in valued(event.fields) {
        let ours = event
            .get(id)
            .map(|json| serde_json::from_slice::<Value>(json.raw()).unwrap());
        let theirs = arbitrary::at(tree, event.fields.path(id).names());
        assert_eq!(ours.as_ref(), theirs, "{}", event.fields.path(id));
    }
    let out = written(event);
    let (mut ours, mut theirs) = (serde_json::from_str(&out).unwrap(), tree.clone());
    drop_empty(&mut ours);
    drop_empty(&mut theirs);
    assert_eq!(ours, theirs, "{out}");
    let longer = out.len().saturating_sub(event.received().len());
    assert!(
        longer <= event.grown() as usize,
        "{longer} > {}",
        event.grown()
    );
}

/// The members of an object whose keys no field begins with.
fn others<'t>(text: &'t str, fields: &Fields) -> HashMap<String, &'t RawValue> {
    let mut members: HashMap<String, &RawValue> = serde_json::from_str(text).unwrap();
    for top in fields.children(None) {
        members.remove(fields.name(*top));
    }
    members
}

proptest! {
    #![proptest_config(arbitrary::cases())]

    #[test]
    fn edits_do_what_they_do_to_a_tree(
        node in arbitrary::object(),
        edits in vec(any_edit(), 0..8),
        valued in any::<bool>(),
    ) {
        let text = node.text();
        // Once with fields that are read as a whole and have others below, once without.
        let fields = if valued { arbitrary::fields() } else { arbitrary::leaves() };
        let mut batch = Batch::new(text.clone().into_bytes(), Arc::new(fields));
        batch.read(1, 0, text.len(), Depth::MAX).unwrap();
        let mut event = batch.event(0);
        let mut tree: Value = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(&written(&event), &text);
        for edit in &edits {
            make(edit, &mut event, &mut tree);
            compare(&event, &tree);
        }
        if !edits.iter().any(|edit| matches!(edit, Edit::Replace(_))) {
            let (fields, out) = (Arc::clone(event.fields), written(&event));
            let (before, after) = (others(&text, &fields), others(&out, &fields));
            prop_assert_eq!(before.len(), after.len());
            for (key, raw) in before {
                prop_assert_eq!(raw.get(), after[&key].get());
            }
        }
    }

    #[test]
    fn a_string_survives_being_written_and_read(text in any::<String>()) {
        let mut json = Vec::new();
        Json::write_str(&mut json, &text);
        prop_assert_eq!(&serde_json::from_slice::<String>(&json).unwrap(), &text);
        let read = Json::parse(&json, Depth::MAX).unwrap().as_str();
        prop_assert_eq!(read.as_deref(), Some(&*text));
    }
}

/// What stands in the object, once as it was noted while the event was scanned, once gone through.
fn noted_and_found(
    event: &mut EventMut<'_>,
    object: FieldId,
) -> Option<[Vec<(String, String)>; 2]> {
    let text = |json: Json<'_>| String::from_utf8(json.raw().to_vec()).unwrap();
    let span = event.object(object)?;
    let noted = event.places(object, span).unwrap().iter();
    let noted = noted.map(|place| (text(event.at(place.key)), text(event.at(place.value))));
    let found = event.at(span).members();
    let found = found.map(|member| (text(member.key), text(member.value)));
    Some([noted.collect(), found.collect()])
}

#[test]
fn the_members_that_were_noted_are_those_that_stand_there() {
    let mut builder = FieldsBuilder::default();
    let object = builder.add_object(&Path::parse("p").unwrap()).unwrap();
    let below = builder.add(&Path::parse("p.a").unwrap()).unwrap();
    let above = builder.add(&Path::parse("x").unwrap()).unwrap();
    let fields = Arc::new(builder.build());
    let lines = [
        r#"{"p":{"a":1,"b" : [1,{"p":{"c":2}}] , "d\u0061":"}"},"x":1}"#,
        r#"{"p":{"z":1,"a":2},"x":{},"p":{"y":{"a":3},"a":4,"a":5}}"#,
        r#"{"p":{}}"#,
        r#"{"p":{"a":1},"p":7}"#,
        r#"{"x":[{"p":{"b":1}}]}"#,
        r#"{"p":{"a":null,"a long name of a member that no head holds":-1e5}}"#,
    ];
    let body = lines.join("\n");
    let mut batch = Batch::new(body.clone().into_bytes(), Arc::clone(&fields));
    let mut start = 0;
    for line in lines {
        let end = start + line.len();
        batch.read(1, start, end, Depth::DEFAULT).unwrap();
        start = end + 1;
    }
    // An event that cannot be read leaves nothing that others would see.
    batch.text.extend_from_slice(br#"{"p":{"a":1,"b":]}"#);
    let end = batch.text.len();
    batch.read(1, body.len(), end, Depth::DEFAULT).unwrap_err();
    let mut whole = 0;
    for index in 0..lines.len() {
        for edit in ["", "p.a", "x", "remove"] {
            let mut event = batch.event(index);
            match edit {
                "p.a" => assert!(
                    event.set(below, |_, out| out.extend_from_slice(b"\"new\"")) || index == 3
                ),
                "x" => assert!(event.set(above, |_, out| out.extend_from_slice(b"{\"p\":1}"))),
                "remove" => event.remove(below),
                _ => {}
            }
            if let Some([noted, found]) = noted_and_found(&mut event, object) {
                assert_eq!(noted, found, "event {index} after {edit:?}");
                whole += 1;
            }
        }
    }
    assert!(whole >= 16, "{whole}");
}
