//! From a body to its events: JSON Lines, one array, or lines of text.
//!
//! A line that cannot be read is a rejected event, with its reason; only an array that does not
//! parse, or more events than allowed, refuse the whole body. UTF-8 is checked once for all of it,
//! and line by line only if that fails.

use std::sync::Arc;

use crate::event::{Batch, Depth, Fields, Json, Pool, Reason, ScanError, Span, Syntax};

/// How a body becomes events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// One JSON object a line, or one array of objects.
    #[default]
    Jsonl,
    /// Each line an event with the field `message`.
    Text,
}

/// What a repo takes as input, and how much of it.
#[derive(Clone, Debug)]
pub struct Input {
    /// How a body becomes events.
    pub format: Format,
    /// Most bytes of one event as received.
    pub event_limit: u32,
    /// Most events of one body, rejected ones among them.
    pub max_events: u32,
    /// How deep one event may be nested.
    pub depth: Depth,
}

/// Why a whole body is refused. Positions are bytes of the decoded body, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The client's mistake: the array cannot be read to its end.
    #[error("the array cannot be read: {syntax} at byte {at}")]
    Array {
        /// Where.
        at: usize,
        /// What is wrong there.
        syntax: Syntax,
    },
    /// More events than the repo takes in one body.
    #[error("the body has more than {most} events")]
    TooManyEvents {
        /// The limit.
        most: u32,
    },
    /// Positions of 32 bits could not name what the stages add.
    #[error("the body has more than {} bytes", Input::MAX_BODY)]
    TooLarge,
}

impl Input {
    /// Most bytes of a decoded body, whatever the limits say.
    pub const MAX_BODY: u32 = u32::MAX / 2;
}

/// Reads the events of a body. All of them are in the batch: those that are wrong with a fate.
pub fn decode(
    input: &Input,
    mut body: Vec<u8>,
    fields: &Arc<Fields>,
    pool: &Pool,
) -> Result<Batch, Error> {
    if body.len() > Input::MAX_BODY as usize {
        return Err(Error::TooLarge);
    }
    let checked = simdutf8::compat::from_utf8(&body);
    let invalid = checked.err().map(|error| error.valid_up_to());
    let end = body.len();
    let start = if body.starts_with(b"\xEF\xBB\xBF") {
        3
    } else {
        0
    };
    let first = Json::trim_start(&body[start..]);
    let is_array = input.format == Format::Jsonl && first.starts_with(b"[");
    let open = end - first.len();
    if input.format == Format::Text {
        // The lines again, as objects.
        body.reserve(end + end / 4);
    }
    let batch = Batch::over(body, Arc::clone(fields), pool);
    let mut decoder = Decoder {
        input,
        batch,
        end,
        draft: Vec::new(),
        utf8: invalid.is_none(),
    };
    match (is_array, invalid) {
        (true, None) => decoder.array(open)?,
        (true, Some(at)) => {
            return Err(Error::Array {
                at: at + 1,
                syntax: Syntax::Utf8,
            });
        }
        (false, _) => decoder.lines(start)?,
    }
    Ok(decoder.batch)
}

struct Decoder<'a> {
    input: &'a Input,
    batch: Batch,
    /// Where the body ends, and the scratch begins.
    end: usize,
    draft: Vec<u8>,
    /// Whether all of the body is valid UTF-8.
    utf8: bool,
}

