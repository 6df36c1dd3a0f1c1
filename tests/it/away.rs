//! Documents that compile and need what is away, a cluster, a file or a secret: they are held, or live
//! without it at the start, tried again, and whole without anybody publishing them once more.

use std::fs;
use std::net::TcpListener;
use std::path::Path;

use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;

use crate::harness::documents::Documents;
use crate::harness::eventually;
use crate::harness::faulty::Faulty;
use crate::harness::gateway::{Gateway, Revision};
use crate::harness::kafka::Kafka;
use crate::harness::nacos::Nacos;
use crate::restarts::{repo, serves, sha256, topic};

/// Looks at everything again every second.
const SETTINGS: &str = "[rollout]\ninterval = \"1s\"\nanswer_within = \"2s\"\n";
const TABLES: &str = "version: 1\nip: { files: [ { path: geo/v4.csv } ], columns: [ country ] }\n";
const REPO: &str = "version: 1\n\
    enrich: { geo: { table: ip, from: address, as: { country: country } } }\n\
    route: [ { otherwise: { producer: main, topic: events, ack: kafka } } ]\n";

fn documents(producer: &str) -> Documents {
    let documents = Documents::empty()
        .with("weir.producers.yaml", producer)
        .with("weir.repo.events.yaml", REPO)
        .with("weir.tables.yaml", TABLES)
        .with("weir.toml", SETTINGS);
    fs::create_dir(documents.path().join("geo")).unwrap();
    documents
}

fn files() -> String {
    "version: 1\nproducers: { main: { file: { folder: files } } }\n".to_owned()
}

async fn start(documents: Documents) -> Gateway {
    let settings = documents.path().join("weir.toml");
    Gateway::start_with(documents, |command| {
        command.arg("--settings").arg(settings);
    })
    .await
}

/// Writes the IP table, where no notice of it is given.
fn put_table(gateway: &Gateway, text: &str) {
    fs::write(gateway.documents.path().join("geo/v4.csv"), text).unwrap();
}

async fn until(gateway: &Gateway, state: &str) -> Revision {
    eventually(60, state, || async {
        let revision = gateway.revision().await;
        (revision.state() == state).then_some(revision)
    })
    .await
}

async fn until_said(gateway: &Gateway, words: &str) -> Revision {
    eventually(60, words, || async {
        let revision = gateway.revision().await;
        revision.diagnostics().contains(words).then_some(revision)
    })
    .await
}

/// When the documents were last read.
async fn reconciled(gateway: &Gateway) -> String {
    gateway.revision().await.0["reconciled"].to_string()
}

async fn looked_at_again(gateway: &Gateway, times: usize) {
    for _ in 0..times {
        let before = reconciled(gateway).await;
        eventually(60, "everything is looked at again", || async {
            (reconciled(gateway).await != before).then_some(())
        })
        .await;
    }
}

