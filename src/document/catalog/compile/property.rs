//! One property: whether its rules make sense together, and what they compile to.

use regex::bytes::RegexBuilder;
use serde_json::Value;

use crate::document::catalog::{PersonalForm, PropertyType, RulesForm};
use crate::document::diagnostic::{At, Diagnostics};
use crate::pipeline::condition::Constant;
use crate::pipeline::number::Number;
use crate::pipeline::validate::{Bounds, OneOf, Personal, Property, Type};

/// Most memory that one pattern may take.
const PATTERN_SIZE: usize = 1 << 20;

/// What tells two definitions apart for an event's check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Shape<'a> {
    kind: Option<PropertyType>,
    one_of: Option<&'a [Value]>,
    pattern: Option<&'a str>,
    min: Option<&'a serde_json::Number>,
    max: Option<&'a serde_json::Number>,
    length: Option<u32>,
    personal: PersonalForm,
}

impl<'a> Shape<'a> {
    pub(super) fn of(rules: &'a RulesForm) -> Self {
        Self {
            kind: rules.kind,
            one_of: rules.one_of.as_deref(),
            pattern: rules.pattern.as_deref(),
            min: rules.min.as_ref(),
            max: rules.max.as_ref(),
            length: rules.length,
            personal: rules.personal,
        }
    }
}

/// Compiles a property, and reports rules that cannot be met.
pub(in crate::document) fn compile(
    rules: &RulesForm,
    at: &At<'_>,
    diagnostics: &mut Diagnostics,
) -> Property {
    check_fit(rules, at, diagnostics);
    let (min, max) = range(rules, at, diagnostics);
    let bounds = Bounds {
        min,
        max,
        one_of: one_of(rules, at, diagnostics),
        pattern: pattern(rules, at, diagnostics),
    };
    let bounded =
        min.is_some() || max.is_some() || bounds.one_of.is_some() || bounds.pattern.is_some();
    Property {
        kind: rules.kind.map(Into::into),
        bounds: bounded.then(|| Box::new(bounds)),
        personal: match rules.personal {
            PersonalForm::None => Personal::None,
            PersonalForm::Hash => Personal::Hash,
            PersonalForm::Mask => Personal::Mask,
            PersonalForm::Drop => Personal::Drop,
        },
    }
}

/// Rules that say nothing about a type.
fn check_fit(rules: &RulesForm, at: &At<'_>, diagnostics: &mut Diagnostics) {
    let Some(kind) = rules.kind else {
        return;
    };
    let texts = matches!(kind, PropertyType::String | PropertyType::List);
    let numbers = matches!(kind, PropertyType::Int | PropertyType::Float);
    let scalar = texts || numbers || kind == PropertyType::Bool;
    let idle = [
        ("min", rules.min.is_some() && !texts && !numbers),
        ("max", rules.max.is_some() && !texts && !numbers),
        ("length", rules.length.is_some() && !texts),
        ("pattern", rules.pattern.is_some() && !texts),
        ("enum", rules.one_of.is_some() && !scalar),
    ];
    for (rule, idle) in idle {
        if idle {
            let kind = Type::from(kind).as_str();
            let message = format!("`{rule}` says nothing about a property of type {kind}");
            diagnostics.error(&at.field(rule), message, "take it out, or change the type");
        }
    }
}

