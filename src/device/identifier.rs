//! Identifiers by type: one way to write each, and which of them identify nothing.
//!
//! Whole fleets of devices share such values (a ROM with one Android id for all, an advertising id
//! that was opted out of, an emulator's IMEI); every one that slips through merges strangers.

use std::borrow::Cow;
use std::ops::RangeInclusive;

/// What an identifier is, and so how it is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// 15 digits, the last of them a check digit (Luhn).
    Imei,
    /// 64 bits in hex.
    AndroidId,
    /// 48 bits in hex, however they are separated.
    Mac,
    /// Hex digits, with or without dashes: advertising and vendor ids.
    Uuid,
    /// Anything else; upper and lower case differ.
    Opaque,
}

/// Always refused, in lower case.
#[rustfmt::skip]
const NOTHING: [&str; 27] = [
    "null", "(null)", "nil", "none", "nan", "undefined", "unknown", "unset", "default", "empty",
    "error", "0", "-1", "1", "true", "false", "test", "n/a", "na", "-", "imei", "oaid", "idfa",
    "idfv", "android_id", "[object object]", "object",
];
/// In normal form. The first is in the ROMs of many phones, the next what a MAC is since Android 6;
/// the others come from emulators.
#[rustfmt::skip]
const SHARED: [&str; 9] = [
    "9774d56d682e549c", "020000000000", "010203040506", "004999010640000", "012345678901237",
    "123456789012347", "351451208401216", "358240051111110", "869426020023138",
];
/// Longer ones are no identifiers.
const LONGEST: usize = 256;

/// Whether a type of identifier names a person: those never enter the map.
pub fn is_personal(name: &str) -> bool {
    const PEOPLE: [&str; 9] = [
        "user", "login", "account", "phone", "mobile", "email", "mail", "member", "userid",
    ];
    let name = name.to_ascii_lowercase();
    name.split(['_', '-', '.'])
        .any(|word| PEOPLE.contains(&word))
}

impl Kind {
    /// Of a type as documents name it.
    pub fn of(name: &str) -> Self {
        match name {
            "imei" | "imei1" | "imei2" => Self::Imei,
            "android_id" | "androidid" => Self::AndroidId,
            "mac" => Self::Mac,
            "oaid" | "vaid" | "aaid" | "gaid" | "idfa" | "idfv" | "uuid" => Self::Uuid,
            _ => Self::Opaque,
        }
    }

    /// The one way to write it, or `None` if it identifies nothing. `invalid` are more values that
    /// do not, in lower case.
    pub fn normalise(self, written: &str, invalid: &[Box<str>]) -> Option<String> {
        let trimmed = written.trim();
        if trimmed.is_empty() || trimmed.len() > LONGEST {
            return None;
        }
        let lower = lower(trimmed);
        let refused = |text: &str| invalid.iter().any(|each| **each == *text);
        if NOTHING.contains(&&*lower) || refused(&lower) {
            return None;
        }
        let bare = bare(&lower);
        if is_one_character(&bare) || SHARED.contains(&&*bare) || refused(&bare) {
            return None;
        }
        let normal = match self {
            Self::Imei => imei(&bare)?,
            Self::AndroidId => hex(&bare, 8..=16)?.to_owned(),
            Self::Mac => hex(&bare, 12..=12).filter(|mac| !is_group(mac))?.to_owned(),
            Self::Uuid => hex(&bare, 16..=128)?.to_owned(),
            Self::Opaque => trimmed.to_owned(),
        };
        (!SHARED.contains(&&*normal)).then_some(normal)
    }
}

/// In small letters; borrowed where it is so already, as most are.
fn lower(text: &str) -> Cow<'_, str> {
    if text
        .bytes()
        .all(|c| c.is_ascii() && !c.is_ascii_uppercase())
    {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.to_lowercase())
    }
}

/// Without separators; borrowed where there are none.
fn bare(text: &str) -> Cow<'_, str> {
    // All separators are ASCII, and no other character has such a byte in it.
    if text.bytes().any(is_separator) {
        Cow::Owned(text.replace(|c| u8::try_from(c).is_ok_and(is_separator), ""))
    } else {
        Cow::Borrowed(text)
    }
}

fn is_separator(c: u8) -> bool {
    matches!(c, b'-' | b':' | b'.' | b'/' | b' ' | b'_' | b'{' | b'}')
}

/// All zeros in every length, and whatever else is one character again and again; also nothing.
fn is_one_character(text: &str) -> bool {
    let mut chars = text.chars();
    let first = chars.next();
    chars.all(|c| Some(c) == first)
}

