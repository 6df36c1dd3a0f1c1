//! What a process needs before it can read documents: addresses, paths, limits of the process.
//!
//! A TOML file, overridden by `WEIR_*` environment variables, overridden by flags. The variable of
//! a setting is its path in upper case: `[data_port] max_connections` is
//! `WEIR_DATA_PORT_MAX_CONNECTIONS`. Everything that can change while the process runs is a
//! document, not a setting. What people write most has a short variable too: [`SHORT`].

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::center::nacos;
use crate::rollout::source;
use crate::unit::Size;
use crate::{admin, ingest, rollout, telemetry};

/// Variables with a shorter name than their path.
pub const SHORT: [(&str, &str); 3] = [
    ("WEIR_NACOS", "WEIR_NACOS_URL"),
    ("WEIR_NAMESPACE", "WEIR_NACOS_NAMESPACE"),
    ("WEIR_GROUP", "WEIR_NACOS_GROUP"),
];

/// The settings of a process.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The directory of documents; or `nacos`.
    pub documents: Option<PathBuf>,
    /// The config center that documents come from; or `documents`.
    pub nacos: nacos::Settings,
    /// Where relative paths of tables are looked for (default: the directory of documents, or with
    /// a config center the working directory).
    pub data: Option<PathBuf>,
    /// Where the process keeps what must survive it.
    pub state: PathBuf,
    /// The address of the data port.
    pub listen: SocketAddr,
    /// The address of the admin port.
    pub admin: SocketAddr,
    /// This instance's name; the host's name if it is not given.
    pub instance: String,
    /// The data port.
    pub data_port: ingest::Settings,
    /// The admin port.
    pub admin_port: admin::Settings,
    /// How documents go live.
    pub rollout: rollout::Settings,
    /// Bytes of records on their way, over all lanes; as they are used up, low priority is turned
    /// away first.
    pub records_in_flight: Size,
    /// Logs.
    pub log: telemetry::log::Settings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            documents: None,
            nacos: nacos::Settings::default(),
            data: None,
            state: "state".into(),
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            admin: SocketAddr::from(([127, 0, 0, 1], 9090)),
            instance: host_name(),
            data_port: ingest::Settings::default(),
            admin_port: admin::Settings::default(),
            rollout: rollout::Settings::default(),
            records_in_flight: Size::mib(256),
            log: telemetry::log::Settings::default(),
        }
    }
}

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("read settings {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not TOML.
    #[error("parse settings {path}")]
    Parse {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: Box<toml::de::Error>,
    },
    /// No documents, or two places for them.
    #[error("{0}")]
    Source(&'static str),
    /// A value is not what it should be.
    #[error("setting `{path}` (variable {variable}): {message}")]
    Value {
        /// Its path in the file.
        path: String,
        /// Its environment variable.
        variable: String,
        /// What is wrong.
        message: String,
    },
}

impl Settings {
    /// Where documents come from.
    pub fn source(&self) -> Result<source::Settings, Error> {
        match (&self.documents, &self.nacos.url) {
            (Some(documents), None) => Ok(source::Settings::Directory(documents.clone())),
            (None, Some(_)) => Ok(source::Settings::Nacos(self.nacos.clone())),
            (None, None) => Err(Error::Source(
                "no documents: name a directory with --documents DIR (or WEIR_DOCUMENTS; \
                 config-examples/quickstart is one), or a config center with --nacos URL \
                 --namespace NS (or WEIR_NACOS, WEIR_NAMESPACE)",
            )),
            (Some(_), Some(_)) => Err(Error::Source(
                "documents come from one place: name either a directory (--documents, \
                 WEIR_DOCUMENTS) or a config center (--nacos, WEIR_NACOS), not both",
            )),
        }
    }

    /// Where relative paths of tables are looked for.
    pub fn data(&self) -> PathBuf {
        let given = self.data.clone().or_else(|| self.documents.clone());
        given.unwrap_or_else(|| ".".into())
    }
}

/// Reads the settings. `flags` are those given on the command line, by their path.
pub fn load(
    file: Option<&Path>,
    variable: impl Fn(&str) -> Option<String>,
    flags: Map<String, Value>,
) -> Result<Settings, Error> {
    let mut written = as_written(&Settings::default());
    if let Some(path) = file {
        merge(&mut written, read(path)?);
    }
    override_from_variables(&mut written, "", &|name: &str| {
        let short = SHORT.iter().find(|(_, long)| *long == name);
        variable(name).or_else(|| variable(short?.0))
    });
    merge(&mut written, Value::Object(flags));
    serde_path_to_error::deserialize(written).map_err(|error| {
        let path = error.path().to_string();
        let variable = format!("WEIR_{}", path.to_uppercase().replace('.', "_"));
        Error::Value {
            path,
            variable,
            message: error.into_inner().to_string(),
        }
    })
}

/// As TOML, for `--print-settings`. Secrets are references, or masked.
pub fn print(settings: &Settings) -> Result<String, toml::ser::Error> {
    toml::to_string(settings)
}

fn as_written(settings: &Settings) -> Value {
    serde_json::to_value(settings).unwrap_or_default()
}

fn read(path: &Path) -> Result<Value, Error> {
    let text = std::fs::read_to_string(path).map_err(|source| Error::Read {
        path: path.to_owned(),
        source,
    })?;
    toml::from_str(&text).map_err(|source| Error::Parse {
        path: path.to_owned(),
        source: Box::new(source),
    })
}

/// Replaces every leaf whose variable is set.
fn override_from_variables(value: &mut Value, path: &str, of: &impl Fn(&str) -> Option<String>) {
    if let Value::Object(members) = value {
        for (name, member) in members {
            override_from_variables(member, &format!("{path}_{}", name.to_uppercase()), of);
        }
    } else if let Some(text) = of(&format!("WEIR{path}")) {
        *value = like(value, text);
    }
}

/// The text of a variable as a value of the same type as the default.
fn like(default: &Value, text: String) -> Value {
    match default {
        Value::Bool(_) | Value::Number(_) => {
            serde_json::from_str(&text).unwrap_or(Value::String(text))
        }
        Value::Array(_) => {
            let items = text
                .split(',')
                .map(str::trim)
                .filter(|item| !item.is_empty());
            items.map(|item| Value::String(item.to_owned())).collect()
        }
        _ => Value::String(text),
    }
}

fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (name, member) in from {
                merge(into.entry(name).or_insert(Value::Null), member);
            }
        }
        (into, from) => *into = from,
    }
}