/// Sends an event; what geo made of it.
async fn country(gateway: &Gateway) -> String {
    let before = gateway.written("events").len();
    gateway
        .post("events", "{\"address\":\"192.0.2.1\"}\n")
        .await;
    let written = gateway.written("events");
    assert_eq!(written.len(), before + 1);
    let event: serde_json::Value = serde_json::from_str(&written[before]).unwrap();
    event["country"].to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_whose_file_is_away_at_the_start_is_loaded_when_it_comes() {
    let gateway = start(documents(&files())).await;
    assert_eq!(country(&gateway).await, "null");
    let held = until(&gateway, "held").await;
    let said = held.diagnostics();
    assert!(said.contains("geo/v4.csv"), "{said}");
    put_table(&gateway, "192.0.2.0/24,CN\n");
    until(&gateway, "applied").await;
    assert_eq!(country(&gateway).await, "\"CN\"");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_goes_bad_is_held_once_and_loaded_when_it_is_good() {
    let documents = documents(&files());
    fs::write(documents.path().join("geo/v4.csv"), "192.0.2.0/24,CN\n").unwrap();
    let gateway = start(documents).await;
    until(&gateway, "applied").await;
    put_table(&gateway, "no address,CN\n");
    let held = until(&gateway, "held").await;
    assert_eq!(country(&gateway).await, "\"CN\"");
    // Looked at again, and not told again.
    looked_at_again(&gateway, 4).await;
    assert_eq!(gateway.revision().await.sequence(), held.sequence());
    put_table(&gateway, "192.0.2.0/24,FR\n");
    until(&gateway, "applied").await;
    assert_eq!(country(&gateway).await, "\"FR\"");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_producer_whose_cluster_is_away_takes_over_when_it_comes() {
    let kafka = Kafka::shared();
    kafka.create("events", 1).await;
    // A port where nobody listens, until the way to the cluster stands there.
    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = closed.local_addr().unwrap();
    drop(closed);
    let documents = documents(&files());
    fs::write(documents.path().join("geo/v4.csv"), "192.0.2.0/24,CN\n").unwrap();
    let gateway = start(documents).await;
    let producer = format!(
        "version: 2\nproducers: {{ main: {{ kafka: {{ brokers: [ \"{address}\" ] }} }} }}\n"
    );
    let held = gateway.change("weir.producers.yaml", &producer).await;
    assert_eq!(held.state(), "held", "{held:?}");
    assert_eq!(country(&gateway).await, "\"CN\"");

    let listener = tokio::net::TcpListener::bind(address).await.unwrap();
    let brokers: Vec<String> = serde_json::from_str(&kafka.brokers()).unwrap();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let broker = brokers[0].clone();
            tokio::spawn(async move {
                let mut server = TcpStream::connect(broker).await.unwrap();
                let _ended = copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    until(&gateway, "applied").await;
    let files = gateway.written("events").len();
    gateway
        .post("events", "{\"address\":\"192.0.2.1\",\"n\":\"to kafka\"}\n")
        .await;
    assert_eq!(gateway.written("events").len(), files);
    let read = kafka.read("events");
    assert!(
        read.iter()
            .any(|message| message.text().contains("to kafka"))
    );
}

/// A folder of files, and a cluster where nobody answers whose password stands in a file.
fn guarded(version: usize, password: &Path) -> String {
    let sasl = format!(
        "mechanism: PLAIN, user: weir, password: \"file:{}\"",
        password.display()
    );
    format!(
        "version: {version}\nproducers:\n  files: {{ file: {{ folder: files }} }}\n  \
         guarded: {{ kafka: {{ brokers: [ \"127.0.0.1:9\" ], sasl: {{ {sasl} }} }} }}\n"
    )
}

const TO_GUARDED: &str =
    "version: 1\nroute: [ { otherwise: { producer: guarded, topic: events } } ]\n";

/// An index that pins what a folder holds.
fn pinned(documents: &Documents, version: usize) -> String {
    let entries = [
        ("producers", "default", "weir.producers"),
        ("repo", "a", "weir.repo.a"),
        ("repo", "b", "weir.repo.b"),
    ];
    let entries = entries.map(|(kind, name, data_id)| {
        let sha256 = sha256(&documents.read(&format!("{data_id}.yaml")));
        format!("- {{ kind: {kind}, name: {name}, data_id: {data_id}, sha256: \"{sha256}\" }}\n")
    });
    format!("version: {version}\ndocuments:\n{}", entries.concat())
}

/// Repo `a` goes to files, repo `b` needs a password that is not there.
async fn without_password(is_pinned: bool) {
    let documents = Documents::empty().with("weir.toml", SETTINGS);
    let password = documents.path().join("password");
    let producers = guarded(1, &password);
    documents.put("weir.producers.yaml", producers);
    documents.put("weir.repo.a.yaml", repo(1));
    documents.put("weir.repo.b.yaml", TO_GUARDED);
    if is_pinned {
        documents.put("weir.index.yaml", pinned(&documents, 1));
    }
    let mut gateway = start(documents).await;
    for _ in 0..2 {
        gateway.until_ready().await;
        let held = until(&gateway, "held").await;
        assert_eq!(held.0["held"][0]["document"], "weir.producers", "{held:?}");
        assert!(
            held.diagnostics().contains("producer `guarded`"),
            "{held:?}"
        );
        serves(&gateway, "a", 1).await;
        assert_eq!(gateway.post("b", "{}").await.status, 503);
        looked_at_again(&gateway, 3).await;
        assert_eq!(gateway.revision().await.sequence(), held.sequence());
        gateway.kill();
        gateway.start_again();
    }
    gateway.until_ready().await;
    // What it goes without keeps nothing else from going live, of the same document neither.
    gateway.documents.put("weir.repo.a.yaml", repo(2));
    gateway
        .documents
        .replace("weir.producers.yaml", "folder: files", "folder: others");
    if is_pinned {
        let index = pinned(&gateway.documents, 2);
        gateway.documents.put("weir.index.yaml", index);
    }
    eventually(60, "the change is live", || async {
        (topic(&gateway, "a").await == "v2").then_some(())
    })
    .await;
    assert_eq!(gateway.revision().await.state(), "held");
    fs::write(&password, "secret").unwrap();
    until(&gateway, "applied").await;
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_is_missing_at_a_start_degrades_its_repo_alone() {
    without_password(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_is_missing_at_a_start_degrades_its_repo_alone_where_all_is_pinned() {
    without_password(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_producer_whose_password_is_missing_is_held_once_and_goes_live_when_it_comes() {
    let documents = Documents::empty()
        .with("weir.toml", SETTINGS)
        .with(
            "weir.producers.yaml",
            "version: 1\nproducers: { files: { file: { folder: files } } }\n",
        )
        .with("weir.repo.a.yaml", &repo(1))
        .with("weir.repo.b.yaml", &repo(1));
    let password = documents.path().join("password");
    let gateway = start(documents).await;
    let guarded = guarded(2, &password);
    gateway.documents.put("weir.repo.b.yaml", TO_GUARDED);
    gateway.documents.put("weir.producers.yaml", guarded);
    let held = until_said(&gateway, "resolve a secret").await;
    assert_eq!(held.state(), "held", "{held:?}");
    serves(&gateway, "b", 1).await;
    looked_at_again(&gateway, 3).await;
    assert_eq!(gateway.revision().await.sequence(), held.sequence());
    let switches = gateway.change("weir.switches.yaml", "version: 1\n").await;
    assert_eq!(switches.state(), "held", "{switches:?}");
    fs::write(&password, "secret").unwrap();
    until(&gateway, "applied").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_of_the_device_map_that_is_missing_at_a_start_is_taken_when_it_comes() {
    let documents = documents(&files());
    fs::write(documents.path().join("geo/v4.csv"), "192.0.2.0/24,CN\n").unwrap();
    let secret = documents.path().join("secret");
    let devices = format!(
        "{TABLES}devices: {{ memory: {{ identifiers: 1000 }}, secret: \"file:{}\" }}\n",
        secret.display()
    );
    documents.put("weir.tables.yaml", devices);
    let mut gateway = start(documents).await;
    for _ in 0..2 {
        let held = until(&gateway, "held").await;
        assert!(
            held.diagnostics().contains("the device map has no key"),
            "{held:?}"
        );
        assert_eq!(country(&gateway).await, "\"CN\"");
        gateway.kill();
        gateway.start_again();
        gateway.until_ready().await;
    }
    fs::write(&secret, "0123456789abcdef0123456789abcdef").unwrap();
    until(&gateway, "applied").await;
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_one_after_the_other_do_not_put_off_what_is_told_of_a_silent_cluster() {
    // Takes connections and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let documents = Documents::empty()
        .with("weir.toml", SETTINGS)
        .with("weir.producers.yaml", &files().replace("main", "files"))
        .with("weir.repo.a.yaml", &repo(1));
    let gateway = start(documents).await;
    let producer = format!(
        "version: 2\nproducers: {{ files: {{ kafka: {{ brokers: [ \"{address}\" ] }} }} }}\n"
    );
    gateway.documents.put("weir.producers.yaml", producer);
    let mut version = 1;
    let held = eventually(
        60,
        "the silent cluster is told of while changes are made",
        || {
            version += 1;
            gateway.documents.put("weir.repo.a.yaml", repo(version));
            let gateway = &gateway;
            async move {
                looked_at_again(gateway, 1).await;
                let revision = gateway.revision().await;
                (revision.state() == "held").then_some(revision)
            }
        },
    )
    .await;
    let said = held.diagnostics();
    assert!(said.contains("did not answer"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_ends_and_has_no_effect_is_looked_at_once_while_the_index_is_refused() {
    let index = "version: 1\nswitches: weir.switches\ndocuments:\n\
         - { kind: producers, name: default, data_id: weir.producers }\n\
         - { kind: repo, name: a, data_id: weir.repo.a }\n";
    let documents = Documents::empty()
        .with("weir.toml", SETTINGS)
        .with("weir.producers.yaml", &files().replace("main", "files"))
        .with("weir.repo.a.yaml", &repo(1))
        .with("weir.switches.yaml", "version: 1\n")
        .with("weir.index.yaml", index);
    let gateway = start(documents).await;
    let until = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(3);
    let switches =
        format!("version: 2\nrepos: {{ a: {{ nothing: {{ mode: off, until: \"{until}\" }} }} }}\n");
    let noted = gateway.change("weir.switches.yaml", &switches).await;
    assert!(noted.diagnostics().contains("nothing"), "{noted:?}");
    let refused = gateway.change("weir.index.yaml", "version: [").await;
    assert_eq!(refused.state(), "refused", "{refused:?}");
    let ended = gateway.outcome_after(&refused).await;
    assert!(jiff::Timestamp::now() >= until);
    looked_at_again(&gateway, 3).await;
    assert_eq!(gateway.revision().await.sequence(), ended.sequence());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_that_cannot_be_read_is_looked_at_again_without_another_outcome() {
    let documents = Documents::empty()
        .with("weir.producers.yaml", &files().replace("main", "files"))
        .with("weir.repo.a.yaml", &repo(1))
        .with("weir.repo.b.yaml", &repo(1))
        .with(
            "weir.index.yaml",
            "version: 1\ndocuments:\n\
             - { kind: producers, name: default, data_id: weir.producers }\n\
             - { kind: repo, name: a, data_id: weir.repo.a }\n\
             - { kind: repo, name: b, data_id: weir.repo.b }\n",
        );
    let mut space = Nacos::shared().space("denied").await;
    space.publish_all(&documents).await;
    for name in ["a", "b"] {
        space
            .publish(&format!("weir.repo.{name}"), "version: [")
            .await;
    }
    let proxy = Faulty::before(&space.url).await;
    proxy.deny(Some("/history"));
    space.url.clone_from(&proxy.url);
    let documents = Documents::empty().with("weir.toml", SETTINGS);
    let settings = documents.path().join("weir.toml");
    let mut gateway = Gateway::spawn_from(&space.arguments(), documents, |command| {
        command.arg("--settings").arg(settings);
    });
    gateway.until_ready().await;
    let held = until(&gateway, "held").await;
    looked_at_again(&gateway, 3).await;
    assert_eq!(gateway.revision().await.sequence(), held.sequence());
    let told = "earlier versions of a document cannot be read";
    assert_eq!(gateway.log().matches(told).count(), 1);
    assert_eq!(gateway.post("a", "{}").await.status, 503);
    proxy.deny(None);
    for name in ["a", "b"] {
        eventually(60, "the good version is live", || async {
            (gateway.post(name, "{\"n\":1}").await.status == 200).then_some(())
        })
        .await;
        serves(&gateway, name, 1).await;
    }
    gateway.stop().await;
}
