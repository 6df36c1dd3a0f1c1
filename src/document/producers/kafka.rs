//! How a Kafka cluster is reached and produced to, as people write it.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::document::diagnostic::{At, Diagnostics};
use crate::sink::{self, kafka};
use crate::unit::{SecretRef, Size, TimeSpan};

/// A Kafka cluster. `acks` is always `all`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "KafkaProducer")]
pub struct KafkaForm {
    /// `host:port` of some of its brokers; the others are found.
    #[schemars(length(min = 1))]
    pub brokers: Vec<String>,
    /// How batches are compressed (default `lz4`).
    pub compression: Option<CompressionForm>,
    /// `fresh_first` (default) lets new records pass those that are tried again; `strict` keeps the
    /// order of records with one key, and costs speed.
    pub order: Option<OrderForm>,
    /// Who we are.
    pub sasl: Option<SaslForm>,
    /// Encryption; `{}` is TLS with the certificates that the system trusts.
    pub tls: Option<TlsForm>,
    /// What records are marked with (default both; each costs a little).
    pub headers: Option<Vec<HeaderForm>>,
    /// How long a record waits for others (default `5 ms`).
    pub linger: Option<TimeSpan>,
    /// When a batch is sent before its time.
    #[serde(default)]
    pub batch: BatchForm,
    /// When something has failed.
    #[serde(default)]
    pub timeouts: TimeoutsForm,
    /// Requests on the way to one broker (default 5).
    #[schemars(range(min = 1, max = 1000))]
    pub max_in_flight: Option<u16>,
    /// The largest record, as the cluster's `message.max.bytes` has it (default 1,000,000 bytes).
    pub message_max: Option<Size>,
    /// What each lane may have on the way (default `64 MiB`).
    pub budget: Option<Size>,
    /// Records that wait so long, while nothing comes back, mean that the cluster is away (default
    /// `3 s`).
    pub breaker_after: Option<TimeSpan>,
}

/// How batches are compressed.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "Compression")]
pub enum CompressionForm {
    /// Fast.
    Lz4,
    /// Smaller, dearer.
    Zstd,
    /// For old readers.
    Snappy,
    /// For old readers.
    Gzip,
    /// Not at all.
    None,
}

/// What comes first.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Order")]
pub enum OrderForm {
    /// New records.
    FreshFirst,
    /// The order by key.
    Strict,
}

/// What records are marked with.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "Header")]
pub enum HeaderForm {
    /// The digest of the revision that made the record.
    Revision,
    /// The batch's id and the record's place in it: the same when a record comes twice.
    Batch,
}

/// Who we are.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Sasl")]
pub struct SaslForm {
    /// How the password is proved.
    pub mechanism: MechanismForm,
    /// The user's name.
    #[schemars(length(min = 1))]
    pub user: String,
    /// Where the password stands.
    pub password: SecretRef,
}

/// How a password is proved.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[schemars(rename = "Mechanism")]
pub enum MechanismForm {
    /// Sent as it is.
    #[serde(rename = "PLAIN")]
    Plain,
    /// Challenge and response.
    #[serde(rename = "SCRAM-SHA-256")]
    ScramSha256,
    /// Challenge and response.
    #[serde(rename = "SCRAM-SHA-512")]
    ScramSha512,
}

/// Encryption. Certificates and keys are PEM.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Tls")]
pub struct TlsForm {
    /// The authority that signs the brokers' certificates (default: those the system trusts).
    pub ca: Option<SecretRef>,
    /// Our own certificate, if the cluster wants one; with `key`.
    pub certificate: Option<SecretRef>,
    /// The private key of `certificate`.
    pub key: Option<SecretRef>,
    /// What the private key is encrypted with.
    pub key_password: Option<SecretRef>,
    /// Whether a certificate must name the host that we called (default `true`).
    pub verify_host: Option<bool>,
}

