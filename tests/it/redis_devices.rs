//! Devices on a real Redis, single and Cluster: one id and one first event for each, whatever races,
//! fails or is sent again; and no identifier in clear anywhere.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::documents::Documents;
use crate::harness::gateway::Gateway;
use crate::harness::http;
use crate::harness::load::Load;
use crate::harness::redis::{Counting, Redis};
use crate::harness::{LONG, eventually, scale, soak};

const PRODUCERS: &str =
    "version: 1\nproducers: { disk: { file: { folder: out, fsync: false } } }\n";

/// A repo `app` that attributes events to devices by three identifiers and writes them to files.
fn documents(nodes: &str, more: &str) -> Documents {
    let tables = format!(
        "version: 1\ndevices: {{ redis: {{ nodes: {nodes} }}, secret: \"env:WEIR_DEVICE_KEY\"{more} }}\n"
    );
    Documents::empty()
        .with("weir.producers.yaml", PRODUCERS)
        .with("weir.tables.yaml", &tables)
        .with("weir.repo.app.yaml", REPO)
}

const REPO: &str = r"
version: 1
validate:
  - { name: must, kind: required, fields: [ n ], mode: enforce }
device:
  identifiers: { oaid: oaid, imei: imei, cookie: cookie }
  as: device
  new_as: new
  status_as: status
  reattribution: { producer: disk, topic: reattribution }
  conflicts: { producer: disk, topic: conflicts }
route: [ { otherwise: { producer: disk, topic: events } } ]
errors: 0
";

/// Patient, because a busy machine is not what is tested.
const PATIENT: &str = ", deadline: 20 s";

async fn start(documents: Documents) -> Gateway {
    Gateway::start_with(documents, |command| {
        command.env("WEIR_DEVICE_KEY", "the key of the tests' digests");
    })
    .await
}

/// What became of the events, by their `n`: id, whether new, status.
type Told = HashMap<u64, Vec<(String, Value, String)>>;

fn told(gateway: &Gateway) -> Told {
    let mut told = Told::new();
    for line in gateway.written("events") {
        let event: Value = serde_json::from_str(&line).unwrap();
        let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
        let n = event["n"].as_u64().unwrap();
        let found = (text("device"), event["new"].clone(), text("status"));
        told.entry(n).or_default().push(found);
    }
    told
}

async fn send(gateway: &Gateway, events: &[Value]) {
    let lines: Vec<_> = events.iter().map(ToString::to_string).collect();
    let reply = gateway.post("app", lines.join("\n")).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(reply.counts().accepted, events.len() as u64, "{reply:?}");
}

/// Sends one event and says what became of it.
async fn sent(gateway: &Gateway, event: &Value) -> (String, Value, String) {
    send(gateway, std::slice::from_ref(event)).await;
    let n = event["n"].as_u64().unwrap();
    told(gateway).remove(&n).unwrap().pop().unwrap()
}

/// The records of a topic whose records no reply waits for.
async fn some_written(gateway: &Gateway, topic: &str) -> Vec<String> {
    eventually(LONG, topic, || async {
        let written = gateway.written(topic);
        (!written.is_empty()).then_some(written)
    })
    .await
}

fn oaid(device: usize) -> String {
    format!("{device:08x}-7a5e-4c3b-9f21-5ca1ab1e0001")
}

fn imei(device: usize) -> String {
    let digits = format!("86{device:012}");
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(at, digit)| {
            let digit = u32::from(digit - b'0');
            let twice = digit * if at % 2 == 0 { 2 } else { 1 };
            twice / 10 + twice % 10
        })
        .sum();
    format!("{digits}{}", (10 - sum % 10) % 10)
}

fn cookie(device: usize) -> String {
    format!("planted-cookie-{device:08}-x")
}

/// An event of a device with the identifiers that the mask chooses: 1 oaid, 2 imei, 4 cookie.
fn event(device: usize, mask: usize, n: u64) -> Value {
    let mut event = json!({ "n": n });
    if mask & 1 != 0 {
        event["oaid"] = oaid(device).into();
    }
    if mask & 2 != 0 {
        event["imei"] = imei(device).into();
    }
    if mask & 4 != 0 {
        event["cookie"] = cookie(device).into();
    }
    event
}

