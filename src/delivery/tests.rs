//! Delivery as its users see it, on folders of files and on clusters that are not there.

use std::path::Path;

use prometheus_client::registry::Registry as Metered;
use tempfile::TempDir;

use super::*;
use crate::event::{Priority, Reason, Record, Span, TargetId, TopicId};
use crate::sink::{file, kafka};

const STAMP: Stamp<'_> = Stamp {
    revision: "3f2a91c0d4e5",
    batch: "01J8",
};
const LONG: Duration = Duration::from_secs(60);
/// What is still on the way when it is looked at, and then fails.
const WHILE: Duration = Duration::from_secs(5);

struct World {
    delivery: Delivery,
    metered: Metered,
    folder: TempDir,
}

fn world() -> World {
    let folder = tempfile::tempdir().unwrap();
    let mut metered = Metered::default();
    let metrics = Metrics::new(&mut metered);
    let settings = Settings {
        memory: 64 << 20,
        files: folder.path().to_path_buf(),
    };
    World {
        delivery: Delivery::new(settings, metrics),
        metered,
        folder,
    }
}

impl World {
    fn metric(&self, name: &str) -> String {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.metered).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.map(|rest| rest.trim().to_owned()).unwrap_or_default()
    }

    async fn connect(&self, spec: Spec) -> Producer {
        match self.connect_within(spec, LONG).await {
            Connected::Ready(producer) => producer,
            other => panic!("{other:?}"),
        }
    }

    /// Asks it, and takes it whether it answers or not.
    async fn connect_within(&self, spec: Spec, within: Duration) -> Connected {
        let connected = self.ask_within(spec, within).await;
        if let Connected::Ready(producer) | Connected::Silent(producer, _) = &connected {
            self.delivery.take([producer]);
        }
        connected
    }

    async fn ask_within(&self, spec: Spec, within: Duration) -> Connected {
        let wanted = [(Label::new("p"), spec)];
        self.delivery.connect(&wanted, within).await.remove(0)
    }

    /// A producer whose cluster is not there, used nevertheless.
    async fn silent(&self, change: impl FnOnce(&mut kafka::Spec)) -> Producer {
        match self.connect_within(nowhere(change), Duration::ZERO).await {
            Connected::Silent(producer, _) => producer,
            other => panic!("{other:?}"),
        }
    }

    fn bind(&self, producer: &Producer, ack: Ack) -> Destinations {
        let topics = ["a", "b"].map(|name| Topic::parse(name).unwrap());
        self.delivery.bind(vec![(producer.clone(), ack)], &topics)
    }

    async fn send(&self, to: &Destinations, items: &[Item]) -> Vec<(u32, Reason)> {
        self.delivery
            .send(to, records(items), &STAMP)
            .await
            .failures
    }

    fn tick(&self) {
        self.delivery.tick(std::time::Instant::now(), true);
    }

    fn idle(&self) -> bool {
        self.delivery.shared.memory.used() == 0
            && self
                .delivery
                .shared
                .registry
                .all_lanes()
                .iter()
                .all(|lane| lane.budget.used() == 0)
    }
}

