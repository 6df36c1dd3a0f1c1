//! `splitter` and `assigner`: a line to parts, parts to named fields.
//!
//! Parts are cut out of the string as it is written in JSON, escapes and all, so that nothing is
//! undone and written again. Separators and quotes are ASCII. A quote counts at the beginning of a
//! part; it ends before a separator or the end of the line. In it, a doubled quote is one quote, a
//! quote after a backslash is no end, and one that never ends is an ordinary character.

use crate::event::{EventMut, FieldId, Kind, Span};
use crate::pipeline::executer::{Scratch, Trouble, put, taken};

/// Where a line is cut.
#[derive(Debug)]
pub struct Syntax {
    classes: Box<[Class; 128]>,
    merge: bool,
}

/// What a character means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Class {
    #[default]
    Plain,
    Separator,
    /// Opens a quoted part that this closes.
    Quote(u8),
}

/// A part of a string: its bytes, quotes left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Part {
    start: u32,
    end: u32,
    /// The quote that is doubled in it.
    doubled: Option<u8>,
}

/// The quotes that an earlier part of the line opened without an end.
///
/// Looking for an end steps over closing quotes alone unseen (a doubled one, one after a
/// backslash). So every other character that a later part comes to was seen from the earlier one,
/// and from there on no end was found: without this, a line of open quotes would be gone through
/// once for each of them.
#[derive(Clone, Copy, Debug, Default)]
struct Endless(u128);

impl Endless {
    fn note(&mut self, open: u8) {
        self.0 |= 1 << (open & 0x7f);
    }

    fn has(self, open: u8) -> bool {
        self.0 & 1 << (open & 0x7f) != 0
    }
}

impl Syntax {
    /// Separators, and pairs of quotes; both ASCII. With `merge`, separators in a row count as one.
    pub fn new(separators: &[u8], quotes: &[(u8, u8)], merge: bool) -> Self {
        let mut classes = Box::new([Class::Plain; 128]);
        for (open, close) in quotes {
            classes[usize::from(open & 0x7f)] = Class::Quote(*close);
        }
        for separator in separators {
            classes[usize::from(separator & 0x7f)] = Class::Separator;
        }
        Self { classes, merge }
    }

    /// Cuts what stands between a string's quotes in JSON.
    fn split(&self, text: &[u8], parts: &mut Vec<Part>) {
        parts.clear();
        let mut endless = Endless::default();
        let mut at = 0;
        loop {
            if self.merge {
                while let Some((c, next)) = character(text, at)
                    && self.class(c) == Class::Separator
                {
                    at = next;
                }
                if at == text.len() && !parts.is_empty() {
                    return;
                }
            }
            let (part, end) = self.part(text, at, &mut endless);
            parts.push(part);
            match character(text, end) {
                Some((_, next)) => at = next,
                None => return,
            }
        }
    }

    /// The part that starts here, and where the separator after it stands.
    fn part(&self, text: &[u8], start: usize, endless: &mut Endless) -> (Part, usize) {
        if let Some((open, inside)) = character(text, start)
            && let Class::Quote(close) = self.class(open)
        {
            if let Some(quoted) = self.quoted(text, inside, (open, close), *endless) {
                return quoted;
            }
            endless.note(open);
        }
        let mut at = start;
        while let Some((c, next)) = character(text, at)
            && self.class(c) != Class::Separator
        {
            at = next;
        }
        (part(start, at, None), at)
    }

    fn quoted(
        &self,
        text: &[u8],
        start: usize,
        (open, close): (u8, u8),
        endless: Endless,
    ) -> Option<(Part, usize)> {
        let mut doubled = None;
        let mut at = start;
        while let Some((c, next)) = character(text, at) {
            if c != close && endless.has(open) {
                return None;
            }
            let after = character(text, next);
            if c == b'\\' && after.is_some_and(|(after, _)| after == close) {
                at = after?.1;
                continue;
            }
            if c == close {
                match after {
                    None => return Some((part(start, at, doubled), next)),
                    Some((c, _)) if self.class(c) == Class::Separator => {
                        return Some((part(start, at, doubled), next));
                    }
                    Some((c, over)) if c == close && open == close => {
                        doubled = Some(close);
                        at = over;
                        continue;
                    }
                    Some(_) => {}
                }
            }
            at = next;
        }
        None
    }

    fn class(&self, c: u8) -> Class {
        self.classes
            .get(usize::from(c))
            .copied()
            .unwrap_or_default()
    }
}

/// The character that is written here, if it is ASCII (else any byte above), and where the next
/// one is.
fn character(text: &[u8], at: usize) -> Option<(u8, usize)> {
    let c = *text.get(at)?;
    if c != b'\\' {
        return Some((c, at + 1));
    }
    let c = match text.get(at + 1)? {
        b'n' => b'\n',
        b't' => b'\t',
        b'r' => b'\r',
        b'b' => 0x08,
        b'f' => 0x0c,
        b'u' => {
            let digits = std::str::from_utf8(text.get(at + 2..at + 6)?).ok()?;
            let unit = u32::from_str_radix(digits, 16).ok()?;
            let c = u8::try_from(unit).ok().filter(u8::is_ascii);
            return Some((c.unwrap_or(u8::MAX), at + 6));
        }
        other => *other,
    };
    Some((c, at + 2))
}

fn part(start: usize, end: usize, doubled: Option<u8>) -> Part {
    let position = |at| u32::try_from(at).unwrap_or(u32::MAX);
    Part {
        start: position(start),
        end: position(end),
        doubled,
    }
}

