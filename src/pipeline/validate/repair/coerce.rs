//! Making a value right where it is clear what was meant: `"12"` for an int is `12`.

use crate::event::{Depth, Json, Kind};
use crate::pipeline::moment::{self, Unit};
use crate::pipeline::number::Number;
use crate::pipeline::validate::{Bounds, Type};

/// How deep a list or object may be that was written as a string.
const DEPTH: Depth = Depth(32);

/// The value in another type, or `None` where that would be a guess.
pub(super) fn to_type(kind: Type, value: Json<'_>) -> Option<Vec<u8>> {
    let text = value.as_str();
    let text = text.as_deref().map(str::trim);
    match kind {
        Type::String => quoted(value),
        Type::Int => to_int(text, value),
        Type::Float => to_float(text?),
        Type::Bool => to_bool(text, value),
        Type::Datetime => to_datetime(text?),
        Type::List => nested(text?, Kind::Array),
        Type::Object => nested(text?, Kind::Object),
    }
}

fn quoted(value: Json<'_>) -> Option<Vec<u8>> {
    match value.kind() {
        Kind::Number | Kind::Bool => Some([b"\"", value.raw(), b"\""].concat()),
        Kind::Null | Kind::String | Kind::Array | Kind::Object => None,
    }
}

/// From digits, or from a number that is whole, such as `12.0`.
fn to_int(text: Option<&str>, value: Json<'_>) -> Option<Vec<u8>> {
    let written = match text {
        Some(text) => text.as_bytes(),
        None => value.raw(),
    };
    let number = Json::parse(written, DEPTH).ok()?;
    if number.is_int() {
        return Some(number.raw().to_vec());
    }
    let float = number.as_f64()?;
    // Up to here every whole number has a double of its own.
    let exact = float.fract() == 0.0 && float.abs() <= 9_007_199_254_740_992.0;
    exact.then(|| format!("{float:.0}").into_bytes())
}

fn to_float(text: &str) -> Option<Vec<u8>> {
    if let Ok(number) = Json::parse(text.as_bytes(), DEPTH)
        && number.kind() == Kind::Number
    {
        return Some(number.raw().to_vec());
    }
    // What JSON does not allow, but everybody means: `.5`, `+1`, `007`.
    let plain = |c: u8| c.is_ascii_digit() || matches!(c, b'.' | b'+' | b'-');
    let float: f64 = text.parse().ok()?;
    (text.bytes().all(plain) && float.is_finite()).then(|| float.to_string().into_bytes())
}

fn to_bool(text: Option<&str>, value: Json<'_>) -> Option<Vec<u8>> {
    let word = match text {
        Some(text) => text.to_ascii_lowercase().into_bytes(),
        None => value.raw().to_vec(),
    };
    match &word[..] {
        b"true" | b"1" => Some(b"true".to_vec()),
        b"false" | b"0" => Some(b"false".to_vec()),
        _ => None,
    }
}

/// From a number that was written as a string.
fn to_datetime(text: &str) -> Option<Vec<u8>> {
    let number = Json::parse(text.as_bytes(), DEPTH).ok()?;
    let time = number.kind() == Kind::Number && moment::read(number, Unit::Millisecond).is_some();
    time.then(|| number.raw().to_vec())
}

/// A list or object that was written as a string.
fn nested(text: &str, kind: Kind) -> Option<Vec<u8>> {
    let json = Json::parse(text.as_bytes(), DEPTH).ok()?;
    (json.kind() == kind).then(|| json.raw().to_vec())
}

/// The declared text that differs only in case, or in white space around it.
pub(super) fn to_one_of(texts: &[Box<str>], value: Json<'_>) -> Option<Vec<u8>> {
    let written = value.as_str()?;
    let written = written.trim().to_lowercase();
    let meant = texts.iter().find(|text| text.to_lowercase() == written)?;
    let mut json = Vec::new();
    Json::write_str(&mut json, meant);
    Some(json)
}

/// The nearest bound; a text or list that is too long is cut. What is too short stays wrong.
pub(super) fn into_range(bounds: &Bounds, value: Json<'_>) -> Option<Vec<u8>> {
    match (value.kind(), bounds.max) {
        (Kind::Number, max) => {
            let number = Number::read(value)?;
            let below = bounds.min.filter(|_| bounds.is_below(number));
            let bound = below.or(max)?;
            Some(super::written(bound).into_bytes())
        }
        (Kind::String, Some(Number::Int(max))) => {
            let text = value.as_str()?;
            let max = usize::try_from(max).ok()?;
            (text.chars().count() > max).then(|| {
                let cut: String = text.chars().take(max).collect();
                let mut json = Vec::new();
                Json::write_str(&mut json, &cut);
                json
            })
        }
        (Kind::Array, Some(Number::Int(max))) => {
            let max = usize::try_from(max).ok()?;
            let kept: Vec<_> = value.elements().map(Json::raw).collect();
            let kept = kept.get(..max).filter(|_| kept.len() > max)?;
            Some([b"[", &kept.join(&b","[..])[..], b"]"].concat())
        }
        _ => None,
    }
}
