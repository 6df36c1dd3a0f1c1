//! The examples on real Kafka clusters: every event is found once, in its topic of its cluster, in
//! the rejects topic, or in the filtered count; what a pipeline does not touch is byte for byte as it
//! was sent.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::Write as _;
use std::sync::Arc;
use std::time::Instant;

use serde_json::Value;
use serde_json::value::RawValue;

use crate::corpus;
use crate::harness::documents::Documents;
use crate::harness::gateway::Gateway;
use crate::harness::http::{Counts, send};
use crate::harness::kafka::{Kafka, Message};
use crate::harness::redis::Redis;
use crate::harness::{LONG, eventually, scale, soak};

const CONNECTIONS: usize = 16;
const BATCH: usize = 25;

/// The brokers of a cluster, to be waited for: a busy machine is not what is tested.
fn patient(kafka: &Kafka) -> String {
    format!("{}, breaker_after: 60 s", kafka.brokers())
}

/// An example whose two clusters are these.
fn example(name: &str, first: &Kafka, second: &Kafka) -> Documents {
    let documents = Documents::example(name);
    documents.replace(
        "weir.producers.yaml",
        "[ \"127.0.0.1:19092\" ]",
        &patient(first),
    );
    documents.replace(
        "weir.producers.yaml",
        "[ \"127.0.0.1:19192\" ]",
        &patient(second),
    );
    documents
}

/// One client for each of `CONNECTIONS`; together they send all events, and get these counts.
async fn send_all(gateway: &Gateway, repo: &'static str, events: &Arc<Vec<String>>) -> Counts {
    let begun = Instant::now();
    let clients = (0..CONNECTIONS).map(|connection| {
        let events = Arc::clone(events);
        let (client, url) = (
            reqwest::Client::builder().no_proxy().build().unwrap(),
            gateway.url(&format!("/log/repo/{repo}")),
        );
        tokio::spawn(async move {
            let mut sums = Counts::default();
            for batch in events.chunks(BATCH).skip(connection).step_by(CONNECTIONS) {
                let request = client
                    .post(&url)
                    .header("x-weir-key", "app-key")
                    .header("x-forwarded-for", PLACES[connection % PLACES.len()].0);
                let body = batch.join("\n");
                // Every second client packs its bodies.
                let request = if connection.is_multiple_of(2) {
                    request.body(body)
                } else {
                    request
                        .header("content-encoding", "gzip")
                        .body(gzip(body.as_bytes()))
                };
                let reply = send(request).await;
                assert_eq!(reply.status, 200, "{reply:?}");
                sums += reply.counts();
            }
            sums
        })
    });
    let clients: Vec<_> = clients.collect();
    let mut sums = Counts::default();
    for client in clients {
        sums += client.await.unwrap();
    }
    if soak() {
        println!("{repo}: {} events in {:?}", events.len(), begun.elapsed());
    }
    sums
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(body).unwrap();
    packer.finish().unwrap()
}

/// Addresses and what the example's table says of them, most specific range first.
const PLACES: &[(&str, [&str; 4])] = &[
    ("192.0.2.5", ["CN", "Shanghai", "上海", "Example Telecom"]),
    ("192.0.2.200", ["CN", "Zhejiang", "杭州", "Example Telecom"]),
    (
        "198.51.100.1",
        ["DE", "Bavaria", "München", "Example Networks"],
    ),
    (
        "203.0.113.9",
        ["US", "California", "San Francisco", "Example Cable"],
    ),
    (
        "2001:db8:1::5",
        ["FR", "Île-de-France", "Paris", "Example Networks"],
    ),
    (
        "2001:db8:2::1",
        ["CN", "Beijing", "北京", "Example Telecom"],
    ),
];

/// Which client sent the event of this position, and so from where.
fn place(position: usize) -> &'static (&'static str, [&'static str; 4]) {
    &PLACES[position / BATCH % CONNECTIONS % PLACES.len()]
}

/// What is to become of the tracking event of this position.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Filtered,
    Rejected,
    Delivered,
}

fn fate(position: usize) -> Fate {
    match position % 40 {
        5 => Fate::Filtered,
        3 => Fate::Rejected,
        _ => Fate::Delivered,
    }
}