impl Decoder<'_> {
    fn lines(&mut self, mut start: usize) -> Result<(), Error> {
        let mut line = 0;
        while start < self.end {
            line += 1;
            let rest = &self.batch.text()[start..self.end];
            let next = memchr::memchr(b'\n', rest).map_or(self.end, |at| start + at + 1);
            let text = &self.batch.text()[start..next];
            let trimmed = Json::trim(text);
            if !trimmed.is_empty() {
                self.has_room()?;
                let blank = text.len() - Json::trim_start(text).len();
                let (from, to) = match self.input.format {
                    Format::Jsonl => (start + blank, start + blank + trimmed.len()),
                    Format::Text => (start, start + unended(text).len()),
                };
                self.line(line, from, to);
            }
            start = next;
        }
        Ok(())
    }

    /// One line that is not blank.
    fn line(&mut self, line: u32, start: usize, end: usize) {
        if self.is_too_large(start, end) {
            let message = self.too_large(start, end);
            self.batch
                .push(line, span(start, end))
                .reject(Reason::DecodeSize, "", message);
            return;
        }
        let read = self
            .check(start, end)
            .and_then(|()| match self.input.format {
                Format::Jsonl => self.json_line(line, start, end),
                Format::Text => self.text_line(line, start, end),
            });
        if let Err(error) = read {
            self.reject(line, start, end, error);
        }
    }

    fn check(&self, start: usize, end: usize) -> Result<(), ScanError> {
        if self.utf8 {
            return Ok(());
        }
        simdutf8::compat::from_utf8(&self.batch.text()[start..end])
            .map(|_| ())
            .map_err(|error| ScanError {
                at: position(start + error.valid_up_to()),
                syntax: Syntax::Utf8,
            })
    }

    fn json_line(&mut self, line: u32, start: usize, end: usize) -> Result<(), ScanError> {
        if self.batch.text()[start] == b'{' {
            return self.batch.read(line, start, end, self.input.depth);
        }
        let after = self.batch.skip(start, end, Depth::MAX)?;
        let (at, syntax) = if after < end {
            (after, Syntax::Trailing)
        } else {
            (start, Syntax::NotAnObject)
        };
        Err(ScanError {
            at: position(at),
            syntax,
        })
    }

    fn text_line(&mut self, line: u32, start: usize, end: usize) -> Result<(), ScanError> {
        let received = span(start, end);
        let text = simdutf8::basic::from_utf8(received.of(self.batch.text()));
        self.draft.clear();
        self.draft.extend_from_slice(b"{\"message\":");
        Json::write_str(&mut self.draft, text.unwrap_or_default());
        self.draft.push(b'}');
        self.batch
            .read_as(line, received, &self.draft, self.input.depth)
    }

    /// The array that opens at `open`; nothing may follow it.
    fn array(&mut self, open: usize) -> Result<(), Error> {
        let mut at = self.token(open + 1);
        let mut line = 0;
        while line > 0 || self.byte(at) != Some(b']') {
            line += 1;
            self.has_room()?;
            at = self.element(line, at).map_err(unreadable)?;
            at = self.token(at);
            match self.byte(at) {
                Some(b',') => at = self.token(at + 1),
                Some(b']') => break,
                Some(_) => return Err(self.unreadable_at(at, Syntax::Expected("`,` or `]`"))),
                None => return Err(self.unreadable_at(at, Syntax::Truncated)),
            }
        }
        let rest = self.token(at + 1);
        if rest < self.end {
            Err(self.unreadable_at(rest, Syntax::Trailing))
        } else {
            Ok(())
        }
    }

    /// One element, from its first byte; says where it ends.
    fn element(&mut self, line: u32, start: usize) -> Result<usize, ScanError> {
        if self.byte(start) != Some(b'{') {
            let end = self.batch.skip(start, self.end, Depth::MAX)?;
            let error = ScanError {
                at: position(start),
                syntax: Syntax::NotAnObject,
            };
            self.reject(line, start, end, error);
            return Ok(end);
        }
        match self
            .batch
            .read_next(line, start, self.end, self.input.depth)
        {
            Ok(end) => {
                if self.is_too_large(start, end) {
                    let message = self.too_large(start, end);
                    self.batch.last().reject(Reason::DecodeSize, "", message);
                }
                Ok(end)
            }
            Err(error) if error.syntax == Syntax::TooDeep => {
                let end = self.batch.skip(start, self.end, Depth::MAX)?;
                self.reject(line, start, end, error);
                Ok(end)
            }
            Err(error) => Err(error),
        }
    }

    fn has_room(&self) -> Result<(), Error> {
        let most = self.input.max_events;
        if self.batch.events().len() < most as usize {
            Ok(())
        } else {
            Err(Error::TooManyEvents { most })
        }
    }

    fn is_too_large(&self, start: usize, end: usize) -> bool {
        end - start > self.input.event_limit as usize
    }

    fn too_large(&self, start: usize, end: usize) -> String {
        let (bytes, limit) = (end - start, self.input.event_limit);
        format!("the event has {bytes} bytes, and the limit is {limit}")
    }

    /// Adds the event that stands there as one that cannot be read.
    fn reject(&mut self, line: u32, start: usize, end: usize, error: ScanError) {
        let byte = error.at as usize - start + 1;
        let (reason, message) = match error.syntax {
            Syntax::NotAnObject => (Reason::DecodeObject, "an event is a JSON object".to_owned()),
            Syntax::TooDeep => {
                let levels = self.input.depth.0;
                let message = format!("nested deeper than {levels} levels at byte {byte}");
                (Reason::DecodeDepth, message)
            }
            Syntax::Utf8 => (
                Reason::DecodeUtf8,
                format!("not valid UTF-8 at byte {byte}"),
            ),
            syntax => (Reason::DecodeJson, format!("{syntax} at byte {byte}")),
        };
        self.batch
            .push(line, span(start, end))
            .reject(reason, "", message);
    }

    fn unreadable_at(&self, at: usize, syntax: Syntax) -> Error {
        unreadable(ScanError {
            at: position(at),
            syntax,
        })
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.batch.text()[..self.end].get(at).copied()
    }

    /// The first byte from `at` on that is not white space, or the end.
    fn token(&self, at: usize) -> usize {
        let body = &self.batch.text()[..self.end];
        let rest = body.get(at..).unwrap_or_default();
        self.end - Json::trim_start(rest).len()
    }
}

fn unreadable(error: ScanError) -> Error {
    Error::Array {
        at: error.at as usize + 1,
        syntax: error.syntax,
    }
}

/// The line without its line feed, or carriage return and line feed.
fn unended(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

fn span(start: usize, end: usize) -> Span {
    Span {
        start: position(start),
        end: position(end),
    }
}

/// Bodies are at most [`Input::MAX_BODY`] bytes.
fn position(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
