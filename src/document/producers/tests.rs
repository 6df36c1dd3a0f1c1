//! Producers documents as people write them, right and wrong.

use serde_json::{Value, json};

use super::*;
use crate::document::shape::Shape;
use crate::sink::kafka::{Compression, Order};

fn compile(producer: &Value) -> (Option<sink::Spec>, Vec<String>) {
    let value = json!({ "version": 1, "producers": { "p": producer } });
    let mut out = Diagnostics::new("weir.producers");
    let form: Option<ProducersForm> = Shape::of::<ProducersForm>().read(&value, &mut out);
    let mut specs = form
        .map(|form| form.compile(&At::ROOT, &mut out))
        .unwrap_or_default();
    let found = out.into_vec().into_iter();
    let line = |each: crate::document::diagnostic::Diagnostic| {
        assert!(!each.hint.is_empty(), "{each}");
        let pointer = each.pointer.replace("/producers/p", "");
        format!("{pointer}: {}", each.message)
    };
    (
        specs.pop_first().map(|(_, spec)| spec),
        found.map(line).collect(),
    )
}

fn problem(producer: &Value) -> String {
    let (_, mut problems) = compile(producer);
    assert_eq!(problems.len(), 1, "{producer}: {problems:?}");
    problems.remove(0)
}

#[test]
fn defaults_are_those_of_the_sink_with_both_headers() {
    let (spec, problems) =
        compile(&json!({ "kafka": { "brokers": ["kafka-1:9092", "[::1]:9092"] } }));
    assert_eq!(problems, [""; 0]);
    let Some(sink::Spec::Kafka(spec)) = spec else {
        panic!("{spec:?}")
    };
    let mut expected = sink::kafka::Spec::new(vec!["kafka-1:9092".into(), "[::1]:9092".into()]);
    expected.headers = sink::kafka::Headers {
        revision: true,
        batch: true,
    };
    assert_eq!(*spec, expected);
}

#[test]
fn what_is_written_reaches_the_spec() {
    let (spec, problems) = compile(&json!({ "kafka": {
        "brokers": ["kafka-a:9092"], "compression": "zstd", "order": "strict", "headers": [],
        "sasl": { "mechanism": "SCRAM-SHA-512", "user": "weir", "password": "file:/etc/weir/kafka" },
        "tls": { "ca": "file:/ca", "verify_host": false },
        "linger": "20 ms", "batch": { "size": "64 KiB", "messages": 5 }, "message_max": "2 MiB",
        "timeouts": { "delivery": "30 s", "request": "2 s" }, "budget": "8 MiB",
    } }));
    assert_eq!(problems, [""; 0]);
    let Some(sink::Spec::Kafka(spec)) = spec else {
        panic!("{spec:?}")
    };
    assert_eq!(spec.compression, Compression::Zstd);
    assert_eq!(spec.order, Order::Strict);
    assert_eq!(spec.batch_size, 65_536);
    assert_eq!(spec.delivery_timeout.as_secs(), 30);
    assert!(!spec.headers.revision && !spec.headers.batch);
    assert!(!spec.tls.unwrap().verify_host);

    let (spec, problems) =
        compile(&json!({ "file": { "folder": "files", "roll": { "size": "1 MiB" } } }));
    assert_eq!(problems, [""; 0]);
    assert_eq!(spec.unwrap().message_max(), 16 << 20);
}

#[test]
fn each_mistake_has_its_own_place_and_words() {
    let kafka = |field: &str, value: Value| {
        let mut form = json!({ "brokers": ["kafka-a:9092"] });
        form[field] = value;
        problem(&json!({ "kafka": form }))
    };
    for (found, expected) in [
        (
            kafka("brokers", json!(["kafka-a"])),
            "/kafka/brokers/0: `kafka-a` is not the address",
        ),
        (
            kafka("brokers", json!(["http://a:9092"])),
            "/kafka/brokers/0: `http://a:9092` is not",
        ),
        (
            kafka("brokers", json!(["a:9092", "a:9092"])),
            "/kafka/brokers/1: `a:9092` stands twice",
        ),
        (
            kafka("brokers", json!([])),
            "/kafka/brokers: expected at least 1 item",
        ),
        (
            kafka("message_max", json!("10 B")),
            "/kafka/message_max: `message_max` must be between",
        ),
        (
            kafka("linger", json!("10 s")),
            "/kafka/timeouts/delivery: a delivery must have more time",
        ),
        (
            kafka("tls", json!({ "key": "env:K" })),
            "/kafka/tls: `key` stands without `certificate`",
        ),
        (
            kafka("budget", json!("1 KiB")),
            ": `budget` (1 KiB) is smaller than `message_max`",
        ),
        (
            kafka("hedge_after", json!("1 s")),
            "/kafka/hedge_after: unknown field",
        ),
        (kafka("acks", json!("1")), "/kafka/acks: unknown field"),
        (
            problem(&json!({ "kafak": {} })),
            ": none of `kafka`, `file` is there",
        ),
        (
            problem(&json!({ "file": { "folder": "x", "roll": { "size": "1 B" } } })),
            "/file/roll/size",
        ),
    ] {
        assert!(found.starts_with(expected), "{found} | {expected}");
    }
    let sasl = json!({ "mechanism": "PLAIN", "user": "u", "password": "env:P" });
    assert!(kafka("sasl", sasl).contains("without TLS"));
    let (_, problems) = compile(&json!({ "kafka": {
        "brokers": ["a:1"], "order": "strict", "max_in_flight": 6,
    } }));
    assert!(problems[0].contains("at most 5 requests"), "{problems:?}");
}
