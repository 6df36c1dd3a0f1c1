//! YAML documents, from the parser's events: the core schema, and nothing that a reader could
//! mistake.

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError};
use serde_json::{Map, Number, Value};

use crate::document::text::{DEPTH, Error, Lines, Tree, blank, duplicate, too_deep};

pub(super) fn parse(text: &str) -> Result<Tree, Error> {
    let mut builder = Builder::default();
    let mut parser = Parser::new_from_str(text);
    while let Some(next) = parser.next_event() {
        let (event, span) = next.map_err(|error| not_yaml(&error, text))?;
        let line = u32::try_from(span.start.line()).unwrap_or(u32::MAX);
        builder.take(event, line)?;
    }
    let value = builder.root.ok_or_else(blank)?;
    let lines = Lines(builder.lines);
    Ok(Tree { value, lines })
}

fn not_yaml(error: &ScanError, text: &str) -> Error {
    let line = error.marker().line();
    let written = text.lines().nth(line.saturating_sub(1)).unwrap_or_default();
    if error.info().contains("recursion limit") {
        return too_deep(u32::try_from(line).ok());
    }
    let hint = if error.info().contains("anchor") {
        return refused(u32::try_from(line).ok(), "an alias");
    } else if written.trim_start_matches(' ').starts_with('\t') {
        "indent with spaces, never with tabs"
    } else {
        "look at the indentation and the quotes of this line and the one before; a text that \
         contains `: ` or ` #`, or begins with one of `{[*&!%@|>`, needs quotes"
    };
    Error {
        line: u32::try_from(line).ok(),
        message: format!(
            "not YAML: {} (column {})",
            error.info(),
            error.marker().col() + 1
        ),
        hint: hint.to_owned(),
    }
}

fn refused(line: Option<u32>, what: &str) -> Error {
    Error {
        line,
        message: format!("{what} is not taken in documents"),
        hint: "write the value out in full; a text that begins with `*`, `&` or `!` needs quotes"
            .to_owned(),
    }
}

#[derive(Debug, Default)]
struct Builder {
    open: Vec<Open>,
    root: Option<Value>,
    lines: Vec<u32>,
    documents: usize,
}

#[derive(Debug)]
enum Open {
    Array(Vec<Value>),
    Object(Map<String, Value>, Option<String>),
}

impl Builder {
    fn take(&mut self, event: Event<'_>, line: u32) -> Result<(), Error> {
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
            Event::DocumentStart(_) => self.document(line)?,
            Event::Alias(_) => return Err(refused(Some(line), "an alias")),
            Event::Scalar(text, style, anchor, tag) => {
                plain(anchor, tag.is_some(), line)?;
                self.scalar(&text, style, line)?;
            }
            Event::SequenceStart(anchor, tag) => {
                plain(anchor, tag.is_some(), line)?;
                self.open(Open::Array(Vec::new()), line)?;
            }
            Event::MappingStart(anchor, tag) => {
                plain(anchor, tag.is_some(), line)?;
                self.open(Open::Object(Map::new(), None), line)?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
        }
        Ok(())
    }

    fn document(&mut self, line: u32) -> Result<(), Error> {
        self.documents += 1;
        if self.documents == 1 {
            return Ok(());
        }
        Err(Error {
            line: Some(line),
            message: "a second document begins here".to_owned(),
            hint: "one text holds one document; remove the `---` and what follows".to_owned(),
        })
    }

    /// Whether the next value is the key of a member.
    fn expects_key(&self) -> bool {
        matches!(self.open.last(), Some(Open::Object(_, None)))
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, line: u32) -> Result<(), Error> {
        if self.expects_key() {
            return self.key(text, line);
        }
        self.note(line);
        let value = if style == ScalarStyle::Plain {
            if self.open.is_empty() && text.is_empty() {
                return Err(blank());
            }
            resolve(text, line)?
        } else {
            Value::String(text.to_owned())
        };
        self.put(value);
        Ok(())
    }