const CONNECTIONS: usize = 32;

/// 32 connections send events of the same devices at the same time, each event twice, each batch in
/// an order of its own. `mask` says which identifiers a connection knows.
async fn race(gateway: &Gateway, devices: usize, mask: fn(usize, usize) -> usize) {
    let url = Arc::new(gateway.url("/log/repo/app"));
    // Made beforehand: it takes a while, in which those that are connected would be too slow to ask.
    let clients: Vec<_> = (0..CONNECTIONS).map(|_| http::client()).collect();
    let connections = clients.into_iter().enumerate().map(|(connection, client)| {
        let url = Arc::clone(&url);
        tokio::spawn(async move {
            for first in (0..devices).step_by(25) {
                let batch: Vec<_> = (first..(first + 25).min(devices))
                    .map(|device| {
                        let n = (connection * devices + device) as u64;
                        event(device, mask(connection, device), n).to_string()
                    })
                    .collect();
                // A retry sends the same again.
                for _ in 0..2 {
                    let body = batch.join("\n");
                    let answer = client.post(&*url).body(body).send().await.unwrap();
                    assert_eq!(answer.status(), 200);
                }
            }
        })
    });
    for connection in connections.collect::<Vec<_>>() {
        connection.await.unwrap();
    }
}

/// Of each device, the ids that its events got, and the events that were told to be its first.
fn by_device(told: &Told, devices: usize) -> BTreeMap<usize, (Vec<String>, Vec<u64>)> {
    let mut by_device: BTreeMap<usize, (Vec<String>, Vec<u64>)> = BTreeMap::new();
    for (n, events) in told {
        let device = usize::try_from(*n).unwrap() % devices;
        let (ids, firsts) = by_device.entry(device).or_default();
        for (id, new, _) in events {
            if !ids.contains(id) {
                ids.push(id.clone());
            }
            if *new == true && !firsts.contains(n) {
                firsts.push(*n);
            }
        }
    }
    by_device
}

/// Everybody knows the strongest identifier, and some know others too.
fn with_the_strongest(connection: usize, device: usize) -> usize {
    1 | (((connection + device) % 4) << 1)
}