/// Event, topic, payload.
type Item = (Option<u32>, u32, &'static str);

fn records(items: &[Item]) -> Records {
    let mut records = Records::default();
    for &(event, topic, payload) in items {
        let start = u32::try_from(records.buffer.len()).unwrap();
        records.buffer.extend_from_slice(payload.as_bytes());
        let end = u32::try_from(records.buffer.len()).unwrap();
        records.items.push(Record {
            event,
            target: TargetId(0),
            topic: TopicId(topic),
            priority: Priority::P2,
            key: None,
            payload: Span { start, end },
        });
    }
    records
}

fn files(folder: &str) -> Spec {
    Spec::File(file::Spec::new(folder.into()))
}

/// Nothing listens on port 1.
fn nowhere(change: impl FnOnce(&mut kafka::Spec)) -> Spec {
    let mut spec = kafka::Spec::new(vec!["127.0.0.1:1".to_owned()]);
    spec.delivery_timeout = Duration::from_millis(300);
    spec.request_timeout = Duration::from_millis(200);
    change(&mut spec);
    Spec::Kafka(Box::new(spec))
}

fn lines(folder: &Path) -> usize {
    let files = std::fs::read_dir(folder).unwrap();
    files
        .map(|file| {
            std::fs::read_to_string(file.unwrap().path())
                .unwrap()
                .lines()
                .count()
        })
        .sum()
}

async fn eventually(mut holds: impl FnMut() -> bool) {
    let wait = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(LONG, wait)
        .await
        .expect("it never holds");
}

#[tokio::test]
async fn what_is_safe_is_in_its_topics_and_counted() {
    let world = world();
    let producer = world.connect(files("out")).await;
    let to = world.bind(&producer, Ack::Any);
    let items = [
        (Some(0), 0, "{}"),
        (Some(1), 1, "{}"),
        (Some(2), 0, "{}"),
        (None, 1, "{}"),
    ];
    assert_eq!(world.send(&to, &items).await, []);
    eventually(|| world.idle()).await;
    assert_eq!(lines(&world.folder.path().join("out/a")), 2);
    assert_eq!(lines(&world.folder.path().join("out/b")), 2);
    let counted = "weir_records_total{producer=\"p\",outcome=\"acknowledged\"}";
    assert_eq!(world.metric(counted), "4");
}

#[tokio::test]
async fn a_caller_that_goes_away_leaves_no_byte_behind() {
    let world = world();
    let producer = world.connect(files("out")).await;
    let to = world.bind(&producer, Ack::Kafka);
    let pending = world
        .delivery
        .start(&to, records(&[(Some(0), 0, "{}")]), &STAMP);
    assert!(!pending.settled());
    drop(pending);
    eventually(|| world.idle()).await;
    assert_eq!(lines(&world.folder.path().join("out/a")), 1);
}

#[tokio::test]
async fn what_exceeds_its_lane_is_turned_away_and_fits_later() {
    let world = world();
    let change = |spec: &mut kafka::Spec| {
        spec.budget = 2_000;
        spec.delivery_timeout = WHILE;
    };
    let producer = world.silent(change).await;
    producer.connections[0].breaker.acknowledged();
    let to = world.bind(&producer, Ack::Any);
    let first = world
        .delivery
        .start(&to, records(&[(Some(0), 0, "{}"); 3]), &STAMP);
    assert_eq!(
        world.send(&to, &[(Some(0), 0, "{}"); 2]).await,
        [(0, Reason::Overloaded)]
    );
    assert_eq!(first.outcome().await.failures, [(0, Reason::Unavailable)]);
    eventually(|| world.idle()).await;
    let fits = world
        .delivery
        .start(&to, records(&[(Some(0), 0, "{}"); 2]), &STAMP);
    assert!(!fits.settled());
    world.delivery.close(Duration::ZERO).await;
}

#[tokio::test]
async fn with_nobody_there_one_request_probes_and_the_others_are_turned_away_at_once() {
    let world = world();
    let producer = world.silent(|spec| spec.delivery_timeout = WHILE).await;
    let to = world.bind(&producer, Ack::Any);
    assert!(to.open());
    let probe = world
        .delivery
        .start(&to, records(&[(Some(0), 0, "{}")]), &STAMP);
    assert!(!to.open());
    let other = world
        .delivery
        .start(&to, records(&[(Some(0), 0, "{}")]), &STAMP);
    assert!(other.settled());
    assert_eq!(other.outcome().await.failures, [(0, Reason::Unavailable)]);
    assert_eq!(probe.outcome().await.failures, [(0, Reason::Unavailable)]);
    eventually(|| to.open()).await;
    world.tick();
    assert_eq!(world.metric("weir_breaker_open{producer=\"p\"}"), "1");
}

#[tokio::test]
async fn a_cluster_that_stops_answering_opens_its_breaker() {
    let world = world();
    let change = |spec: &mut kafka::Spec| {
        spec.breaker_after = Duration::from_millis(20);
        spec.delivery_timeout = LONG;
    };
    let producer = world.silent(change).await;
    producer.connections[0].breaker.acknowledged();
    let to = world.bind(&producer, Ack::Any);
    let _waits = world
        .delivery
        .start(&to, records(&[(Some(0), 0, "{}")]), &STAMP);
    eventually(|| {
        world.tick();
        producer.connections[0].breaker.refuses() == Some(Reason::Unavailable)
    })
    .await;
    let _probe = world
        .delivery
        .start(&to, records(&[(Some(0), 0, "{}")]), &STAMP);
    assert_eq!(
        world.send(&to, &[(Some(0), 0, "{}")]).await,
        [(0, Reason::Unavailable)]
    );
}

#[tokio::test]
async fn what_memory_loses_is_counted_and_changes_no_reply() {
    let world = world();
    let producer = world.silent(|_| {}).await;
    producer.connections[0].breaker.acknowledged();
    let to = world.bind(&producer, Ack::Memory);
    let pending =
        world
            .delivery
            .start(&to, records(&[(Some(0), 0, "{}"), (None, 1, "{}")]), &STAMP);
    assert!(pending.settled());
    assert_eq!(pending.outcome().await, Outcome::default());
    eventually(|| world.idle()).await;
    eventually(|| world.metric("weir_lost_total{producer=\"p\"}") == "1").await;
    eventually(|| world.metric("weir_reject_records_lost_total") == "1").await;
}

#[tokio::test]
async fn what_memory_cannot_even_queue_is_told_to_the_caller() {
    let world = world();
    let producer = world.silent(|spec| {
        spec.message_max = 1_000;
        spec.batch_size = 1_000;
    });
    let producer = producer.await;
    producer.connections[0].breaker.acknowledged();
    let to = world.bind(&producer, Ack::Memory);
    let long: &'static str = "x".repeat(2_000).leak();
    let items = [(Some(0), 0, "{}"), (Some(1), 0, long), (None, 0, long)];
    assert_eq!(
        world.send(&to, &items).await,
        [(1, Reason::DeliveryTooLarge)]
    );
    assert_eq!(world.metric("weir_reject_records_lost_total"), "1");
}

#[tokio::test]
async fn equal_specs_share_a_client_and_strict_ones_share_none() {
    let world = world();
    let (a, b, c) = (Label::new("a"), Label::new("b"), Label::new("c"));
    let wanted = [
        (a.clone(), files("x")),
        (b.clone(), files("x")),
        (c, files("y")),
    ];
    let all = world.delivery.connect(&wanted, LONG).await;
    assert!(all.iter().all(|one| matches!(one, Connected::Ready(_))));
    assert_eq!(world.delivery.status().len(), 2);
    let strict = |spec: &mut kafka::Spec| spec.order = kafka::Order::Strict;
    let wanted = [(a, nowhere(strict)), (b, nowhere(strict))];
    let strict = world.delivery.connect(&wanted, Duration::ZERO).await;
    assert_eq!(world.delivery.status().len(), 10);
    drop((all, strict));
}

#[tokio::test]
async fn a_producer_that_is_only_asked_changes_nothing_of_the_one_in_use() {
    let world = world();
    let producer = world.connect(files("out")).await;
    let to = world.bind(&producer, Ack::Any);
    let small = nowhere(|spec| spec.budget = 1);
    let asked = world.ask_within(small, Duration::ZERO).await;
    assert!(matches!(asked, Connected::Silent(..)), "{asked:?}");
    let items = [(Some(0), 0, "{}"); 100];
    let sent = (0..20).map(|_| world.delivery.start(&to, records(&items), &STAMP));
    for pending in sent.collect::<Vec<_>>() {
        assert_eq!(pending.outcome().await, Outcome::default());
    }
    world.tick();
    assert_eq!(world.metric("weir_breaker_open{producer=\"p\"}"), "0");
    let Connected::Silent(asked, _) = asked else {
        panic!("nobody listens there")
    };
    world.delivery.take([&asked]);
    world.tick();
    assert_eq!(world.metric("weir_breaker_open{producer=\"p\"}"), "1");
    drop((producer, to));
}

#[tokio::test]
async fn nobody_should_send_here_while_every_cluster_is_away() {
    let world = world();
    assert_eq!(world.delivery.ready(), Ok(()));
    // With strict order there is a client for each lane; none of them may pass for one that answers.
    let away = world.silent(|spec| spec.order = kafka::Order::Strict).await;
    assert!(world.delivery.ready().is_err());
    let here = world
        .connect_within(files("out"), Duration::from_secs(10))
        .await;
    assert!(matches!(here, Connected::Ready(_)), "{here:?}");
    assert_eq!(world.delivery.ready(), Ok(()));
    drop((away, here));
}

#[tokio::test]
async fn a_client_ends_when_its_last_user_goes_and_not_before() {
    let world = world();
    let producer = world.connect(files("out")).await;
    let to = world.bind(&producer, Ack::Any);
    drop(producer);
    world.tick();
    assert_eq!(world.delivery.status().len(), 1);
    assert_eq!(world.send(&to, &[(Some(0), 0, "{}")]).await, []);
    drop(to);
    eventually(|| {
        world.tick();
        world.delivery.status().is_empty()
    })
    .await;
    assert_eq!(
        world.metric("weir_lane_bytes{producer=\"p\",priority=\"P0\"}"),
        ""
    );
}

#[tokio::test]
async fn a_producer_that_cannot_be_started_says_why() {
    let world = world();
    let spec = nowhere(|spec| {
        spec.sasl = Some(kafka::Sasl {
            mechanism: kafka::Mechanism::Plain,
            user: "weir".to_owned(),
            password: crate::secret::Reference::Env("WEIR_TEST_NO_SUCH_VARIABLE".to_owned()),
        });
    });
    let Connected::Failed(error) = world.connect_within(spec, LONG).await else {
        panic!("its password is not set")
    };
    assert!(error.to_string().contains("127.0.0.1:1"), "{error}");
}

#[tokio::test]
async fn a_failed_client_is_replaced_and_its_queue_fails_as_fenced() {
    let world = world();
    let producer = world.silent(|spec| spec.delivery_timeout = LONG).await;
    let connection = producer.connections[0].clone();
    connection.breaker.acknowledged();
    let to = world.bind(&producer, Ack::Any);
    let queued = world
        .delivery
        .start(&to, records(&[(Some(0), 0, "{}")]), &STAMP);
    let before = connection.client();
    connection.replace(&world.delivery.shared.metrics);
    assert_eq!(queued.outcome().await.failures, [(0, Reason::Fenced)]);
    assert!(!Arc::ptr_eq(&before, &connection.client()));
    assert_eq!(world.metric("weir_clients_replaced_total"), "1");
}

#[tokio::test]
async fn closing_finishes_what_is_queued_and_takes_no_more() {
    let world = world();
    let producer = world.connect(files("out")).await;
    let to = world.bind(&producer, Ack::Any);
    let pending: Vec<_> = (0..20)
        .map(|_| {
            world
                .delivery
                .start(&to, records(&[(Some(0), 0, "{}")]), &STAMP)
        })
        .collect();
    assert_eq!(world.delivery.close(LONG).await, 0);
    for pending in pending {
        assert_eq!(pending.outcome().await, Outcome::default());
    }
    assert_eq!(lines(&world.folder.path().join("out/a")), 20);
    assert_eq!(
        world.send(&to, &[(Some(0), 0, "{}")]).await,
        [(0, Reason::Closing)]
    );
}

#[tokio::test]
async fn a_lane_that_is_full_leaves_room_in_the_others() {
    let world = world();
    let change = |spec: &mut kafka::Spec| {
        spec.budget = 2_000;
        spec.delivery_timeout = LONG;
    };
    let producer = world.silent(change).await;
    producer.connections[0].breaker.acknowledged();
    let to = world.bind(&producer, Ack::Memory);
    let as_priority = |priority| {
        let mut records = records(&[(Some(0), 0, "{}"); 3]);
        records
            .items
            .iter_mut()
            .for_each(|record| record.priority = priority);
        records
    };
    let send = |priority| world.delivery.send(&to, as_priority(priority), &STAMP);
    assert_eq!(send(Priority::P3).await.failures, []);
    assert_eq!(send(Priority::P3).await.failures, [(0, Reason::Overloaded)]);
    assert_eq!(send(Priority::P0).await.failures, []);
    world.delivery.close(Duration::ZERO).await;
}