fn range(
    rules: &RulesForm,
    at: &At<'_>,
    diagnostics: &mut Diagnostics,
) -> (Option<Number>, Option<Number>) {
    let ranged = rules.min.is_some() || rules.max.is_some();
    if let Some(length) = rules.length {
        if ranged {
            let hint = "write `length`, or `min` and `max`";
            diagnostics.error(at, "both an exact length and a range", hint);
        }
        let length = Some(Number::Int(length.into()));
        return (length, length);
    }
    let mut bound = |rule: &str, written: &Option<serde_json::Number>| {
        let number = Number::parse(&written.as_ref()?.to_string())?;
        let counts = matches!(rules.kind, Some(PropertyType::String | PropertyType::List));
        if counts && !matches!(number, Number::Int(0..)) {
            let message = "a length is a whole number, not below zero";
            diagnostics.error(&at.field(rule), message, "write for example `64`");
        }
        let whole = !counts && rules.kind == Some(PropertyType::Int);
        if whole && !matches!(number, Number::Int(_)) {
            let message = "the bound of an int is a whole number";
            diagnostics.error(&at.field(rule), message, "round it, or write `type: float`");
        }
        Some(number)
    };
    let (min, max) = (bound("min", &rules.min), bound("max", &rules.max));
    if min
        .zip(max)
        .is_some_and(|(min, max)| min.as_f64() > max.as_f64())
    {
        let hint = "no value could be right";
        diagnostics.error(&at.field("min"), "`min` is greater than `max`", hint);
    }
    (min, max)
}

fn one_of(rules: &RulesForm, at: &At<'_>, diagnostics: &mut Diagnostics) -> Option<OneOf> {
    let values = rules.one_of.as_ref()?;
    let at = at.field("enum");
    if values.is_empty() {
        diagnostics.error(&at, "an empty set", "list the values that are right");
    }
    let mut texts = Vec::new();
    let mut constants = Vec::new();
    for (index, value) in values.iter().enumerate() {
        let constant = constant(value);
        if constant.is_none() || !has_type(rules.kind, value) {
            let message = match rules.kind {
                Some(kind) => format!("no value of type {}", Type::from(kind).as_str()),
                None => "a list or an object".to_owned(),
            };
            let hint = "no value of the property could equal it";
            diagnostics.error(&at.item(index), message, hint);
        }
        if let Value::String(text) = value {
            texts.push(text.as_str().into());
        }
        constants.extend(constant);
    }
    Some(OneOf {
        set: constants.into_iter().collect(),
        texts,
    })
}

fn constant(value: &Value) -> Option<Constant> {
    match value {
        Value::Null => Some(Constant::Null),
        Value::Bool(value) => Some(Constant::Bool(*value)),
        Value::Number(number) => Number::parse(&number.to_string()).map(Constant::Number),
        Value::String(text) => Some(Constant::Text(text.as_str().into())),
        Value::Array(_) | Value::Object(_) => None,
    }
}

fn has_type(kind: Option<PropertyType>, value: &Value) -> bool {
    match kind {
        Some(PropertyType::String) => value.is_string(),
        Some(PropertyType::Int) => value.is_i64() || value.is_u64(),
        Some(PropertyType::Float) => value.is_number(),
        Some(PropertyType::Bool) => value.is_boolean(),
        Some(PropertyType::Datetime | PropertyType::List | PropertyType::Object) | None => true,
    }
}

fn pattern(
    rules: &RulesForm,
    at: &At<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<regex::bytes::Regex> {
    let pattern = rules.pattern.as_ref()?;
    let built = RegexBuilder::new(pattern).size_limit(PATTERN_SIZE).build();
    if let Err(error) = &built {
        let text = error.to_string();
        let last = text.lines().last().unwrap_or_default();
        let last = last.strip_prefix("error: ").unwrap_or(last);
        let message = format!("the pattern does not compile: {last}");
        let hint = "the syntax is that of https://docs.rs/regex, without look-around";
        diagnostics.error(&at.field("pattern"), message, hint);
    }
    built.ok()
}

impl From<PropertyType> for Type {
    fn from(kind: PropertyType) -> Self {
        match kind {
            PropertyType::String => Self::String,
            PropertyType::Int => Self::Int,
            PropertyType::Float => Self::Float,
            PropertyType::Bool => Self::Bool,
            PropertyType::Datetime => Self::Datetime,
            PropertyType::List => Self::List,
            PropertyType::Object => Self::Object,
        }
    }
}