fn hex(bare: &str, lengths: RangeInclusive<usize>) -> Option<&str> {
    let is_hex = bare.bytes().all(|c| c.is_ascii_hexdigit());
    (is_hex && lengths.contains(&bare.len())).then_some(bare)
}

/// Whether a MAC is none of a single interface: the lowest bit of its first byte is set.
fn is_group(mac: &str) -> bool {
    let first = mac
        .get(..2)
        .and_then(|hex| u8::from_str_radix(hex, 16).ok());
    first.is_none_or(|first| first & 1 == 1)
}

/// 15 digits whose check digit is right. Without the check digit, or with a software version in its
/// place (16 digits), it is the same device.
fn imei(digits: &str) -> Option<String> {
    if !digits.bytes().all(|c| c.is_ascii_digit()) {
        return None;
    }
    let body = digits.get(..14)?;
    let whole = format!("{body}{}", check_digit(body));
    let same = match digits.len() {
        14 | 16 => true,
        15 => digits == whole,
        _ => false,
    };
    (same && !is_one_character(body)).then_some(whole)
}

/// Luhn: every second digit from the right is doubled, and the sum with the check digit is a
/// multiple of ten.
fn check_digit(body: &str) -> u32 {
    let digits = body.bytes().rev().map(|c| u32::from(c - b'0'));
    let weighed = digits.enumerate().map(|(index, digit)| match index % 2 {
        0 => digit * 2 / 10 + digit * 2 % 10,
        _ => digit,
    });
    (10 - weighed.sum::<u32>() % 10) % 10
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normal(kind: &str, written: &str) -> Option<String> {
        Kind::of(kind).normalise(written, &["lab".into(), "abcdef0123456789".into()])
    }

    #[test]
    fn one_identifier_has_one_normal_form() {
        let imei = [
            "490154203237518",
            " 49-015420-323751-8 ",
            "49015420323751",
            "4901542032375101",
        ];
        for written in imei {
            assert_eq!(
                normal("imei", written).as_deref(),
                Some("490154203237518"),
                "{written}"
            );
        }
        let idfa = [
            "F8E2A1B0-1234-4ABC-9DEF-001122334455",
            "f8e2a1b012344abc9def001122334455",
        ];
        for written in idfa {
            assert_eq!(normal("idfa", written).as_deref(), Some(idfa[1]));
        }
        assert_eq!(
            normal("mac", "A4-83-E7-01-02-03").as_deref(),
            Some("a483e7010203")
        );
        assert_eq!(
            normal("android_id", "A1B2C3D4E5F60718").as_deref(),
            Some("a1b2c3d4e5f60718")
        );
        assert_eq!(normal("cookie", " Ab-c ").as_deref(), Some("Ab-c"));
    }

    #[test]
    fn what_identifies_nothing_is_refused() {
        let refused = [
            ("imei", "490154203237519"),
            ("imei", "000000000000000"),
            ("imei", "00000000"),
            ("imei", "004999010640000"),
            ("imei", "12345"),
            ("imei", "11111111111111"),
            ("idfa", "00000000-0000-0000-0000-000000000000"),
            ("oaid", "00000000000000000000000000000000"),
            ("oaid", "ffffffff-ffff-ffff-ffff-ffffffffffff"),
            ("oaid", "not hex at all, really"),
            ("android_id", "9774d56d682e549c"),
            ("android_id", "9774D56D682E549C"),
            ("android_id", "abcdef0123456789"),
            ("mac", "02:00:00:00:00:00"),
            ("mac", "FF:FF:FF:FF:FF:FF"),
            ("mac", "01:00:5e:00:00:01"),
            ("cookie", "Lab"),
            ("cookie", "aaaaaa"),
            ("cookie", "  "),
            ("cookie", "--"),
        ];
        for (kind, written) in refused {
            assert_eq!(normal(kind, written), None, "{kind} {written}");
        }
        let literals = [
            "NULL",
            "none",
            "NaN",
            "undefined",
            "Unknown",
            "0",
            "-1",
            "TRUE",
            "false",
            "test",
        ];
        for literal in literals {
            for kind in ["imei", "oaid", "android_id", "mac", "cookie"] {
                assert_eq!(normal(kind, literal), None, "{kind} {literal}");
            }
        }
    }

    #[test]
    fn people_are_no_devices() {
        for name in ["user_id", "login", "phone", "E.mail", "account-id"] {
            assert!(is_personal(name), "{name}");
        }
        for name in ["oaid", "imei", "cookie", "browser_id"] {
            assert!(!is_personal(name), "{name}");
        }
    }
}