/// When a batch is sent before `linger` is over.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Batch")]
pub struct BatchForm {
    /// When it has this size (default 1,000,000 bytes).
    pub size: Option<Size>,
    /// When it has so many records (default 10,000).
    #[schemars(range(min = 1, max = 1_000_000))]
    pub messages: Option<u32>,
}

/// When something has failed.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Timeouts")]
pub struct TimeoutsForm {
    /// A record that was not acknowledged (default `10 s`).
    pub delivery: Option<TimeSpan>,
    /// A request, or a silent connection (default `5 s`).
    pub request: Option<TimeSpan>,
}

impl KafkaForm {
    pub(super) fn compile(&self, at: &At<'_>, out: &mut Diagnostics) -> sink::Spec {
        self.check_brokers(&at.field("brokers"), out);
        let default = kafka::Spec::new(self.brokers.clone());
        let time = |form: Option<TimeSpan>, default| form.map_or(default, TimeSpan::duration);
        let spec = kafka::Spec {
            compression: self.compression.map_or(default.compression, compression),
            linger: time(self.linger, default.linger),
            batch_size: self.batch.size.map_or(default.batch_size, Size::get_u32),
            batch_messages: self.batch.messages.unwrap_or(default.batch_messages),
            max_in_flight: self.max_in_flight.unwrap_or(default.max_in_flight),
            delivery_timeout: time(self.timeouts.delivery, default.delivery_timeout),
            request_timeout: time(self.timeouts.request, default.request_timeout),
            message_max: self.message_max.map_or(default.message_max, Size::get_u32),
            order: match self.order {
                None | Some(OrderForm::FreshFirst) => kafka::Order::FreshFirst,
                Some(OrderForm::Strict) => kafka::Order::Strict,
            },
            sasl: self.sasl.as_ref().map(SaslForm::compile),
            tls: self
                .tls
                .as_ref()
                .map(|tls| tls.compile(&at.field("tls"), out)),
            headers: self.headers(),
            budget: self.budget.map_or(default.budget, Size::get),
            breaker_after: time(self.breaker_after, default.breaker_after),
            ..default
        };
        self.check(&spec, at, out);
        sink::Spec::Kafka(Box::new(spec))
    }

    fn headers(&self) -> kafka::Headers {
        let written = |header| {
            self.headers
                .as_ref()
                .is_none_or(|all| all.contains(&header))
        };
        kafka::Headers {
            revision: written(HeaderForm::Revision),
            batch: written(HeaderForm::Batch),
        }
    }

    fn check_brokers(&self, at: &At<'_>, out: &mut Diagnostics) {
        for (index, broker) in self.brokers.iter().enumerate() {
            let at = at.item(index);
            if !is_broker(broker) {
                let message = format!("`{broker}` is not the address of a broker");
                out.error(
                    &at,
                    message,
                    "write `host:port`, for example `kafka-1:9092`",
                );
            } else if self.brokers[..index].contains(broker) {
                out.warning(
                    &at,
                    format!("`{broker}` stands twice"),
                    "remove one of the two",
                );
            }
        }
    }

    /// What the Kafka library would refuse, or take and suffer from.
    fn check(&self, spec: &kafka::Spec, at: &At<'_>, out: &mut Diagnostics) {
        let bounded = [
            (
                "message_max",
                u64::from(spec.message_max),
                1_000,
                1_000_000_000,
            ),
            ("linger", millis(spec.linger), 0, 900_000),
            ("breaker_after", millis(spec.breaker_after), 100, 600_000),
        ];
        for (name, value, least, most) in bounded {
            if !(least..=most).contains(&value) {
                let unit = if name == "message_max" { "bytes" } else { "ms" };
                let message =
                    format!("`{name}` must be between {least} and {most} {unit}, got {value}");
                out.error(&at.field(name), message, "remove it to have the default");
            }
        }
        let timeouts = at.field("timeouts");
        let (delivery, request) = (millis(spec.delivery_timeout), millis(spec.request_timeout));
        if !(10..=300_000).contains(&request) {
            let message = format!("a request must have between 10 ms and 5 min, got {request} ms");
            out.error(&timeouts.field("request"), message, "remove it to have 5 s");
        }
        if delivery > 900_000 || delivery <= millis(spec.linger) {
            let message = format!(
                "a delivery must have more time than `linger`, and at most 15 min, got {delivery} ms"
            );
            out.error(
                &timeouts.field("delivery"),
                message,
                "remove it to have 10 s",
            );
        }
        if !(1..=0x7fff_ffff).contains(&spec.batch_size) {
            let at = at.field("batch");
            out.error(
                &at.field("size"),
                "a batch has at least 1 byte and at most 2 GiB",
                "remove it",
            );
        }
        self.check_together(spec, at, out);
    }

