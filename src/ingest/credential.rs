//! Whose request this is: the key in `Authorization: Bearer`, as the user of `Authorization: Basic`,
//! or in `X-Weir-Key`.
//!
//! Several keys are valid at once. Every one is compared, in constant time, whichever matches, so
//! that the time of an answer tells nothing.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, HeaderName};

use crate::rollout::live::Key;

/// Where a key may stand when a proxy uses `Authorization` for itself.
pub const X_WEIR_KEY: HeaderName = HeaderName::from_static("x-weir-key");

/// Why nobody is let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// There is no credential.
    Missing,
    /// None of the keys, or a revoked one.
    Wrong,
    /// It is none of the keys that this instance has, but some it could not read.
    Unknowable,
}

/// The key that the request came with; `keys` are all that may send.
pub fn check<'k>(keys: &'k [Key], headers: &HeaderMap) -> Result<&'k Key, Denied> {
    let mut given = false;
    let mut found = None;
    let mut compare = |candidate: &[u8]| {
        given = true;
        for key in keys {
            if key.secret.as_ref().is_some_and(|s| s.matches(candidate)) {
                found = Some(key);
            }
        }
    };
    for value in headers.get_all(AUTHORIZATION) {
        with_authorization(value.as_bytes(), &mut compare);
    }
    if let Some(value) = headers.get(&X_WEIR_KEY) {
        compare(value.as_bytes());
    }
    match found {
        Some(key) => Ok(key),
        None if keys.iter().any(|key| key.secret.is_none()) => Err(Denied::Unknowable),
        None if given => Err(Denied::Wrong),
        None => Err(Denied::Missing),
    }
}

/// Hands on the bearer token, or the user of basic authentication. Anything else is no credential.
fn with_authorization(value: &[u8], mut compare: impl FnMut(&[u8])) {
    let Some(space) = value.iter().position(|c| *c == b' ') else {
        return;
    };
    let (scheme, rest) = value.split_at(space);
    let rest = rest.trim_ascii();
    if scheme.eq_ignore_ascii_case(b"bearer") {
        compare(rest);
    } else if scheme.eq_ignore_ascii_case(b"basic") {
        let decoded = STANDARD
            .decode(rest)
            .or_else(|_| STANDARD_NO_PAD.decode(rest))
            .unwrap_or_default();
        compare(decoded.split(|c| *c == b':').next().unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    fn key(id: &str, secret: Option<&str>) -> Key {
        Key {
            id: id.into(),
            secret: secret.map(Secret::new),
        }
    }

    fn with(keys: &[Key], headers: &[(HeaderName, &str)]) -> Result<String, Denied> {
        let headers = headers
            .iter()
            .map(|(name, value)| (name.clone(), value.parse().unwrap()))
            .collect();
        check(keys, &headers).map(|key| key.id.to_string())
    }

    #[test]
    fn every_place_and_every_key_is_taken() {
        let keys = [key("old", Some("k1")), key("new", Some("k2"))];
        let basic = format!("Basic {}", STANDARD.encode("k2:ignored"));
        let unpadded = format!("basic {}", STANDARD_NO_PAD.encode("k1:"));
        for (name, value, id) in [
            (AUTHORIZATION, "Bearer k1", "old"),
            (AUTHORIZATION, "bearer  k2 ", "new"),
            (AUTHORIZATION, &basic, "new"),
            (AUTHORIZATION, &unpadded, "old"),
            (X_WEIR_KEY, "k2", "new"),
        ] {
            assert_eq!(with(&keys, &[(name, value)]), Ok(id.to_owned()), "{value}");
        }
    }

    #[test]
    fn none_is_told_from_wrong() {
        let keys = [key("a", Some("k1"))];
        assert_eq!(with(&keys, &[]), Err(Denied::Missing));
        for value in ["Digest x", "k1", "Bearer"] {
            assert_eq!(
                with(&keys, &[(AUTHORIZATION, value)]),
                Err(Denied::Missing),
                "{value}"
            );
        }
        for value in ["Bearer k", "Bearer k11", "Basic k1", "Basic !", "Bearer "] {
            let answer = with(&keys, &[(AUTHORIZATION, value)]);
            assert_ne!(answer, Ok("a".to_owned()), "{value}");
        }
        assert_eq!(with(&keys, &[(X_WEIR_KEY, "k2")]), Err(Denied::Wrong));
    }

    #[test]
    fn a_key_that_could_not_be_read_makes_nobody_wrong() {
        let keys = [key("a", Some("k1")), key("b", None)];
        assert_eq!(with(&keys, &[(X_WEIR_KEY, "k2")]), Err(Denied::Unknowable));
        assert_eq!(with(&keys, &[(X_WEIR_KEY, "k1")]), Ok("a".to_owned()));
    }
}
