//! The data path as a whole, into a folder of files and towards a cluster that is not there.

use std::task::{Context as TaskContext, Waker};
use std::time::Duration;

use hashbrown::{HashMap, HashSet};
use prometheus_client::registry::Registry;

use super::*;
use crate::delivery::{self, Connected, Producer};
use crate::event::{Ack, Label, TargetId, Topic, TopicId};
use crate::gateway::receipt::Counts;
use crate::pipeline::route::{Router, Target, TopicChoice, Way};
use crate::pipeline::switched::Switched;
use crate::pipeline::{Pipeline, Plan, fixture};
use crate::rollout::live::{Digest, Paths};
use crate::sink::{Spec, file, kafka};
use crate::telemetry::meter::RepoMeter;

const LONG: Duration = Duration::from_secs(60);
/// What is still on the way when it is looked at, and then fails.
const WHILE: Duration = Duration::from_secs(5);

struct World {
    gateway: Gateway,
    tasks: Tasks,
    metrics: Metrics,
    folder: tempfile::TempDir,
}

fn world() -> World {
    let folder = tempfile::tempdir().unwrap();
    let metrics = Metrics::new(&mut Registry::default());
    let settings = delivery::Settings {
        memory: 64 << 20,
        files: folder.path().to_path_buf(),
    };
    let delivery = Delivery::new(settings, metrics.clone());
    let (live, tasks) = (Arc::new(Live::default()), Tasks::default());
    World {
        gateway: Gateway::new(live, delivery, tasks.clone(), "here", metrics.clone()),
        tasks,
        metrics,
        folder,
    }
}

/// Every event goes to one topic of one producer.
fn plan(ack: Ack) -> Plan {
    Plan {
        router: Router {
            otherwise: vec![Way {
                target: TargetId(0),
                topic: TopicChoice::Constant(TopicId(0)),
                key: None,
                priority: None,
            }],
            ..Router::default()
        },
        targets: vec![Target {
            producer: Label::new("p"),
            ack,
            message_max: 1 << 20,
            headers: Arc::new([("origin".into(), "test".into())]),
        }],
        topics: vec![Topic::parse("events").unwrap()],
        ..fixture::plan()
    }
}

impl World {
    async fn connect(&self, spec: Spec, within: Duration) -> Producer {
        let wanted = [(Label::new("p"), spec)];
        match self
            .gateway
            .delivery
            .connect(&wanted, within)
            .await
            .remove(0)
        {
            Connected::Ready(producer) | Connected::Silent(producer, _) => producer,
            other @ Connected::Failed(_) => panic!("{other:?}"),
        }
    }

    fn revision(&self, producer: Producer, ack: Ack) -> Revision {
        let plan = Arc::new(plan(ack));
        let repo = Repo {
            pipeline: Pipeline {
                switched: Arc::new(Switched::as_written(&plan)),
                plan: Arc::clone(&plan),
            },
            device: None,
            keys: Vec::new(),
            destinations: self
                .gateway
                .delivery
                .bind(vec![(producer, ack)], &plan.topics),
            meter: RepoMeter::new(&self.metrics, "events"),
        };
        Revision {
            digest: Digest::new("3f2a91c0d4e5"),
            repos: HashMap::from_iter([(plan.repo.clone(), Arc::new(repo))]),
            without_document: HashSet::new(),
            paths: Paths::default(),
            devices: crate::device::Devices::unavailable(),
            switches: Arc::new([]),
            tables: Arc::default(),
            serving: true,
        }
    }

    async fn to_file(&self) -> Revision {
        let spec = Spec::File(file::Spec::new("files".into()));
        self.revision(self.connect(spec, LONG).await, Ack::Kafka)
    }

    /// Towards a cluster that is not there.
    async fn to_nowhere(&self) -> Revision {
        let spec = Spec::Kafka(Box::new(kafka::Spec {
            delivery_timeout: WHILE,
            ..kafka::Spec::new(vec!["127.0.0.1:1".to_owned()])
        }));
        let producer = self.connect(spec, Duration::from_millis(1)).await;
        self.revision(producer, Ack::Kafka)
    }
}

