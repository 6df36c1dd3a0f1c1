//! `cast`: a value to another type. What has the type already stays byte for byte, so that numbers
//! keep their digits, also those that no integer or double of ours can hold.

use std::io::Write;

use crate::event::{EventMut, FieldId, Json, Kind};
use crate::pipeline::executer::set::text_of;
use crate::pipeline::executer::{Scratch, Time, Trouble, put, taken};

/// Fields to another type.
#[derive(Debug)]
pub struct Cast {
    /// From where to where.
    pub fields: Box<[(FieldId, FieldId)]>,
    /// To which type.
    pub to: CastTo,
}

/// The type that a cast makes.
#[derive(Clone, Debug)]
pub enum CastTo {
    /// A string.
    String,
    /// A number without fraction.
    Int,
    /// A number.
    Float,
    /// `true` or `false`.
    Bool,
    /// A time.
    Datetime(Time),
}

impl Cast {
    pub(super) fn run(
        &self,
        event: &mut EventMut<'_>,
        scratch: &mut Scratch,
    ) -> Result<(), Trouble> {
        event.together(|event| {
            let mut result = Ok(());
            for (from, to) in &self.fields {
                event.catch_up(*from);
                let cast = self.one(*from, *to, event, &mut scratch.bytes);
                result = result.and(cast);
            }
            result
        })
    }

    fn one(
        &self,
        from: FieldId,
        to: FieldId,
        event: &mut EventMut<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), Trouble> {
        let Some(span) = event.span(from) else {
            return Ok(());
        };
        let value = event.at(span);
        out.clear();
        if !value.is_null() {
            self.to
                .write(value, out)
                .map_err(|why| Trouble::new(from, why))?;
        }
        if !out.is_empty() {
            return put(event, to, |_, draft| draft.extend_from_slice(out));
        }
        if from == to {
            return Ok(());
        }
        let done = event.point(to, span);
        taken(event, to, done)
    }
}

impl CastTo {
    /// Appends the new value; nothing if the old one will do.
    fn write(&self, value: Json<'_>, out: &mut Vec<u8>) -> Result<(), &'static str> {
        match self {
            Self::String if value.kind() == Kind::String => {}
            Self::String => Json::write_str(out, &text_of(value)),
            Self::Int => int(value, out)?,
            Self::Float => float(value, out)?,
            Self::Bool => out.extend_from_slice(boolean(value)?),
            Self::Datetime(time) => {
                let read = time
                    .read(value)
                    .ok_or("this is not a time of the form that is expected")?;
                time.write(read, out);
            }
        }
        Ok(())
    }
}

fn int(value: Json<'_>, out: &mut Vec<u8>) -> Result<(), &'static str> {
    const NOT: &str = "this is not an integer";
    match value.kind() {
        Kind::Number if value.is_int() => Ok(()),
        Kind::Number => whole(value.as_f64().ok_or(NOT)?, out).ok_or(NOT),
        Kind::Bool => {
            out.push(if value.as_bool() == Some(true) {
                b'1'
            } else {
                b'0'
            });
            Ok(())
        }
        Kind::String => {
            let text = value.as_str().ok_or(NOT)?;
            let text = text.trim_ascii();
            digits(text, out)
                .or_else(|| whole(decimal(text)?, out))
                .ok_or(NOT)
        }
        Kind::Null | Kind::Array | Kind::Object => Err(NOT),
    }
}

/// Any number of digits, as JSON writes them: without a plus sign and without zeros before.
fn digits(text: &str, out: &mut Vec<u8>) -> Option<()> {
    let (negative, digits) = match text.as_bytes() {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] | digits => (false, digits),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let zeros = digits.iter().take_while(|digit| **digit == b'0').count();
    let digits = &digits[zeros.min(digits.len() - 1)..];
    if negative && digits != b"0" {
        out.push(b'-');
    }
    out.extend_from_slice(digits);
    Some(())
}

/// A double without fraction, in full; up to 2^53 every one of them is exact.
fn whole(number: f64, out: &mut Vec<u8>) -> Option<()> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if number.fract() != 0.0 || number.abs() > EXACT {
        return None;
    }
    write!(out, "{:.0}", number + 0.0).ok()
}

fn float(value: Json<'_>, out: &mut Vec<u8>) -> Result<(), &'static str> {
    const NOT: &str = "this is not a number";
    match value.kind() {
        Kind::Number => Ok(()),
        Kind::Bool => int(value, out),
        Kind::String => {
            let text = value.as_str().ok_or(NOT)?;
            let text = text.trim_ascii();
            if digits(text, out).is_some() {
                return Ok(());
            }
            let number = decimal(text).ok_or(NOT)?;
            write!(out, "{number:?}").map_err(|_| NOT)
        }
        Kind::Null | Kind::Array | Kind::Object => Err(NOT),
    }
}

/// A finite number; not `inf`, `nan` or `infinity`, which Rust takes as well.
fn decimal(text: &str) -> Option<f64> {
    let plain = |c: u8| c.is_ascii_digit() || matches!(c, b'+' | b'-' | b'.' | b'e' | b'E');
    let number: f64 = text.bytes().all(plain).then(|| text.parse().ok())??;
    number.is_finite().then_some(number)
}

fn boolean(value: Json<'_>) -> Result<&'static [u8], &'static str> {
    const NOT: &str = "this is neither true nor false";
    match value.kind() {
        Kind::Bool => Ok(b""),
        Kind::Number => match value.as_f64() {
            Some(0.0) => Ok(b"false"),
            Some(1.0) => Ok(b"true"),
            _ => Err(NOT),
        },
        Kind::String => {
            let text = value.as_str().ok_or(NOT)?;
            let is = |words: [&str; 3]| words.iter().any(|word| word.eq_ignore_ascii_case(&text));
            match () {
                () if is(["true", "1", "yes"]) => Ok(b"true"),
                () if is(["false", "0", "no"]) => Ok(b"false"),
                () => Err(NOT),
            }
        }
        Kind::Null | Kind::Array | Kind::Object => Err(NOT),
    }
}
