//! The members of an object and the elements of an array, one after the other, without a tree.
//!
//! The text was checked before, so that this only finds where a value ends.

use wide::u8x16;

use crate::event::{Json, Kind};

/// How many bytes a step looks at.
const WIDE: usize = 16;

/// A member of an object.
#[derive(Clone, Copy, Debug)]
pub struct Member<'a> {
    /// Its key, a string in quotes.
    pub key: Json<'a>,
    /// Its value.
    pub value: Json<'a>,
}

/// The members of an object, in the order of the text; a key may come again.
#[derive(Clone, Debug)]
pub struct Members<'a> {
    text: &'a [u8],
    at: usize,
}

/// The elements of an array.
#[derive(Clone, Debug)]
pub struct Elements<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Json<'a> {
    /// The members of an object; none of anything else.
    pub fn members(self) -> Members<'a> {
        let text = if self.kind() == Kind::Object {
            self.0
        } else {
            b"{}"
        };
        Members { text, at: 1 }
    }

    /// The elements of an array; none of anything else.
    pub fn elements(self) -> Elements<'a> {
        let text = if self.kind() == Kind::Array {
            self.0
        } else {
            b"[]"
        };
        Elements { text, at: 1 }
    }

    /// The characters of a string as they are written, escapes and all; empty for other types.
    pub fn inside(self) -> &'a [u8] {
        match self.0 {
            [b'"', inside @ .., b'"'] => inside,
            _ => b"",
        }
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = Member<'a>;

    fn next(&mut self) -> Option<Member<'a>> {
        let key = next(self.text, self.at, b'"')?;
        let colon = blank(self.text, key.1);
        let start = blank(self.text, colon + 1);
        let end = value_end(self.text, start);
        self.at = end;
        Some(Member {
            key: Json(self.text.get(key.0..key.1)?),
            value: Json(self.text.get(start..end)?),
        })
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Json<'a>;

    fn next(&mut self) -> Option<Json<'a>> {
        let start = comma(self.text, self.at);
        if matches!(self.text.get(start), None | Some(b']')) {
            return None;
        }
        let end = value_end(self.text, start);
        self.at = end;
        Some(Json(self.text.get(start..end)?))
    }
}

/// The string that comes next, if one does.
fn next(text: &[u8], at: usize, first: u8) -> Option<(usize, usize)> {
    let start = comma(text, at);
    (text.get(start) == Some(&first)).then(|| (start, string_end(text, start)))
}

/// Over white space and a comma.
fn comma(text: &[u8], at: usize) -> usize {
    let at = blank(text, at);
    if text.get(at) == Some(&b',') {
        blank(text, at + 1)
    } else {
        at
    }
}

fn blank(text: &[u8], mut at: usize) -> usize {
    while matches!(text.get(at), Some(b' ' | b'\n' | b'\r' | b'\t')) {
        at += 1;
    }
    at
}

fn value_end(text: &[u8], start: usize) -> usize {
    match text.get(start) {
        Some(b'"') => string_end(text, start),
        Some(b'{' | b'[') => nested_end(text, start),
        _ => {
            let rest = text.get(start..).unwrap_or_default();
            let ends = |c: &u8| matches!(c, b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t');
            start + rest.iter().position(ends).unwrap_or(rest.len())
        }
    }
}

fn string_end(text: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    loop {
        at = find(text, at, |chunk| {
            chunk.simd_eq(u8x16::splat(b'"')) | chunk.simd_eq(u8x16::splat(b'\\'))
        });
        match text.get(at) {
            Some(b'"') => return at + 1,
            Some(_) => at += 2,
            None => return text.len(),
        }
    }
}

fn nested_end(text: &[u8], start: usize) -> usize {
    let (mut at, mut depth) = (start, 0usize);
    loop {
        at = find(text, at, |chunk| {
            // `[` and `{`, and `]` and `}`, differ in this bit only.
            let bracket = chunk | u8x16::splat(b'{' ^ b'[');
            chunk.simd_eq(u8x16::splat(b'"'))
                | bracket.simd_eq(u8x16::splat(b'{'))
                | bracket.simd_eq(u8x16::splat(b'}'))
        });
        match text.get(at) {
            Some(b'"') => {
                at = string_end(text, at);
                continue;
            }
            Some(b'{' | b'[') => depth += 1,
            Some(_) => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            None => return text.len(),
        }
        at += 1;
    }
}

/// Where the first byte stands from `at` on that is a hit, or the end: 16 bytes at a time.
#[inline(always)]
fn find(text: &[u8], mut at: usize, hits: impl Fn(u8x16) -> u8x16) -> usize {
    while let Some(rest) = text.get(at..) {
        let (chunk, valid) = match rest.first_chunk() {
            Some(chunk) => (*chunk, WIDE),
            None => (padded(rest), rest.len()),
        };
        let hit = hits(u8x16::new(chunk)).to_bitmask().trailing_zeros() as usize;
        if hit < valid {
            return at + hit;
        }
        at += WIDE;
    }
    text.len()
}

/// The last bytes of a text, with zeros behind them.
fn padded(rest: &[u8]) -> [u8; WIDE] {
    let mut chunk = [0; WIDE];
    chunk[..rest.len()].copy_from_slice(rest);
    chunk
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(text: &str) -> Vec<(String, String)> {
        let owned = |json: Json<'_>| String::from_utf8(json.raw().to_vec()).unwrap();
        Json(text.as_bytes())
            .members()
            .map(|member| (owned(member.key), owned(member.value)))
            .collect()
    }

    #[test]
    fn members_come_as_they_are_written() {
        let text = r#"{ "a" : 1.50 ,"b\"}": "x\\" , "c":{"d":["]}",{}],"e":1}, "":null ,"a":[ ]}"#;
        let expected = [
            (r#""a""#, "1.50"),
            (r#""b\"}""#, r#""x\\""#),
            (r#""c""#, r#"{"d":["]}",{}],"e":1}"#),
            (r#""""#, "null"),
            (r#""a""#, "[ ]"),
        ];
        assert_eq!(
            members(text),
            expected.map(|(key, value)| (key.to_owned(), value.to_owned()))
        );
        assert_eq!(members("{}"), []);
        assert_eq!(members(" { }".trim()), []);
        assert_eq!(members("[1]"), []);
    }

    #[test]
    fn members_are_found_wherever_they_stand() {
        // Over all places within a step, and with what must not count as an end inside of strings.
        for length in 0..40 {
            let filler = "x".repeat(length);
            let nested = format!(r#"[{{"{filler}":"\\\"]}}{filler}"}},"{filler}\\",[1,{{}}]]"#);
            let text =
                format!(r#"{{"{filler}k":{nested},"s":"{filler}\"","n":{length},"o":{{}}}}"#);
            let expected = [
                (format!("\"{filler}k\""), nested),
                ("\"s\"".to_owned(), format!(r#""{filler}\"""#)),
                ("\"n\"".to_owned(), length.to_string()),
                ("\"o\"".to_owned(), "{}".to_owned()),
            ];
            assert_eq!(members(&text), expected);
        }
    }

    #[test]
    fn elements_come_as_they_are_written() {
        let elements = |text: &'static str| {
            Json(text.as_bytes())
                .elements()
                .map(|json| std::str::from_utf8(json.raw()).unwrap())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            elements(r#"[ 1 ,[2,3], "a,]" ,true]"#),
            ["1", "[2,3]", r#""a,]""#, "true"]
        );
        assert!(elements("[ ]").is_empty());
        assert!(elements("{}").is_empty());
    }
}
