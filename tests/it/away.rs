//! Documents that compile and need what is away, a cluster or a file: they are held, tried again, and
//! go live without anybody publishing them once more.

use std::fs;
use std::net::TcpListener;

use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;

use crate::harness::documents::Documents;
use crate::harness::eventually;
use crate::harness::gateway::{Gateway, Revision};
use crate::harness::kafka::Kafka;

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

/// When the documents were last read.
async fn reconciled(gateway: &Gateway) -> String {
    gateway.revision().await.0["reconciled"].to_string()
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
    for _ in 0..4 {
        let before = reconciled(&gateway).await;
        eventually(60, "everything is looked at again", || async {
            (reconciled(&gateway).await != before).then_some(())
        })
        .await;
    }
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
