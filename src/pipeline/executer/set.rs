//! `set`: constants and templates. All fields that templates name are read before the first one is
//! written, so that the order of the assignments does not matter.

use crate::event::{EventMut, FieldId, Json, Kind, Span};
use crate::pipeline::executer::split::all_accepted;
use crate::pipeline::executer::{Scratch, Trouble, put, taken};

/// Values for fields.
#[derive(Debug)]
pub struct Set(pub Box<[Assignment]>);

/// A value for a field.
#[derive(Debug)]
pub struct Assignment {
    /// Which field.
    pub field: FieldId,
    /// What it gets.
    pub value: Template,
}

/// What a field gets.
#[derive(Debug)]
pub enum Template {
    /// JSON as it stands.
    Constant(Box<[u8]>),
    /// Another field's value, with its type.
    Copy(FieldId),
    /// JSON with other fields' values in it.
    Pieces(Box<[Piece]>),
}

/// A part of a template.
#[derive(Debug)]
pub enum Piece {
    /// JSON as it stands.
    Literal(Box<[u8]>),
    /// A field's value.
    Value(FieldId),
    /// A field's value inside a string.
    Text(FieldId),
}

impl Template {
    fn fields(&self) -> impl Iterator<Item = FieldId> {
        let (one, pieces) = match self {
            Self::Constant(_) => (None, &[][..]),
            Self::Copy(field) => (Some(*field), &[][..]),
            Self::Pieces(pieces) => (None, &pieces[..]),
        };
        let of_piece = |piece: &Piece| match piece {
            Piece::Literal(_) => None,
            Piece::Value(field) | Piece::Text(field) => Some(*field),
        };
        one.into_iter().chain(pieces.iter().filter_map(of_piece))
    }
}

impl Set {
    pub(super) fn run(
        &self,
        event: &mut EventMut<'_>,
        scratch: &mut Scratch,
    ) -> Result<(), Trouble> {
        let spans = &mut scratch.spans;
        spans.clear();
        for assignment in &self.0 {
            for field in assignment.value.fields() {
                let Some(span) = event.span(field) else {
                    return Err(Trouble::new(
                        field,
                        "a field that the template names is missing",
                    ));
                };
                spans.push(Some(span));
            }
        }
        all_accepted(event, self.0.iter().map(|assignment| &assignment.field))?;
        event.together(|event| self.write(event, spans))
    }

    /// `spans` are the values of the fields that the templates name, in their order.
    fn write(&self, event: &mut EventMut<'_>, spans: &[Option<Span>]) -> Result<(), Trouble> {
        let mut rest = spans;
        let mut result = Ok(());
        for Assignment { field, value } in &self.0 {
            let (named, others) = rest.split_at(value.fields().count());
            rest = others;
            let set = match value {
                Template::Constant(json) => {
                    put(event, *field, |_, out| out.extend_from_slice(json))
                }
                Template::Copy(_) => {
                    let value = named.first().copied().flatten();
                    let done = event.point(*field, value.unwrap_or_default());
                    taken(event, *field, done)
                }
                Template::Pieces(pieces) => put(event, *field, |text, out| {
                    fill(pieces, named, text, out);
                }),
            };
            result = result.and(set);
        }
        result
    }
}

/// `named` are the values of the fields that the pieces name, in their order.
fn fill(pieces: &[Piece], named: &[Option<Span>], text: &[u8], out: &mut Vec<u8>) {
    let mut spans = named.iter().copied().flatten();
    for piece in pieces {
        match piece {
            Piece::Literal(json) => out.extend_from_slice(json),
            Piece::Value(_) => out.extend_from_slice(spans.next().unwrap_or_default().of(text)),
            Piece::Text(_) => inside(spans.next().unwrap_or_default().of(text), out),
        }
    }
}

/// Appends a value as it stands inside a string.
fn inside(raw: &[u8], out: &mut Vec<u8>) {
    match raw {
        // It is written as JSON writes it already.
        [b'"', inside @ .., b'"'] => out.extend_from_slice(inside),
        [b'{' | b'[', ..] => {
            let start = out.len();
            Json::write_str(out, &String::from_utf8_lossy(raw));
            out.remove(start);
            out.pop();
        }
        other => out.extend_from_slice(other),
    }
}

/// A value's text: a string's characters, and the JSON of anything else.
pub(super) fn text_of<'a>(value: Json<'a>) -> std::borrow::Cow<'a, str> {
    match value.kind() {
        Kind::String => value.as_str().unwrap_or_default(),
        _ => String::from_utf8_lossy(value.raw()),
    }
}
