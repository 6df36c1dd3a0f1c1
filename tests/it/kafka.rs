//! Whatever happens to Kafka, what was answered as accepted is in Kafka, and every failure has its
//! own clear outcome.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::harness::documents::Documents;
use crate::harness::gateway::Gateway;
use crate::harness::http::{self, Counts, Raw, Reply};
use crate::harness::kafka::Kafka;
use crate::harness::load::{self, Ledger, Load};
use crate::harness::{LONG, eventually, soak};

/// Longer than any delivery may take: what takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// A repo that sends everything to the topic `events` of the producer `main`.
const EVENTS: &str = "\
version: 1
route: [ { otherwise: { producer: main, topic: events, ack: kafka } } ]
";

fn producer(kafka: &Kafka) -> String {
    format!(
        "version: 1\nproducers: {{ main: {{ kafka: {{ brokers: {} }} }} }}\n",
        kafka.brokers()
    )
}

/// The same for what is not about an absent Kafka: a machine that stands still is none.
fn patient_producer(kafka: &Kafka) -> String {
    format!(
        "version: 1\nproducers: {{ main: {{ kafka: {{ brokers: {}, breaker_after: 60 s, timeouts: {{ delivery: 240 s }} }} }} }}\n",
        kafka.brokers()
    )
}

fn patient_documents(kafka: &Kafka, repo: &str) -> Documents {
    documents(kafka, repo).with("weir.producers.yaml", &patient_producer(kafka))
}

fn documents(kafka: &Kafka, repo: &str) -> Documents {
    Documents::empty()
        .with("weir.producers.yaml", &producer(kafka))
        .with("weir.repo.events.yaml", repo)
}

/// Everything that the ledger calls accepted stands in the topic, and the metrics say the same as
/// the replies.
async fn settle(gateway: &mut Gateway, ledger: &Ledger, kafka: &Kafka) {
    let books = gateway.metrics().await.books("events");
    assert_eq!(
        books,
        ledger.sums(),
        "the metrics are the sums of the replies"
    );
    let found: BTreeSet<String> = kafka
        .read("events")
        .iter()
        .map(|one| one.text().to_owned())
        .collect();
    let accepted = ledger.accepted();
    let missing: Vec<_> = accepted
        .iter()
        .filter(|event| !found.contains(*event))
        .collect();
    assert!(
        missing.is_empty(),
        "{} of {} accepted events are lost: {:?}",
        missing.len(),
        accepted.len(),
        missing.first()
    );
    assert_eq!(u64::try_from(accepted.len()).unwrap(), books.accepted);
    gateway.stop().await;
}

