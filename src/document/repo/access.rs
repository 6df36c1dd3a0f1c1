//! Who may send to a repo, how much, how fast and from which web pages, as people write it.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::document::diagnostic::{At, Diagnostics};
use crate::document::repo::RepoForm;
use crate::event::Depth;
use crate::pipeline::access::{Access, Key, Limits, Rate, RatePer};
use crate::pipeline::decode::{Format, Input};
use crate::unit::{SecretRef, Size, TimeSpan};

/// How a body becomes events, and how much of it is taken.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Input")]
pub struct InputForm {
    /// `jsonl` (default): JSON lines, or one array of objects. `text`: each line an event with the
    /// one field `message`.
    #[serde(default)]
    pub format: FormatForm,
    /// What is refused as too much.
    #[serde(default)]
    pub limits: LimitsForm,
}

/// How a body becomes events.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "Format")]
pub enum FormatForm {
    /// JSON lines, or one array of objects.
    #[default]
    Jsonl,
    /// Each line an event with the one field `message`.
    Text,
}

/// What is refused as too much.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Limits")]
pub struct LimitsForm {
    /// A body as sent, perhaps packed (default: as `body`).
    pub wire: Option<Size>,
    /// A body unpacked (default `8 MiB`).
    pub body: Option<Size>,
    /// How many times larger than packed a body may be unpacked (default 100).
    #[schemars(range(min = 1))]
    pub ratio: Option<u32>,
    /// One event (default `64 KiB`).
    pub event: Option<Size>,
    /// Events of one request (default 10,000).
    #[schemars(range(min = 1))]
    pub events: Option<u32>,
    /// How deep an event may be nested; a flat one has depth 1 (default 32).
    #[schemars(range(min = 1, max = 1000))]
    pub depth: Option<u16>,
}

/// Who may send.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Auth")]
pub struct AuthForm {
    /// The keys, all valid at once.
    #[schemars(length(min = 1))]
    pub keys: Vec<KeyForm>,
}

/// A key that may send.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Key")]
pub struct KeyForm {
    /// Its name, for rates and logs.
    #[schemars(length(min = 1))]
    pub id: String,
    /// Where it stands.
    pub secret: SecretRef,
}

/// How much may come in, on each instance. What is more gets a 429.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Rate")]
pub struct RateForm {
    /// What is counted together (default `repo`).
    #[serde(default)]
    pub per: PerForm,
    /// Events a second.
    pub events_per_second: Option<f64>,
    /// Requests a second.
    pub requests_per_second: Option<f64>,
    /// How much may come at once: what the rate lets through in this time (default `1 s`).
    pub burst: Option<TimeSpan>,
}

/// What is counted together.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "Per")]
pub enum PerForm {
    /// The whole repo.
    #[default]
    Repo,
    /// Each key.
    Key,
    /// Each client address.
    Address,
}

/// Which web pages may send.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Cors")]
pub struct CorsForm {
    /// Their origins, `https://www.example.com`; `*` is all of them.
    #[schemars(length(min = 1))]
    pub origins: Vec<String>,
}

impl RepoForm {
    pub(super) fn access(&self, at: &At<'_>, out: &mut Diagnostics) -> Access {
        let (input, limits) = self.input.compile(&at.field("input"), out);
        let auth = self.auth.as_ref();
        let keys = auth.map(|auth| auth.compile(&at.field("auth"), out));
        let cors = self.cors.as_ref();
        let origins = cors.map(|cors| cors.compile(&at.field("cors"), out));
        let rate = self.rate.as_ref();
        Access {
            input,
            limits,
            rate: rate.and_then(|rate| rate.compile(auth.is_some(), &at.field("rate"), out)),
            keys: keys.unwrap_or_default(),
            origins: origins.unwrap_or_default(),
        }
    }
}

