//! How to reach Nacos. Name and password may come from files, which are read again at every login:
//! a rotated secret needs no restart.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

use crate::secret::Secret;
use crate::unit::TimeSpan;

/// Where Nacos is, and which documents there are meant.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Its address, `http://nacos:8848`; several of one cluster are separated by commas. Without a
    /// path, `/nacos` is meant.
    pub url: Option<String>,
    /// The namespace of this environment, by its id.
    pub namespace: Option<String>,
    /// The group of all documents.
    pub group: String,
    /// Who logs in; nobody if Nacos asks for no login.
    pub username: Option<String>,
    /// A file with that name, instead of the name.
    pub username_file: Option<PathBuf>,
    /// The password; better a file.
    pub password: Option<Password>,
    /// A file with the password.
    pub password_file: Option<PathBuf>,
    /// How long one call may take, from connecting to the last byte.
    pub deadline: TimeSpan,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            url: None,
            namespace: None,
            group: "WEIR".to_owned(),
            username: None,
            username_file: None,
            password: None,
            password_file: None,
            deadline: TimeSpan::seconds(3),
        }
    }
}

/// A password as it was given. Never printed.
#[derive(Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Password(String);

impl Password {
    /// A password.
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Serialize for Password {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("***")
    }
}

/// Who logs in, with what.
#[derive(Debug)]
pub(super) struct Credentials {
    username: Source,
    password: Source,
}

#[derive(Debug)]
enum Source {
    Given(Secret),
    File(PathBuf),
}

impl Credentials {
    /// Nothing if no login is wanted; `Err` with the sentence that says what is missing.
    pub(super) fn of(settings: &Settings) -> Result<Option<Self>, String> {
        let username = Source::of(
            settings.username.as_deref(),
            settings.username_file.as_deref(),
        );
        let given = settings
            .password
            .as_ref()
            .map(|password| password.0.as_str());
        let password = Source::of(given, settings.password_file.as_deref());
        match (username, password) {
            (Some(username), Some(password)) => Ok(Some(Self { username, password })),
            (None, None) => Ok(None),
            (Some(_), None) => Err(
                "a user name without a password: set WEIR_NACOS_PASSWORD or \
                 WEIR_NACOS_PASSWORD_FILE"
                    .to_owned(),
            ),
            (None, Some(_)) => Err(
                "a password without a user name: set WEIR_NACOS_USERNAME or \
                 WEIR_NACOS_USERNAME_FILE"
                    .to_owned(),
            ),
        }
    }

    /// Name and password as they stand now.
    pub(super) fn resolve(&self) -> Result<(String, Secret), String> {
        let username = self.username.resolve()?;
        Ok((username.expose().to_owned(), self.password.resolve()?))
    }
}

impl Source {
    /// What is given wins over a file. An empty variable counts as not set.
    fn of(given: Option<&str>, file: Option<&Path>) -> Option<Self> {
        let given = given.filter(|text| !text.is_empty());
        given
            .map(|text| Self::Given(Secret::new(text)))
            .or_else(|| file.map(|path| Self::File(path.to_owned())))
    }

    fn resolve(&self) -> Result<Secret, String> {
        match self {
            Self::Given(secret) => Ok(secret.clone()),
            Self::File(path) => {
                let text = fs::read_to_string(path)
                    .map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
                let text = text.trim_end_matches(['\n', '\r']);
                if text.is_empty() {
                    return Err(format!("{} is empty", path.display()));
                }
                Ok(Secret::new(text))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_printed() {
        let settings = Settings {
            username: Some("weir".to_owned()),
            password: Some(Password::new("hunter2")),
            ..Settings::default()
        };
        let printed = serde_json::to_string(&settings).unwrap();
        assert!(!printed.contains("hunter2"), "{printed}");
        assert!(!format!("{settings:?}").contains("hunter2"));
        let credentials = Credentials::of(&settings).unwrap().unwrap();
        assert!(!format!("{credentials:?}").contains("hunter2"));
        assert_eq!(credentials.resolve().unwrap().1.expose(), "hunter2");
    }

    #[test]
    fn a_rotated_file_is_read_again() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "old\n").unwrap();
        let settings = Settings {
            username: Some("weir".to_owned()),
            password_file: Some(file.path().to_owned()),
            ..Settings::default()
        };
        let credentials = Credentials::of(&settings).unwrap().unwrap();
        assert_eq!(credentials.resolve().unwrap().1.expose(), "old");
        fs::write(file.path(), "new\n").unwrap();
        assert_eq!(credentials.resolve().unwrap().1.expose(), "new");
        fs::write(file.path(), "\n").unwrap();
        assert!(credentials.resolve().unwrap_err().ends_with("is empty"));
    }

    #[test]
    fn half_a_login_is_told() {
        let settings = Settings {
            username: Some("weir".to_owned()),
            ..Settings::default()
        };
        let message = Credentials::of(&settings).unwrap_err();
        assert!(message.contains("WEIR_NACOS_PASSWORD_FILE"), "{message}");
        assert!(Credentials::of(&Settings::default()).unwrap().is_none());
    }
}
