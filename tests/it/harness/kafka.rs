//! Real Kafka clusters, started by `tests/services/kafka/kafka.sh` under `target/tmp`. Two of one
//! node are shared by all tests, and never disturbed; a test that disturbs one starts its own. The
//! script watches this process and stops what is left when it ends, however it ends.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::Message as _;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::Headers as _;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::{LONG, eventually, ports};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/services/kafka/kafka.sh");
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Kafka {
    folder: PathBuf,
    servers: String,
    nodes: i32,
    guard: Guard,
}

/// Whom a cluster lets in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Guard {
    Nobody,
    Sasl,
    Tls,
}

/// One message as it stands in a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) payload: Vec<u8>,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
}

impl Message {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.payload).unwrap()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.payload).unwrap()
    }
}

impl Kafka {
    /// The cluster that most tests use.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Kafka> = OnceLock::new();
        SHARED.get_or_init(|| Self::start("shared", 1, Guard::Nobody))
    }

    /// Another cluster, for a second label.
    pub(crate) fn second() -> &'static Self {
        static SECOND: OnceLock<Kafka> = OnceLock::new();
        SECOND.get_or_init(|| Self::start("second", 1, Guard::Nobody))
    }

    /// A cluster of one node for this test alone.
    pub(crate) fn own(name: &str) -> Self {
        Self::start(name, 1, Guard::Nobody)
    }

    /// Three nodes, replication 3, two in sync.
    pub(crate) fn three_nodes(name: &str) -> Self {
        Self::start(name, 3, Guard::Nobody)
    }

    /// One node with SASL and an authorizer; see the script for its users.
    pub(crate) fn guarded(name: &str) -> Self {
        Self::start(name, 1, Guard::Sasl)
    }

    /// One node that speaks TLS with clients that show a certificate.
    pub(crate) fn encrypted(name: &str) -> Self {
        Self::start(name, 1, Guard::Tls)
    }

    /// A certificate or a key of an encrypted cluster; see the script for their names.
    pub(crate) fn pem(&self, name: &str) -> PathBuf {
        self.folder.join("tls").join(name)
    }

    fn start(name: &str, nodes: i32, guard: Guard) -> Self {
        let root = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let owner = std::process::id().to_string();
        remove_logs_of_ended_runs(root);
        let folder = root.join(format!("kafka-{owner}-{name}"));
        // A port block has the clients' ports 10 apart, and two more behind each.
        let port = ports::free(u16::try_from(nodes).unwrap() * 10);
        let mut command = Command::new(SCRIPT);
        command.arg("up").arg(&folder).args([
            "--nodes",
            &nodes.to_string(),
            "--port",
            &port.to_string(),
        ]);
        command.args(["--owner", &owner]).args(match guard {
            Guard::Nobody => None,
            Guard::Sasl => Some("--sasl"),
            Guard::Tls => Some("--tls"),
        });
        let output = command.output().unwrap();
        assert!(
            output.status.success(),
            "kafka.sh up: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let servers = fs::read_to_string(folder.join("bootstrap"))
            .unwrap()
            .trim()
            .to_owned();
        Self {
            folder,
            servers,
            nodes,
            guard,
        }
    }

    /// The folder that the script knows it by.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// As a list in a document: `["127.0.0.1:1", "127.0.0.1:2"]`.
    pub(crate) fn brokers(&self) -> String {
        format!("{:?}", self.servers.split(',').collect::<Vec<_>>())
    }

    /// Creates a topic and waits until every partition has a leader.
    pub(crate) async fn create(&self, topic: &str, partitions: i32) {
        self.create_with(topic, partitions, &[]).await;
    }

    pub(crate) async fn create_with(
        &self,
        topic: &str,
        partitions: i32,
        settings: &[(&str, &str)],
    ) {
        let admin: AdminClient<DefaultClientContext> = self.config().create().unwrap();
        let mut new = NewTopic::new(topic, partitions, TopicReplication::Fixed(self.nodes));
        for (key, value) in settings {
            new = new.set(key, value);
        }
        // A node that has just joined, or is slow to say that it lives, is not in the metadata for a
        // moment; the client drops what it has asked of it, and must ask again.
        eventually(LONG, "the topic is made", || async {
            let made = admin.create_topics([&new], &AdminOptions::new()).await;
            match made.as_deref() {
                Ok([Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists))]) => Some(()),
                other => {
                    println!("topic {topic} is not made yet: {other:?}");
                    None
                }
            }
        })
        .await;
        eventually(LONG, "the topic has leaders", || async {
            let metadata = admin.inner().fetch_metadata(Some(topic), PATIENCE).ok()?;
            let found = &metadata.topics()[0];
            let led = found
                .partitions()
                .iter()
                .filter(|one| one.leader() >= 0)
                .count();
            (i32::try_from(led) == Ok(partitions)).then_some(())
        })
        .await;
    }

    /// Everything that stands in a topic, in the order of its partitions; nothing if there is no
    /// such topic.
    pub(crate) fn read(&self, topic: &str) -> Vec<Message> {
        let consumer: BaseConsumer = self.config().set("group.id", "reader").create().unwrap();
        let metadata = consumer.fetch_metadata(Some(topic), PATIENCE).unwrap();
        let mut wanted = TopicPartitionList::new();
        let mut left = 0;
        for partition in metadata.topics()[0].partitions() {
            let (low, high) = watermarks(&consumer, topic, partition.id());
            if high > low {
                wanted
                    .add_partition_offset(topic, partition.id(), Offset::Offset(low))
                    .unwrap();
                left += high - low;
            }
        }
        consumer.assign(&wanted).unwrap();
        let mut found = Vec::new();
        // Without transactions and compaction every offset below the high watermark is a message.
        while left > 0 {
            let message = consumer
                .poll(PATIENCE)
                .expect("the rest of the topic within 60 s");
            let Ok(message) = message else { continue };
            found.push(owned(&message));
            left -= 1;
        }
        found
    }

    /// The names of all topics that people made.
    pub(crate) fn topics(&self) -> Vec<String> {
        let consumer: BaseConsumer = self.config().create().unwrap();
        let metadata = consumer.fetch_metadata(None, PATIENCE).unwrap();
        let names = metadata
            .topics()
            .iter()
            .map(|topic| topic.name().to_owned());
        names.filter(|name| !name.starts_with("__")).collect()
    }

    pub(crate) fn kill(&self, node: u8) {
        self.fault("kill", node);
    }

    pub(crate) fn pause(&self, node: u8) {
        self.fault("pause", node);
    }

    pub(crate) fn resume(&self, node: u8) {
        self.fault("resume", node);
    }

    /// Starts a killed node again and waits until it answers.
    pub(crate) fn restart(&self, node: u8) {
        self.fault("start", node);
    }

    fn fault(&self, verb: &str, node: u8) {
        let output = Command::new(SCRIPT)
            .arg(verb)
            .arg(&self.folder)
            .arg(node.to_string())
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "kafka.sh {verb}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.servers)
            .set("log_level", "2")
            .set("enable.auto.commit", "false");
        match self.guard {
            Guard::Nobody => {}
            Guard::Sasl => {
                config
                    .set("security.protocol", "SASL_PLAINTEXT")
                    .set("sasl.mechanism", "PLAIN")
                    .set("sasl.username", "admin")
                    .set("sasl.password", "admin-secret");
            }
            Guard::Tls => {
                let path = |name| self.pem(name).display().to_string();
                config
                    .set("security.protocol", "SSL")
                    .set("ssl.ca.location", path("ca.pem"))
                    .set("ssl.certificate.location", path("client.pem"))
                    .set("ssl.key.location", path("client.key"));
            }
        }
        config
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        // The shared ones are never dropped; the watching script stops what this misses.
        let _status = Command::new(SCRIPT).arg("down").arg(&self.folder).status();
    }
}

