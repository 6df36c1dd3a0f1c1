//! Sizes, lengths of time and references to secrets, as people write them.
//!
//! A size is `8 MiB` (or `B`, `KiB`, `GiB`; a bare integer is bytes), a length of time `30 s` (or
//! `ms`, `min`, `h`, `d`; never bare), a secret `file:/path` or `env:NAME`.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error as _, Visitor};
use serde::{Serialize, Serializer};

use crate::secret::Reference;

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size(u64);

/// A length of time, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimeSpan(u64);

/// Where a secret stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretRef(Reference);

/// A text that is not what it should be; the sentence says how to write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not a size.
    #[error("write a size as a number of bytes, or with its unit: `500 B`, `64 KiB`, `8 MiB`")]
    Size,
    /// Not a length of time.
    #[error("write a length of time with its unit: `50 ms`, `30 s`, `5 min`, `1 h`, `10 d`")]
    TimeSpan,
    /// Not a reference.
    #[error(
        "write where the secret stands, `file:/path` or `env:NAME`, never the secret itself; \
         change it if it was real, because documents are kept"
    )]
    SecretRef,
}

const SIZES: [(&str, u64); 4] = [
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
];
const TIMES: [(&str, u64); 5] = [
    ("ms", 1),
    ("s", 1_000),
    ("min", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
];
/// So many digits can be multiplied by any unit without overflow.
const DIGITS: usize = 9;

impl Size {
    /// So many bytes.
    pub const fn bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// So many KiB.
    pub const fn kib(kib: u64) -> Self {
        Self(kib << 10)
    }

    /// So many MiB.
    pub const fn mib(mib: u64) -> Self {
        Self(mib << 20)
    }

    /// In bytes.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// In bytes; what does not fit is the most that does.
    pub fn get_u32(self) -> u32 {
        u32::try_from(self.0).unwrap_or(u32::MAX)
    }

    /// Reads `8 MiB` or `500`.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let bytes = if text.bytes().all(|c| c.is_ascii_digit()) {
            text.parse().ok()
        } else {
            with_unit(text, &SIZES)
        };
        bytes.map(Self).ok_or(Error::Size)
    }
}

impl TimeSpan {
    /// So many milliseconds.
    pub const fn millis(millis: u64) -> Self {
        Self(millis)
    }

    /// So many seconds.
    pub const fn seconds(seconds: u64) -> Self {
        Self(seconds * 1_000)
    }

    /// In milliseconds.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// As the standard library has it.
    pub const fn duration(self) -> Duration {
        Duration::from_millis(self.0)
    }

    /// Reads `30 s`.
    pub fn parse(text: &str) -> Result<Self, Error> {
        with_unit(text, &TIMES).map(Self).ok_or(Error::TimeSpan)
    }
}

impl SecretRef {
    /// Reads `file:/path` or `env:NAME`.
    pub fn parse(text: &str) -> Result<Self, Error> {
        Reference::parse(text)
            .map(Self)
            .map_err(|_| Error::SecretRef)
    }

    /// The reference, to be resolved on the instance.
    pub fn reference(&self) -> &Reference {
        &self.0
    }
}

fn with_unit(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    if digits == 0 || digits > DIGITS {
        return None;
    }
    let (number, unit) = text.split_at(digits);
    let unit = unit.strip_prefix(' ').unwrap_or(unit);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    Some(number.parse::<u64>().ok()? * factor)
}

/// With the largest unit that divides it.
fn write_with_unit(f: &mut fmt::Formatter<'_>, value: u64, units: &[(&str, u64)]) -> fmt::Result {
    let largest = units
        .iter()
        .rev()
        .find(|(_, factor)| value >= *factor && value.is_multiple_of(*factor));
    let (name, factor) = largest.unwrap_or(&units[0]);
    write!(f, "{} {name}", value / factor)
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_with_unit(f, self.0, &SIZES)
    }
}

impl fmt::Display for TimeSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_with_unit(f, self.0, &TIMES)
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for TimeSpan {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for SecretRef {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SizeVisitor)
    }
}

struct SizeVisitor;

