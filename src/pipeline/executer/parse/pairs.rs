//! Keys with values, `a=1 b="x y"`.

use std::borrow::Cow;

use crate::pipeline::executer::parse::url::write_last;

/// How keys and values are told apart.
#[derive(Clone, Copy, Debug)]
pub struct Pairs {
    /// Between pairs.
    pub between: char,
    /// Between key and value.
    pub separator: char,
}

impl Pairs {
    /// Appends an object of strings. A value may stand in double quotes, where a backslash takes
    /// the next character as it is; a key without a value has the empty string.
    pub(super) fn write(self, text: &str, out: &mut Vec<u8>) {
        let mut rest = text;
        write_last(std::iter::from_fn(|| self.next(&mut rest)), out);
    }

    fn next<'t>(self, rest: &mut &'t str) -> Option<(Cow<'t, str>, Cow<'t, str>)> {
        *rest = rest.trim_start_matches(|c: char| c == self.between || c.is_ascii_whitespace());
        if rest.is_empty() {
            return None;
        }
        let end = |c: char| c == self.between || c == self.separator;
        let (key, after) = rest.split_at(rest.find(end).unwrap_or(rest.len()));
        let key = Cow::Borrowed(key.trim_ascii());
        let Some(value) = after.strip_prefix(self.separator) else {
            *rest = after;
            return Some((key, Cow::Borrowed("")));
        };
        if let Some((value, after)) = value.strip_prefix('"').and_then(quoted) {
            *rest = after;
            return Some((key, Cow::Owned(value)));
        }
        let (value, after) = value.split_at(value.find(self.between).unwrap_or(value.len()));
        *rest = after;
        Some((key, Cow::Borrowed(value.trim_ascii())))
    }
}

/// What stands before the closing quote, and what follows it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(chars.next()?.1),
            other => value.push(other),
        }
    }
    None
}
