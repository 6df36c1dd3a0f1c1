//! The scanner: checks one JSON value completely and finds a pipeline's fields on the way.
//!
//! The grammar is RFC 8259 as `serde_json` reads it into a `Value`, with two differences: numbers
//! are checked by grammar alone, and nesting is bounded by the caller. Each byte is looked at once;
//! strings and digits go 16 bytes at a time. Nothing is read beyond `end`, apart from the 16 bytes
//! of such a step.

use crate::event::{Fields, Place, Slot, Span};

mod walk;

use walk::Walk;

/// How deep objects and arrays may be nested; an event that is an empty object has depth 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Depth(pub u16);

impl Depth {
    /// What a repo allows that says nothing else.
    pub const DEFAULT: Self = Self(32);
    /// The most that a repo may allow.
    pub const MAX: Self = Self(128);
    /// What is read again after edits: they may put a value that was as deep as allowed further
    /// down. No scan goes deeper, whatever it is asked for.
    pub(super) const EDITED: Self = Self(256);
}

impl Default for Depth {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// What is wrong with a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Syntax {
    /// Not JSON: what the scanner expected here.
    #[error("expected {0}")]
    Expected(&'static str),
    /// Ends in the middle of a value.
    #[error("the text ends in the middle of a value")]
    Truncated,
    /// A surrogate escape without its partner.
    #[error("a surrogate escape stands without its partner")]
    LoneSurrogate,
    /// A control character inside a string.
    #[error("a control character inside a string must be escaped")]
    ControlCharacter,
    /// Nested too deep.
    #[error("nested too deep")]
    TooDeep,
    /// JSON, but not an object.
    #[error("expected an object")]
    NotAnObject,
    /// Something follows the value.
    #[error("something follows the value")]
    Trailing,
    /// Not UTF-8. Only where the scanner is given bytes that nobody checked before.
    #[error("not valid UTF-8")]
    Utf8,
    /// More than positions of 32 bits can name.
    #[error("larger than can be held")]
    TooLarge,
}

/// What is wrong, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{syntax} at position {at}")]
pub struct ScanError {
    /// Position in the text.
    pub at: u32,
    /// What.
    pub syntax: Syntax,
}

impl ScanError {
    pub(super) fn new(at: usize, syntax: Syntax) -> Self {
        Self {
            at: position(at),
            syntax,
        }
    }
}

/// What a scan found beside the fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Scanned {
    /// One past the value's last byte.
    pub(super) end: u32,
    /// How many members repeat the key of a field; the last one counts.
    pub(super) duplicates: u32,
    /// Where the members of the listed object were noted.
    pub(super) places: Span,
}

/// Checks the object that starts at `start` (after white space) and must end before `end`; adds
/// where the members of the listed object stand to `places`, and fills
/// `slots` (one a field, all default before) with what stands there. `text` is valid UTF-8 between
/// `start` and `end`. A line feed inside counts as white space: split lines first. After an error
/// all slots are default again.
pub(super) fn object(
    text: &[u8],
    start: usize,
    end: usize,
    depth: Depth,
    fields: &Fields,
    slots: &mut [Slot],
    places: &mut Vec<Place>,
) -> Result<Scanned, ScanError> {
    let first = position(places.len());
    let mut walk = Walk::new(text, end, fields, slots, places);
    let end = walk.object(start, depth)?;
    let duplicates = position(walk.superseded.len());
    Ok(Scanned {
        end: position(end),
        duplicates,
        places: Span {
            start: first,
            end: position(places.len()),
        },
    })
}

/// Checks the value that starts at `start` (after white space) and must end before `end`, and says
/// where it ends. `text` is valid UTF-8 there.
pub(super) fn value(
    text: &[u8],
    start: usize,
    end: usize,
    depth: Depth,
) -> Result<usize, ScanError> {
    let none = Fields::default();
    Walk::new(text, end, &none, &mut [], &mut Vec::new()).any(start, depth)
}

/// The members of an object that later ones with the same key supersede, in the order in which
/// that was found; the slots are filled as by [`object`].
pub(super) fn superseded(
    text: &[u8],
    start: usize,
    end: usize,
    fields: &Fields,
    slots: &mut [Slot],
) -> Vec<Slot> {
    let mut places = Vec::new();
    let mut walk = Walk::new(text, end, fields, slots, &mut places);
    match walk.object(start, Depth::EDITED) {
        Ok(_) => walk.superseded,
        Err(_) => Vec::new(),
    }
}

/// A position as batches keep it. They hold less than 4 GiB.
#[inline(always)]
pub(super) fn position(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