impl Visitor<'_> for SizeVisitor {
    type Value = Size;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a size such as `8 MiB`")
    }

    fn visit_u64<E: serde::de::Error>(self, bytes: u64) -> Result<Size, E> {
        Ok(Size(bytes))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Size, E> {
        Size::parse(text).map_err(E::custom)
    }
}

impl<'de> Deserialize<'de> for TimeSpan {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(D::Error::custom)
    }
}

impl<'de> Deserialize<'de> for SecretRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(D::Error::custom)
    }
}

impl JsonSchema for Size {
    fn schema_name() -> Cow<'static, str> {
        "Size".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A size: `8 MiB`, with `B`, `KiB`, `MiB` or `GiB`; a bare integer is bytes.",
            "title": "size",
            "type": ["string", "integer"],
            "pattern": "^([0-9]{1,9} ?(B|KiB|MiB|GiB)|[0-9]{1,18})$",
            "minimum": 0,
            "examples": ["8 MiB"],
        })
    }
}

impl JsonSchema for TimeSpan {
    fn schema_name() -> Cow<'static, str> {
        "TimeSpan".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A length of time: `30 s`, with `ms`, `s`, `min`, `h` or `d`.",
            "title": "length of time",
            "type": "string",
            "pattern": "^[0-9]{1,9} ?(ms|s|min|h|d)$",
            "examples": ["30 s"],
        })
    }
}

impl JsonSchema for SecretRef {
    fn schema_name() -> Cow<'static, str> {
        "SecretRef".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Where a secret stands: `file:/path` or `env:NAME`; never the secret itself.",
            "title": "reference to a secret",
            "type": "string",
            "pattern": "^(file|env):[\\s\\S]+$",
            "examples": ["file:/etc/weir/secret"],
            "writeOnly": true,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json};

    use super::*;

    #[test]
    fn a_size_is_written_with_its_unit_or_in_bytes() {
        let size = |value| from_value::<Size>(value).map(Size::get).ok();
        assert_eq!(size(json!("8 MiB")), Some(8 << 20));
        assert_eq!(size(json!("64KiB")), Some(64 << 10));
        assert_eq!(size(json!("500 B")), Some(500));
        assert_eq!(size(json!("500")), Some(500));
        assert_eq!(size(json!(500)), Some(500));
        for wrong in [
            json!("8 MB"),
            json!("8  MiB"),
            json!(""),
            json!(-1),
            json!(1.5),
        ] {
            assert_eq!(size(wrong.clone()), None, "{wrong}");
        }
        assert_eq!(size(json!("999999999 GiB")), Some(999_999_999 << 30));
        assert_eq!(size(json!("9999999999 GiB")), None);
    }

    #[test]
    fn a_length_of_time_needs_its_unit() {
        let time = |value| from_value::<TimeSpan>(value).map(TimeSpan::as_millis).ok();
        assert_eq!(time(json!("50 ms")), Some(50));
        assert_eq!(time(json!("5 min")), Some(300_000));
        assert_eq!(time(json!("10d")), Some(864_000_000));
        for wrong in [
            json!("30"),
            json!(30),
            json!("5 m"),
            json!("1.5 s"),
            json!("-1 s"),
        ] {
            assert_eq!(time(wrong.clone()), None, "{wrong}");
        }
    }

    #[test]
    fn what_is_written_out_reads_back_the_same() {
        for text in ["8 MiB", "1025 B", "0 B", "3 GiB", "64 KiB"] {
            assert_eq!(Size::parse(text).unwrap().to_string(), text);
        }
        for text in ["50 ms", "90 s", "5 min", "1 h", "10 d", "0 ms"] {
            assert_eq!(TimeSpan::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(TimeSpan::parse("60 s").unwrap().to_string(), "1 min");
    }

    #[test]
    fn a_secret_in_plain_text_is_refused_without_repeating_it() {
        let error = from_value::<SecretRef>(json!("hunter2"))
            .unwrap_err()
            .to_string();
        assert!(error.contains("file:/path"), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
        let reference = from_value::<SecretRef>(json!("env:WEIR_KEY")).unwrap();
        assert_eq!(reference.to_string(), "env:WEIR_KEY");
    }
}