async fn one_id_and_one_first_event(redis: &Redis, layout: &str) {
    let devices = scale(20_000);
    let gateway = start(documents(
        &redis.nodes(),
        &format!("{PATIENT}, layout: {layout}"),
    ))
    .await;
    let begun = Instant::now();
    race(&gateway, devices, with_the_strongest).await;
    if soak() {
        println!("{layout}: {devices} devices raced in {:?}", begun.elapsed());
    }
    let told = told(&gateway);
    let conflicts = gateway.written("conflicts");
    assert_eq!(conflicts, [""; 0]);
    let found = by_device(&told, devices);
    assert_eq!(found.len(), devices);
    for (device, (ids, firsts)) in &found {
        assert_eq!(
            (ids.len(), firsts.len()),
            (1, 1),
            "device {device}: {ids:?} {firsts:?}"
        );
        // The first event was sent twice, and both say so.
        let first = &told[&firsts[0]];
        assert!(first.len() == 2 && first.iter().all(|(_, new, _)| *new == true));
    }
    let ids: std::collections::BTreeSet<_> = found.values().map(|(ids, _)| &ids[0]).collect();
    assert_eq!(ids.len(), devices, "no two devices share an id");
    // Afterwards, what does not have the strongest identifier leads to the same device.
    let full: Vec<_> = (0..25)
        .map(|device| event(device, 7, 10_000_000 + device as u64))
        .collect();
    send(&gateway, &full).await;
    for (at, mask) in [2, 4, 6].into_iter().enumerate() {
        let first = 20_000_000 + 1_000 * at as u64;
        let weak: Vec<_> = (0..25)
            .map(|device| event(device, mask, first + device as u64))
            .collect();
        send(&gateway, &weak).await;
        let told = self::told(&gateway);
        for device in 0..25 {
            let (id, new, status) = &told[&(first + device as u64)][0];
            assert_eq!(id, &found[&device].0[0], "device {device} by {mask}");
            assert_eq!((new, &**status), (&json!(false), "known"));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn devices_that_race_have_one_id_and_one_first_event_in_buckets() {
    let redis = Redis::single("race-bucketed");
    one_id_and_one_first_event(&redis, "bucketed").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn devices_that_race_have_one_id_and_one_first_event_in_plain_keys() {
    let redis = Redis::single("race-plain");
    one_id_and_one_first_event(&redis, "plain").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn devices_that_race_on_a_cluster_have_one_id_and_one_first_event() {
    let redis = Redis::cluster("race-cluster");
    one_id_and_one_first_event(&redis, "bucketed").await;
    let spread = redis.connections().into_iter().map(|mut connection| {
        let size: u64 = redis::cmd("DBSIZE").query(&mut connection).unwrap();
        size
    });
    assert!(
        spread.into_iter().all(|size| size > 0),
        "every node holds some"
    );
}

/// Any identifiers, but at least one.
fn with_anything(connection: usize, device: usize) -> usize {
    1 + (connection + device) % 7
}

/// Without the strongest identifier a race may end at different devices; then it is seen and told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_disagrees_in_a_race_is_told_and_no_id_is_made_up() {
    let redis = Redis::single("race-anything");
    let devices = scale(20_000) / 2;
    let gateway = start(documents(&redis.nodes(), PATIENT)).await;
    race(&gateway, devices, with_anything).await;
    // The id that each identifier would make alone, on a map that knows nothing.
    let empty = Redis::single("race-candidates");
    let other = start(documents(&empty.nodes(), PATIENT)).await;
    for first in (0..devices).step_by(100) {
        let alone: Vec<_> = (first..(first + 100).min(devices))
            .flat_map(|device| {
                [1, 2, 4].map(|mask| event(device, mask, (device * 8 + mask) as u64))
            })
            .collect();
        send(&other, &alone).await;
    }
    let candidates = told(&other);
    let told = told(&gateway);
    let mut disagreeing = 0;
    for (n, events) in &told {
        let device = usize::try_from(*n).unwrap() % devices;
        for (id, _, status) in events {
            let made = [1, 2, 4].map(|mask| &candidates[&((device * 8 + mask) as u64)][0].0);
            assert!(made.contains(&id), "event {n} has {id}, of {made:?}");
            disagreeing += u64::from(status == "conflict");
        }
    }
    eventually(LONG, "every disagreement is told", || async {
        let records = gateway.written("conflicts");
        let of_events = records.iter().map(|line| {
            let record: Value = serde_json::from_str(line).unwrap();
            assert_eq!(record["kind"], "conflict");
            record["events"].as_u64().unwrap()
        });
        (of_events.sum::<u64>() == disagreeing).then_some(())
    })
    .await;
    println!("{disagreeing} of {} events disagreed", told.len() * 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rejected_event_uses_up_no_newness() {
    let redis = Redis::single("rejected");
    let gateway = start(documents(&redis.nodes(), PATIENT)).await;
    let mut wrong = event(1, 7, 0);
    wrong.as_object_mut().unwrap().remove("n");
    let body = format!("{wrong}\n{}\n{}", event(1, 7, 1), event(1, 7, 2));
    let counts = gateway.post("app", body).await.counts();
    assert_eq!((counts.rejected, counts.accepted), (1, 2));
    let told = told(&gateway);
    assert_eq!(
        (&told[&1][0].1, &told[&2][0].1),
        (&json!(true), &json!(false))
    );
    let alone = gateway
        .post("app", event(2, 7, 3).to_string().replace("\"n\"", "\"m\""))
        .await;
    assert_eq!(alone.counts().rejected, 1);
    assert_eq!(sent(&gateway, &event(2, 7, 4)).await.2, "new");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_asks_once_for_known_devices_and_three_times_for_new_ones() {
    let redis = Redis::single("round-trips");
    let proxy = Counting::before(redis.addresses()[0]).await;
    let nodes = format!("[ \"127.0.0.1:{}\" ]", proxy.port);
    for layout in ["bucketed", "plain"] {
        let more = format!("{PATIENT}, layout: {layout}");
        let gateway = start(documents(&nodes, &more)).await;
        let mut n = 0;
        let mut batch = |round: usize, mask: usize| -> Vec<Value> {
            n += 25;
            let devices = 25 * round..25 * (round + 1);
            devices
                .zip(n..)
                .map(|(device, n)| event(device, mask, n))
                .collect()
        };
        let trips = async |events: Vec<Value>| {
            proxy.trips();
            send(&gateway, &events).await;
            proxy.trips()
        };
        // The keeper asks for a sign of life once a second: sometimes one comes in between.
        let mut least = [usize::MAX; 3];
        for round in 0..4 {
            let new = trips(batch(round, 7)).await;
            let cached = trips(batch(round, 7)).await;
            // The same devices by fewer identifiers are not in the cache, and the map knows them.
            let known = trips(batch(round, 3)).await;
            for (least, found) in least.iter_mut().zip([new, cached, known]) {
                *least = (*least).min(found);
            }
        }
        assert_eq!(least, [3, 0, 1], "{layout}: new, cached, known");
        let metrics = gateway.metrics().await;
        let count = |name| metrics.count(name, &[]);
        assert_eq!(count("weir_device_cache_hits_total"), 4 * 25);
        assert_eq!(count("weir_device_cache_misses_total"), 4 * 50);
        assert_eq!(
            count("weir_device_seconds_count"),
            4 * 2,
            "none when all is cached"
        );
    }
}

/// No answer says anything of what happens to Redis, and none is slow.
async fn under_load(gateway: &Gateway, during: impl AsyncFnOnce()) {
    let load = Load::start(
        gateway,
        "app",
        8,
        Duration::from_secs(20),
        |connection, batch| {
            (0..10)
                .map(|place| {
                    let n = ((connection * 1_000_000 + batch) * 10 + place) as u64;
                    // Every second event is of a device that was seen before.
                    let device = if place % 2 == 0 {
                        place
                    } else {
                        1_000 + usize::try_from(n).unwrap()
                    };
                    event(device, 7, n).to_string()
                })
                .collect()
        },
    );
    during().await;
    let ledger = load.finish().await;
    assert!(!ledger.answers.is_empty());
    for answer in &ledger.answers {
        assert_eq!(answer.status, 200, "{answer:?}");
        let counts = answer.counts.unwrap();
        assert_eq!(counts.accepted, counts.received, "{answer:?}");
    }
    if soak() {
        println!(
            "slowest of {} requests: {:?}",
            ledger.answers.len(),
            ledger.slowest()
        );
    }
}

async fn degraded(gateway: &Gateway) -> u64 {
    let metrics = gateway.metrics().await;
    metrics.count("weir_events_attributed_total", &[("status", "degraded")])
}

async fn until_degraded(gateway: &Gateway) {
    let before = degraded(gateway).await;
    eventually(LONG, "events are degraded", || async {
        (degraded(gateway).await > before + 20).then_some(())
    })
    .await;
}

/// Until a look-up of devices that nobody has cached is answered again, by every node.
async fn until_answered(gateway: &Gateway, nonce: u64) {
    let mut round = 0;
    eventually(LONG, "redis is asked again", || {
        round += 1;
        async move {
            let first = 900_000_000 + nonce * 1_000_000 + round * 100;
            let events: Vec<_> = (0..30)
                .map(|at| event(usize::try_from(first + at).unwrap(), 7, first + at))
                .collect();
            send(gateway, &events).await;
            let told = told(gateway);
            let good = (0..30).all(|at| told[&(first + at)][0].2 == "new");
            good.then_some(())
        }
    })
    .await;
}

/// Devices, an outage under load, and the same devices again: ids and first events are those of
/// before. The second gateway has nothing cached.
async fn outage(redis: &Redis, name: &str, fail: impl Fn(), recover: impl Fn()) {
    let more = ", deadline: 200 ms";
    let gateway = start(documents(&redis.nodes(), more)).await;
    let before: Vec<_> = (0..200)
        .map(|device| event(device, 7, 5_000_000_000 + device as u64))
        .collect();
    // A hiccup at this deadline leaves some degraded; a first event that is sent again is new again.
    let known = eventually(LONG, "all are new", || async {
        for events in before.chunks(50) {
            send(&gateway, events).await;
        }
        let last = |(n, mut told): (u64, Vec<_>)| Some((n, told.pop()?));
        let known: HashMap<_, _> = told(&gateway).into_iter().filter_map(last).collect();
        let all = known.values().all(|(_, _, status)| status == "new");
        all.then_some(known)
    })
    .await;
    under_load(&gateway, async || {
        fail();
        until_degraded(&gateway).await;
        recover();
        until_answered(&gateway, 1).await;
    })
    .await;
    let events = gateway.written("events");
    let lost = events
        .iter()
        .filter(|line| line.contains(r#""status":"degraded""#));
    for line in lost {
        let event: Value = serde_json::from_str(line).unwrap();
        assert!(event["new"].is_null(), "nobody knows: {line}");
        assert_eq!(event["device"].as_str().unwrap().len(), 32, "{line}");
    }
    some_written(&gateway, "reattribution").await;
    let fresh = start(documents(&redis.nodes(), PATIENT)).await;
    for events in before.chunks(50) {
        send(&fresh, events).await;
    }
    let later: Vec<_> = (0..200)
        .map(|device| event(device, 7, 6_000_000_000 + device as u64))
        .collect();
    for events in later.chunks(50) {
        send(&fresh, events).await;
    }
    let again = told(&fresh);
    for device in 0..200 {
        let (first, second) = (5_000_000_000 + device, 6_000_000_000 + device);
        assert_eq!(again[&first][0], known[&first], "{name}: device {device}");
        assert_eq!(again[&first][0].2, "new", "its first event, sent again");
        let (id, new, _) = &again[&second][0];
        assert_eq!((id, new), (&known[&first].0, &json!(false)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_redis_degrades_events_and_forgets_nothing() {
    let redis = Redis::single("killed");
    outage(&redis, "killed", || redis.kill(1), || redis.restart(1)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_redis_degrades_events_and_forgets_nothing() {
    let redis = Redis::single("paused");
    outage(&redis, "paused", || redis.pause(1), || redis.resume(1)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_node_of_a_cluster_degrades_events_and_forgets_nothing() {
    let redis = Redis::impatient_cluster("node-lost");
    outage(&redis, "a node lost", || redis.kill(2), || redis.restart(2)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_redis_at_the_start_events_go_on_and_the_map_is_found_later() {
    let redis = Redis::single("absent");
    redis.kill(1);
    let gateway = start(documents(&redis.nodes(), ", deadline: 200 ms")).await;
    let (id, new, status) = sent(&gateway, &event(7, 7, 1)).await;
    assert_eq!((new, &*status), (Value::Null, "degraded"));
    eventually(LONG, "the log says why", || async {
        gateway
            .log()
            .contains("redis does not answer")
            .then_some(())
    })
    .await;
    redis.restart(1);
    until_answered(&gateway, 2).await;
    let (same, new, status) = sent(&gateway, &event(7, 7, 2)).await;
    assert_eq!((same, new, &*status), (id, json!(true), "new"));
    let record: Value =
        serde_json::from_str(&some_written(&gateway, "reattribution").await[0]).unwrap();
    assert_eq!(
        (&record["kind"], &record["events"]),
        (&json!("degraded"), &json!(1))
    );
    assert_eq!(record["identifiers"].as_array().unwrap().len(), 3);
}

/// Lets a paused Redis go on later. The length is what is tested, not a wait for something: longer
/// than the time between two signs of life and that which one may take.
async fn resume_later(redis: &Redis) {
    tokio::time::sleep(Duration::from_secs(3)).await;
    redis.resume(1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_hangs_for_less_than_the_deadline_degrades_nothing() {
    let redis = Redis::single("hangs");
    redis.pause(1);
    let starts = async {
        let gateway = start(documents(&redis.nodes(), PATIENT)).await;
        assert_eq!(sent(&gateway, &event(1, 7, 1)).await.2, "new");
        gateway
    };
    let (gateway, ()) = tokio::join!(starts, resume_later(&redis));
    redis.pause(1);
    // Each later than the one before: some when its keeper waits for a sign of life.
    let events = futures_util::future::join_all((2..40_u32).map(|n| {
        let gateway = &gateway;
        async move {
            tokio::time::sleep(n * Duration::from_millis(100)).await;
            send(gateway, &[event(n as usize, 7, n.into())]).await;
        }
    }));
    tokio::join!(events, resume_later(&redis));
    assert_eq!(degraded(&gateway).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repo_may_reject_or_skip_what_cannot_be_looked_up() {
    let redis = Redis::single("choices");
    let documents = documents(&redis.nodes(), ", deadline: 200 ms");
    redis.kill(1);
    documents.put(
        "weir.repo.app.yaml",
        REPO.replace("  as: device", "  as: device\n  when_unavailable: skip"),
    );
    let gateway = start(documents).await;
    let (id, _, status) = sent(&gateway, &event(1, 7, 1)).await;
    assert_eq!((&*id, &*status), ("", "degraded"));
    assert_eq!(gateway.written("reattribution"), [""; 0]);
    let reject = REPO.replace("  as: device", "  as: device\n  when_unavailable: reject");
    let revision = gateway
        .change(
            "weir.repo.app.yaml",
            &reject.replace("errors: 0", "errors: 5"),
        )
        .await;
    assert_eq!(revision.state(), "applied");
    let reply = gateway.post("app", event(1, 7, 2).to_string()).await;
    assert_eq!(reply.errors(), [(1, "device.unavailable".to_owned())]);
    assert_eq!(reply.counts().rejected, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_that_move_to_another_node_are_found() {
    let redis = Redis::cluster("resharded");
    let gateway = start(documents(&redis.nodes(), PATIENT)).await;
    let devices: Vec<_> = (0..500)
        .map(|device| event(device, 7, device as u64))
        .collect();
    for events in devices.chunks(50) {
        send(&gateway, events).await;
    }
    let known = told(&gateway);
    under_load(&gateway, async || redis.move_slots(400)).await;
    assert_eq!(degraded(&gateway).await, 0);
    let fresh = start(documents(&redis.nodes(), PATIENT)).await;
    for events in devices.chunks(50) {
        send(&fresh, events).await;
    }
    let again = told(&fresh);
    for n in 0..500 {
        assert_eq!(again[&n], known[&n]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_that_are_on_the_way_to_another_node_are_claimed_and_counted_there() {
    let redis = Redis::cluster("on-the-way");
    redis.leave_slots_on_the_way();
    let gateway = start(documents(&redis.nodes(), PATIENT)).await;
    // The imei leads to a device first, and then strangers.
    for (mask, first, status) in [(2, 0, "new"), (7, 1_000, "known"), (7, 2_000, "known")] {
        let events: Vec<_> = (0..60)
            .map(|device| event(device, mask, first + device as u64))
            .collect();
        send(&gateway, &events).await;
        let told = told(&gateway);
        for n in first..first + 60 {
            assert_eq!(told[&n][0].2, status, "{n}");
        }
    }
    assert_eq!(degraded(&gateway).await, 0);
    let mut counters = 0;
    for node in &mut redis.connections() {
        let names: Vec<Vec<u8>> = redis::cmd("KEYS").arg("w\u{1}g*").query(node).unwrap();
        counters += names.len();
        for name in names {
            let mut asked = redis::pipe();
            asked.cmd("ASKING").ignore().cmd("TTL").arg(name);
            let [left]: [i64; 1] = asked.query(node).unwrap();
            assert!(left > 0, "a counter stays for ever");
        }
    }
    assert_eq!(counters, 60);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_asks_for_a_password_gets_it_and_a_wrong_one_degrades() {
    let redis = Redis::single("password");
    redis::cmd("CONFIG")
        .arg(&["SET", "requirepass", "planted-password"])
        .exec(&mut redis.connections()[0])
        .unwrap();
    for (password, expected) in [("planted-password", "new"), ("planted-mistake", "degraded")] {
        let documents = documents(&redis.nodes(), PATIENT);
        documents.replace(
            "weir.tables.yaml",
            "redis: { ",
            "redis: { password: \"env:PASSWORD\", ",
        );
        let gateway = Gateway::start_with(documents, |command| {
            command
                .env("WEIR_DEVICE_KEY", "planted-key")
                .env("PASSWORD", password);
        })
        .await;
        assert_eq!(sent(&gateway, &event(1, 7, 1)).await.2, expected);
        let log = gateway.log();
        assert!(!log.contains("planted"), "{log}");
        assert_eq!(
            log.contains("redis does not answer"),
            expected == "degraded"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_forgets_is_told_at_the_start() {
    let redis = Redis::with(
        "forgetful",
        &[("REDIS_APPENDONLY", "no"), ("REDIS_POLICY", "allkeys-lru")],
    );
    let gateway = start(documents(&redis.nodes(), PATIENT)).await;
    eventually(LONG, "its faults are told", || async {
        let log = gateway.log();
        let told = ["maxmemory-policy noeviction", "appendonly yes"];
        let metrics = gateway.metrics().await;
        let fault = |name| metrics.count("weir_device_node_fault", &[("fault", name)]);
        let faults = ["maxmemory_policy", "appendonly", "version"].map(fault);
        let all = told.iter().all(|advice| log.contains(advice)) && faults == [1, 1, 0];
        all.then_some(())
    })
    .await;
}

/// An identifier that everybody has must not make one device of them all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_identifier_that_meets_too_many_devices_is_distrusted() {
    let redis = Redis::single("distrusted");
    let gateway = start(documents(&redis.nodes(), PATIENT)).await;
    let shared = |device: usize| {
        let mut event = event(device, 1, 1_000 + device as u64);
        event["cookie"] = "shared-by-all-of-them".into();
        event
    };
    let (common, ..) = sent(
        &gateway,
        &json!({ "n": 1, "cookie": "shared-by-all-of-them" }),
    )
    .await;
    let mut merged = 0;
    for device in 0..80 {
        let (id, ..) = sent(&gateway, &shared(device)).await;
        merged += usize::from(id == common);
    }
    assert_eq!(merged, 51);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_tells_an_identifier() {
    for redis in [Redis::single("secret"), Redis::cluster("secret-cluster")] {
        for layout in ["bucketed", "plain"] {
            let more = format!("{PATIENT}, layout: {layout}");
            let gateway = start(documents(&redis.nodes(), &more)).await;
            let events: Vec<_> = (0..20)
                .map(|device| event(device, 7, device as u64))
                .collect();
            send(&gateway, &events).await;
            // A conflict, and what is degraded.
            send(&gateway, &[event(30, 1, 30), event(31, 2, 31)]).await;
            let mut both = event(30, 1, 32);
            both["imei"] = imei(31).into();
            assert_eq!(sent(&gateway, &both).await.2, "conflict");
            redis.pause(1);
            let impatient = documents(&redis.nodes(), ", deadline: 1 ms");
            gateway
                .change("weir.tables.yaml", &impatient.read("weir.tables.yaml"))
                .await;
            send(
                &gateway,
                &(40..60)
                    .map(|device| event(device, 7, device as u64))
                    .collect::<Vec<_>>(),
            )
            .await;
            redis.resume(1);
            let mut told = vec![redis.dump(), gateway.log().into_bytes()];
            told.extend(
                some_written(&gateway, "conflicts")
                    .await
                    .into_iter()
                    .map(String::into_bytes),
            );
            let degraded = some_written(&gateway, "reattribution").await;
            told.extend(degraded.into_iter().map(String::into_bytes));
            let metrics = gateway
                .client
                .get(gateway.admin_url("/metrics"))
                .send()
                .await
                .unwrap();
            told.push(metrics.bytes().await.unwrap().to_vec());
            for device in 0..60 {
                let plain = oaid(device).replace('-', "");
                for planted in [oaid(device), plain, imei(device), cookie(device)] {
                    let found = told
                        .iter()
                        .any(|text| memchr::memmem::find(text, planted.as_bytes()).is_some());
                    assert!(!found, "{planted} is told");
                }
            }
        }
    }
}
