//! Secrets by reference: what people write is where a secret stands, never the secret.
//!
//! A reference is `file:/path` (its content, one trailing line feed cut) or `env:NAME`. It is
//! resolved on the instance, outside of compiling. The value prints as `***`.

use std::fmt;

use subtle::ConstantTimeEq;

/// Where a secret stands.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reference {
    /// The content of a file.
    File(String),
    /// An environment variable.
    Env(String),
}

/// Why a secret could not be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not a reference.
    #[error("a secret is a reference, `file:/path` or `env:NAME`, not the secret itself")]
    Syntax,
    /// The file cannot be read.
    #[error("read secret file {path}")]
    File {
        /// The path.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The variable is not set.
    #[error("environment variable {0} with a secret is not set")]
    Env(String),
    /// There is nothing in it.
    #[error("secret {0} is empty")]
    Empty(String),
}

impl Reference {
    /// Reads `file:…` or `env:…`.
    pub fn parse(text: &str) -> Result<Self, Error> {
        match text.split_once(':') {
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(path.to_owned())),
            Some(("env", name)) if !name.is_empty() => Ok(Self::Env(name.to_owned())),
            _ => Err(Error::Syntax),
        }
    }

    /// Fetches the secret.
    pub fn resolve(&self) -> Result<Secret, Error> {
        let value = match self {
            Self::File(path) => std::fs::read_to_string(path).map_err(|source| Error::File {
                path: path.clone(),
                source,
            })?,
            Self::Env(name) => std::env::var(name).map_err(|_| Error::Env(name.clone()))?,
        };
        let value = value
            .strip_suffix('\n')
            .map_or(value.as_str(), |cut| cut.trim_end_matches('\r'));
        if value.is_empty() {
            return Err(Error::Empty(self.to_string()));
        }
        Ok(Secret(value.into()))
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "file:{path}"),
            Self::Env(name) => write!(f, "env:{name}"),
        }
    }
}

/// A secret's value. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Box<str>);

impl Secret {
    /// For tests and for secrets that come from elsewhere than a reference.
    pub fn new(value: &str) -> Self {
        Self(value.into())
    }

    /// The value, for handing it to a library.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Compares in constant time (but for the length).
    pub fn matches(&self, candidate: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(candidate).into()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_a_reference_and_prints_as_stars() {
        assert!(matches!(Reference::parse("hunter2"), Err(Error::Syntax)));
        assert_eq!(Reference::parse("env:A").unwrap().to_string(), "env:A");
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "***");
        assert!(Secret::new("hunter2").matches(b"hunter2"));
        assert!(!Secret::new("hunter2").matches(b"hunter3"));
    }
}
