//! From a spec to the Kafka library's settings. Secrets are resolved here, on the instance.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;

use crate::secret::{self, Reference};
use crate::sink::kafka::{Order, Sasl, Spec, Tls};

/// Settings that are the same for every client.
const FIXED: [(&str, &str); 15] = [
    ("client.id", "weir"),
    ("acks", "all"),
    // As Java clients do it, so that both put a key into the same partition.
    ("partitioner", "murmur2_random"),
    // The lanes' budgets in bytes are the limit; this is the backstop behind them.
    ("queue.buffering.max.messages", "4000000"),
    ("queue.buffering.max.kbytes", "2097151"),
    ("reconnect.backoff.ms", "100"),
    ("reconnect.backoff.max.ms", "1000"),
    ("retry.backoff.ms", "100"),
    ("socket.keepalive.enable", "true"),
    ("socket.nagle.disable", "true"),
    ("topic.metadata.refresh.interval.ms", "30000"),
    // How long a topic that the cluster does not know may be one that is only just being made; well
    // below the time after which silence opens a breaker.
    ("topic.metadata.propagation.max.ms", "1500"),
    ("statistics.interval.ms", "5000"),
    ("log.connection.close", "false"),
    ("enable.metrics.push", "false"),
];

/// The settings for a spec.
pub(super) fn compile(spec: &Spec) -> Result<ClientConfig, secret::Error> {
    let mut config = ClientConfig::new();
    config.set_log_level(RDKafkaLogLevel::Info);
    for (key, value) in FIXED {
        config.set(key, value);
    }
    config
        .set("bootstrap.servers", spec.brokers.join(","))
        .set("compression.type", spec.compression.as_str())
        .set("linger.ms", millis(spec.linger))
        .set("batch.size", spec.batch_size.to_string())
        .set("batch.num.messages", spec.batch_messages.to_string())
        .set(
            "max.in.flight.requests.per.connection",
            spec.max_in_flight.to_string(),
        )
        .set("message.timeout.ms", millis(spec.delivery_timeout))
        .set("request.timeout.ms", millis(spec.request_timeout))
        .set("socket.timeout.ms", millis(spec.request_timeout))
        .set("message.max.bytes", spec.message_max.to_string())
        .set(
            "enable.idempotence",
            (spec.order == Order::Strict).to_string(),
        );
    secure(&mut config, spec.sasl.as_ref(), spec.tls.as_ref())?;
    Ok(config)
}

/// The same client, but every record travels alone, at once: what one record does to a batch then
/// happens to itself only.
pub(super) fn alone(config: &ClientConfig) -> ClientConfig {
    let mut config = config.clone();
    config
        .set("batch.num.messages", "1")
        .set("linger.ms", "0")
        .set("statistics.interval.ms", "0");
    config
}

fn secure(
    config: &mut ClientConfig,
    sasl: Option<&Sasl>,
    tls: Option<&Tls>,
) -> Result<(), secret::Error> {
    let protocol = match (sasl, tls) {
        (None, None) => "plaintext",
        (None, Some(_)) => "ssl",
        (Some(_), None) => "sasl_plaintext",
        (Some(_), Some(_)) => "sasl_ssl",
    };
    config.set("security.protocol", protocol);
    if let Some(sasl) = sasl {
        config
            .set("sasl.mechanisms", sasl.mechanism.as_str())
            .set("sasl.username", sasl.user.as_str())
            .set("sasl.password", sasl.password.resolve()?.expose());
    }
    if let Some(tls) = tls {
        let check = if tls.verify_host { "https" } else { "none" };
        config.set("ssl.endpoint.identification.algorithm", check);
        set_secret(config, "ssl.ca.pem", tls.ca.as_ref())?;
        if let Some(identity) = &tls.identity {
            set_secret(config, "ssl.certificate.pem", Some(&identity.certificate))?;
            set_secret(config, "ssl.key.pem", Some(&identity.key))?;
            set_secret(config, "ssl.key.password", identity.key_password.as_ref())?;
        }
    }
    Ok(())
}

fn set_secret(
    config: &mut ClientConfig,
    key: &str,
    reference: Option<&Reference>,
) -> Result<(), secret::Error> {
    if let Some(reference) = reference {
        config.set(key, reference.resolve()?.expose());
    }
    Ok(())
}

fn millis(duration: Duration) -> String {
    duration.as_millis().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::kafka::{Compression, Identity, Mechanism};

    fn spec() -> Spec {
        Spec::new(vec!["a:1".to_owned(), "b:2".to_owned()])
    }

    #[test]
    fn the_kafka_library_takes_the_defaults_and_every_compression() {
        for compression in [
            Compression::None,
            Compression::Lz4,
            Compression::Zstd,
            Compression::Snappy,
            Compression::Gzip,
        ] {
            let config = compile(&Spec {
                compression,
                ..spec()
            })
            .unwrap();
            config.create_native_config().unwrap();
            alone(&config).create_native_config().unwrap();
        }
    }

    #[test]
    fn strict_order_is_an_idempotent_producer() {
        let config = compile(&Spec {
            order: Order::Strict,
            ..spec()
        })
        .unwrap();
        assert_eq!(config.get("enable.idempotence"), Some("true"));
        assert_eq!(
            compile(&spec()).unwrap().get("enable.idempotence"),
            Some("false")
        );
    }

    #[test]
    fn secrets_are_resolved_and_a_missing_one_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        std::fs::write(&path, "hunter2\n").unwrap();
        let sasl = |path: &str| Sasl {
            mechanism: Mechanism::ScramSha512,
            user: "weir".to_owned(),
            password: Reference::File(path.to_owned()),
        };
        let tls = Tls {
            ca: None,
            identity: None,
            verify_host: true,
        };
        let found = Some(sasl(path.to_str().unwrap()));
        let config = compile(&Spec {
            sasl: found,
            tls: Some(tls),
            ..spec()
        })
        .unwrap();
        assert_eq!(config.get("sasl.password"), Some("hunter2"));
        assert_eq!(config.get("security.protocol"), Some("sasl_ssl"));
        config.create_native_config().unwrap();

        let lost = Spec {
            sasl: Some(sasl("/nowhere/password")),
            ..spec()
        };
        assert!(
            compile(&lost)
                .unwrap_err()
                .to_string()
                .contains("/nowhere/password")
        );
    }

    #[test]
    fn a_client_certificate_is_given_as_pem() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pem");
        std::fs::write(&path, "PEM").unwrap();
        let reference = Reference::File(path.to_str().unwrap().to_owned());
        let identity = Identity {
            certificate: reference.clone(),
            key: reference.clone(),
            key_password: Some(reference.clone()),
        };
        let tls = Tls {
            ca: Some(reference),
            identity: Some(identity),
            verify_host: false,
        };
        let config = compile(&Spec {
            tls: Some(tls),
            ..spec()
        })
        .unwrap();
        for key in [
            "ssl.ca.pem",
            "ssl.certificate.pem",
            "ssl.key.pem",
            "ssl.key.password",
        ] {
            assert_eq!(config.get(key), Some("PEM"), "{key}");
        }
        assert_eq!(config.get("security.protocol"), Some("ssl"));
    }
}