/// The corpus, with some events that the plan does not know and some that only debug.
fn tracking_events(count: usize) -> Vec<String> {
    let events = corpus::tracking(count).into_iter().enumerate();
    let events = events.map(|(position, event)| match fate(position) {
        Fate::Filtered => renamed(&event, "debug_"),
        Fate::Rejected => renamed(&event, "unknown_"),
        Fate::Delivered => event,
    });
    events.collect()
}

/// The event with its name prefixed.
fn renamed(event: &str, prefix: &str) -> String {
    let compact = event.replacen("\"event\":\"", &format!("\"event\":\"{prefix}"), 1);
    compact.replacen("\"event\": \"", &format!("\"event\": \"{prefix}"), 1)
}

/// The tracking example on these servers.
pub(crate) fn tracking_documents(first: &Kafka, second: &Kafka, redis: &Redis) -> Documents {
    let documents = example("tracking", first, second);
    documents.replace(
        "weir.tables.yaml",
        "{ nodes: [ \"127.0.0.1:16379\" ] }",
        // On a busy machine 30 ms are over soon, and what is degraded is not known to be new.
        &format!("{{ nodes: {} }}, deadline: 20 s", redis.nodes()),
    );
    documents
}

async fn tracking(first: &Kafka, second: &Kafka, redis: &Redis) -> Gateway {
    let topics = [
        "events_default",
        "events_shop_prod",
        "events_other",
        "attribution",
        "rejects",
        "device_reattribution",
        "device_conflicts",
    ];
    for kafka in [first, second] {
        for topic in topics {
            kafka.create(topic, 3).await;
        }
    }
    Gateway::start_with(tracking_documents(first, second, redis), |command| {
        command.env("WEIR_DATA_PORT_TRUSTED", "127.0.0.0/8");
        command
            .env("WEIR_KEY_APP", "app-key")
            .env("WEIR_KEY_SERVER", "server-key")
            .env("WEIR_DEVICE_KEY", "device-key");
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn tracking_events_are_each_in_their_one_place() {
    let (bigdata, attribution) = (Kafka::own("tracking-1"), Kafka::own("tracking-2"));
    let redis = Redis::single("tracking");
    let mut gateway = tracking(&bigdata, &attribution, &redis).await;
    let count = scale(100_000);
    let events = Arc::new(tracking_events(count));
    let sums = send_all(&gateway, "tracking", &events).await;
    let of = |fate_of: Fate| {
        (0..count)
            .filter(|position| fate(*position) == fate_of)
            .count()
    };
    let expected = Counts {
        received: count.try_into().unwrap(),
        accepted: of(Fate::Delivered).try_into().unwrap(),
        filtered: of(Fate::Filtered).try_into().unwrap(),
        rejected: of(Fate::Rejected).try_into().unwrap(),
        retry: 0,
    };
    assert_eq!(sums, expected);
    assert_eq!(gateway.metrics().await.books("tracking"), expected);

    let found = Found {
        events: &events,
        default: bigdata.read("events_default"),
        shop: bigdata.read("events_shop_prod"),
        attribution: attribution.read("attribution"),
    };
    found.assert_complete();
    for message in found.all() {
        assert_as_sent(message, &events);
    }
    let starts = found.attribution.len() * 100 / count;
    assert!((5..15).contains(&starts), "{starts} % go to attribution");
    for (kafka, topic) in [
        (&bigdata, "events_other"),
        (&bigdata, "attribution"),
        (&attribution, "events_default"),
        (&attribution, "events_shop_prod"),
        (&attribution, "events_other"),
        (&attribution, "rejects"),
    ] {
        assert_eq!(kafka.read(topic).len(), 0, "{topic} of the wrong cluster");
    }
    assert_rejects(&bigdata, &events, of(Fate::Rejected)).await;
    assert_same_devices(&gateway, &bigdata, &events, &found).await;
    gateway.stop().await;
}

/// What stands in the topics of the tracking example.
struct Found<'a> {
    events: &'a [String],
    default: Vec<Message>,
    shop: Vec<Message>,
    attribution: Vec<Message>,
}

impl Found<'_> {
    fn all(&self) -> impl Iterator<Item = &Message> {
        self.default
            .iter()
            .chain(&self.shop)
            .chain(&self.attribution)
    }

    /// Every event that is to be delivered is there once, and in the topic of its name and project.
    fn assert_complete(&self) {
        let topics = [
            ("default", &self.default),
            ("shop_prod", &self.shop),
            ("attribution", &self.attribution),
        ];
        let mut where_found = BTreeMap::new();
        for (topic, messages) in topics {
            for message in messages {
                let twice = where_found.insert(position(message), topic);
                assert_eq!(twice, None, "found twice: {}", message.text());
            }
        }
        for (position, event) in self.events.iter().enumerate() {
            let sent: Value = serde_json::from_str(event).unwrap();
            let expected = match (fate(position), sent["event"].as_str().unwrap()) {
                (Fate::Delivered, "app_start") => Some("attribution"),
                (Fate::Delivered, _) => sent["project"].as_str(),
                _ => None,
            };
            assert_eq!(where_found.get(&position).copied(), expected, "{event}");
        }
    }
}

fn position(message: &Message) -> usize {
    message.json()["_track_id"]
        .as_u64()
        .unwrap()
        .try_into()
        .unwrap()
}

type Members<'a> = BTreeMap<String, &'a RawValue>;

/// The record is the event as sent, with what the pipeline adds.
fn assert_as_sent(message: &Message, events: &[String]) {
    let (position, text) = (position(message), message.text());
    let sent = &events[position];
    let json = message.json();
    let campaign = &json["properties"]["campaign"];
    if json["properties"]["$url"].is_string() {
        assert_eq!(campaign["utm_source"], "wx", "{text}");
    } else {
        // Nothing was added inside, so the event is there as one piece.
        assert!(
            text.starts_with(sent.trim_end().trim_end_matches('}')),
            "{sent}\n{text}"
        );
    }
    let (before, after): (Members<'_>, Members<'_>) = (
        serde_json::from_str(sent).unwrap(),
        serde_json::from_str(text).unwrap(),
    );
    for (key, value) in &before {
        if key == "properties" {
            let (before, after): (Members<'_>, Members<'_>) = (
                serde_json::from_str(value.get()).unwrap(),
                serde_json::from_str(after[key].get()).unwrap(),
            );
            for (key, value) in &before {
                assert_eq!(after[key].get(), value.get(), "{key} in {text}");
            }
        } else {
            assert_eq!(after[key].get(), value.get(), "{key} in {text}");
        }
    }
    let (address, place) = place(position);
    assert_eq!(json["ip"], *address, "{text}");
    for (column, expected) in ["geo_country", "geo_region", "geo_city", "geo_isp"]
        .iter()
        .zip(place)
    {
        assert_eq!(json[column], *expected, "{text}");
    }
    assert!(
        json["recv_time"].is_string() || json["recv_time"].is_number(),
        "{text}"
    );
    let device = json["device_id"].as_str().unwrap();
    assert!(
        !device.is_empty() && !device.contains(before["anonymous_id"].get().trim_matches('"')),
        "{text}"
    );
    assert_eq!(json["is_new_device"], true, "{text}");
    if json["event"] == "app_start" {
        assert_eq!(
            message.key.as_deref(),
            Some(device.as_bytes()),
            "the key of attribution's records"
        );
    }
    let headers: BTreeSet<&str> = message
        .headers
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(headers, BTreeSet::from(["batch", "revision"]));
}

/// Each rejected event has one record with the reason and the event as received.
async fn assert_rejects(kafka: &Kafka, events: &[String], count: usize) {
    // Rejects never hold up a reply, so they may come after it.
    let rejects = eventually(LONG, "all rejects are in their topic", || async {
        let rejects = kafka.read("rejects");
        (rejects.len() >= count).then_some(rejects)
    })
    .await;
    let mut payloads = BTreeSet::new();
    for reject in &rejects {
        let json = reject.json();
        assert_eq!(json["repo"], "tracking", "{json}");
        assert_eq!(json["code"], "validate.unknown", "{json}");
        assert!(
            json["violations"]
                .as_array()
                .is_some_and(|found| !found.is_empty()),
            "{json}"
        );
        payloads.insert(json["payload"].as_str().unwrap().to_owned());
    }
    let expected = events
        .iter()
        .enumerate()
        .filter(|(position, _)| fate(*position) == Fate::Rejected);
    let expected: BTreeSet<String> = expected.map(|(_, event)| event.clone()).collect();
    assert_eq!(rejects.len(), count, "each reject once");
    assert!(payloads == expected, "rejects carry the events as received");
}

/// An event sent again keeps its device and is still its first; another event of the same device is
/// not new.
async fn assert_same_devices(
    gateway: &Gateway,
    kafka: &Kafka,
    events: &[String],
    found: &Found<'_>,
) {
    let devices: HashMap<usize, String> = found
        .default
        .iter()
        .map(|message| {
            (
                position(message),
                message.json()["device_id"].as_str().unwrap().to_owned(),
            )
        })
        .collect();
    let mut chosen: Vec<usize> = devices.keys().copied().collect();
    chosen.sort_unstable();
    chosen.truncate(20);
    let before = found.default.len();
    let again: Vec<String> = chosen
        .iter()
        .map(|position| events[*position].clone())
        .collect();
    let later = chosen.iter().map(|position| {
        let id = format!("\"_track_id\":{position}");
        let other = format!("\"_track_id\":9{position:09}");
        events[*position]
            .replace(&id, &other)
            .replace(&id.replace(':', ": "), &other)
    });
    let body = again
        .iter()
        .cloned()
        .chain(later)
        .collect::<Vec<_>>()
        .join("\n");
    let reply = send(
        gateway
            .batch("tracking", body)
            .header("x-weir-key", "server-key"),
    )
    .await;
    assert_eq!(reply.counts().accepted, 40, "{reply:?}");
    let all = kafka.read("events_default");
    assert_eq!(all.len(), before + 40);
    let mut seen: BTreeMap<String, Vec<(bool, u64)>> = BTreeMap::new();
    for message in &all {
        let json = message.json();
        let device = json["device_id"].as_str().unwrap().to_owned();
        seen.entry(device).or_default().push((
            json["is_new_device"].as_bool().unwrap(),
            json["_track_id"].as_u64().unwrap(),
        ));
    }
    for position in chosen {
        let of_device = &seen[&devices[&position]];
        assert_eq!(of_device.len(), 3, "{of_device:?}");
        for (new, id) in of_device {
            assert_eq!(*new, *id < 9_000_000_000, "{of_device:?}");
        }
    }
}

/// A line of an access log: what is to become of it, and its text. The path holds the position.
fn access_line(position: usize) -> (Option<&'static str>, String) {
    let host = ["img.example.com", "static.example.com", "api.example.com"][position % 3];
    let topic = [
        "access_img.example.com",
        "access_static.example.com",
        "access_other",
    ][position % 3];
    let status = [200, 200, 206, 304, 404, 502][position / 3 % 6];
    let line = format!(
        "1750{position:06}|{host}|GET|/{position}/商品.webp|{status}|{}|0.{position:03}|curl/8 (\"x\\y\")",
        position * 7
    );
    match position % 50 {
        7 => (None, format!("# {line}")),
        11 => (
            None,
            line.replace("/商品.webp", "")
                .replace(&format!("|/{position}|"), "|/healthz|"),
        ),
        13 => (Some("rejects"), format!("1750{position:06}|{host}")),
        _ => (Some(topic), line),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn access_lines_are_each_in_their_one_place() {
    let (logs, metrics) = (Kafka::own("chopper-1"), Kafka::own("chopper-2"));
    let topics = [
        "access_img.example.com",
        "access_static.example.com",
        "access_other",
        "broken",
        "rejects",
        "beacons",
    ];
    for kafka in [&logs, &metrics] {
        for topic in topics {
            kafka.create(topic, 3).await;
        }
    }
    let mut gateway = Gateway::start(example("chopper", &logs, &metrics)).await;
    let count = scale(100_000);
    let lines: Vec<_> = (0..count).map(access_line).collect();
    let texts = Arc::new(
        lines
            .iter()
            .map(|(_, text)| text.clone())
            .collect::<Vec<_>>(),
    );
    let sums = send_all(&gateway, "access", &texts).await;
    let of = |expected: fn(&Option<&str>) -> bool| -> u64 {
        lines
            .iter()
            .filter(|(topic, _)| expected(topic))
            .count()
            .try_into()
            .unwrap()
    };
    let expected = Counts {
        received: count.try_into().unwrap(),
        accepted: of(|topic| topic.is_some_and(|topic| topic != "rejects")),
        filtered: of(|topic| topic.is_none()),
        rejected: of(|topic| *topic == Some("rejects")),
        retry: 0,
    };
    assert_eq!(sums, expected);
    assert_eq!(gateway.metrics().await.books("access"), expected);

    for topic in [
        "access_img.example.com",
        "access_static.example.com",
        "access_other",
    ] {
        let found = logs.read(topic);
        let wanted = lines
            .iter()
            .enumerate()
            .filter(|(_, (of_line, _))| *of_line == Some(topic))
            .map(|(position, _)| position);
        assert_eq!(paths(&found), wanted.collect::<Vec<_>>(), "{topic}");
        for message in &found {
            assert_taken_apart(&message.json());
        }
    }
    let broken = lines.iter().enumerate().filter(|(position, (topic, _))| {
        topic.is_some_and(|topic| topic != "rejects") && position / 3 % 6 == 5
    });
    assert_eq!(
        paths(&with_constant_header(metrics.read("broken"))),
        broken.map(|(position, _)| position).collect::<Vec<_>>()
    );
    for (kafka, topic) in [
        (&logs, "broken"),
        (&metrics, "access_other"),
        (&metrics, "access_img.example.com"),
        (&metrics, "rejects"),
    ] {
        assert_eq!(kafka.read(topic).len(), 0, "{topic} of the wrong cluster");
    }
    eventually(LONG, "all rejects are in their topic", || async {
        (u64::try_from(logs.read("rejects").len()) == Ok(expected.rejected)).then_some(())
    })
    .await;
    assert_beacons(&gateway, &logs).await;
    gateway.stop().await;
}

/// The positions of these records, in order.
fn paths(messages: &[Message]) -> Vec<usize> {
    let mut found: Vec<usize> = messages
        .iter()
        .map(|message| {
            let json = message.json();
            json["path"]
                .as_str()
                .unwrap()
                .split('/')
                .nth(1)
                .unwrap()
                .parse()
                .unwrap()
        })
        .collect();
    found.sort_unstable();
    found
}

/// The fields have the values of the line, the script has classified it, nothing else is there.
fn assert_taken_apart(json: &Value) {
    let path = json["path"].as_str().unwrap();
    let position: usize = path.split('/').nth(1).unwrap().parse().unwrap();
    let (_, line) = access_line(position);
    let parts: Vec<&str> = line.split('|').collect();
    assert_eq!(json["host"], parts[1], "{json}");
    assert_eq!(json["method"], parts[2], "{json}");
    assert_eq!(path, parts[3], "{json}");
    assert_eq!(json["status"].to_string(), parts[4], "{json}");
    assert_eq!(json["bytes"].to_string(), parts[5], "{json}");
    assert_eq!(
        json["seconds"].as_f64().unwrap(),
        parts[6].parse::<f64>().unwrap(),
        "{json}"
    );
    assert_eq!(json["agent"], parts[7], "{json}");
    let class = match json["status"].as_u64().unwrap() {
        500.. => "broken",
        400.. => "wrong",
        _ => "fine",
    };
    assert_eq!(json["class"], class, "{json}");
    assert!(
        json.get("message").is_none() && json.get("parts").is_none(),
        "{json}"
    );
}

/// `async`: the answer does not wait for Kafka, the events arrive all the same.
async fn assert_beacons(gateway: &Gateway, kafka: &Kafka) {
    let body: String = (0..100)
        .map(|n| format!("{{\"player\":\"p{n}\",\"debug\":{{\"a\":1}}}}\n"))
        .collect();
    let reply = gateway.post("beacons", body).await;
    assert_eq!((reply.status, reply.counts().accepted), (200, 100));
    let found = eventually(LONG, "all beacons are in Kafka", || async {
        let found = kafka.read("beacons");
        (found.len() == 100).then_some(found)
    })
    .await;
    for message in found {
        let json = message.json();
        assert!(
            json.get("debug").is_none() && json.get("recv_time").is_some(),
            "{json}"
        );
    }
}

/// The header that the document gives to every record of this target.
fn with_constant_header(messages: Vec<Message>) -> Vec<Message> {
    let expected = ("source".to_owned(), b"edge".to_vec());
    for message in &messages {
        assert!(message.headers.contains(&expected), "{:?}", message.headers);
    }
    messages
}
