//! Checking one value against one rule. Everything that is wrong is reported; below a value of the
//! wrong kind there is nothing to check.

use serde_json::{Map, Value};

use crate::document::diagnostic::{At, Diagnostics};
use crate::document::shape::Shape;
use crate::document::shape::rule::{Bounds, Kinds, Members, Node, Numbers, Rule};
use crate::document::shape::words;

impl Shape {
    pub(super) fn check(&self, node: &Node, value: &Value, at: &At<'_>, out: &mut Diagnostics) {
        match node {
            Node::Any => {}
            Node::Named(name, _) => {
                if let Some(node) = self.named.get(name) {
                    self.check(node, value, at, out);
                }
            }
            Node::Rule(rule) => self.check_rule(rule, value, at, out),
            Node::Union(_) => self.check_union(node, value, at, out),
        }
    }

    pub(super) fn check_rule(
        &self,
        rule: &Rule,
        value: &Value,
        at: &At<'_>,
        out: &mut Diagnostics,
    ) {
        if !rule.kinds.take(value) {
            let message = format!(
                "expected {}, got {}",
                words::expected(rule),
                got(rule, value)
            );
            out.error(at, message, words::correction(rule, value));
            return;
        }
        match value {
            Value::String(text) => check_text(rule, text, at, out),
            Value::Number(_) => check_number(rule, value, at, out),
            Value::Array(items) => {
                check_count(rule.count, items.len(), "item", at, out);
                if let Some(node) = &rule.items {
                    for (index, item) in items.iter().enumerate() {
                        self.check(node, item, &at.item(index), out);
                    }
                }
            }
            Value::Object(members) => {
                if let Some(rule) = &rule.members {
                    self.check_members(rule, members, at, out);
                }
            }
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn check_members(
        &self,
        rule: &Members,
        members: &Map<String, Value>,
        at: &At<'_>,
        out: &mut Diagnostics,
    ) {
        check_count(rule.count, members.len(), "member", at, out);
        for (name, value) in members {
            let at = at.field(name);
            if let Some(node) = rule.known.get(name).or(rule.others.as_ref()) {
                self.check(node, value, &at, out);
            } else {
                let message = format!("unknown field {}", words::quoted(name));
                out.error(&at, message, words::field_suggestion(name, &rule.names));
            }
        }
        for name in &rule.required {
            if !members.contains_key(name) {
                let about = rule.known.get(name).and_then(|node| self.about(node));
                let hint = about.map_or_else(
                    || format!("add `{name}`"),
                    |about| format!("add `{name}`: {about}"),
                );
                out.error(at, format!("missing field `{name}`"), hint);
            }
        }
    }

    fn about<'s>(&'s self, node: &'s Node) -> Option<&'s str> {
        match node {
            Node::Any | Node::Union(_) => None,
            Node::Named(name, about) => match about {
                Some(about) => Some(about),
                None => self.about(self.named.get(name)?),
            },
            Node::Rule(rule) => rule.about.as_deref(),
        }
    }
}

pub(super) fn got(rule: &Rule, value: &Value) -> String {
    if rule.secret && !value.is_null() {
        return "something else (not shown)".to_owned();
    }
    words::found(value)
}

fn check_text(rule: &Rule, text: &str, at: &At<'_>, out: &mut Diagnostics) {
    if let Some(choices) = &rule.choices {
        if !choices.iter().any(|choice| choice == text) {
            let message = format!(
                "expected {}, got the text {}",
                words::one_of(choices),
                words::quoted(text)
            );
            out.error(at, message, words::suggestion(text, choices));
        }
        return;
    }
    if rule
        .pattern
        .as_ref()
        .is_some_and(|pattern| !pattern.is_match(text))
    {
        let got = if rule.secret {
            "something else (not shown)".to_owned()
        } else {
            words::quoted(text)
        };
        let message = format!("expected {}, got {got}", words::expected(rule));
        out.error(at, message, words::described(rule));
    }
    check_count(rule.length, text.chars().count(), "character", at, out);
}

fn check_number(rule: &Rule, value: &Value, at: &At<'_>, out: &mut Diagnostics) {
    let whole = value
        .as_i64()
        .map(i128::from)
        .or_else(|| value.as_u64().map(i128::from));
    if whole.is_none() && !rule.kinds.has(Kinds::NUMBER) && rule.kinds != Kinds::default() {
        let message = format!("expected a whole number, got {}", words::found(value));
        out.error(at, message, words::described(rule));
        return;
    }
    if let Some(bound) = outside(&rule.numbers, whole, value.as_f64()) {
        let message = format!("must be {bound}, got {value}");
        out.error(at, message, words::described(rule));
    }
}

/// The bound that a number does not keep.
fn outside(numbers: &Numbers, whole: Option<i128>, number: Option<f64>) -> Option<String> {
    if let (Some(whole), Some((least, most))) = (whole, numbers.whole) {
        if whole < least {
            return Some(format!("at least {least}"));
        }
        if whole > most {
            return Some(format!("at most {most}"));
        }
    }
    let number = number?;
    let broken =
        |bound: Option<f64>, kept: fn(f64, f64) -> bool| bound.filter(|b| !kept(number, *b));
    None.or_else(|| broken(numbers.least, |n, b| n >= b).map(|b| format!("at least {b}")))
        .or_else(|| broken(numbers.most, |n, b| n <= b).map(|b| format!("at most {b}")))
        .or_else(|| broken(numbers.above, |n, b| n > b).map(|b| format!("more than {b}")))
        .or_else(|| broken(numbers.below, |n, b| n < b).map(|b| format!("less than {b}")))
}

fn check_count(bounds: Bounds, count: usize, what: &str, at: &At<'_>, out: &mut Diagnostics) {
    let count = count as u64;
    let plural = |n: u64| if n == 1 { "" } else { "s" };
    if let Some(least) = bounds.least.filter(|least| count < *least) {
        let message = format!(
            "expected at least {least} {what}{}, got {count}",
            plural(least)
        );
        out.error(at, message, "add one, or remove the field");
    }
    if let Some(most) = bounds.most.filter(|most| count > *most) {
        let message = format!(
            "expected at most {most} {what}{}, got {count}",
            plural(most)
        );
        out.error(at, message, "make it shorter");
    }
}
