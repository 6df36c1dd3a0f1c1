//! The tokens: white space, strings, numbers, words.

use wide::u8x16;

use crate::event::scan::Syntax;
use crate::event::scan::walk::{Failed, Step, Walk};

/// How many bytes a step looks at.
const WIDE: usize = 16;

/// The value of each hexadecimal digit; more than 15 for other bytes.
const HEX: [u8; 256] = {
    let mut values = [0xff; 256];
    let mut value = 0;
    while value < 16 {
        values[b"0123456789abcdef"[value as usize] as usize] = value;
        values[b"0123456789ABCDEF"[value as usize] as usize] = value;
        value += 1;
    }
    values
};

/// Position of the first byte that a string cannot just contain: a quote, a backslash, a control
/// character; `WIDE` or more if there is none.
#[inline(always)]
pub(super) fn special(chunk: &[u8; WIDE]) -> usize {
    let chunk = u8x16::new(*chunk);
    let quote = chunk.simd_eq(u8x16::splat(b'"'));
    let escape = chunk.simd_eq(u8x16::splat(b'\\'));
    let control = chunk.min(u8x16::splat(0x1f)).simd_eq(chunk);
    first(quote | escape | control)
}

#[inline(always)]
fn first(hits: u8x16) -> usize {
    hits.to_bitmask().trailing_zeros() as usize
}

impl Walk<'_> {
    #[inline(always)]
    pub(super) fn chunk(&self, at: usize) -> Option<&[u8; WIDE]> {
        self.text.get(at..at + WIDE)?.first_chunk()
    }

    #[inline(always)]
    fn byte(&mut self, at: usize) -> Result<u8, Failed> {
        match self.text.get(at) {
            Some(byte) => Ok(*byte),
            None => Err(self.fail(at, Syntax::Truncated)),
        }
    }

    /// The byte at `at`, and zero beyond the end: for what may follow, but need not.
    #[inline(always)]
    fn peek(&self, at: usize) -> u8 {
        self.text.get(at).copied().unwrap_or(0)
    }

    /// The first byte from `at` on that is not white space, and where it stands.
    #[inline(always)]
    pub(super) fn token(&mut self, at: usize) -> Result<(u8, usize), Failed> {
        let byte = self.byte(at)?;
        if byte > b' ' {
            Ok((byte, at))
        } else {
            self.blank(at)
        }
    }

    #[inline]
    fn blank(&mut self, mut at: usize) -> Result<(u8, usize), Failed> {
        while at < self.end {
            let byte = self.byte(at)?;
            if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return Ok((byte, at));
            }
            at += 1;
        }
        Err(self.fail(at, Syntax::Truncated))
    }

    /// A string, from after its opening quote to after its closing one.
    #[inline(always)]
    pub(super) fn string(&mut self, mut at: usize) -> Step {
        loop {
            match self.chunk(at) {
                Some(chunk) => {
                    let plain = special(chunk);
                    if plain >= WIDE {
                        at += WIDE;
                        continue;
                    }
                    at += plain;
                }
                None => at = self.plain_to_the_end(at),
            }
            match self.byte(at)? {
                b'"' => return Ok(at + 1),
                b'\\' => at = self.escapes(at)?,
                _ => return Err(self.fail(at, Syntax::ControlCharacter)),
            }
        }
    }

    /// Where the string stops being plain, when fewer bytes are left than a step takes.
    #[inline(never)]
    fn plain_to_the_end(&self, at: usize) -> usize {
        let rest = self.text.get(at..).unwrap_or_default();
        let plain = rest
            .iter()
            .position(|c| matches!(c, b'"' | b'\\' | 0..=0x1f));
        at + plain.unwrap_or(rest.len())
    }

    /// A run of escapes, the first of which starts at `at`.
    fn escapes(&mut self, mut at: usize) -> Step {
        loop {
            at = match self.byte(at + 1)? {
                b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => at + 2,
                b'u' => self.unicode(at)?,
                _ => return Err(self.fail(at, Syntax::Expected("an escape that JSON knows"))),
            };
            if self.byte(at)? != b'\\' {
                return Ok(at);
            }
        }
    }

    /// `\u` and four digits, or a pair of them.
    fn unicode(&mut self, at: usize) -> Step {
        match self.hex(at + 2)? {
            0xDC00..=0xDFFF => Err(self.fail(at, Syntax::LoneSurrogate)),
            0xD800..=0xDBFF => {
                let pair = self.text.get(at + 6..at + 8) == Some(b"\\u");
                if pair && matches!(self.hex(at + 8)?, 0xDC00..=0xDFFF) {
                    Ok(at + 12)
                } else {
                    Err(self.fail(at, Syntax::LoneSurrogate))
                }
            }
            _ => Ok(at + 6),
        }
    }

    fn hex(&mut self, at: usize) -> Result<u16, Failed> {
        let Some(&[a, b, c, d]) = self.text.get(at..at + 4) else {
            return Err(self.fail(at, Syntax::Expected("four hexadecimal digits")));
        };
        let [a, b, c, d] = [a, b, c, d].map(|digit| HEX[usize::from(digit)]);
        if (a | b | c | d) > 15 {
            return Err(self.fail(at, Syntax::Expected("four hexadecimal digits")));
        }
        Ok(u16::from(a << 4 | b) << 8 | u16::from(c << 4 | d))
    }

    /// A number that starts with `c`: by grammar alone, of any size.
    #[inline]
    pub(super) fn number(&mut self, c: u8, at: usize) -> Step {
        let (c, at) = if c == b'-' {
            (self.byte(at + 1)?, at + 1)
        } else {
            (c, at)
        };
        let mut at = match c {
            b'0' => at + 1,
            b'1'..=b'9' => self.digits(at + 1),
            _ => return Err(self.fail(at, Syntax::Expected("a digit"))),
        };
        if self.peek(at) == b'.' {
            at = self.some_digits(at + 1)?;
        }
        if matches!(self.peek(at), b'e' | b'E') {
            let signed = matches!(self.peek(at + 1), b'+' | b'-');
            at = self.some_digits(at + 1 + usize::from(signed))?;
        }
        Ok(at)
    }

    #[inline(always)]
    fn some_digits(&mut self, at: usize) -> Step {
        let end = self.digits(at);
        if end == at {
            Err(self.fail(at, Syntax::Expected("a digit")))
        } else {
            Ok(end)
        }
    }

    /// One past the digits from `at` on.
    #[inline(always)]
    fn digits(&self, mut at: usize) -> usize {
        while let Some(chunk) = self.chunk(at) {
            let value = u8x16::new(*chunk) - u8x16::splat(b'0');
            let digits = first(value.max(u8x16::splat(10)).simd_eq(value));
            if digits < WIDE {
                return at + digits;
            }
            at += WIDE;
        }
        let rest = self.text.get(at..).unwrap_or_default();
        at + rest
            .iter()
            .position(|c| !c.is_ascii_digit())
            .unwrap_or(rest.len())
    }

    #[inline(always)]
    pub(super) fn word(&mut self, at: usize, word: &[u8], expected: &'static str) -> Step {
        if self.text.get(at..at + word.len()) == Some(word) {
            Ok(at + word.len())
        } else {
            Err(self.fail(at, Syntax::Expected(expected)))
        }
    }
}