fn host_name() -> String {
    let of_kernel = || std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let name = std::env::var("HOSTNAME").ok().or_else(of_kernel);
    name.map_or_else(|| "weir".to_owned(), |name| name.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn flags(value: &Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn flags_win_over_variables_and_variables_over_the_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(
            file.path(),
            "state = \"/a\"\nlisten = \"127.0.0.1:1\"\nadmin = \"127.0.0.1:1\"\n",
        )
        .unwrap();
        let variable = |name: &str| match name {
            "WEIR_LISTEN" | "WEIR_ADMIN" => Some("127.0.0.1:2".to_owned()),
            _ => None,
        };
        let settings = load(
            Some(file.path()),
            variable,
            flags(&json!({"admin": "127.0.0.1:3"})),
        )
        .unwrap();
        assert_eq!(settings.state, Path::new("/a"));
        assert_eq!(settings.listen.port(), 2);
        assert_eq!(settings.admin.port(), 3);
    }

    #[test]
    fn a_variable_equal_to_the_default_still_wins_over_the_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "listen = \"127.0.0.1:1\"\n").unwrap();
        let default = Settings::default().listen.to_string();
        let variable = |name: &str| (name == "WEIR_LISTEN").then(|| default.clone());
        let settings = load(Some(file.path()), variable, Map::new()).unwrap();
        assert_eq!(settings.listen.to_string(), default);
    }

    #[test]
    fn a_wrong_setting_is_named_with_its_variable() {
        let variable = |name: &str| (name == "WEIR_LISTEN").then(|| "nowhere".to_owned());
        let error = load(None, variable, Map::new()).unwrap_err().to_string();
        assert!(error.contains("`listen` (variable WEIR_LISTEN)"), "{error}");
    }

    #[test]
    fn printed_settings_read_back_the_same() {
        let printed = print(&Settings::default()).unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &printed).unwrap();
        let read = load(Some(file.path()), |_| None, Map::new()).unwrap();
        assert_eq!(print(&read).unwrap(), printed);
    }
}