impl Part {
    /// Appends it as a JSON string.
    fn write(self, inside: &[u8], out: &mut Vec<u8>) {
        let text = &inside[self.start as usize..self.end as usize];
        out.push(b'"');
        match self.doubled {
            None => out.extend_from_slice(text),
            Some(quote) => {
                let mut at = 0;
                while let Some((c, next)) = character(text, at) {
                    out.extend_from_slice(&text[at..next]);
                    let second = character(text, next).filter(|(second, _)| *second == quote);
                    at = match second {
                        Some((_, over)) if c == quote => over,
                        _ => next,
                    };
                }
            }
        }
        out.push(b'"');
    }
}

/// A field to parts.
#[derive(Debug)]
pub struct Splitter {
    /// What is split.
    pub field: FieldId,
    /// Where.
    pub syntax: Syntax,
    /// Where the parts go.
    pub parts: Parts,
}

/// Where parts go.
#[derive(Debug)]
pub enum Parts {
    /// A list of strings into one field.
    List(FieldId),
    /// Each into its own field, some into none; with `exact`, only if there are just as many.
    Fields {
        /// By place.
        fields: Box<[Option<FieldId>]>,
        /// Whether another number of parts is a failure.
        exact: bool,
    },
}

impl Splitter {
    pub(super) fn run(
        &self,
        event: &mut EventMut<'_>,
        scratch: &mut Scratch,
    ) -> Result<(), Trouble> {
        let Some(span) = event.span(self.field) else {
            return Ok(());
        };
        if event.at(span).kind() != Kind::String {
            return Err(Trouble::new(self.field, "only a string can be split"));
        }
        let parts = &mut scratch.parts;
        let inside = Span {
            start: span.start + 1,
            end: span.end - 1,
        };
        self.syntax.split(event.at(span).inside(), parts);
        match &self.parts {
            Parts::List(field) => put(event, *field, |text, out| {
                out.push(b'[');
                for (index, part) in parts.iter().enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    part.write(inside.of(text), out);
                }
                out.push(b']');
            }),
            Parts::Fields { fields, exact } => {
                if *exact && parts.len() != fields.len() {
                    return Err(Trouble::new(
                        self.field,
                        "another number of parts than fields",
                    ));
                }
                all_accepted(event, fields.iter().flatten())?;
                event.together(|event| {
                    for (field, part) in fields.iter().zip(parts) {
                        if let Some(field) = field {
                            put(event, *field, |text, out| part.write(inside.of(text), out))?;
                        }
                    }
                    Ok(())
                })
            }
        }
    }
}

/// Parts to named fields.
#[derive(Debug)]
pub struct Assigner {
    /// The list.
    pub field: FieldId,
    /// Which part goes where; ordered by part.
    pub targets: Box<[(u16, FieldId)]>,
    /// The list stays.
    pub keep: bool,
    /// Whether a missing part is a failure.
    pub exact: bool,
}

impl Assigner {
    pub(super) fn run(
        &self,
        event: &mut EventMut<'_>,
        scratch: &mut Scratch,
    ) -> Result<(), Trouble> {
        let Some(span) = event.span(self.field) else {
            return Ok(());
        };
        let list = event.at(span);
        if list.kind() != Kind::Array {
            return Err(Trouble::new(
                self.field,
                "only the elements of a list can be assigned",
            ));
        }
        let spans = &mut scratch.spans;
        spans.clear();
        spans.extend(
            list.elements()
                .map(|element| Some(span.part(list, element))),
        );
        if self.exact
            && self
                .targets
                .iter()
                .any(|(part, _)| spans.len() <= usize::from(*part))
        {
            return Err(Trouble::new(self.field, "fewer parts than fields"));
        }
        all_accepted(event, self.targets.iter().map(|(_, field)| field))?;
        event.together(|event| {
            if !self.keep {
                event.remove(self.field);
            }
            for (part, field) in &self.targets {
                if let Some(Some(element)) = spans.get(usize::from(*part)) {
                    let done = event.point(*field, *element);
                    taken(event, *field, done)?;
                }
            }
            Ok(())
        })
    }
}

/// Before the first of several fields is set: whether all can be.
pub(super) fn all_accepted<'f>(
    event: &EventMut<'_>,
    mut fields: impl Iterator<Item = &'f FieldId>,
) -> Result<(), Trouble> {
    fields.try_for_each(|field| taken(event, *field, event.accepts(*field)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The parts, as they would be if nothing was remembered of the parts before.
    fn forgetful(syntax: &Syntax, text: &[u8]) -> Vec<Part> {
        let mut parts = Vec::new();
        let mut at = 0;
        loop {
            let (part, end) = syntax.part(text, at, &mut Endless::default());
            parts.push(part);
            match character(text, end) {
                Some((_, next)) => at = next,
                None => return parts,
            }
        }
    }

    #[test]
    fn what_is_remembered_of_open_quotes_changes_no_part() {
        let syntax = Syntax::new(b",", &[(b'"', b'"'), (b'a', b']')], false);
        let written = [r#"\""#, ",", r"\\", "a", "]"];
        let mut parts = Vec::new();
        for number in 0..written.len().pow(7) {
            let place = |place| number / written.len().pow(place) % written.len();
            let text: String = (0..7).map(|at| written[place(at)]).collect();
            syntax.split(text.as_bytes(), &mut parts);
            assert_eq!(parts, forgetful(&syntax, text.as_bytes()), "{text}");
        }
    }
}
