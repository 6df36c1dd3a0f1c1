//! The shape of a value for reject records: enough to see what is wrong with it, without telling
//! what it says.

use crate::event::{Json, Kind};

/// Most characters of a shape.
const MOST: usize = 40;

/// A value with every letter as `x` and every digit as `9`, bounded; lists and objects as their
/// brackets. What stands between letters and digits is what formats are told by, and is kept.
pub(super) fn shape(value: Json<'_>) -> Box<str> {
    match value.kind() {
        Kind::Array => "[…]".into(),
        Kind::Object => "{…}".into(),
        Kind::Null | Kind::Bool => String::from_utf8_lossy(value.raw()).into(),
        Kind::Number => masked(&String::from_utf8_lossy(value.raw()), MOST).into(),
        Kind::String => masked(&value.as_str().unwrap_or_default(), MOST).into(),
    }
}

/// A text with every letter as `x` and every digit as `9`, cut after so many characters.
pub fn masked(text: &str, most: usize) -> String {
    let mut shape: String = text.chars().take(most).map(mask).collect();
    if text.chars().nth(most).is_some() {
        shape.push('…');
    }
    shape
}

fn mask(c: char) -> char {
    match c {
        c if c.is_numeric() => '9',
        c if c.is_ascii() && !c.is_ascii_alphabetic() => c,
        _ => 'x',
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Depth;

    #[test]
    fn a_shape_tells_the_format_and_not_the_value() {
        let of = |text: &str| shape(Json::parse(text.as_bytes(), Depth(8)).unwrap());
        assert_eq!(&*of(r#""+86 138-1234-5678""#), "+99 999-9999-9999");
        assert_eq!(&*of(r#""Änne@example.org""#), "xxxx@xxxxxxx.xxx");
        assert_eq!(&*of("-12.50e3"), "-99.99x9");
        assert_eq!(&*of("null"), "null");
        assert_eq!(&*of(r#"{"name":"Anne"}"#), "{…}");
        assert_eq!(of(&format!("\"{}\"", "a".repeat(1000))).chars().count(), 41);
    }
}