/// Waits until so many events have been accepted.
async fn until_accepted(gateway: &Gateway, more: u64) {
    let before = gateway.metrics().await.books("events").accepted;
    eventually(LONG, "events are accepted", || async {
        let now = gateway
            .metrics()
            .await
            .count("weir_events_accepted_total", &[("repo", "events")]);
        (now >= before + more).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_killed_and_returned_loses_nothing_accepted() {
    let kafka = Kafka::three_nodes("killed");
    kafka.create("events", 6).await;
    let mut gateway = Gateway::start(documents(&kafka, EVENTS)).await;
    let load = Load::start(&gateway, "events", 16, PATIENCE, load::numbered);
    until_accepted(&gateway, 500).await;
    kafka.kill(2);
    until_accepted(&gateway, 500).await;
    kafka.restart(2);
    until_accepted(&gateway, 500).await;
    let ledger = load.finish().await;
    if soak() {
        println!(
            "one node killed: slowest answer {:?}, {:?}",
            ledger.slowest(),
            ledger.sums()
        );
    }
    settle(&mut gateway, &ledger, &kafka).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_nodes_paused_for_20_s_lose_nothing_accepted() {
    let kafka = Kafka::three_nodes("paused");
    kafka.create("events", 6).await;
    let mut gateway = Gateway::start(documents(&kafka, EVENTS)).await;
    let load = Load::start(&gateway, "events", 16, PATIENCE, load::numbered);
    until_accepted(&gateway, 500).await;
    for node in 1..=3 {
        kafka.pause(node);
    }
    // The length of the outage is what is tested here, not a wait for something.
    tokio::time::sleep(Duration::from_secs(20)).await;
    let during = gateway.metrics().await;
    assert!(
        during.count("weir_events_retry_total", &[("repo", "events")]) > 0,
        "an outage of 20 s is told to clients"
    );
    for node in 1..=3 {
        kafka.resume(node);
    }
    until_accepted(&gateway, 500).await;
    let ledger = load.finish().await;
    if soak() {
        println!(
            "all nodes paused: slowest answer {:?}, {:?}",
            ledger.slowest(),
            ledger.sums()
        );
    }
    assert!(ledger.answers.iter().any(|answer| answer.status == 503));
    settle(&mut gateway, &ledger, &kafka).await;
}

/// Five events, of which the second and the fourth go to the topic `other`.
const MIXED: &str =
    "{\"n\":1}\n{\"n\":2,\"to\":\"other\"}\n{\"n\":3}\n{\"n\":4,\"to\":\"other\"}\n{\"n\":5}\n";

fn mixed(topic: &str, other: &str) -> String {
    format!(
        "version: 1\nroute:\n\
         - when: {{ field: to, eq: other }}\n  to: [ {{ producer: main, topic: {other}, ack: kafka }} ]\n\
         - otherwise: {{ producer: main, topic: {topic}, ack: kafka }}\n"
    )
}

/// The counts and the exact lines of a reply to `MIXED` in which the second and fourth failed.
fn assert_two_to_retry(reply: &Reply, code: &str) {
    assert_eq!(reply.status, 503, "{reply:?}");
    assert_eq!(
        reply.counts(),
        Counts {
            received: 5,
            accepted: 3,
            retry: 2,
            ..Counts::default()
        }
    );
    assert_eq!(reply.retry_lines(), [2, 4]);
    assert_eq!(reply.errors(), [(2, code.to_owned()), (4, code.to_owned())]);
    assert!(reply.header("retry-after").is_some(), "{reply:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_topic_is_told_and_starves_no_other() {
    let kafka = Kafka::shared();
    kafka.create("missing-main", 1).await;
    let mut gateway = Gateway::start(patient_documents(
        kafka,
        &mixed("missing-main", "missing-other"),
    ))
    .await;
    let reply = gateway.post("events", MIXED).await;
    assert_two_to_retry(&reply, "delivery.unknown_topic");
    let numbers: Vec<_> = kafka
        .read("missing-main")
        .iter()
        .map(|one| one.json()["n"].as_u64().unwrap())
        .collect();
    assert_eq!(numbers, [1, 3, 5]);

    // Once somebody has made it, the same events pass without a restart.
    kafka.create("missing-other", 1).await;
    eventually(LONG, "the new topic is used", || async {
        (gateway.post("events", MIXED).await.status == 200).then_some(())
    })
    .await;
    gateway.metrics().await.books("events");
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_too_large_for_its_topic_is_rejected_alone() {
    let kafka = Kafka::shared();
    kafka.create("large-main", 1).await;
    kafka
        .create_with("large-other", 1, &[("max.message.bytes", "2000")])
        .await;
    let mut gateway = Gateway::start(patient_documents(
        kafka,
        &mixed("large-main", "large-other"),
    ))
    .await;
    // Random letters, or the batch would be small once compressed.
    let noise: String = (0..300_u64)
        .map(|n| {
            format!(
                "{:016x}",
                n.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23) ^ n << 40
            )
        })
        .collect();
    let body =
        format!("{{\"n\":1}}\n{{\"n\":2,\"to\":\"other\",\"noise\":\"{noise}\"}}\n{{\"n\":3}}\n");
    let reply = gateway.post("events", body).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(
        reply.counts(),
        Counts {
            received: 3,
            accepted: 2,
            rejected: 1,
            ..Counts::default()
        }
    );
    assert_eq!(reply.errors(), [(2, "delivery.too_large".to_owned())]);
    assert_eq!(kafka.read("large-main").len(), 2);
    assert_eq!(kafka.read("large-other"), []);
    gateway.metrics().await.books("events");
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_authorization_is_told_and_each_login_works() {
    let kafka = Kafka::guarded("guarded");
    for topic in ["allowed", "visible", "hidden"] {
        kafka.create(topic, 1).await;
    }
    let secrets = tempfile::tempdir().unwrap();
    let password = secrets.path().join("password");
    std::fs::write(&password, "weir-secret\n").unwrap();
    let mut written = 0;
    for mechanism in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] {
        for refused in ["visible", "hidden"] {
            let producers = format!(
                "version: 1\nproducers: {{ main: {{ kafka: {{ brokers: {}, sasl: {{ mechanism: {mechanism}, user: weir, password: \"file:{}\" }} }} }} }}\n",
                kafka.brokers(),
                password.display()
            );
            let documents = Documents::empty()
                .with("weir.producers.yaml", &producers)
                .with("weir.repo.events.yaml", &mixed("allowed", refused));
            let mut gateway = Gateway::start(documents).await;
            let reply = gateway.post("events", MIXED).await;
            assert_two_to_retry(&reply, "delivery.unauthorized");
            written += 3;
            assert_eq!(kafka.read("allowed").len(), written);
            assert!(
                !gateway.log().contains("weir-secret"),
                "the password stands in the log"
            );
            gateway.stop().await;
        }
    }
    assert_eq!(kafka.read("visible"), []);
    assert_eq!(kafka.read("hidden"), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_encrypted_cluster_is_reached_only_with_the_right_certificates() {
    let kafka = Kafka::encrypted("encrypted");
    kafka.create("events", 1).await;
    let documents = |tls: &str| {
        let producers = format!(
            "version: 1\nproducers: {{ main: {{ kafka: {{ brokers: {}, tls: {{ {tls} }} }} }} }}\n",
            kafka.brokers()
        );
        Documents::empty()
            .with("weir.producers.yaml", &producers)
            .with("weir.repo.events.yaml", EVENTS)
    };
    let file = |name| format!("\"file:{}\"", kafka.pem(name).display());
    let identity = format!(
        "certificate: {}, key: {}",
        file("client.pem"),
        file("client.key")
    );
    let right = format!("ca: {}, {identity}", file("ca.pem"));
    let mut gateway = Gateway::start(documents(&right)).await;
    let reply = gateway.post("events", "{\"n\":1}").await;
    assert_eq!(reply.status, 200, "{reply:?}");
    gateway.stop().await;

    let stranger = format!("ca: {}, {identity}", file("other-ca.pem"));
    let nobody = format!("ca: {}", file("ca.pem"));
    for wrong in [stranger, nobody] {
        let mut gateway = Gateway::spawn(documents(&wrong), |_| {});
        eventually(LONG, "the log says what to check", || async {
            let log = gateway.log();
            (log.contains("ssl://") && log.contains("check `sasl` and `tls`")).then_some(())
        })
        .await;
        let reply = gateway.post("events", "{\"n\":2}").await;
        assert_eq!(reply.status, 503, "{wrong}: {reply:?}");
        gateway.stop().await;
    }
    assert_eq!(kafka.read("events").len(), 1);
}

/// Events go to `near`, those with `both` to `far` as well.
fn two_clusters(near: &Kafka, far: &Kafka) -> Documents {
    let producers = format!(
        "version: 1\nproducers:\n  near: {{ kafka: {{ brokers: {} }} }}\n  far: {{ kafka: {{ brokers: {} }} }}\n",
        near.brokers(),
        far.brokers()
    );
    let repo = "version: 1\nroute:\n\
         - when: { field: both, eq: true }\n  \
           to: [ { producer: near, topic: two-clusters, ack: kafka }, { producer: far, topic: two-clusters, ack: kafka } ]\n\
         - otherwise: { producer: near, topic: two-clusters, ack: kafka }\n";
    Documents::empty()
        .with("weir.producers.yaml", &producers)
        .with("weir.repo.events.yaml", repo)
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_two_clusters_away_harms_only_what_needs_it() {
    let (near, far) = (Kafka::shared(), Kafka::own("far"));
    near.create("two-clusters", 1).await;
    far.create("two-clusters", 1).await;
    let mut gateway = Gateway::start(two_clusters(near, &far)).await;
    let body =
        "{\"n\":1}\n{\"n\":2,\"both\":true}\n{\"n\":3}\n{\"n\":4,\"both\":true}\n{\"n\":5}\n";
    assert_eq!(gateway.post("events", body).await.counts().accepted, 5);
    let numbers = |kafka: &Kafka| -> Vec<u64> {
        kafka
            .read("two-clusters")
            .iter()
            .map(|one| one.json()["n"].as_u64().unwrap())
            .collect()
    };
    assert_eq!(
        (numbers(near), numbers(&far)),
        (vec![1, 2, 3, 4, 5], vec![2, 4])
    );

    far.pause(1);
    let reply = gateway.post("events", body).await;
    assert_two_to_retry(&reply, "delivery.unavailable");
    let alone = gateway.post("events", "{\"n\":6}").await;
    assert_eq!((alone.status, alone.counts().accepted), (200, 1));

    far.resume(1);
    eventually(LONG, "the cluster that came back is used", || async {
        (gateway
            .post("events", "{\"n\":7,\"both\":true}")
            .await
            .status
            == 200)
            .then_some(())
    })
    .await;
    gateway.metrics().await.books("events");
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_go_away_while_waiting_change_no_book() {
    let kafka = Kafka::own("abandoned");
    kafka.create("events", 3).await;
    let mut gateway = Gateway::start(patient_documents(&kafka, EVENTS)).await;
    gateway.post("events", "{\"id\":\"first\"}").await;
    kafka.pause(1);
    let mut waiting = Vec::new();
    for client in 0..50 {
        let body = format!("{{\"id\":\"{client}-a\"}}\n{{\"id\":\"{client}-b\"}}\n");
        let head = format!(
            "POST /log/repo/events HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let mut raw = Raw::connect(gateway.data).await;
        raw.write(head + &body).await;
        waiting.push(raw);
    }
    eventually(LONG, "all are waiting", || async {
        (gateway.metrics().await.sum("weir_in_flight_requests", &[]) >= 50.0).then_some(())
    })
    .await;
    // Half of them close, half of them vanish.
    let closing = waiting.split_off(25);
    waiting.into_iter().for_each(Raw::reset);
    drop(closing);
    kafka.resume(1);
    let metrics = eventually(LONG, "the books are closed", || async {
        let metrics = gateway.metrics().await;
        (metrics.count("weir_events_received_total", &[("repo", "events")]) == 101)
            .then_some(metrics)
    })
    .await;
    let books = metrics.books("events");
    let found: BTreeSet<String> = kafka
        .read("events")
        .iter()
        .map(|one| one.text().to_owned())
        .collect();
    assert!(
        u64::try_from(found.len()).unwrap() >= books.accepted,
        "{} of {books:?}",
        found.len()
    );
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ack_memory_loses_is_counted_and_logged() {
    let kafka = Kafka::own("memory");
    kafka.create("events", 1).await;
    let documents = documents(&kafka, &EVENTS.replace("ack: kafka", "ack: memory"));
    let mut gateway = Gateway::start(documents).await;
    assert_eq!(
        gateway
            .post("events", "{\"id\":\"safe\"}")
            .await
            .counts()
            .accepted,
        1
    );
    eventually(LONG, "the first event is in Kafka", || async {
        (kafka.read("events").len() == 1).then_some(())
    })
    .await;
    kafka.kill(1);
    let reply = gateway
        .post("events", "{\"id\":\"x\"}\n{\"id\":\"y\"}\n")
        .await;
    assert_eq!(
        (reply.status, reply.counts().accepted),
        (200, 2),
        "memory answers without waiting"
    );
    eventually(LONG, "the loss is counted", || async {
        (gateway
            .metrics()
            .await
            .sum("weir_lost_total", &[("producer", "main")])
            >= 2.0)
            .then_some(())
    })
    .await;
    eventually(LONG, "the loss is logged", || async {
        gateway
            .log()
            .contains("accepted records lost")
            .then_some(())
    })
    .await;
    gateway.metrics().await.books("events");
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_nobody_sends_to_is_ready_again_when_kafka_is_back() {
    let kafka = Kafka::own("back");
    kafka.create("events", 1).await;
    let mut gateway = Gateway::start(documents(&kafka, EVENTS)).await;
    let ready = || async {
        let probe = http::client().get(gateway.admin_url("/readyz"));
        http::send(probe).await.status == 200
    };
    assert!(ready().await);
    kafka.pause(1);
    assert_eq!(gateway.post("events", "{\"id\":\"a\"}").await.status, 503);
    eventually(LONG, "it is not ready", || async {
        (!ready().await).then_some(())
    })
    .await;
    kafka.resume(1);
    eventually(LONG, "it is ready again", || async {
        ready().await.then_some(())
    })
    .await;
    assert_eq!(gateway.post("events", "{\"id\":\"b\"}").await.status, 200);
    gateway.stop().await;
}
