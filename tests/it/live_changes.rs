//! A change of a document costs no request: while clients send without pause, documents are changed
//! many times, every tenth time to something wrong, and every answer fits a revision that was live.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use crate::harness::documents::Documents;
use crate::harness::gateway::{Gateway, Resources, Revision};
use crate::harness::kafka::Kafka;
use crate::harness::load::{Ledger, Load};
use crate::harness::{LONG, eventually, scale, soak};

/// When a client gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// No change may cost a request more than this, on a machine that does nothing else.
const SLOWEST: Duration = Duration::from_secs(4);
/// Not synced: on a disk that many share it may take seconds, for which a lane would be closed.
pub(crate) const FILES: &str =
    "version: 1\nproducers: { files: { file: { folder: files, fsync: false } } }\n";

/// Three events of kind `a` and seven of kind `b`.
pub(crate) fn kinds(connection: usize, batch: usize) -> Vec<String> {
    let kind = |place| if place < 3 { "a" } else { "b" };
    (0..10)
        .map(|place| {
            format!(
                r#"{{"id":"{connection}-{batch}-{place}","kind":"{}"}}"#,
                kind(place)
            )
        })
        .collect()
}

/// What a live revision takes of `kinds`, by its digest.
pub(crate) type Taken = HashMap<String, u64>;

/// A repo of which even versions take the events of kind `a`, odd ones those of kind `b`.
pub(crate) fn by_kind(version: usize) -> String {
    let kind = if version.is_multiple_of(2) { "a" } else { "b" };
    format!(
        "version: {version}\nconstraint: {{ field: kind, eq: {kind} }}\n\
         route: [ {{ otherwise: {{ producer: files, topic: events }} }} ]\n"
    )
}

pub(crate) fn taken(version: usize) -> u64 {
    if version.is_multiple_of(2) { 3 } else { 7 }
}

/// Wrong in a way of its own each time.
pub(crate) fn broken(version: usize) -> &'static str {
    match version / 10 % 5 {
        0 => "version: [",
        1 => "version: 1\nconstraint: { field: kind, equals: a }\n",
        2 => "version: 1\nroute: [ { otherwise: { producer: nobody, topic: events } } ]\n",
        3 => "",
        _ => {
            "version: 1\nconstraint: { field: kind, regex: \"(\" }\nroute: [ { otherwise: { producer: files, topic: events } } ]\n"
        }
    }
}

pub(crate) fn assert_held(revision: &Revision, live: &str, version: usize) {
    assert!(
        ["held", "refused"].contains(&revision.state()),
        "change {version}: {revision:?}"
    );
    assert_eq!(
        revision.digest(),
        live,
        "change {version} leaves the old revision live"
    );
    assert_ne!(
        revision.diagnostics(),
        "[]",
        "change {version} says what is wrong"
    );
}

/// Every reply names a revision that was live, and has the outcome of that revision.
pub(crate) fn assert_fits(ledger: &Ledger, live: &Taken) {
    assert!(!ledger.answers.is_empty());
    for answer in &ledger.answers {
        assert_eq!(answer.status, 200, "{answer:?}");
        let expected = live
            .get(&answer.revision)
            .unwrap_or_else(|| panic!("never live: {answer:?}"));
        assert_eq!(answer.counts.unwrap().accepted, *expected, "{answer:?}");
    }
    let seen: BTreeSet<_> = ledger
        .answers
        .iter()
        .map(|answer| &answer.revision)
        .collect();
    assert!(seen.len() > 1, "clients saw {} revisions", seen.len());
}

