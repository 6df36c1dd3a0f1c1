//! The hops that `X-Forwarded-For` and `Forwarded` (RFC 7239) name, nearest first.
//!
//! A hop is `None` if it cannot be read: `unknown`, `_hidden`, a name, or nonsense.

use std::net::{IpAddr, SocketAddr};

use axum::http::header::{FORWARDED, HeaderName};
use axum::http::{HeaderMap, HeaderValue};

const LIST: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Whether there is an `X-Forwarded-For`.
pub(super) fn has_list(headers: &HeaderMap) -> bool {
    headers.contains_key(LIST)
}

/// Whether there is a `Forwarded`.
pub(super) fn has_standard(headers: &HeaderMap) -> bool {
    headers.contains_key(FORWARDED)
}

/// The hops of `X-Forwarded-For`.
pub(super) fn list(headers: &HeaderMap) -> impl Iterator<Item = Option<IpAddr>> {
    headers
        .get_all(LIST)
        .iter()
        .rev()
        .flat_map(text)
        .flat_map(|line| line.rsplit(','))
        .filter_map(|entry| {
            let entry = entry.trim();
            (!entry.is_empty()).then(|| address(entry))
        })
}

/// The hops of `Forwarded`.
pub(super) fn standard(headers: &HeaderMap) -> impl Iterator<Item = Option<IpAddr>> {
    headers
        .get_all(FORWARDED)
        .iter()
        .rev()
        .flat_map(text)
        .flat_map(|line| {
            let elements: Vec<&str> = split(line, b',')
                .filter(|element| !element.trim().is_empty())
                .collect();
            elements.into_iter().rev().map(hop)
        })
}

/// A line that is no text stands for one hop that cannot be read.
fn text(value: &HeaderValue) -> Option<&str> {
    Some(value.to_str().unwrap_or("unknown"))
}

/// The one `for` of an element.
fn hop(element: &str) -> Option<IpAddr> {
    let mut found = None;
    for pair in split(element, b';') {
        let Some((name, value)) = pair.split_once('=') else {
            continue;
        };
        if name.trim().eq_ignore_ascii_case("for") && found.replace(value.trim()).is_some() {
            return None;
        }
    }
    let value = found?;
    // No address holds a character that would have to be escaped.
    address(
        value
            .strip_prefix('"')
            .and_then(|value| value.strip_suffix('"'))
            .unwrap_or(value),
    )
}

/// Parts between separators that do not stand in quotes. A quote that is not closed reaches to the
/// end.
fn split(text: &str, separator: u8) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let (mut quoted, mut escaped) = (false, false);
        let end = text.bytes().position(|byte| {
            let plain = !escaped;
            escaped = quoted && plain && byte == b'\\';
            quoted ^= plain && byte == b'"';
            !quoted && byte == separator
        });
        rest = end.map(|end| &text[end + 1..]);
        Some(end.map_or(text, |end| &text[..end]))
    })
}

/// An address, with or without a port; IPv6 in brackets or bare.
fn address(entry: &str) -> Option<IpAddr> {
    let bracketed = || {
        entry
            .strip_prefix('[')?
            .strip_suffix(']')?
            .parse()
            .ok()
            .map(IpAddr::V6)
    };
    let address = entry.parse().ok().or_else(bracketed);
    let address = address.or_else(|| {
        entry
            .parse()
            .ok()
            .map(|with_port: SocketAddr| with_port.ip())
    });
    address.map(|address| address.to_canonical())
}
