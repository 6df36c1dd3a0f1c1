//! The walk over one value: objects, arrays and which of their members are fields.

use crate::event::names::{Found, Head, Names};
use crate::event::scan::{Depth, ScanError, Syntax, position};
use crate::event::{FieldId, Fields, Json, Place, Slot, Span};

mod token;

use token::special;

/// A failed step; what is wrong stands in [`Walk::error`], so that results stay in registers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Failed;

/// One past what a step read.
type Step = Result<usize, Failed>;

#[derive(Debug)]
pub(super) struct Walk<'a> {
    /// Cut a little after `end`, so that a broken line cannot make the walk run far into the next.
    text: &'a [u8],
    end: usize,
    fields: &'a Fields,
    slots: &'a mut [Slot],
    /// Where the members of the listed object stand; what was there before belongs to others.
    places: &'a mut Vec<Place>,
    first_place: usize,
    error: ScanError,
    /// Takes what is no field, and is empty again at once.
    spare: Slot,
    /// Members whose key came again, as they stood.
    pub(super) superseded: Vec<Slot>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        text: &'a [u8],
        end: usize,
        fields: &'a Fields,
        slots: &'a mut [Slot],
        places: &'a mut Vec<Place>,
    ) -> Self {
        let end = end.min(text.len());
        let text = &text[..text.len().min(end + 2 * Head::LEN)];
        let error = ScanError::new(0, Syntax::Truncated);
        Self {
            text,
            end,
            fields,
            slots,
            first_place: places.len(),
            places,
            error,
            spare: Slot::default(),
            superseded: Vec::new(),
        }
    }

    /// Reads the object at `start` and fills the slots.
    pub(super) fn object(&mut self, start: usize, depth: Depth) -> Result<usize, ScanError> {
        let end = self.event(start, depth.min(Depth::EDITED));
        let end = self.outcome(end);
        if end.is_err() {
            self.slots.fill(Slot::default());
            self.places.truncate(self.first_place);
        }
        end
    }

    /// Reads any value at `start`.
    pub(super) fn any(&mut self, start: usize, depth: Depth) -> Result<usize, ScanError> {
        let end = self.token(start);
        let end = end.and_then(|(c, at)| self.value(c, at, depth.min(Depth::EDITED).0));
        self.outcome(end)
    }

    fn outcome(&mut self, end: Step) -> Result<usize, ScanError> {
        match end {
            Ok(end) if end <= self.end => Ok(end),
            // What it tripped over belongs to somebody else.
            Err(Failed) if self.error.at < position(self.end) => Err(self.error),
            _ => Err(ScanError::new(self.end, Syntax::Truncated)),
        }
    }

    fn event(&mut self, start: usize, depth: Depth) -> Step {
        let (c, open) = self.token(start)?;
        if c != b'{' {
            return Err(self.fail(open, Syntax::NotAnObject));
        }
        let names = self.fields.names(None);
        if names.is_empty() {
            self.members::<false, false>(open, names, depth.0)
        } else {
            self.members::<true, false>(open, names, depth.0)
        }
    }

    /// An object; `depth` is how many levels are left, its own among them.
    fn members<const TRACKED: bool, const LISTED: bool>(
        &mut self,
        open: usize,
        names: &Names,
        depth: u16,
    ) -> Step {
        if depth == 0 {
            return Err(self.fail(open, Syntax::TooDeep));
        }
        let (mut c, mut key) = self.token(open + 1)?;
        if c == b'}' {
            return Ok(key + 1);
        }
        loop {
            if c != b'"' {
                return Err(self.fail(key, Syntax::Expected("a key in quotes")));
            }
            let (found, key_end) = if TRACKED {
                self.key(key + 1, names)?
            } else {
                (Found::NONE, self.string(key + 1)?)
            };
            let (first, at) = self.colon(key_end)?;
            let after = if first == b'"' {
                self.string(at + 1)?
            } else if TRACKED && found.has_below {
                self.above(found.field, first, at, depth - 1)?
            } else {
                self.value(first, at, depth - 1)?
            };
            if TRACKED {
                self.note(found.field, key, at, after);
            }
            if LISTED {
                self.places.push(Place {
                    key: span(key, key_end),
                    value: span(at, after),
                });
            }
            if let Some(b",\"") = self.text.get(after..after + 2) {
                (c, key) = (b'"', after + 1);
                continue;
            }
            (c, key) = self.token(after)?;
            match c {
                b',' => (c, key) = self.token(key + 1)?,
                b'}' => return Ok(key + 1),
                _ => return Err(self.fail(key, Syntax::Expected("`,` or `}`"))),
            }
        }
    }

    /// An array; `fields` are those among its elements, in order.
    fn elements(&mut self, open: usize, fields: &[(u32, Found)], depth: u16) -> Step {
        if depth == 0 {
            return Err(self.fail(open, Syntax::TooDeep));
        }
        let (mut c, mut at) = self.token(open + 1)?;
        if c == b']' {
            return Ok(at + 1);
        }
        let mut fields = fields.iter().peekable();
        let mut index = 0;
        loop {
            let after = match fields.next_if(|(element, _)| *element == index) {
                Some((_, found)) => {
                    let end = self.above(found.field, c, at, depth - 1)?;
                    self.note(found.field, at, at, end);
                    end
                }
                None => self.value(c, at, depth - 1)?,
            };
            (c, at) = self.token(after)?;
            match c {
                b',' => (c, at) = self.token(at + 1)?,
                b']' => return Ok(at + 1),
                _ => return Err(self.fail(at, Syntax::Expected("`,` or `]`"))),
            }
            index += 1;
        }
    }

    /// A value that may hold fields.
    fn above(&mut self, field: FieldId, c: u8, at: usize, depth: u16) -> Step {
        if !self.slots[field.index()].member.is_empty() {
            // Before those below are found again.
            self.supersede(field);
        }
        let names = self.fields.names(Some(field));
        match c {
            b'{' if self.fields.listed() == Some(field) => {
                // It may come again, and the last one counts.
                self.places.truncate(self.first_place);
                self.members::<true, true>(at, names, depth)
            }
            b'{' => self.members::<true, false>(at, names, depth),
            b'[' => self.elements(at, names.elements(), depth),
            _ => self.value(c, at, depth),
        }
    }

    /// Keeps where a field stands; the last of its name counts. What is no field goes to a spare
    /// slot: a branch here would often be predicted wrong.
    #[inline(always)]
    fn note(&mut self, field: FieldId, key: usize, at: usize, end: usize) {
        let slot = self.slots.get(field.index()).unwrap_or(&self.spare);
        if !slot.member.is_empty() {
            self.supersede(field);
        }
        let span = span(at, end);
        let slot = self.slots.get_mut(field.index()).unwrap_or(&mut self.spare);
        *slot = Slot {
            key: position(key),
            member: span,
            value: span,
        };
        self.spare.member = Span::default();
    }

    #[cold]
    #[inline(never)]
    fn supersede(&mut self, field: FieldId) {
        self.superseded
            .push(std::mem::take(&mut self.slots[field.index()]));
        for below in self.fields.descendants(field) {
            self.slots[below.index()] = Slot::default();
        }
    }

    /// A value that is no field, with nothing below that is.
    fn value(&mut self, c: u8, at: usize, depth: u16) -> Step {
        match c {
            b'"' => self.string(at + 1),
            b'-' | b'0'..=b'9' => self.number(c, at),
            b'{' => self.members::<false, false>(at, self.fields.names(None), depth),
            b'[' => self.elements(at, &[], depth),
            b't' => self.word(at, b"true", "`true`"),
            b'f' => self.word(at, b"false", "`false`"),
            b'n' => self.word(at, b"null", "`null`"),
            _ => Err(self.fail(at, Syntax::Expected("a value"))),
        }
    }

    /// What stands between a key and its value: the value's first byte, and where it is.
    #[inline(always)]
    fn colon(&mut self, at: usize) -> Result<(u8, usize), Failed> {
        if let Some(&[b':', c]) = self.text.get(at..at + 2)
            && c > b' '
        {
            return Ok((c, at + 1));
        }
        let (c, at) = self.token(at)?;
        if c != b':' {
            return Err(self.fail(at, Syntax::Expected("`:`")));
        }
        self.token(at + 1)
    }

    /// A key, from after its opening quote, and the field of that name.
    #[inline(always)]
    fn key(&mut self, at: usize, names: &Names) -> Result<(Found, usize), Failed> {
        if let Some(chunk) = self.chunk(at) {
            let len = special(chunk);
            if len < Head::LEN && chunk[len] == b'"' {
                return Ok((names.find_short(Head::of(chunk, len), len), at + len + 1));
            }
        }
        self.long_key(at, names)
    }

    #[inline(never)]
    fn long_key(&mut self, at: usize, names: &Names) -> Result<(Found, usize), Failed> {
        let end = self.string(at)?;
        let key = &self.text[at..end - 1];
        let found = if key.contains(&b'\\') {
            let quoted = Json(&self.text[at - 1..end]);
            quoted
                .as_str()
                .map_or(Found::NONE, |key| names.find(key.as_bytes()))
        } else {
            names.find(key)
        };
        Ok((found, end))
    }

    #[cold]
    #[inline(never)]
    fn fail(&mut self, at: usize, syntax: Syntax) -> Failed {
        self.error = ScanError::new(at, syntax);
        Failed
    }
}

#[inline(always)]
fn span(start: usize, end: usize) -> Span {
    Span {
        start: position(start),
        end: position(end),
    }
}