/// What the process uses, measured at rest: the same again, but for memory within a tenth of what it
/// was after the first changes.
async fn assert_nothing_left_behind(gateway: &Gateway, before: Resources, early: Resources) {
    let end = Instant::now() + Duration::from_secs(120);
    let now = loop {
        let connections = gateway.metrics().await.sum("weir_connections", &[]);
        let last = gateway.resources();
        let same = last.threads <= before.threads && last.open_files <= before.open_files;
        if same && connections == 0.0 {
            break last.memory_kib;
        }
        assert!(
            Instant::now() < end,
            "{last:?} and {connections} connections, before {before:?}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    if soak() {
        println!(
            "memory after the first changes {} KiB, after all {now} KiB",
            early.memory_kib
        );
    }
    // A tenth of the changes ends while the allocator still warms up.
    let most = if soak() {
        early.memory_kib + early.memory_kib / 10
    } else {
        early.memory_kib * 3 / 2
    };
    assert!(
        now <= most,
        "{now} KiB of memory, {} KiB after the first changes",
        early.memory_kib
    );
}

/// What the process uses when nobody sends: after clients have come and gone, and the allocator has
/// seen a load as large as the one that follows.
async fn at_rest(gateway: &Gateway) -> Resources {
    let load = Load::start(gateway, "events", 16, PATIENCE, kinds);
    let enough = u32::try_from(scale(50_000)).unwrap();
    eventually(LONG, "clients were answered", || async {
        // Under load the sums of a reading need not balance: requests end while it is taken.
        let received = gateway
            .metrics()
            .await
            .sum("weir_events_received_total", &[]);
        (received > f64::from(enough)).then_some(())
    })
    .await;
    load.finish().await;
    eventually(LONG, "the connections are closed", || async {
        (gateway.metrics().await.sum("weir_connections", &[]) == 0.0).then_some(())
    })
    .await;
    gateway.resources()
}

pub(crate) fn report(what: &str, ledger: &Ledger) {
    if soak() {
        println!(
            "{what}: {} requests, slowest {:?}",
            ledger.answers.len(),
            ledger.slowest()
        );
        assert!(ledger.slowest() < SLOWEST, "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repo_document_changes_under_load_without_harm() {
    let documents = Documents::empty()
        .with("weir.producers.yaml", FILES)
        .with("weir.repo.events.yaml", &by_kind(0));
    let mut gateway = Gateway::start(documents).await;
    let before = at_rest(&gateway).await;
    let mut live = Taken::from([(gateway.revision().await.digest().to_owned(), taken(0))]);
    let mut current = gateway.revision().await.digest().to_owned();
    let mut early = before;

    let load = Load::start(&gateway, "events", 16, PATIENCE, kinds);
    let changes = scale(200);
    for version in 1..=changes {
        if version.is_multiple_of(10) {
            let revision = gateway
                .change("weir.repo.events.yaml", broken(version))
                .await;
            assert_held(&revision, &current, version);
        } else {
            let revision = gateway
                .change("weir.repo.events.yaml", &by_kind(version))
                .await;
            assert_eq!(
                revision.state(),
                "applied",
                "change {version}: {revision:?}"
            );
            current = revision.digest().to_owned();
            live.insert(current.clone(), taken(version));
        }
        if version == changes.min(20) {
            early = gateway.resources();
        }
    }
    let ledger = load.finish().await;
    report("changes of a repo document", &ledger);
    assert_fits(&ledger, &live);
    assert_nothing_left_behind(&gateway, before, early).await;
    gateway.metrics().await.books("events");
    gateway.stop().await;
}

/// A repo with a validator that rejects the events of kind `a`, unless it is switched.
pub(crate) const SWITCHED: &str = "\
version: 1
validate: [ { name: kind, kind: condition, condition: { field: kind, eq: b }, mode: enforce } ]
route: [ { otherwise: { producer: files, topic: events } } ]
";

/// What the switches of this version take; each differs from the right one before it.
pub(crate) fn switched(version: usize) -> u64 {
    if (version - version / 10).is_multiple_of(2) {
        10
    } else {
        7
    }
}

pub(crate) fn switches(version: usize) -> String {
    let mode = match (version % 10, switched(version)) {
        (0, _) => "sometimes",
        (_, 10) => "off",
        _ => "enforce",
    };
    format!("version: {version}\nrepos: {{ events: {{ kind: {{ mode: {mode} }} }} }}\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn switches_change_under_load_while_another_document_is_broken() {
    let documents = Documents::empty()
        .with("weir.producers.yaml", FILES)
        .with("weir.repo.events.yaml", SWITCHED)
        .with("weir.repo.other.yaml", &by_kind(0))
        .with("weir.switches.yaml", &switches(1));
    let mut gateway = Gateway::start(documents).await;
    let before = at_rest(&gateway).await;
    let held = gateway.change("weir.repo.other.yaml", "version: [").await;
    assert_eq!(held.state(), "held", "{held:?}");
    let mut current = held.digest().to_owned();
    let mut live = Taken::from([(current.clone(), 7)]);
    let mut early = before;

    let load = Load::start(&gateway, "events", 16, PATIENCE, kinds);
    let changes = scale(200);
    for version in 2..=changes {
        let revision = gateway
            .change("weir.switches.yaml", &switches(version))
            .await;
        if version.is_multiple_of(10) {
            assert_held(&revision, &current, version);
        } else {
            assert_ne!(
                revision.digest(),
                current,
                "change {version} goes live: {revision:?}"
            );
            current = revision.digest().to_owned();
            live.insert(current.clone(), switched(version));
        }
        if version == changes.min(20) {
            early = gateway.resources();
        }
    }
    let ledger = load.finish().await;
    report("changes of the switches", &ledger);
    assert_fits(&ledger, &live);
    assert_nothing_left_behind(&gateway, before, early).await;
    assert_eq!(
        gateway
            .post("other", "{\"kind\":\"a\"}")
            .await
            .counts()
            .accepted,
        1,
        "the broken repo serves its last good content"
    );
    gateway.stop().await;
}

fn producer(brokers: &str, version: usize) -> String {
    format!(
        "version: {version}\nproducers: {{ main: {{ kafka: {{ brokers: {brokers}, breaker_after: 60 s }} }} }}\n"
    )
}

const TO_KAFKA: &str = "\
version: 1
route: [ { otherwise: { producer: main, topic: moving, ack: kafka } } ]
";

#[tokio::test(flavor = "multi_thread")]
async fn a_producer_moves_between_clusters_under_load_without_harm() {
    let clusters = [Kafka::shared(), Kafka::second()];
    for cluster in clusters {
        cluster.create("moving", 3).await;
    }
    let documents = Documents::empty()
        .with("weir.producers.yaml", &producer(&clusters[0].brokers(), 0))
        .with("weir.repo.events.yaml", TO_KAFKA);
    let mut gateway = Gateway::start(documents).await;
    let before = at_rest(&gateway).await;
    let mut current = gateway.revision().await.digest().to_owned();
    let mut live = Taken::from([(current.clone(), 10)]);
    let mut early = before;

    let load = Load::start(&gateway, "events", 16, PATIENCE, kinds);
    let changes = scale(100);
    for version in 1..=changes {
        if version.is_multiple_of(10) {
            // Port 1 of this machine: nothing listens there.
            let text = producer("[\"127.0.0.1:1\"]", version);
            let revision = gateway.change("weir.producers.yaml", &text).await;
            assert_held(&revision, &current, version);
        } else {
            let text = producer(&clusters[version % 2].brokers(), version);
            let revision = gateway.change("weir.producers.yaml", &text).await;
            assert_eq!(
                revision.state(),
                "applied",
                "change {version}: {revision:?}"
            );
            current = revision.digest().to_owned();
            live.insert(current.clone(), 10);
        }
        if version == changes.min(20) {
            early = gateway.resources();
        }
    }
    let ledger = load.finish().await;
    report("changes of a producer's address", &ledger);
    assert_fits(&ledger, &live);
    // The last that was held is tried again, with a client of its own, until there is a good one.
    let good = producer(&clusters[0].brokers(), changes + 1);
    gateway.documents.put("weir.producers.yaml", good);
    eventually(LONG, "a good address is live", || async {
        (gateway.revision().await.state() == "applied").then_some(())
    })
    .await;
    assert_nothing_left_behind(&gateway, before, early).await;

    let found = clusters.map(|cluster| cluster.read("moving"));
    assert!(
        found.iter().all(|messages| !messages.is_empty()),
        "both clusters were used"
    );
    let found: BTreeSet<&str> = found
        .iter()
        .flatten()
        .map(|message| message.text())
        .collect();
    let accepted = ledger.accepted();
    let missing: Vec<_> = accepted
        .iter()
        .filter(|event| !found.contains(event.as_str()))
        .collect();
    assert!(
        missing.is_empty(),
        "{} of {} accepted events are lost",
        missing.len(),
        accepted.len()
    );
    gateway.metrics().await.books("events");
    gateway.stop().await;
}