    fn key(&mut self, text: &str, line: u32) -> Result<(), Error> {
        let Some(Open::Object(members, key)) = self.open.last_mut() else {
            return Ok(());
        };
        if members.contains_key(text) {
            return Err(duplicate(Some(line), text));
        }
        *key = Some(text.to_owned());
        self.lines.push(line);
        Ok(())
    }

    fn open(&mut self, open: Open, line: u32) -> Result<(), Error> {
        if self.expects_key() {
            return Err(Error {
                line: Some(line),
                message: "the key of a member is a list or an object".to_owned(),
                hint: "a key is a text; a text that begins with `{` or `[` needs quotes".to_owned(),
            });
        }
        if self.open.len() == DEPTH {
            return Err(too_deep(Some(line)));
        }
        self.note(line);
        self.open.push(open);
        Ok(())
    }

    /// The line of a value, unless its key stands for it.
    fn note(&mut self, line: u32) {
        if !matches!(self.open.last(), Some(Open::Object(_, Some(_)))) {
            self.lines.push(line);
        }
    }

    fn close(&mut self) {
        let value = match self.open.pop() {
            Some(Open::Array(items)) => Value::Array(items),
            Some(Open::Object(members, _)) => Value::Object(members),
            None => return,
        };
        self.put(value);
    }

    fn put(&mut self, value: Value) {
        match self.open.last_mut() {
            None => self.root = Some(value),
            Some(Open::Array(items)) => items.push(value),
            Some(Open::Object(members, key)) => {
                if let Some(key) = key.take() {
                    members.insert(key, value);
                }
            }
        }
    }
}

fn plain(anchor: usize, tagged: bool, line: u32) -> Result<(), Error> {
    if anchor != 0 {
        return Err(refused(Some(line), "an anchor"));
    }
    if tagged {
        return Err(refused(Some(line), "a tag"));
    }
    Ok(())
}

/// A plain scalar by the core schema (YAML 1.2.2, section 10.3.2).
fn resolve(text: &str, line: u32) -> Result<Value, Error> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Value::Null),
        "true" | "True" | "TRUE" => return Ok(Value::Bool(true)),
        "false" | "False" | "FALSE" => return Ok(Value::Bool(false)),
        _ => {}
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return Err(does_not_fit(text, line));
    }
    match number(text, unsigned) {
        None => Ok(Value::String(text.to_owned())),
        Some(Some(number)) => Ok(Value::Number(number)),
        Some(None) => Err(does_not_fit(text, line)),
    }
}

fn does_not_fit(text: &str, line: u32) -> Error {
    Error {
        line: Some(line),
        message: format!("`{text}` is no number that fits into 64 bits"),
        hint: "write a number that fits, or quotes around it if it is a text".to_owned(),
    }
}

/// `None`: not a number; `Some(None)`: one that is not finite, or a whole one beyond 64 bits.
fn number(text: &str, unsigned: &str) -> Option<Option<Number>> {
    if let Some(digits) = text.strip_prefix("0x") {
        return based(digits, 16);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return based(digits, 8);
    }
    if !unsigned.is_empty() && unsigned.bytes().all(|c| c.is_ascii_digit()) {
        let text = text.strip_prefix('+').unwrap_or(text);
        let whole = text.parse::<i64>().map(Number::from);
        let whole = whole.or_else(|_| text.parse::<u64>().map(Number::from));
        // Never rounded: what is written as a whole number is one.
        return Some(whole.ok());
    }
    is_float(unsigned).then_some(())?;
    Some(text.parse().ok().and_then(Number::from_f64))
}

fn based(digits: &str, radix: u32) -> Option<Option<Number>> {
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return None;
    }
    let whole = u64::from_str_radix(digits, radix).ok();
    Some(whole.map(Number::from))
}

/// `( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?`
fn is_float(unsigned: &str) -> bool {
    let digits = |text: &str| text.bytes().all(|c| c.is_ascii_digit());
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let exponent_good = exponent.is_none_or(|exponent| {
        let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        !exponent.is_empty() && digits(exponent)
    });
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    exponent_good && digits(whole) && digits(fraction) && !(whole.is_empty() && fraction.is_empty())
}
