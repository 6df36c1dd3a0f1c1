//! A schema, compiled for checking.

use hashbrown::HashMap;
use regex::Regex;
use serde_json::{Map, Value};

/// What may stand in one place.
#[derive(Debug)]
pub(super) enum Node {
    /// Whatever JSON there is.
    Any,
    /// What a definition says, and perhaps a better description.
    Named(String, Option<String>),
    /// One rule.
    Rule(Box<Rule>),
    /// One of several.
    Union(Vec<Node>),
}

/// What one value must meet.
#[derive(Debug, Default)]
pub(super) struct Rule {
    pub(super) kinds: Kinds,
    /// What people call it: `size`.
    pub(super) name: Option<String>,
    pub(super) example: Option<String>,
    /// First sentence of the description.
    pub(super) about: Option<String>,
    /// Its value must not be repeated.
    pub(super) secret: bool,
    pub(super) choices: Option<Vec<String>>,
    pub(super) pattern: Option<Regex>,
    pub(super) numbers: Numbers,
    pub(super) length: Bounds,
    pub(super) items: Option<Node>,
    pub(super) count: Bounds,
    pub(super) members: Option<Members>,
}

/// Kinds of JSON values; none set: all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Kinds(u8);

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bounds {
    pub(super) least: Option<u64>,
    pub(super) most: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Numbers {
    pub(super) whole: Option<(i128, i128)>,
    pub(super) least: Option<f64>,
    pub(super) most: Option<f64>,
    pub(super) above: Option<f64>,
    pub(super) below: Option<f64>,
}

#[derive(Debug, Default)]
pub(super) struct Members {
    pub(super) known: HashMap<String, Node>,
    /// The names, as the type has them.
    pub(super) names: Vec<String>,
    pub(super) required: Vec<String>,
    /// What members with other names must meet; `None`: there may be no others.
    pub(super) others: Option<Node>,
    pub(super) count: Bounds,
}

impl Kinds {
    pub(super) const NULL: Self = Self(1);
    pub(super) const BOOL: Self = Self(2);
    pub(super) const WHOLE: Self = Self(4);
    pub(super) const NUMBER: Self = Self(8);
    pub(super) const TEXT: Self = Self(16);
    pub(super) const LIST: Self = Self(32);
    pub(super) const OBJECT: Self = Self(64);

    pub(super) fn has(self, kind: Self) -> bool {
        self.0 & kind.0 != 0
    }

    /// Whether a value of this kind may stand there.
    pub(super) fn take(self, value: &Value) -> bool {
        let number = Self(Self::WHOLE.0 | Self::NUMBER.0);
        self.0 == 0
            || match value {
                Value::Null => self.has(Self::NULL),
                Value::Bool(_) => self.has(Self::BOOL),
                Value::Number(_) => self.has(number),
                Value::String(_) => self.has(Self::TEXT),
                Value::Array(_) => self.has(Self::LIST),
                Value::Object(_) => self.has(Self::OBJECT),
            }
    }

    fn of(name: &str) -> Self {
        match name {
            "null" => Self::NULL,
            "boolean" => Self::BOOL,
            "integer" => Self::WHOLE,
            "number" => Self::NUMBER,
            "string" => Self::TEXT,
            "array" => Self::LIST,
            _ => Self::OBJECT,
        }
    }
}

impl Bounds {
    fn of(schema: &Map<String, Value>, least: &str, most: &str) -> Self {
        let bound = |name| schema.get(name).and_then(Value::as_u64);
        Self {
            least: bound(least),
            most: bound(most),
        }
    }
}

impl Numbers {
    fn of(schema: &Map<String, Value>) -> Self {
        let bound = |name| schema.get(name).and_then(Value::as_f64);
        let signed = |bits: u32| (-(1_i128 << (bits - 1)), (1_i128 << (bits - 1)) - 1);
        let whole = match schema.get("format").and_then(Value::as_str) {
            Some("uint8") => Some((0, i128::from(u8::MAX))),
            Some("uint16") => Some((0, i128::from(u16::MAX))),
            Some("uint32") => Some((0, i128::from(u32::MAX))),
            Some("uint64" | "uint") => Some((0, i128::from(u64::MAX))),
            Some("int8") => Some(signed(8)),
            Some("int16") => Some(signed(16)),
            Some("int32") => Some(signed(32)),
            Some("int64" | "int") => Some(signed(64)),
            _ => None,
        };
        Self {
            whole,
            least: bound("minimum"),
            most: bound("maximum"),
            above: bound("exclusiveMinimum"),
            below: bound("exclusiveMaximum"),
        }
    }
}

impl Node {
    pub(super) fn compile(schema: &Value) -> Self {
        let Value::Object(schema) = schema else {
            return Self::Any;
        };
        if let Some(name) = schema.get("$ref").and_then(Value::as_str) {
            let name = name.rsplit('/').next().unwrap_or(name);
            return Self::Named(name.to_owned(), about(schema));
        }
        for union in ["oneOf", "anyOf"] {
            if let Some(Value::Array(all)) = schema.get(union) {
                return Self::Union(all.iter().map(Self::compile).collect());
            }
        }
        let rule = Rule::compile(schema);
        if rule.kinds.0 == 0 && rule.choices.is_none() {
            return Self::Any;
        }
        Self::Rule(Box::new(rule))
    }
}

impl Rule {
    fn compile(schema: &Map<String, Value>) -> Self {
        let text = |name| schema.get(name).and_then(Value::as_str).map(str::to_owned);
        let kinds = match schema.get("type") {
            Some(Value::String(name)) => Kinds::of(name),
            Some(Value::Array(names)) => names
                .iter()
                .filter_map(Value::as_str)
                .fold(Kinds(0), |kinds, name| Kinds(kinds.0 | Kinds::of(name).0)),
            _ => Kinds(0),
        };
        let example = schema.get("examples").and_then(|all| all.get(0));
        Self {
            kinds,
            name: text("title"),
            example: example.and_then(Value::as_str).map(str::to_owned),
            about: about(schema),
            secret: schema.get("writeOnly") == Some(&Value::Bool(true)),
            choices: choices(schema),
            pattern: text("pattern").and_then(|pattern| Regex::new(&pattern).ok()),
            numbers: Numbers::of(schema),
            length: Bounds::of(schema, "minLength", "maxLength"),
            items: schema.get("items").map(Node::compile),
            count: Bounds::of(schema, "minItems", "maxItems"),
            members: kinds.has(Kinds::OBJECT).then(|| Members::compile(schema)),
        }
    }
}

impl Members {
    fn compile(schema: &Map<String, Value>) -> Self {
        let properties = schema.get("properties").and_then(Value::as_object);
        let known = properties.into_iter().flatten();
        let known: HashMap<_, _> = known
            .map(|(name, schema)| (name.clone(), Node::compile(schema)))
            .collect();
        let names = properties.map(|all| all.keys().cloned().collect());
        let required = schema.get("required").and_then(Value::as_array);
        let required = required.into_iter().flatten().filter_map(Value::as_str);
        let others = match schema.get("additionalProperties") {
            Some(Value::Bool(false)) => None,
            Some(schema) => Some(Node::compile(schema)),
            None => Some(Node::Any),
        };
        Self {
            known,
            names: names.unwrap_or_default(),
            required: required.map(str::to_owned).collect(),
            others,
            count: Bounds::of(schema, "minProperties", "maxProperties"),
        }
    }
}

fn choices(schema: &Map<String, Value>) -> Option<Vec<String>> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    if let Some(Value::Array(all)) = schema.get("enum") {
        return Some(all.iter().filter_map(text).collect());
    }
    schema.get("const").and_then(text).map(|only| vec![only])
}

/// The first sentence of the description, without its full stop, for a hint.
fn about(schema: &Map<String, Value>) -> Option<String> {
    let description = schema.get("description")?.as_str()?;
    let first = description.split("\n\n").next()?.replace('\n', " ");
    let first = first
        .split_once(". ")
        .map_or(first.as_str(), |(all, _)| all);
    Some(first.trim_end_matches('.').to_owned())
}
