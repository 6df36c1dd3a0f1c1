//! How problems of shape are put into words.

use serde_json::Value;

use crate::document::shape::rule::{Kinds, Rule};

/// Longest part of a value that a message repeats.
const SHOWN: usize = 40;
/// Most names that a hint lists.
const LISTED: usize = 24;

/// What stands there: "the number `5`".
pub(super) fn found(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(value) => format!("`{value}`"),
        Value::Number(value) => format!("the number `{value}`"),
        Value::String(value) => format!("the text {}", quoted(value)),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

/// A text in back quotes, cut if it is long.
pub(super) fn quoted(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("`{}…`", &text[..end]),
        None => format!("`{text}`"),
    }
}

/// What should stand there: "a size such as `8 MiB`".
pub(super) fn expected(rule: &Rule) -> String {
    if let Some(choices) = &rule.choices {
        return one_of(choices);
    }
    if let (Some(name), Some(example)) = (&rule.name, &rule.example) {
        return format!("{} such as `{example}`", with_article(name));
    }
    let words = [
        (Kinds::TEXT, "a text"),
        (Kinds::WHOLE, "a whole number"),
        (Kinds::NUMBER, "a number"),
        (Kinds::BOOL, "`true` or `false`"),
        (Kinds::LIST, "a list"),
        (Kinds::OBJECT, "an object"),
        (Kinds::NULL, "`null`"),
    ];
    let words = words.iter().filter(|(kind, _)| rule.kinds.has(*kind));
    alternatives(words.map(|(_, word)| (*word).to_owned()).collect())
}

/// "a, b or c", without repetition.
pub(super) fn alternatives(mut words: Vec<String>) -> String {
    let mut seen = Vec::new();
    words.retain(|word| {
        let new = !seen.contains(word);
        seen.push(word.clone());
        new
    });
    let last = words.pop().unwrap_or_default();
    if words.is_empty() {
        return last;
    }
    format!("{} or {last}", words.join(", "))
}

/// "one of `a`, `b`", or "`a`".
pub(super) fn one_of<T: AsRef<str>>(names: &[T]) -> String {
    match names {
        [only] => format!("`{}`", only.as_ref()),
        _ => format!("one of {}", list(names)),
    }
}

/// "`a`, `b`, …".
pub(super) fn list<T: AsRef<str>>(names: &[T]) -> String {
    let shown: Vec<_> = names
        .iter()
        .take(LISTED)
        .map(|name| quoted(name.as_ref()))
        .collect();
    let more = if names.len() > LISTED { ", …" } else { "" };
    format!("{}{more}", shown.join(", "))
}

/// Fields that people know from the designs, and what to do without them.
const LATER: [(&str, &str); 3] = [
    ("hedge_after", "it needs the spool: remove it"),
    ("canary", "apply the change to the whole repo"),
    ("guard", "roll back by hand"),
];

/// What to do about a field that is not known.
pub(super) fn field_suggestion<T: AsRef<str>>(name: &str, known: &[T]) -> String {
    let later = LATER.iter().find(|(field, _)| *field == name);
    later.map_or_else(
        || suggestion(name, known),
        |(_, instead)| format!("this is not part of this version; {instead}"),
    )
}

/// What to do about a name that is not known.
pub(crate) fn suggestion<T: AsRef<str>>(name: &str, known: &[T]) -> String {
    if known.is_empty() {
        return "remove it".to_owned();
    }
    match nearest(name, known) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("what may stand here: {}", list(known)),
    }
}

/// The known name that is most like this one, if one is like it at all.
pub(super) fn nearest<'k, T: AsRef<str>>(name: &str, known: &'k [T]) -> Option<&'k str> {
    let plain = |text: &str| text.to_lowercase().replace(['-', ' '], "_");
    let name = plain(name);
    let distance = |other: &str| strsim::damerau_levenshtein(&name, &plain(other));
    let candidates = known.iter().map(AsRef::as_ref);
    let (best, distance) = candidates
        .map(|other| (other, distance(other)))
        .min_by_key(|(_, distance)| *distance)?;
    let close = distance <= 1.max(name.chars().count().max(best.chars().count()) / 3);
    close.then_some(best)
}

fn with_article(name: &str) -> String {
    let article = if name.starts_with(['a', 'e', 'i', 'o', 'u']) {
        "an"
    } else {
        "a"
    };
    format!("{article} {name}")
}

/// What to do about a value of the wrong kind.
pub(super) fn correction(rule: &Rule, value: &Value) -> String {
    let text_wanted = rule.kinds.has(Kinds::TEXT) && rule.example.is_none();
    match value {
        Value::Null => "write a value, or remove the field".to_owned(),
        Value::Number(_) | Value::Bool(_) if text_wanted => "put it in quotes".to_owned(),
        Value::String(text) if unquoted(rule, text) => "remove the quotes".to_owned(),
        Value::Object(_) => described(rule),
        _ if rule.kinds == Kinds::LIST => "write it as a list: `[ … ]`".to_owned(),
        _ => described(rule),
    }
}

/// Whether a text would be of the right kind without its quotes.
fn unquoted(rule: &Rule, text: &str) -> bool {
    let value: Option<Value> = serde_json::from_str(text).ok();
    value.is_some_and(|value| !value.is_string() && !value.is_null() && rule.kinds.take(&value))
}

/// What the schema says about the place, or how to find out.
pub(super) fn described(rule: &Rule) -> String {
    rule.about.clone().map_or_else(
        || "see the schema of this kind (`weir schema`)".to_owned(),
        |about| format!("what belongs here: {about}"),
    )
}
