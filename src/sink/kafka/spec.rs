//! How a Kafka cluster is reached and produced to, as compiled from a document.

use std::time::Duration;

use crate::secret::Reference;

/// How a Kafka cluster is reached and produced to. `acks=all` always.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Spec {
    /// `host:port`, at least one.
    pub brokers: Vec<String>,
    /// How batches are compressed.
    pub compression: Compression,
    /// How long a record waits for others.
    pub linger: Duration,
    /// A batch is sent when it holds this many bytes,
    pub batch_size: u32,
    /// or this many records.
    pub batch_messages: u32,
    /// Requests on the way to one broker.
    pub max_in_flight: u16,
    /// When a record that was not acknowledged has failed.
    pub delivery_timeout: Duration,
    /// When a request, or a silent connection, has failed.
    pub request_timeout: Duration,
    /// The largest record, in bytes.
    pub message_max: u32,
    /// What comes first: new records, or the order by key.
    pub order: Order,
    /// How we show who we are.
    pub sasl: Option<Sasl>,
    /// Encryption; without it connections are plain.
    pub tls: Option<Tls>,
    /// What every record is marked with.
    pub headers: Headers,
    /// Bytes that each lane may have on the way.
    pub budget: u64,
    /// How long nothing may come back, while records wait, before the breaker opens.
    pub breaker_after: Duration,
}

impl Spec {
    /// The defaults, for these brokers.
    pub fn new(brokers: Vec<String>) -> Self {
        Self {
            brokers,
            compression: Compression::default(),
            linger: Duration::from_millis(5),
            batch_size: 1_000_000,
            batch_messages: 10_000,
            max_in_flight: 5,
            delivery_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(5),
            message_max: 1_000_000,
            order: Order::default(),
            sasl: None,
            tls: None,
            headers: Headers::default(),
            budget: 64 << 20,
            breaker_after: Duration::from_secs(3),
        }
    }
}

/// How batches are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Compression {
    /// Not at all.
    None,
    /// The best trade for events.
    #[default]
    Lz4,
    /// Smaller, dearer.
    Zstd,
    /// As the old gateways did.
    Snappy,
    /// As the old gateways did.
    Gzip,
}

impl Compression {
    /// The Kafka library's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
            Self::Snappy => "snappy",
            Self::Gzip => "gzip",
        }
    }
}

/// What comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Order {
    /// New records may pass older ones that are being tried again.
    #[default]
    FreshFirst,
    /// Records of one key stay in order: an idempotent producer, its own client for each lane.
    Strict,
}

/// What records are marked with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Headers {
    /// `revision`: the digest of the revision that made the record.
    pub revision: bool,
    /// `batch`: `<batch id>/<index of the record>`, the same when it is delivered twice.
    pub batch: bool,
}

/// How we show who we are.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Sasl {
    /// How the password is proved.
    pub mechanism: Mechanism,
    /// The user's name.
    pub user: String,
    /// Where the password stands.
    pub password: Reference,
}

/// How a password is proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mechanism {
    /// Sent as it is: only over TLS.
    Plain,
    /// Challenge and response over SHA-256.
    ScramSha256,
    /// Challenge and response over SHA-512.
    ScramSha512,
}

impl Mechanism {
    /// Its registered name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
        }
    }
}

/// Encryption. Certificates and keys are PEM.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tls {
    /// Whom to believe; without it, whom the system believes.
    pub ca: Option<Reference>,
    /// Our certificate and its key, if the cluster wants one.
    pub identity: Option<Identity>,
    /// Whether the certificate must name the host we called.
    pub verify_host: bool,
}

/// A client certificate.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    /// The certificate and its chain.
    pub certificate: Reference,
    /// Its private key.
    pub key: Reference,
    /// What the key is encrypted with, if it is.
    pub key_password: Option<Reference>,
}
