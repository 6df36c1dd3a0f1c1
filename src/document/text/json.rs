//! JSON documents: as serde reads them, but a key that stands twice is an error.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::document::text::{DEPTH, Error, Lines, Tree, duplicate, too_deep};

pub(super) fn parse(text: &str) -> Result<Tree, Error> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = Node { depth: 0 }
        .deserialize(&mut reader)
        .and_then(|value| reader.end().map(|()| value))
        .map_err(|error| explain(&error))?;
    let lines = lines(text.as_bytes());
    Ok(Tree { value, lines })
}

const DUPLICATE: &str = "duplicate key ";
const DEEP: &str = "nested too deep";

/// serde has one error for everything: ours are told apart by how they begin.
fn explain(error: &serde_json::Error) -> Error {
    let line = u32::try_from(error.line()).ok().filter(|line| *line > 0);
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    let text = text.strip_suffix(&place).unwrap_or(&text);
    if let Some(key) = text.strip_prefix(DUPLICATE) {
        return duplicate(line, key);
    }
    if text == DEEP || text.starts_with("recursion limit") {
        return too_deep(line);
    }
    Error {
        line,
        message: format!("not JSON: {text} (column {})", error.column()),
        hint: "correct it here; a document that starts with `{` or `[` is read as JSON, every \
               other one as YAML"
            .to_owned(),
    }
}

#[derive(Clone, Copy)]
struct Node {
    depth: usize,
}

impl Node {
    fn below<E: serde::de::Error>(self) -> Result<Node, E> {
        if self.depth == DEPTH {
            return Err(E::custom(DEEP));
        }
        Ok(Node {
            depth: self.depth + 1,
        })
    }
}

impl<'de> DeserializeSeed<'de> for Node {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        let number = Number::from_f64(value).ok_or_else(|| E::custom("number out of range"))?;
        Ok(Value::Number(number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let node = self.below()?;
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(node)? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let node = self.below()?;
        let mut object = Map::new();
        while let Some(key) = members.next_key::<String>()? {
            if object.contains_key(&key) {
                return Err(A::Error::custom(format_args!("{DUPLICATE}{key}")));
            }
            object.insert(key, members.next_value_seed(node)?);
        }
        Ok(Value::Object(object))
    }
}

/// The lines of the nodes of a text that is JSON. A value stands for its key's line.
fn lines(text: &[u8]) -> Lines {
    let mut lines = Vec::new();
    let mut line = 1;
    let mut after_colon = false;
    let mut at = 0;
    while at < text.len() {
        let start = at;
        at += 1;
        match text[start] {
            b'\n' => line += 1,
            b':' => after_colon = true,
            b' ' | b'\t' | b'\r' | b',' | b'}' | b']' => {}
            first => {
                match first {
                    b'"' => at = string_end(text, at),
                    b'{' | b'[' => {}
                    _ => at = scalar_end(text, at),
                }
                if !std::mem::take(&mut after_colon) {
                    lines.push(line);
                }
            }
        }
    }
    Lines(lines)
}

/// One past the closing quote. JSON has no line feed inside a string.
fn string_end(text: &[u8], mut at: usize) -> usize {
    while at < text.len() {
        match text[at] {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    at
}

fn scalar_end(text: &[u8], mut at: usize) -> usize {
    while at < text.len() && !b" \t\r\n,:]}".contains(&text[at]) {
        at += 1;
    }
    at
}
