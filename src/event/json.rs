//! A JSON value as it stands in a batch's text: bytes that the scanner has checked.

use std::borrow::Cow;

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
        todo!()
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
        let _ = (out, text);
        todo!()
    }
}
