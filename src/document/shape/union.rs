//! Places where one of several things may stand: choosing the one that was meant, so that its
//! problems are reported and not those of all others.

use serde_json::{Map, Value};

use crate::document::diagnostic::{At, Diagnostics};
use crate::document::shape::Shape;
use crate::document::shape::check::got;
use crate::document::shape::rule::{Node, Rule};
use crate::document::shape::words;

impl Shape {
    pub(super) fn check_union(
        &self,
        union: &Node,
        value: &Value,
        at: &At<'_>,
        out: &mut Diagnostics,
    ) {
        let mut rules = Vec::new();
        if self.collect(union, &mut rules) {
            return;
        }
        let fitting: Vec<_> = rules
            .iter()
            .copied()
            .filter(|rule| rule.kinds.take(value))
            .collect();
        match (fitting.as_slice(), value) {
            ([], _) => {
                let expected = expected_of(&rules);
                let got = got(rules[0], value);
                let hint = words::correction(rules[0], value);
                out.error(at, format!("expected {expected}, got {got}"), hint);
            }
            ([only], _) => self.check_rule(only, value, at, out),
            (_, Value::Object(members)) => self.check_variant(&fitting, members, value, at, out),
            (_, Value::String(text)) => self.check_choice(&fitting, text, value, at, out),
            _ => self.check_best(&fitting, value, at, out),
        }
    }

    /// The rules of a union, through names and unions inside; true if anything may stand there.
    fn collect<'s>(&'s self, node: &'s Node, rules: &mut Vec<&'s Rule>) -> bool {
        match node {
            Node::Any => true,
            Node::Named(name, _) => match self.named.get(name) {
                Some(node) => self.collect(node, rules),
                None => true,
            },
            Node::Rule(rule) => {
                rules.push(rule);
                false
            }
            Node::Union(all) => all.iter().any(|node| self.collect(node, rules)),
        }
    }

    /// Objects: the one whose tag (a constant member, or a member that only it has) is there.
    fn check_variant(
        &self,
        rules: &[&Rule],
        members: &Map<String, Value>,
        value: &Value,
        at: &At<'_>,
        out: &mut Diagnostics,
    ) {
        if let Some(tag) = common_tag(rules) {
            return self.check_tagged(rules, tag, members, value, at, out);
        }
        let tags: Vec<_> = rules
            .iter()
            .filter_map(|rule| Some((own_tag(rule, rules)?, *rule)))
            .collect();
        if tags.len() < rules.len() {
            return self.check_best(rules, value, at, out);
        }
        let mut chosen = tags.iter().filter(|(tag, _)| members.contains_key(*tag));
        let names: Vec<_> = tags.iter().map(|(tag, _)| *tag).collect();
        match (chosen.next(), chosen.next()) {
            (Some((_, rule)), None) => self.check_rule(rule, value, at, out),
            (Some((one, _)), Some((other, _))) => {
                let message = format!("`{one}` and `{other}` cannot stand together");
                out.error(at, message, format!("write {} only", words::one_of(&names)));
            }
            (None, _) => {
                let strange = members
                    .keys()
                    .next()
                    .map(String::as_str)
                    .unwrap_or_default();
                let message = format!("none of {} is there", words::list(&names));
                out.error(at, message, words::suggestion(strange, &names));
            }
        }
    }

    fn check_tagged(
        &self,
        rules: &[&Rule],
        tag: &str,
        members: &Map<String, Value>,
        value: &Value,
        at: &At<'_>,
        out: &mut Diagnostics,
    ) {
        let names: Vec<_> = rules
            .iter()
            .filter_map(|rule| constant(rule, tag))
            .collect();
        match members.get(tag) {
            None => {
                let hint = format!("add `{tag}`: {}", words::one_of(&names));
                out.error(at, format!("missing field `{tag}`"), hint);
            }
            Some(Value::String(name)) if names.contains(&name.as_str()) => {
                let mut rules = rules.iter();
                if let Some(rule) = rules.find(|rule| constant(rule, tag) == Some(name)) {
                    self.check_rule(rule, value, at, out);
                }
            }
            Some(other) => {
                let message = format!(
                    "expected {}, got {}",
                    words::one_of(&names),
                    words::found(other)
                );
                let name = other.as_str().unwrap_or_default();
                out.error(&at.field(tag), message, words::suggestion(name, &names));
            }
        }
    }

    /// Texts: one of the choices of all rules, or what fits another rule best.
    fn check_choice(
        &self,
        rules: &[&Rule],
        text: &str,
        value: &Value,
        at: &At<'_>,
        out: &mut Diagnostics,
    ) {
        let choices: Vec<_> = rules
            .iter()
            .filter_map(|rule| rule.choices.as_ref())
            .flatten()
            .collect();
        if choices.iter().any(|choice| *choice == text) {
            return;
        }
        let others: Vec<_> = rules
            .iter()
            .copied()
            .filter(|rule| rule.choices.is_none())
            .collect();
        if !others.is_empty() && (choices.is_empty() || self.fits(&others, value)) {
            return self.check_best(&others, value, at, out);
        }
        let message = format!(
            "expected {}, got {}",
            expected_of(rules),
            words::found(value)
        );
        out.error(at, message, words::suggestion(text, &choices));
    }

    fn fits(&self, rules: &[&Rule], value: &Value) -> bool {
        rules.iter().any(|rule| {
            let mut tried = Diagnostics::new("");
            self.check_rule(rule, value, &At::ROOT, &mut tried);
            !tried.failed()
        })
    }

    /// The rule that leaves the fewest problems.
    fn check_best(&self, rules: &[&Rule], value: &Value, at: &At<'_>, out: &mut Diagnostics) {
        let problems = |rule: &&&Rule| {
            let mut tried = Diagnostics::new("");
            self.check_rule(rule, value, &At::ROOT, &mut tried);
            tried.errors()
        };
        if let Some(best) = rules.iter().min_by_key(problems) {
            self.check_rule(best, value, at, out);
        }
    }
}

