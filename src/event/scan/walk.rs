//! The walk over one value: objects, arrays and which of their members are fields.

use crate::event::names::{Head, Names};
use crate::event::scan::{Depth, ScanError, Syntax, position};
use crate::event::{FieldId, Fields, Json, Slot, Span};

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
    error: ScanError,
    /// Members whose key came again, as they stood.
    pub(super) superseded: Vec<Slot>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        text: &'a [u8],
        end: usize,
        fields: &'a Fields,
        slots: &'a mut [Slot],
    ) -> Self {
        let end = end.min(text.len());
        let text = &text[..text.len().min(end + 2 * Head::LEN)];
        let error = ScanError::new(0, Syntax::Truncated);
        Self {
            text,
            end,
            fields,
            slots,
            error,
            superseded: Vec::new(),
        }
    }

    /// Reads the object at `start` and fills the slots.
    pub(super) fn object(&mut self, start: usize, depth: Depth) -> Result<usize, ScanError> {
        let end = self.event(start, depth.min(Depth::EDITED));
        let end = self.outcome(end);
        if end.is_err() {
            self.slots.fill(Slot::default());
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
            self.members::<false>(open, names, depth.0)
        } else {
            self.members::<true>(open, names, depth.0)
        }
    }

    /// An object; `depth` is how many levels are left, its own among them.
    fn members<const TRACKED: bool>(&mut self, open: usize, names: &Names, depth: u16) -> Step {
        if depth == 0 {
            return Err(self.fail(open, Syntax::TooDeep));
        }
        let (mut c, mut at) = self.token(open + 1)?;
        if c == b'}' {
            return Ok(at + 1);
        }
        loop {
            if c != b'"' {
                return Err(self.fail(at, Syntax::Expected("a key in quotes")));
            }
            let key = at;
            let (field, after) = if TRACKED {
                self.key(key + 1, names)?
            } else {
                (None, self.string(key + 1)?)
            };
            (c, at) = self.token(after)?;
            if c != b':' {
                return Err(self.fail(at, Syntax::Expected("`:`")));
            }
            (c, at) = self.token(at + 1)?;
            let after = match field {
                Some(field) => self.field(field, key, c, at, depth - 1)?,
                None => self.value(c, at, depth - 1)?,
            };
            (c, at) = self.token(after)?;
            match c {
                b',' => (c, at) = self.token(at + 1)?,
                b'}' => return Ok(at + 1),
                _ => return Err(self.fail(at, Syntax::Expected("`,` or `}`"))),
            }
        }
    }

    /// An array; `fields` are those among its elements, in order.
    fn elements(&mut self, open: usize, fields: &[(u32, FieldId)], depth: u16) -> Step {
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
                Some((_, field)) => self.field(*field, at, c, at, depth - 1)?,
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

    /// A value that is a field; the last of its name counts.
    fn field(&mut self, field: FieldId, key: usize, c: u8, at: usize, depth: u16) -> Step {
        let fields = self.fields;
        let slot = self.slots[field.index()];
        if !slot.member.is_empty() {
            self.superseded.push(slot);
            for below in fields.descendants(field) {
                self.slots[below.index()] = Slot::default();
            }
        }
        let names = fields.names(Some(field));
        let end = match c {
            b'{' if !names.is_empty() => self.members::<true>(at, names, depth)?,
            b'[' => self.elements(at, names.elements(), depth)?,
            _ => self.value(c, at, depth)?,
        };
        let span = Span {
            start: position(at),
            end: position(end),
        };
        self.slots[field.index()] = Slot {
            key: position(key),
            member: span,
            value: span,
        };
        Ok(end)
    }

    /// A value that is no field, with nothing below that is.
    #[inline]
    fn value(&mut self, c: u8, at: usize, depth: u16) -> Step {
        match c {
            b'"' => self.string(at + 1),
            b'-' | b'0'..=b'9' => self.number(c, at),
            b'{' => self.members::<false>(at, self.fields.names(None), depth),
            b'[' => self.elements(at, &[], depth),
            b't' => self.word(at, b"true", "`true`"),
            b'f' => self.word(at, b"false", "`false`"),
            b'n' => self.word(at, b"null", "`null`"),
            _ => Err(self.fail(at, Syntax::Expected("a value"))),
        }
    }

    /// A key, from after its opening quote, and the field of that name.
    #[inline(always)]
    fn key(&mut self, at: usize, names: &Names) -> Result<(Option<FieldId>, usize), Failed> {
        if let Some(chunk) = self.chunk(at) {
            let len = special(chunk);
            if len < Head::LEN && chunk[len] == b'"' {
                return Ok((names.find_short(Head::of(chunk, len), len), at + len + 1));
            }
        }
        self.long_key(at, names)
    }

    #[inline(never)]
    fn long_key(&mut self, at: usize, names: &Names) -> Result<(Option<FieldId>, usize), Failed> {
        let end = self.string(at)?;
        let key = &self.text[at..end - 1];
        let field = if key.contains(&b'\\') {
            let quoted = Json(&self.text[at - 1..end]);
            quoted.as_str().and_then(|key| names.find(key.as_bytes()))
        } else {
            names.find(key)
        };
        Ok((field, end))
    }

    #[cold]
    #[inline(never)]
    fn fail(&mut self, at: usize, syntax: Syntax) -> Failed {
        self.error = ScanError::new(at, syntax);
        Failed
    }
}