/// Folders are named by the process that they belonged to.
fn remove_logs_of_ended_runs(root: &Path) {
    for entry in fs::read_dir(root).unwrap().filter_map(Result::ok) {
        let name = entry.file_name().into_string().unwrap_or_default();
        let process = name
            .strip_prefix("kafka-")
            .and_then(|rest| rest.split('-').next()?.parse::<u32>().ok());
        if process.is_some_and(|process| !Path::new(&format!("/proc/{process}")).exists()) {
            // The run's own watch may be doing the same.
            let _removed = fs::remove_dir_all(entry.path());
        }
    }
}

/// The first and the next offset of a partition. A client drops what it has asked of a node that
/// leaves the metadata for a moment, and must ask again.
fn watermarks(consumer: &BaseConsumer, topic: &str, partition: i32) -> (i64, i64) {
    let end = Instant::now() + PATIENCE;
    loop {
        match consumer.fetch_watermarks(topic, partition, PATIENCE) {
            Ok(found) => return found,
            Err(error) => assert!(Instant::now() < end, "{topic} {partition}: {error}"),
        }
    }
}

fn owned(message: &rdkafka::message::BorrowedMessage<'_>) -> Message {
    let headers = message.headers().map(|headers| {
        let headers = headers.iter();
        headers
            .map(|header| {
                (
                    header.key.to_owned(),
                    header.value.unwrap_or_default().to_vec(),
                )
            })
            .collect()
    });
    Message {
        key: message.key().map(<[u8]>::to_vec),
        payload: message.payload().unwrap_or_default().to_vec(),
        headers: headers.unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rdkafka::producer::{
        BaseProducer, BaseRecord, FutureProducer, FutureRecord, Producer as _,
    };

    #[tokio::test]
    async fn reads_back_what_was_written() {
        let kafka = Kafka::shared();
        kafka.create("harness", 3).await;
        let producer: BaseProducer = kafka.config().create().unwrap();
        for text in ["a", "b", "c", "d"] {
            producer
                .send(BaseRecord::to("harness").key(text).payload(text))
                .unwrap();
        }
        producer.flush(PATIENCE).unwrap();
        let mut found: Vec<String> = kafka
            .read("harness")
            .iter()
            .map(|one| one.text().to_owned())
            .collect();
        found.sort();
        assert_eq!(found, ["a", "b", "c", "d"]);
        assert!(kafka.topics().contains(&"harness".to_owned()));
    }

    #[tokio::test]
    async fn a_guarded_cluster_knows_who_may_write_what() {
        let kafka = Kafka::guarded("harness-guarded");
        kafka.create("allowed", 1).await;
        kafka.create("visible", 1).await;
        for mechanism in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] {
            let mut config = kafka.config();
            config
                .set("sasl.mechanism", mechanism)
                .set("sasl.username", "weir")
                .set("sasl.password", "weir-secret");
            let producer: FutureProducer = config.create().unwrap();
            let send = async |topic| {
                let record = FutureRecord::<str, str>::to(topic).payload("x");
                producer
                    .send(record, PATIENCE)
                    .await
                    .map_err(|(error, _)| error.rdkafka_error_code())
            };
            assert!(send("allowed").await.is_ok(), "{mechanism}");
            let refused = send("visible").await.unwrap_err();
            assert_eq!(
                refused,
                Some(RDKafkaErrorCode::TopicAuthorizationFailed),
                "{mechanism}"
            );
        }
        assert_eq!(kafka.read("allowed").len(), 3);
    }
}