    fn check_together(&self, spec: &kafka::Spec, at: &At<'_>, out: &mut Diagnostics) {
        if spec.order == kafka::Order::Strict && spec.max_in_flight > 5 {
            let message = "with `order: strict` at most 5 requests may be on the way";
            out.error(
                &at.field("max_in_flight"),
                message,
                "remove `max_in_flight`",
            );
        }
        let plain = spec.sasl.as_ref().map(|sasl| sasl.mechanism) == Some(kafka::Mechanism::Plain);
        if plain && spec.tls.is_none() {
            let message = "`PLAIN` sends the password as it is over a connection without TLS";
            out.warning(
                &at.field("sasl"),
                message,
                "add `tls: {}`, or use SCRAM-SHA-512",
            );
        }
    }
}

fn millis(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// `host:port`, the host a name, an IPv4 address, or an IPv6 address in brackets.
fn is_broker(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else {
        return false;
    };
    let port_good = port.parse::<u16>().is_ok_and(|port| port > 0);
    let host_good = match host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
    {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            let legal = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'-' | b'_');
            !host.is_empty() && host.bytes().all(legal)
        }
    };
    port_good && host_good
}

fn compression(form: CompressionForm) -> kafka::Compression {
    match form {
        CompressionForm::Lz4 => kafka::Compression::Lz4,
        CompressionForm::Zstd => kafka::Compression::Zstd,
        CompressionForm::Snappy => kafka::Compression::Snappy,
        CompressionForm::Gzip => kafka::Compression::Gzip,
        CompressionForm::None => kafka::Compression::None,
    }
}

impl SaslForm {
    fn compile(&self) -> kafka::Sasl {
        kafka::Sasl {
            mechanism: match self.mechanism {
                MechanismForm::Plain => kafka::Mechanism::Plain,
                MechanismForm::ScramSha256 => kafka::Mechanism::ScramSha256,
                MechanismForm::ScramSha512 => kafka::Mechanism::ScramSha512,
            },
            user: self.user.clone(),
            password: self.password.reference().clone(),
        }
    }
}

impl TlsForm {
    fn compile(&self, at: &At<'_>, out: &mut Diagnostics) -> kafka::Tls {
        let reference =
            |form: &Option<SecretRef>| form.as_ref().map(|form| form.reference().clone());
        let identity = match (reference(&self.certificate), reference(&self.key)) {
            (Some(certificate), Some(key)) => Some(kafka::Identity {
                certificate,
                key,
                key_password: reference(&self.key_password),
            }),
            (None, None) => None,
            (Some(_), None) => {
                out.error(
                    at,
                    "`certificate` stands without `key`",
                    "add `key`, or remove `certificate`",
                );
                None
            }
            (None, Some(_)) => {
                out.error(
                    at,
                    "`key` stands without `certificate`",
                    "add `certificate`, or remove `key`",
                );
                None
            }
        };
        if self.key_password.is_some() && self.key.is_none() {
            out.error(
                &at.field("key_password"),
                "there is no `key` for this password",
                "remove it",
            );
        }
        kafka::Tls {
            ca: reference(&self.ca),
            identity,
            verify_host: self.verify_host.unwrap_or(true),
        }
    }
}
