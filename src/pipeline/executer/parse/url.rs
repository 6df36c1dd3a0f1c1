//! URLs and queries, split by RFC 3986. Access lines hold URLs without scheme and host, and much
//! that no strict parser takes, so that a URL is only cut, never corrected.

use std::borrow::Cow;

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use memchr::memchr2;
use percent_encoding::percent_decode;

use crate::event::Json;

/// A URL in pieces, as written.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Url<'t> {
    scheme: Option<&'t str>,
    host: Option<&'t str>,
    port: Option<u16>,
    path: &'t str,
    pub(super) query: Option<&'t str>,
    fragment: Option<&'t str>,
}

impl<'t> Url<'t> {
    /// Cuts it; `None` for what has neither scheme nor path, or holds white space.
    pub(super) fn split(text: &'t str) -> Option<Self> {
        let text = text.trim_ascii();
        if text.is_empty() || text.bytes().any(|c| c.is_ascii_whitespace()) {
            return None;
        }
        let (rest, fragment) = cut(text, '#');
        let (rest, query) = cut(rest, '?');
        let scheme = rest.split_once(':').filter(|(scheme, _)| is_scheme(scheme));
        let (scheme, rest) = match scheme {
            Some((scheme, rest)) => (Some(scheme), rest),
            None if rest.starts_with('/') || (rest.is_empty() && query.is_some()) => (None, rest),
            None => return None,
        };
        let (authority, path) = match rest.strip_prefix("//") {
            Some(rest) => {
                let end = rest.find('/').unwrap_or(rest.len());
                (Some(&rest[..end]), &rest[end..])
            }
            None => (None, rest),
        };
        let (host, port) = match authority {
            Some(authority) => split_authority(authority)?,
            None => (None, None),
        };
        Some(Self {
            scheme,
            host,
            port,
            path,
            query,
            fragment,
        })
    }

    /// Appends an object of what is there; scheme and host in small letters.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let mut object = Object::open(out);
        let texts = [
            ("scheme", self.scheme, true),
            ("host", self.host, true),
            (
                "path",
                Some(self.path).filter(|path| !path.is_empty()),
                false,
            ),
            ("query", self.query, false),
            ("fragment", self.fragment, false),
        ];
        for (name, text, lower) in texts {
            match text {
                Some(text) if lower => object.text(name, &text.to_ascii_lowercase()),
                Some(text) => object.text(name, text),
                None => {}
            }
        }
        if let Some(port) = self.port {
            object.key("port");
            object.out.extend_from_slice(port.to_string().as_bytes());
        }
        object.close();
    }
}

fn cut(text: &str, at: char) -> (&str, Option<&str>) {
    match text.split_once(at) {
        Some((before, after)) => (before, Some(after)),
        None => (text, None),
    }
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text
            .bytes()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, b'+' | b'-' | b'.'))
}

/// Host and port; who logs in does not belong into events.
fn split_authority(text: &str) -> Option<(Option<&str>, Option<u16>)> {
    let host = text.rsplit_once('@').map_or(text, |(_, host)| host);
    let (host, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, Some(port)),
        _ => (host, None),
    };
    let port = match port {
        None | Some("") => None,
        Some(port) => Some(port.parse().ok()?),
    };
    Some((Some(host).filter(|host| !host.is_empty()), port))
}

/// Appends a query's parameters as an object of strings; of those that are repeated, the last.
pub(super) fn write_query(query: &str, out: &mut Vec<u8>) {
    let query = query.strip_prefix('?').unwrap_or(query);
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let decoded = pairs.map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(key), decode(value))
    });
    write_last(decoded, out);
}

/// Appends pairs as an object of strings. Each key comes once, with its last value.
pub(super) fn write_last<'t>(
    pairs: impl Iterator<Item = (Cow<'t, str>, Cow<'t, str>)>,
    out: &mut Vec<u8>,
) {
    let pairs: Vec<_> = pairs.collect();
    // Few are compared with each other; many go through a table, or somebody's thousands of
    // parameters would cost their square.
    let mut last: HashMap<&str, usize, RandomState> = HashMap::default();
    if pairs.len() > 16 {
        last.extend(
            pairs
                .iter()
                .enumerate()
                .map(|(index, (key, _))| (&**key, index)),
        );
    }
    let mut object = Object::open(out);
    for (index, (key, value)) in pairs.iter().enumerate() {
        let comes_again = match last.get(&**key) {
            Some(last) => *last != index,
            None => pairs[index + 1..].iter().any(|(later, _)| later == key),
        };
        if !comes_again {
            object.text(key, value);
        }
    }
    object.close();
}

fn decode(text: &str) -> Cow<'_, str> {
    if memchr2(b'%', b'+', text.as_bytes()).is_none() {
        return Cow::Borrowed(text);
    }
    let spaced = text.replace('+', " ");
    let decoded = percent_decode(spaced.as_bytes()).decode_utf8_lossy();
    Cow::Owned(decoded.into_owned())
}

/// An object of strings while it is written.
pub(super) struct Object<'o> {
    out: &'o mut Vec<u8>,
    empty: usize,
}

impl<'o> Object<'o> {
    pub(super) fn open(out: &'o mut Vec<u8>) -> Self {
        out.push(b'{');
        let empty = out.len();
        Self { out, empty }
    }

    fn key(&mut self, key: &str) {
        if self.out.len() > self.empty {
            self.out.push(b',');
        }
        Json::write_str(self.out, key);
        self.out.push(b':');
    }

    pub(super) fn text(&mut self, key: &str, value: &str) {
        self.key(key);
        Json::write_str(self.out, value);
    }

    pub(super) fn close(self) {
        self.out.push(b'}');
    }
}
