//! A JSON value as it stands in a batch's text: bytes that the scanner has checked.

use std::borrow::Cow;

use crate::event::scan;
use crate::event::{Depth, ScanError, Syntax};

/// The type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `null`
    Null,
    /// `true` or `false`
    Bool,
    /// A number; see [`Json::is_int`].
    Number,
    /// A string
    String,
    /// A list
    Array,
    /// An object
    Object,
}

/// A value, borrowed. The bytes are valid JSON without surrounding white space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Json<'a>(pub(crate) &'a [u8]);

impl<'a> Json<'a> {
    /// Reads a text that nobody checked: one value, with white space around it.
    pub fn parse(text: &'a [u8], depth: Depth) -> Result<Self, ScanError> {
        if let Err(error) = simdutf8::compat::from_utf8(text) {
            return Err(ScanError::new(error.valid_up_to(), Syntax::Utf8));
        }
        let value = Self::trim_start(text);
        let start = text.len() - value.len();
        let end = scan::value(text, start, text.len(), depth)?;
        let rest = Self::trim_start(&text[end..]);
        if rest.is_empty() {
            Ok(Self(&text[start..end]))
        } else {
            Err(ScanError::new(text.len() - rest.len(), Syntax::Trailing))
        }
    }

    /// A text without the white space before it; unlike [`slice::trim_ascii_start`] only what JSON
    /// takes for white space.
    pub fn trim_start(text: &[u8]) -> &[u8] {
        let start = text.iter().position(|c| !is_blank(*c));
        &text[start.unwrap_or(text.len())..]
    }

    /// A text without the white space around it.
    pub fn trim(text: &[u8]) -> &[u8] {
        let end = text.iter().rposition(|c| !is_blank(*c));
        Self::trim_start(&text[..end.map_or(0, |last| last + 1)])
    }

    /// The text as received (or as a stage wrote it).
    pub fn raw(self) -> &'a [u8] {
        self.0
    }

    /// Its type, from the first byte.
    pub fn kind(self) -> Kind {
        match self.0.first() {
            Some(b'"') => Kind::String,
            Some(b'{') => Kind::Object,
            Some(b'[') => Kind::Array,
            Some(b't' | b'f') => Kind::Bool,
            Some(b'n') | None => Kind::Null,
            Some(_) => Kind::Number,
        }
    }

    /// The string's characters; borrowed unless it holds an escape. `None` for other types.
    pub fn as_str(self) -> Option<Cow<'a, str>> {
        if self.kind() != Kind::String {
            return None;
        }
        let inside = &self.0[1..self.0.len() - 1];
        if memchr::memchr(b'\\', inside).is_some() {
            return String::from_utf8(unescape(inside)).ok().map(Cow::Owned);
        }
        simdutf8::basic::from_utf8(inside).ok().map(Cow::Borrowed)
    }

    /// The same as bytes, for looking up and searching.
    pub fn characters(self) -> Option<Cow<'a, [u8]>> {
        if self.kind() != Kind::String {
            return None;
        }
        let inside = self.inside();
        if memchr::memchr(b'\\', inside).is_some() {
            return Some(Cow::Owned(unescape(inside)));
        }
        Some(Cow::Borrowed(inside))
    }

    /// Whether it is a number without fraction and exponent.
    pub fn is_int(self) -> bool {
        self.kind() == Kind::Number && !self.0.iter().any(|c| matches!(c, b'.' | b'e' | b'E'))
    }

    /// The number, if it is an integer that fits.
    pub fn as_i64(self) -> Option<i64> {
        if !self.is_int() {
            return None;
        }
        std::str::from_utf8(self.0).ok()?.parse().ok()
    }

    /// The number; infinite when it is too large for a double.
    pub fn as_f64(self) -> Option<f64> {
        if self.kind() != Kind::Number {
            return None;
        }
        std::str::from_utf8(self.0).ok()?.parse().ok()
    }

    /// `true` or `false`.
    pub fn as_bool(self) -> Option<bool> {
        match self.0 {
            b"true" => Some(true),
            b"false" => Some(false),
            _ => None,
        }
    }

    /// Whether it is `null`.
    pub fn is_null(self) -> bool {
        self.kind() == Kind::Null
    }

    /// Appends `text` as a JSON string, quotes included.
    pub fn write_str(out: &mut Vec<u8>, text: &str) {
        out.reserve(text.len() + 2);
        out.push(b'"');
        let mut rest = text.as_bytes();
        while let Some(at) = rest
            .iter()
            .position(|c| matches!(c, b'"' | b'\\' | 0..=0x1f))
        {
            out.extend_from_slice(&rest[..at]);
            write_escape(out, rest[at]);
            rest = &rest[at + 1..];
        }
        out.extend_from_slice(rest);
        out.push(b'"');
    }
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\r' | b'\t')
}

/// Appends what stands for a byte that a string cannot just contain.
fn write_escape(out: &mut Vec<u8>, byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let short = match byte {
        b'"' | b'\\' => byte,
        0x08 => b'b',
        0x09 => b't',
        0x0a => b'n',
        0x0c => b'f',
        0x0d => b'r',
        _ => {
            let (high, low) = (usize::from(byte >> 4), usize::from(byte & 15));
            out.extend_from_slice(&[b'\\', b'u', b'0', b'0', DIGITS[high], DIGITS[low]]);
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

/// The characters of a string's inside. It was scanned: every escape is known and every surrogate
/// has its partner.
fn unescape(mut rest: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(rest.len());
    while let Some(at) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(&rest[..at]);
        let mut taken = at + 2;
        match rest.get(at + 1) {
            Some(b'b') => out.push(0x08),
            Some(b'f') => out.push(0x0c),
            Some(b'n') => out.push(b'\n'),
            Some(b'r') => out.push(b'\r'),
            Some(b't') => out.push(b'\t'),
            Some(b'u') => {
                let (c, len) = unicode(&rest[at..]);
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                taken = at + len;
            }
            other => out.extend(other),
        }
        rest = rest.get(taken..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
    out
}

/// The character of a `\u` escape, or of a pair of them, and its length in the text.
fn unicode(text: &[u8]) -> (char, usize) {
    let unit = |at: usize| {
        let digits = std::str::from_utf8(text.get(at..at + 4)?).ok()?;
        u32::from_str_radix(digits, 16).ok()
    };
    match (unit(2), unit(8)) {
        (Some(high @ 0xD800..=0xDBFF), Some(low @ 0xDC00..=0xDFFF)) => {
            let c = 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
            (char::from_u32(c).unwrap_or(char::REPLACEMENT_CHARACTER), 12)
        }
        (unit, _) => (
            unit.and_then(char::from_u32)
                .unwrap_or(char::REPLACEMENT_CHARACTER),
            6,
        ),
    }
}
