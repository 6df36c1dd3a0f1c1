//! `parse`, as written: exactly one kind whose value is the path, and where the result goes.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::document::condition::TimeUnit;
use crate::document::executer::cast::TimeOutput;

/// Reads what is packed in a string. Exactly one of `json`, `time`, `url`, `query`, `key_value`,
/// `regex`, `base64` and `user_agent` names the field; a missing field stays missing.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Parse")]
pub struct ParseForm {
    /// A field with JSON in a string; the value takes its place.
    pub json: Option<String>,
    /// A field with a time; as `cast` to `datetime`.
    pub time: Option<String>,
    /// A field with a URL. With `as`: an object of `scheme`, `host`, `port`, `path`, `query` and
    /// `fragment`, as far as they are there. With `query_as`: the query's parameters.
    pub url: Option<String>,
    /// A field with a query, `a=1&b=2`; becomes an object of strings. Of a parameter that is
    /// repeated, the last one counts.
    pub query: Option<String>,
    /// A field with pairs, `a=1 b="x y"`; becomes an object of strings.
    pub key_value: Option<String>,
    /// A field that `pattern` is matched with; its named groups become fields.
    pub regex: Option<String>,
    /// A field with base64, standard or for URLs, padded or not; becomes the string in it.
    pub base64: Option<String>,
    /// A field with a browser's user agent; becomes an object of `browser`, `browser_version`,
    /// `os`, `os_version`, `vendor` and `device` (`pc`, `smartphone`, `mobilephone`, `crawler`,
    /// `appliance`, `misc`), as far as they are known.
    pub user_agent: Option<String>,

    /// Where the result goes (default: where the string stood; the groups of a `regex` go to the
    /// top of the event).
    #[serde(rename = "as")]
    pub target: Option<String>,
    /// With `url`: where an object of the query's parameters goes.
    pub query_as: Option<String>,
    /// With `regex`: the pattern, with named groups, `(?<name>…)`.
    pub pattern: Option<String>,
    /// With `key_value`: the character between pairs (default a space).
    pub pairs: Option<String>,
    /// With `key_value`: the character between key and value (default `=`).
    pub separator: Option<String>,
    /// With `time`: what a number counts since 1970 (default `ms`).
    pub unit: Option<TimeUnit>,
    /// With `time`: how the string is written, as in `%d/%b/%Y:%H:%M:%S %z` (default RFC 3339).
    pub format: Option<String>,
    /// With `time`: the offset from UTC of a string that does not say it, as in `+08:00`.
    pub offset: Option<String>,
    /// With `time`: how the time is written (default `ms`).
    pub output: Option<TimeOutput>,
}
