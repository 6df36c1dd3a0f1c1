//! Random JSON texts for property tests: odd white space, escapes in keys, repeated keys.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::Value;

use crate::event::{Fields, FieldsBuilder, Path};

/// A value and how it is written.
#[derive(Clone, Debug)]
pub(super) enum Node {
    /// Anything without members, as text.
    Leaf(String),
    /// The elements, and the white space of the list.
    Array(Vec<Node>, Spaces),
    /// Keys as texts with quotes, values, and the white space of the list.
    Object(Vec<(String, Node)>, Spaces),
}

/// White space around the parts of a list, used in turn.
type Spaces = Vec<&'static str>;

const KEYS: &[&str] = &[
    "\"a\"",
    "\"a\"",
    "\"b\"",
    "\"b\"",
    "\"c\"",
    "\"d\"",
    "\"\"",
    "\"0\"",
    "\"1\"",
    "\"\\u0061\"",
    "\"\\u0062\"",
    "\"\\\"\"",
    "\"exactly16chars16\"",
    "\"exactly15chars1\"",
    "\"a key that needs more than one step\"",
    "\"a key that needs more than \\u006fne step\"",
    "\"\u{e9}\\ud83d\\ude00\"",
    "\"b \"",
    r#""\\\\\\\\\\\\\\\\\\\\\\\\""#,
];

const LEAVES: &[&str] = &[
    "null",
    "true",
    "false",
    "0",
    "-0",
    "1",
    "-1.5",
    "12345678901234567890123456789",
    "1e10",
    "0.1E-7",
    "2E+3",
    "1e-400",
    "1750000000000",
    "[]",
    "{}",
    "[ ]",
    "{\t}",
    "\"\"",
    "\"\\n\"",
    "\"{\\\"a\\\":1}\"",
    "\"\\ud83d\\ude00 \u{4e2d}\u{6587}\"",
    "\"a\\/b\\b\\f\\r\\t\\u0000\"",
    "\"a string of more than sixteen bytes, with , and : and } in it\"",
    "\"\u{7f}\u{10ffff}\"",
];

const FIELDS: &[&str] = &[
    "a",
    "b.a",
    "b.b",
    "b.0",
    "b.1",
    "a.b.c",
    "c",
    "c.0.a",
    "c.1",
    "a.a.a",
    "d.a.b.c",
    "d.1.0",
    "exactly16chars16",
    "exactly15chars1.b",
    "a key that needs more than one step",
    "\"",
    "b.a key that needs more than one step.a",
    r"\\\\\\\\\\\\\\\\\\\\\\\\",
];

/// How often a property is tried; `PROPTEST_CASES` in the environment asks for more.
pub(super) fn cases() -> ProptestConfig {
    let default = ProptestConfig::default();
    let cases = default.cases.max(2000);
    ProptestConfig {
        cases,
        failure_persistence: None,
        ..default
    }
}

/// The fields that such texts may hold.
pub(super) fn fields() -> Fields {
    let mut builder = FieldsBuilder::default();
    for path in FIELDS {
        builder.add(&Path::parse(path).unwrap()).unwrap();
    }
    builder.build()
}

/// Those of them that have no other above them.
pub(super) fn leaves() -> Fields {
    let all = fields();
    let mut builder = FieldsBuilder::default();
    for path in FIELDS.iter().map(|path| Path::parse(path).unwrap()) {
        let id = all.find(&path).unwrap();
        if all.descendants(id).is_empty() {
            builder.add(&path).unwrap();
        }
    }
    builder.build()
}

/// Any value.
pub(super) fn node() -> impl Strategy<Value = Node> {
    let text = prop_oneof![
        4 => select(LEAVES).prop_map(str::to_owned),
        1 => any::<String>().prop_map(|text| serde_json::to_string(&text).unwrap()),
        1 => any::<i64>().prop_map(|number| number.to_string()),
        1 => any::<f64>().prop_map(|number| serde_json::to_string(&number).unwrap()),
    ];
    let leaf = text.prop_map(Node::Leaf);
    leaf.prop_recursive(5, 60, 6, |inner| {
        prop_oneof![
            1 => (vec(inner.clone(), 0..4), spaces()).prop_map(|(list, s)| Node::Array(list, s)),
            3 => members(inner),
        ]
    })
}

