//! Logs: JSON or text, to standard error or output. The level can be moved while the process runs.
//! Payloads and secrets never go into a log.

use std::io;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::Registry;
use tracing_subscriber::reload;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

/// How the process logs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// From which level on: `error`, `warn`, `info`, `debug`, `trace`, or by module
    /// (`info,weir::delivery=debug`).
    pub level: String,
    /// One JSON object a line, or text for people.
    pub format: Format,
    /// Where to.
    pub to: Stream,
}

/// How a line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// One JSON object a line.
    #[default]
    Json,
    /// For people.
    Text,
}

/// Where lines go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// Standard error.
    #[default]
    Stderr,
    /// Standard output.
    Stdout,
}

/// Why logging did not begin, or its level did not move.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not a level.
    #[error("`{text}` is not a log level; write `info`, or `info,weir::delivery=debug`")]
    Level {
        /// As written.
        text: String,
        /// What is wrong with it.
        source: tracing_subscriber::filter::ParseError,
    },
    /// Something in the process logs already.
    #[error("begin logging")]
    Taken(#[from] TryInitError),
    /// The subscriber is gone.
    #[error("move the log level")]
    Gone(#[from] reload::Error),
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            level: "info".to_owned(),
            format: Format::default(),
            to: Stream::default(),
        }
    }
}

/// Moves the level of a process that logs.
#[derive(Clone, Debug)]
pub struct Level(reload::Handle<EnvFilter, Registry>);

impl Level {
    /// Logs from this level on.
    pub fn set(&self, level: &str) -> Result<(), Error> {
        Ok(self.0.reload(filter(level)?)?)
    }
}

/// Begins to log, for the whole process.
pub fn init(settings: &Settings) -> Result<Level, Error> {
    let (level, handle) = reload::Layer::new(filter(&settings.level)?);
    let writer = match settings.to {
        Stream::Stderr => BoxMakeWriter::new(io::stderr),
        Stream::Stdout => BoxMakeWriter::new(io::stdout),
    };
    let lines = tracing_subscriber::fmt::layer().with_writer(writer);
    let lines = match settings.format {
        Format::Json => lines.json().flatten_event(true).boxed(),
        Format::Text => lines.with_ansi(false).boxed(),
    };
    tracing_subscriber::registry()
        .with(level)
        .with(lines)
        .try_init()?;
    Ok(Level(handle))
}

/// The Nacos library quotes documents in its logs, and repeats itself while Nacos is away, which is
/// told elsewhere: it is silent unless the level names it.
fn filter(level: &str) -> Result<EnvFilter, Error> {
    let quiet = if level.contains("nacos_sdk") {
        ""
    } else {
        "nacos_sdk=off,"
    };
    EnvFilter::builder()
        .parse(format!("{quiet}{level}"))
        .map_err(|source| Error::Level {
            text: level.to_owned(),
            source,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_checked_before_it_is_used() {
        assert!(filter("info,weir::delivery=debug").is_ok());
        let error = filter("weir=loud").unwrap_err().to_string();
        assert!(error.contains("`weir=loud`"), "{error}");
    }

    #[test]
    fn the_nacos_library_is_silent_unless_it_is_named() {
        assert!(
            filter("info")
                .unwrap()
                .to_string()
                .contains("nacos_sdk=off")
        );
        let named = filter("info,nacos_sdk=debug").unwrap().to_string();
        assert!(!named.contains("off"), "{named}");
    }

    #[test]
    fn unknown_settings_are_refused() {
        let text = serde_json::json!({ "level": "warn", "format": "text", "too": "stdout" });
        assert!(serde_json::from_value::<Settings>(text).is_err());
    }
}
