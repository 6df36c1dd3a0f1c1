//! `parse`, as written: exactly one kind whose value is the path, and where the result goes.

use regex::RegexBuilder;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::document::condition::{REGEX_SIZE, TimeUnit, reason};
use crate::document::diagnostic::At;
use crate::document::executer::cast::{TimeForm, TimeOutput};
use crate::document::scope::Scope;
use crate::event::FieldId;
use crate::pipeline::executer::{Executer, Pairs, Parse, Parser};

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

impl ParseForm {
    pub(super) fn compile(&self, scope: &mut Scope<'_>, at: &At<'_>) -> Option<Executer> {
        let kinds = [
            ("json", &self.json),
            ("time", &self.time),
            ("url", &self.url),
            ("query", &self.query),
            ("key_value", &self.key_value),
            ("regex", &self.regex),
            ("base64", &self.base64),
            ("user_agent", &self.user_agent),
        ];
        let mut written = kinds
            .into_iter()
            .filter_map(|(kind, path)| Some((kind, path.as_ref()?)));
        let Some((kind, path)) = written.next() else {
            let hint = "name the field by its kind, as in `parse: { json: properties.extra }`";
            let message = "it does not say what is parsed";
            scope.diagnostics.error(at, message, hint);
            return None;
        };
        if let Some((second, _)) = written.next() {
            let message = format!("it has several kinds: {kind}, {second}");
            let hint = "make a step of each; they run in the order of the list";
            scope.diagnostics.error(at, message, hint);
        }
        self.refuse_others(kind, scope, at);
        let field = scope.field(&at.field(kind), path);
        let target = self.target.as_deref();
        let target = target.map(|path| scope.field(&at.field("as"), path));
        let in_place = vec![Some(target.unwrap_or(field))];
        let (parser, targets) = match kind {
            "json" => (Parser::Json, in_place),
            "time" => (Parser::Time(self.time_form().compile(scope, at)), in_place),
            "url" => (Parser::Url, self.url(target, scope, at)),
            "query" => (Parser::Query, in_place),
            "key_value" => (Parser::Pairs(self.pairs(scope, at)), in_place),
            "regex" => self.regex(scope, at)?,
            "base64" => (Parser::Base64, in_place),
            _ => (Parser::UserAgent, in_place),
        };
        let targets = targets.into();
        Some(Executer::Parse(Parse {
            field,
            parser,
            targets,
        }))
    }

    fn time_form(&self) -> TimeForm<'_> {
        TimeForm {
            unit: self.unit,
            format: self.format.as_deref(),
            offset: self.offset.as_deref(),
            output: self.output,
        }
    }

    /// Reports keys of other kinds.
    fn refuse_others(&self, kind: &str, scope: &mut Scope<'_>, at: &At<'_>) {
        let keys = [
            ("query_as", "url", self.query_as.is_some()),
            ("pattern", "regex", self.pattern.is_some()),
            ("pairs", "key_value", self.pairs.is_some()),
            ("separator", "key_value", self.separator.is_some()),
        ];
        for (key, of, written) in keys {
            if written && of != kind {
                let message = format!("only a `{of}` knows this key");
                scope
                    .diagnostics
                    .error(&at.field(key), message, "leave it out");
            }
        }
        if kind != "time" {
            self.time_form()
                .refuse("only a `time` knows this key", scope, at);
        }
    }

    fn url(
        &self,
        parts: Option<FieldId>,
        scope: &mut Scope<'_>,
        at: &At<'_>,
    ) -> Vec<Option<FieldId>> {
        let query = self.query_as.as_deref();
        let query = query.map(|path| scope.field(&at.field("query_as"), path));
        if parts.is_none() && query.is_none() {
            let hint =
                "say where the parts go, with `as`, or the query's parameters, with `query_as`";
            scope
                .diagnostics
                .error(at, "what is in the URL goes nowhere", hint);
        }
        vec![parts, query]
    }

    fn pairs(&self, scope: &mut Scope<'_>, at: &At<'_>) -> Pairs {
        let mut one = |key: &str, text: Option<&str>, default: char| {
            let mut chars = text.unwrap_or_default().chars();
            match (text, chars.next(), chars.next()) {
                (None, ..) => default,
                (Some(_), Some(one), None) => one,
                (Some(text), ..) => {
                    let message = format!("`{text}` is not one character");
                    let hint = format!("write one, as in `{key}: \"{default}\"`");
                    scope.diagnostics.error(&at.field(key), message, hint);
                    default
                }
            }
        };
        let between = one("pairs", self.pairs.as_deref(), ' ');
        let separator = one("separator", self.separator.as_deref(), '=');
        if between == separator {
            let message = format!("`{between}` cannot stand both between pairs and inside of them");
            let hint = "`pairs` is what stands between `a=1` and `b=2`, `separator` the `=`";
            scope.diagnostics.error(&at.field("pairs"), message, hint);
        }
        Pairs { between, separator }
    }

    fn regex(&self, scope: &mut Scope<'_>, at: &At<'_>) -> Option<(Parser, Vec<Option<FieldId>>)> {
        let Some(pattern) = &self.pattern else {
            let hint = "add `pattern`, with named groups: `(?<status>[0-9]+)`";
            scope
                .diagnostics
                .error(at, "there is no pattern to match the field with", hint);
            return None;
        };
        let regex = match RegexBuilder::new(pattern).size_limit(REGEX_SIZE).build() {
            Ok(regex) => regex,
            Err(error) => {
                let message = format!("the pattern does not compile: {}", reason(&error));
                let hint = "the syntax is that of the Rust crate `regex`: no look-around, no \
                            back-references";
                scope.diagnostics.error(&at.field("pattern"), message, hint);
                return None;
            }
        };
        let (mut groups, mut targets) = (Vec::new(), Vec::new());
        for (group, name) in regex.capture_names().enumerate() {
            let Some(name) = name else { continue };
            let path = match &self.target {
                Some(target) => format!("{target}.{name}"),
                None => name.to_owned(),
            };
            groups.push(group);
            targets.push(Some(scope.field(&at.field("pattern"), &path)));
        }
        if groups.is_empty() {
            let hint = "name the groups after the fields they become: `(?<status>[0-9]+)`";
            let message = "the pattern has no named group, so nothing comes of it";
            scope.diagnostics.error(&at.field("pattern"), message, hint);
        }
        Some((Parser::Regex(regex, groups.into()), targets))
    }
}