fn request<'r>(revision: &'r Revision, body: &str) -> Request<'r> {
    Request {
        revision,
        repo: &revision.repos["events"],
        body: body.as_bytes().to_vec(),
        received: Timestamp::UNIX_EPOCH,
        client: None,
        key: None,
        id: "01J00000000000000000000000",
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_is_accepted_or_told_and_the_metrics_are_the_sums() {
    let world = world();
    let revision = world.to_file().await;
    let mut charged = 0;
    let body = "{\"n\":1}\n{oops}\n{\"n\":2}\n";
    let receipt = world
        .gateway
        .accept(request(&revision, body), |events| charged = events, ())
        .await
        .unwrap();
    let counts = Counts {
        received: 3,
        accepted: 2,
        rejected: 1,
        ..Counts::default()
    };
    assert_eq!((receipt.counts, charged), (counts, 3));
    assert_eq!(receipt.complaints[0].line, 2);
    let meter = &revision.repos["events"].meter;
    assert_eq!((meter.received.get(), meter.accepted.get()), (3, 2));
    assert_eq!(world.metrics.books_unbalanced.get(), 0);
    let files = walk(world.folder.path());
    assert_eq!(files, "{\"n\":1}\n{\"n\":2}\n");
}

/// All that was written.
fn walk(folder: &std::path::Path) -> String {
    let mut text = String::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            text += &walk(&path);
        } else {
            text += &std::fs::read_to_string(&path).unwrap();
        }
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_took_is_to_be_sent_again() {
    let world = world();
    let revision = world.to_nowhere().await;
    let body = "{\"n\":1}\n\n{\"n\":2}\n{\"n\":3}\n";
    let accepted = world.gateway.accept(request(&revision, body), |_| (), ());
    let receipt = accepted.await.unwrap();
    assert_eq!(receipt.counts.retry, 3, "{receipt:?}");
    assert_eq!(receipt.retry_lines, [(1, 1), (3, 4)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_books_close_when_the_client_has_gone() {
    let world = world();
    let revision = world.to_nowhere().await;
    let held = Arc::new(());
    {
        let body = "{\"n\":1}\n{\"n\":2}\n";
        let accepted = world
            .gateway
            .accept(request(&revision, body), |_| (), Arc::clone(&held));
        let mut accepted = std::pin::pin!(accepted);
        let mut context = TaskContext::from_waker(Waker::noop());
        assert!(accepted.as_mut().poll(&mut context).is_pending());
    }
    let meter = &revision.repos["events"].meter;
    assert_eq!(meter.abandoned.get(), 1);
    assert_eq!(Arc::strong_count(&held), 2, "held while the books are open");
    assert!(world.tasks.drain(LONG).await);
    assert_eq!((meter.received.get(), meter.accepted.get()), (2, 0));
    assert_eq!(Arc::strong_count(&held), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_explanation_delivers_nothing_and_counts_nothing() {
    let world = world();
    let revision = world.to_file().await;
    let body = "{\"n\":1}\n{oops}";
    let explanation = world
        .gateway
        .explain(request(&revision, body))
        .await
        .unwrap();
    let told = serde_json::to_value(&explanation).unwrap();
    assert_eq!(told["events"][0]["outcome"], "accepted");
    assert_eq!(told["events"][0]["event"]["n"], 1);
    assert_eq!(told["events"][0]["records"][0]["topic"], "events");
    assert_eq!(told["events"][0]["records"][0]["headers"]["origin"], "test");
    assert_eq!(told["events"][1]["outcome"], "rejected");
    assert_eq!(told["events"][1]["reason"], "decode.json");
    assert_eq!(told["events"][1]["trace"][0]["stage"], "decode");
    assert_eq!(walk(world.folder.path()), "");
    assert_eq!(revision.repos["events"].meter.received.get(), 0);
}
