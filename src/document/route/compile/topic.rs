//! Topics: constants, and templates over declared values, all of whose outcomes are made here.

use hashbrown::HashMap;

use crate::document::diagnostic::At;
use crate::document::route::TargetForm;
use crate::document::scope::Scope;
use crate::event::{Path, Topic, TopicId};
use crate::pipeline::route::{Placeholder, Template, TopicChoice};

/// Most topics that one template may make.
const MOST: usize = 10_000;

/// A template in its parts: constant text, and fields with their declared values.
enum Part<'t> {
    Text(&'t str),
    Field(Path, Vec<String>),
}

/// The topic of a target; reports what is wrong with it.
pub(super) fn compile(
    form: &TargetForm,
    scope: &mut Scope<'_>,
    at: &At<'_>,
) -> Option<TopicChoice> {
    let topic_at = at.field("topic");
    let else_at = at.field("else");
    let fallback = form.fallback.as_ref();
    let fallback = fallback.map(|name| constant_topic(name, scope, &else_at));
    if !form.topic.contains("{{") {
        if fallback.is_some() {
            let hint = "take it out, or write a template: `events_{{ project }}`";
            let message = "`else` is for a topic that is a template";
            scope.diagnostics.error(&else_at, message, hint);
        }
        return constant_topic(&form.topic, scope, &topic_at).map(TopicChoice::Constant);
    }
    let parts = parse(&form.topic, scope, &topic_at)?;
    let names = outcomes(&parts, scope, &topic_at)?;
    let topics = intern(&names, scope, &topic_at)?;
    let mut placeholders = Vec::new();
    for part in &parts {
        if let Part::Field(path, values) = part {
            placeholders.push(Placeholder {
                field: scope.field(&topic_at, &path.to_string()),
                values: (0..)
                    .zip(values)
                    .map(|(n, value)| (value.as_str().into(), n))
                    .collect(),
            });
        }
    }
    // An error in `else` is reported already.
    let fallback = match fallback {
        Some(None) => return None,
        Some(topic) => topic,
        None => None,
    };
    Some(TopicChoice::Template(Template {
        placeholders,
        topics,
        fallback,
    }))
}

/// A topic that is not a template.
pub(super) fn constant_topic(name: &str, scope: &mut Scope<'_>, at: &At<'_>) -> Option<TopicId> {
    if name.contains("{{") {
        let hint = "write one topic; templates are for the targets of `route`";
        scope
            .diagnostics
            .error(at, "a template cannot stand here", hint);
        return None;
    }
    intern(&[name.to_owned()], scope, at)?.pop()
}

fn parse<'t>(template: &'t str, scope: &mut Scope<'_>, at: &At<'_>) -> Option<Vec<Part<'t>>> {
    let mut parts = Vec::new();
    let mut rest = template;
    while let Some((text, after)) = rest.split_once("{{") {
        let Some((name, after)) = after.split_once("}}") else {
            let hint = "write for example `events_{{ project }}`";
            scope.diagnostics.error(at, "`{{` without its `}}`", hint);
            return None;
        };
        parts.push(Part::Text(text));
        parts.push(field(name.trim(), scope, at)?);
        rest = after;
    }
    parts.push(Part::Text(rest));
    Some(parts)
}

fn field<'t>(name: &str, scope: &mut Scope<'_>, at: &At<'_>) -> Option<Part<'t>> {
    let path = match Path::parse(name) {
        Ok(path) => path,
        Err(error) => {
            let message = format!("`{name}` is not a path");
            scope.diagnostics.error(at, message, error.to_string());
            return None;
        }
    };
    let declared = scope.values.iter().find(|(declared, _)| *declared == path);
    if let Some((_, values)) = declared {
        let mut unique: Vec<String> = Vec::with_capacity(values.len());
        for value in values {
            if !unique.contains(value) {
                unique.push(value.clone());
            }
        }
        return Some(Part::Field(path, unique));
    }
    let message = format!("the topic is made of `{name}`, whose values are not declared");
    let hint = format!("declare them: `values: {{ {name}: [ … ] }}`");
    scope.diagnostics.error(at, message, hint);
    None
}

/// Every topic that a template can make; those of the last field are neighbours.
fn outcomes(parts: &[Part<'_>], scope: &mut Scope<'_>, at: &At<'_>) -> Option<Vec<String>> {
    let mut names = vec![String::new()];
    for part in parts {
        match part {
            Part::Text(text) => names.iter_mut().for_each(|name| name.push_str(text)),
            Part::Field(_, values) if names.len() * values.len() > MOST => {
                let message = format!("the template makes more than {MOST} topics");
                let hint = "declare fewer values, or take a field out of it";
                scope.diagnostics.error(at, message, hint);
                return None;
            }
            Part::Field(_, values) => {
                let with = |name: &String| -> Vec<String> {
                    values
                        .iter()
                        .map(|value| format!("{name}{value}"))
                        .collect()
                };
                names = names.iter().flat_map(with).collect();
            }
        }
    }
    Some(names)
}

/// The ids of topics; those that are new get one.
fn intern(names: &[String], scope: &mut Scope<'_>, at: &At<'_>) -> Option<Vec<TopicId>> {
    let mut known: HashMap<Topic, TopicId> = (0..)
        .map(TopicId)
        .zip(&scope.topics)
        .map(|(id, topic)| (topic.clone(), id))
        .collect();
    let mut ids = Vec::with_capacity(names.len());
    for name in names {
        let Some(topic) = Topic::parse(name) else {
            let message = format!("`{name}` is not the name of a topic");
            let hint = "letters, digits, `.`, `_` and `-`, at most 249";
            scope.diagnostics.error(at, message, hint);
            return None;
        };
        let next = TopicId(u32::try_from(scope.topics.len()).unwrap_or(u32::MAX));
        let id = *known.entry(topic.clone()).or_insert(next);
        if id == next {
            scope.topics.push(topic);
        }
        ids.push(id);
    }
    Some(ids)
}