impl InputForm {
    fn compile(&self, at: &At<'_>, out: &mut Diagnostics) -> (Input, Limits) {
        let at = at.field("limits");
        let form = &self.limits;
        let body = form.body.unwrap_or(Size::mib(8));
        let event = form.event.unwrap_or(Size::kib(64));
        let wire = form.wire.unwrap_or(body);
        let most = Size::bytes(u64::from(Input::MAX_BODY));
        for (name, size) in [("body", body), ("event", event), ("wire", wire)] {
            let at = at.field(name);
            if size.get() == 0 {
                out.error(
                    &at,
                    "a limit of 0 refuses everything",
                    "write a size, or remove it",
                );
            } else if size > most {
                out.error(
                    &at,
                    format!("{size} is more than the {most} there can be"),
                    "lower it",
                );
            }
        }
        for (name, size) in [("event", event), ("wire", wire)] {
            if size > body && body <= most {
                let message = format!("`{name}` ({size}) is larger than `body` ({body})");
                let hint = format!("lower `{name}`, or raise `body`");
                out.error(&at.field(name), message, hint);
            }
        }
        let input = Input {
            format: match self.format {
                FormatForm::Jsonl => Format::Jsonl,
                FormatForm::Text => Format::Text,
            },
            event_limit: event.get_u32(),
            max_events: form.events.unwrap_or(10_000),
            depth: Depth(form.depth.unwrap_or(32)),
        };
        let limits = Limits {
            wire: wire.get_u32(),
            body: body.get_u32(),
            ratio: form.ratio.unwrap_or(100),
        };
        (input, limits)
    }
}

impl AuthForm {
    fn compile(&self, at: &At<'_>, out: &mut Diagnostics) -> Vec<Key> {
        let at = at.field("keys");
        for (index, key) in self.keys.iter().enumerate() {
            let at = at.item(index);
            if self.keys[..index].iter().any(|before| before.id == key.id) {
                let message = format!("the key `{}` stands twice", key.id);
                out.error(&at.field("id"), message, "rename one of the two");
            }
            if self.keys[..index]
                .iter()
                .any(|before| before.secret == key.secret)
            {
                let message = "another key has the same secret, so this one never counts";
                out.warning(
                    &at.field("secret"),
                    message,
                    "give each key a secret of its own",
                );
            }
        }
        let compile = |key: &KeyForm| Key {
            id: key.id.as_str().into(),
            secret: key.secret.reference().clone(),
        };
        self.keys.iter().map(compile).collect()
    }
}

impl RateForm {
    fn compile(&self, keys: bool, at: &At<'_>, out: &mut Diagnostics) -> Option<Rate> {
        if matches!(self.per, PerForm::Key) && !keys {
            let message = "there are no keys to count by";
            out.error(
                &at.field("per"),
                message,
                "add `auth`, or count per `address` or `repo`",
            );
        }
        if self.events_per_second.is_none() && self.requests_per_second.is_none() {
            let hint = "add `events_per_second` or `requests_per_second`, or remove `rate`";
            out.error(at, "the rate limits nothing", hint);
        }
        let rates = [
            ("events_per_second", self.events_per_second),
            ("requests_per_second", self.requests_per_second),
        ];
        for (name, rate) in rates {
            if rate.is_some_and(|rate| rate <= 0.0) {
                out.error(
                    &at.field(name),
                    "a rate is more than 0",
                    "raise it, or remove it",
                );
            }
        }
        let burst = self.burst.unwrap_or(TimeSpan::seconds(1));
        if burst.as_millis() == 0 {
            out.error(
                &at.field("burst"),
                "nothing could come at once",
                "write `1 s`",
            );
        }
        Some(Rate {
            per: match self.per {
                PerForm::Repo => RatePer::Repo,
                PerForm::Key => RatePer::Key,
                PerForm::Address => RatePer::Address,
            },
            events_per_second: self.events_per_second,
            requests_per_second: self.requests_per_second,
            burst: burst.duration().as_secs_f64(),
        })
    }
}

impl CorsForm {
    fn compile(&self, at: &At<'_>, out: &mut Diagnostics) -> Vec<Box<str>> {
        let at = at.field("origins");
        for (index, origin) in self.origins.iter().enumerate() {
            if !is_origin(origin) {
                let message = format!("`{origin}` is not an origin");
                let hint =
                    "write scheme and host, `https://www.example.com`, without a path; or `*`";
                out.error(&at.item(index), message, hint);
            }
        }
        self.origins
            .iter()
            .map(|origin| origin.as_str().into())
            .collect()
    }
}

/// `*`, or scheme, host and perhaps a port.
fn is_origin(text: &str) -> bool {
    let Ok(url) = url::Url::parse(text) else {
        return text == "*";
    };
    url.has_host() && url.origin().ascii_serialization() == text
}