/// Any object.
pub(super) fn object() -> impl Strategy<Value = Node> {
    members(node())
}

fn members(value: impl Strategy<Value = Node>) -> impl Strategy<Value = Node> {
    let member = (select(KEYS).prop_map(str::to_owned), value);
    (vec(member, 0..7), spaces()).prop_map(|(members, spaces)| Node::Object(members, spaces))
}

fn spaces() -> impl Strategy<Value = Spaces> {
    let space = prop_oneof![6 => Just(""), 1 => select(&[" ", "  ", "\n", "\t ", "\r\n"][..])];
    vec(space, 1..6)
}

impl Node {
    /// The text.
    pub(super) fn text(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) {
        match self {
            Self::Leaf(text) => out.push_str(text),
            Self::Array(list, spaces) => {
                let mut space = spaces.iter().copied().cycle();
                out.push('[');
                for (i, value) in list.iter().enumerate() {
                    out.push_str(if i > 0 { "," } else { "" });
                    out.extend(space.next());
                    value.write(out);
                    out.extend(space.next());
                }
                out.push(']');
            }
            Self::Object(members, spaces) => {
                let mut space = spaces.iter().copied().cycle();
                out.push('{');
                for (i, (key, value)) in members.iter().enumerate() {
                    out.push_str(if i > 0 { "," } else { "" });
                    out.extend(space.next());
                    out.push_str(key);
                    out.extend(space.next());
                    out.push(':');
                    out.extend(space.next());
                    value.write(out);
                    out.extend(space.next());
                }
                out.push('}');
            }
        }
    }

    /// How many members repeat the key of a field.
    pub(super) fn duplicates(&self, fields: &Fields) -> u32 {
        self.repeated(
            &FIELDS
                .iter()
                .map(|path| names(fields, path))
                .collect::<Vec<_>>(),
        )
    }

    /// `paths` is what is left of each path at this value.
    fn repeated(&self, paths: &[Vec<String>]) -> u32 {
        let below = |name: &str| -> Vec<Vec<String>> {
            let into = paths
                .iter()
                .filter(|path| path.first().is_some_and(|first| first == name));
            into.map(|path| path[1..].to_vec()).collect()
        };
        match self {
            Self::Leaf(_) => 0,
            Self::Array(list, _) => {
                let repeated = |(i, value): (usize, &Node)| value.repeated(&below(&i.to_string()));
                list.iter().enumerate().map(repeated).sum()
            }
            Self::Object(members, _) => {
                let mut seen: Vec<String> = Vec::new();
                let mut count = 0;
                for (key, value) in members {
                    let key: String = serde_json::from_str(key).unwrap();
                    let below = below(&key);
                    count += value.repeated(&below);
                    count += u32::from(!below.is_empty() && seen.contains(&key));
                    seen.push(key);
                }
                count
            }
        }
    }
}

fn names(fields: &Fields, path: &str) -> Vec<String> {
    let id = fields.find(&Path::parse(path).unwrap()).unwrap();
    fields
        .path(id)
        .names()
        .iter()
        .map(|name| name.to_string())
        .collect()
}

/// What stands at a path of a tree.
pub(super) fn at<'v>(value: &'v Value, names: &[Box<str>]) -> Option<&'v Value> {
    names.iter().try_fold(value, |value, name| match value {
        Value::Object(members) => members.get(&**name),
        Value::Array(list) => list.get(element(name)?),
        _ => None,
    })
}

/// The index that a name stands for in an array.
pub(super) fn element(name: &str) -> Option<usize> {
    name.parse()
        .ok()
        .filter(|index: &usize| index.to_string() == *name)
}
