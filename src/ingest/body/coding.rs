//! How a body is packed: one coding, or none. Codings upon codings are refused, as no SDK sends
//! them and each layer would multiply what a bomb can do.

use std::fmt;

use axum::http::HeaderMap;
use axum::http::header::CONTENT_ENCODING;

use crate::ingest::body::Error;

/// How much of a foreign header an error repeats.
const SHOWN: usize = 64;

/// A content coding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Coding {
    /// RFC 1952, of one or several members.
    Gzip,
    /// RFC 1950 (zlib), or as many clients understood it, RFC 1951 (raw).
    Deflate,
    /// RFC 7932
    Brotli,
    /// RFC 8878, windows up to 8 MiB as RFC 9659 says.
    Zstd,
}

impl Coding {
    /// What the headers say; `None` if the body is as it is.
    pub fn of(headers: &HeaderMap) -> Result<Option<Self>, Error> {
        let mut found = None;
        for value in headers.get_all(CONTENT_ENCODING) {
            let refused = || {
                let text = String::from_utf8_lossy(value.as_bytes());
                Error::Coding(text.chars().take(SHOWN).collect())
            };
            let names = value
                .to_str()
                .map_err(|_| refused())?
                .split(',')
                .map(str::trim);
            for name in
                names.filter(|name| !name.is_empty() && !name.eq_ignore_ascii_case("identity"))
            {
                let coding = Self::named(name).ok_or_else(refused)?;
                if found.replace(coding).is_some() {
                    return Err(refused());
                }
            }
        }
        Ok(found)
    }

    fn named(name: &str) -> Option<Self> {
        let names = [
            ("gzip", Self::Gzip),
            ("x-gzip", Self::Gzip),
            ("deflate", Self::Deflate),
            ("br", Self::Brotli),
            ("zstd", Self::Zstd),
        ];
        names
            .iter()
            .find(|(known, _)| name.eq_ignore_ascii_case(known))
            .map(|&(_, coding)| coding)
    }
}

impl fmt::Display for Coding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[&str]) -> Result<Option<Coding>, String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(CONTENT_ENCODING, value.parse().unwrap());
        }
        Coding::of(&headers).map_err(|error| error.to_string())
    }

    #[test]
    fn one_coding_is_understood_and_more_are_refused() {
        assert_eq!(of(&[]), Ok(None));
        assert_eq!(of(&[""]), Ok(None));
        assert_eq!(of(&["identity"]), Ok(None));
        assert_eq!(of(&["GZip"]), Ok(Some(Coding::Gzip)));
        assert_eq!(of(&["identity, x-gzip"]), Ok(Some(Coding::Gzip)));
        assert_eq!(of(&[" deflate "]), Ok(Some(Coding::Deflate)));
        assert_eq!(of(&["identity", "br"]), Ok(Some(Coding::Brotli)));
        assert_eq!(of(&["zstd"]), Ok(Some(Coding::Zstd)));
        for stacked in [
            &["gzip, br"][..],
            &["gzip", "gzip"],
            &["compress"],
            &["gzip;q=1"],
            &["g\u{fc}"],
        ] {
            assert!(
                of(stacked)
                    .unwrap_err()
                    .contains("send one of gzip, deflate, br, zstd")
            );
        }
        assert!(of(&[&"x".repeat(5000)]).unwrap_err().len() < 200);
    }
}