/// "one of `a`, `b` or a size such as `8 MiB`".
fn expected_of(rules: &[&Rule]) -> String {
    let choices: Vec<_> = rules
        .iter()
        .filter_map(|rule| rule.choices.as_ref())
        .flatten()
        .collect();
    let mut parts = Vec::new();
    if !choices.is_empty() {
        parts.push(words::one_of(&choices));
    }
    let others = rules.iter().filter(|rule| rule.choices.is_none());
    parts.extend(others.map(|rule| words::expected(rule)));
    words::alternatives(parts)
}

/// A member that every rule has, with a constant.
fn common_tag<'r>(rules: &[&'r Rule]) -> Option<&'r str> {
    let first = rules.first()?.members.as_ref()?;
    let mut names = first.names.iter().map(String::as_str);
    names.find(|name| rules.iter().all(|rule| constant(rule, name).is_some()))
}

fn constant<'r>(rule: &'r Rule, member: &str) -> Option<&'r str> {
    match rule.members.as_ref()?.known.get(member)? {
        Node::Rule(rule) => match rule.choices.as_deref()? {
            [only] => Some(only),
            _ => None,
        },
        Node::Any | Node::Named(..) | Node::Union(_) => None,
    }
}

/// A required member that no other rule knows.
fn own_tag<'r>(rule: &'r Rule, rules: &[&Rule]) -> Option<&'r str> {
    let knows = |other: &Rule, name: &str| {
        let members = other.members.as_ref();
        members.is_some_and(|members| members.known.contains_key(name))
    };
    let others = || rules.iter().filter(|other| !std::ptr::eq(**other, rule));
    let required = rule.members.as_ref()?.required.iter();
    let mut own = required.filter(|name| !others().any(|other| knows(other, name)));
    own.next().map(String::as_str)
}
