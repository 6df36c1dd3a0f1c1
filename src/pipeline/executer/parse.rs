//! `parse`: what is packed in a string, one parser a kind.

mod agent;
mod pairs;
mod url;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use regex::Regex;

pub use crate::pipeline::executer::parse::pairs::Pairs;

use crate::event::{Depth, EventMut, FieldId, Json};
use crate::pipeline::executer::{Scratch, Time, Trouble, put, taken};

/// Reads what is packed in a field.
#[derive(Debug)]
pub struct Parse {
    /// The field.
    pub field: FieldId,
    /// What is in it.
    pub parser: Parser,
    /// Where that goes: one field; of a URL, the parts and the query's parameters; of a pattern,
    /// one for each group.
    pub targets: Box<[Option<FieldId>]>,
}

/// What is packed in a string.
#[derive(Debug)]
pub enum Parser {
    /// JSON.
    Json,
    /// A time; also a number.
    Time(Time),
    /// A URL.
    Url,
    /// A query.
    Query,
    /// Keys with values.
    Pairs(Pairs),
    /// What a pattern's groups match; their numbers.
    Regex(Regex, Box<[usize]>),
    /// Text in base64.
    Base64,
    /// A browser's user agent.
    UserAgent,
}

const ANY_PADDING: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, ANY_PADDING);
const FOR_URLS: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, ANY_PADDING);

impl Parse {
    pub(super) fn run(
        &self,
        event: &mut EventMut<'_>,
        scratch: &mut Scratch,
    ) -> Result<(), Trouble> {
        let Some(value) = event.get(self.field).filter(|value| !value.is_null()) else {
            return Ok(());
        };
        scratch.bytes.clear();
        scratch.ends.clear();
        let read = match &self.parser {
            Parser::Time(time) => read_time(time, value, &mut scratch.bytes),
            parser => match value.as_str() {
                Some(text) => parser.read(&text, &self.targets, scratch),
                None => Err("only a string can be parsed"),
            },
        };
        read.map_err(|why| Trouble::new(self.field, why))?;
        scratch.ends.push(scratch.bytes.len());
        let starts = std::iter::once(0).chain(scratch.ends.iter().copied());
        let values = starts.zip(scratch.ends.iter().copied());
        let values = values.map(|(start, end)| &scratch.bytes[start..end]);
        put_all(event, self.targets.iter().copied().zip(values))
    }
}

fn read_time(time: &Time, value: Json<'_>, out: &mut Vec<u8>) -> Result<(), &'static str> {
    let read = time.read(value);
    let read = read.ok_or("this is not a time of the form that is expected")?;
    time.write(read, out);
    Ok(())
}

impl Parser {
    /// Appends what is in the text; between two values it notes where the first ends. What has no
    /// target may be left out.
    fn read(
        &self,
        text: &str,
        targets: &[Option<FieldId>],
        scratch: &mut Scratch,
    ) -> Result<(), &'static str> {
        let out = &mut scratch.bytes;
        match self {
            Self::Time(_) => {}
            Self::Json => {
                let json = Json::parse(text.as_bytes(), Depth::MAX);
                out.extend_from_slice(json.map_err(|_| "this is not JSON")?.raw());
            }
            Self::Query => url::write_query(text, out),
            Self::Pairs(pairs) => pairs.write(text, out),
            Self::Base64 => {
                let decoded = base64(text).ok_or("this is not text in base64")?;
                Json::write_str(out, &decoded);
            }
            Self::UserAgent => agent::write(text, out),
            Self::Url => {
                let url = url::Url::split(text).ok_or("this is not a URL")?;
                if targets.first().is_some_and(Option::is_some) {
                    url.write(out);
                }
                scratch.ends.push(out.len());
                url::write_query(url.query.unwrap_or_default(), out);
            }
            Self::Regex(regex, groups) => {
                let captures = &mut scratch.captures;
                let captures = captures.get_or_insert_with(|| regex.capture_locations());
                let matched = regex.captures_read(captures, text);
                matched.ok_or("the pattern does not match")?;
                for group in groups {
                    if let Some((start, end)) = captures.get(*group) {
                        Json::write_str(out, &text[start..end]);
                    }
                    scratch.ends.push(out.len());
                }
            }
        }
        Ok(())
    }
}

/// Sets several fields, or none; what is empty is not there.
fn put_all<'v>(
    event: &mut EventMut<'_>,
    values: impl IntoIterator<Item = (Option<FieldId>, &'v [u8]), IntoIter: Clone>,
) -> Result<(), Trouble> {
    let values = values.into_iter().filter(|(_, value)| !value.is_empty());
    let values = values.filter_map(|(field, value)| Some((field?, value)));
    for (field, _) in values.clone() {
        taken(event, field, event.accepts(field))?;
    }
    event.together(|event| {
        for (field, value) in values {
            put(event, field, |_, out| out.extend_from_slice(value))?;
        }
        Ok(())
    })
}

/// In either alphabet, padded or not, over several lines or not.
fn base64(text: &str) -> Option<String> {
    let lines: Vec<u8> = text.bytes().filter(|c| !c.is_ascii_whitespace()).collect();
    let for_urls = lines.iter().any(|c| matches!(c, b'-' | b'_'));
    let engine = if for_urls { FOR_URLS } else { STANDARD };
    String::from_utf8(engine.decode(lines).ok()?).ok()
}
