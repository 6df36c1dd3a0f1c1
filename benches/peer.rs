//! The same work done plainly: axum, a `serde_json::Value` for every event, a `FutureProducer` with a
//! future for every record. What Weir is compared with.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use http_body_util::BodyExt as _;
use rdkafka::ClientConfig;
use rdkafka::producer::{FutureProducer, FutureRecord};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

/// Serves until it is killed.
pub(crate) fn serve(address: &str, brokers: &str) {
    let producer: FutureProducer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("compression.type", "lz4")
        .set("acks", "all")
        .set("linger.ms", "5")
        .set("batch.size", "1000000")
        .create()
        .expect("a producer");
    let routes = Router::new()
        .route("/log/repo/tracking", post(take))
        .with_state(Arc::new(producer));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(async {
        let listener = tokio::net::TcpListener::bind(address)
            .await
            .expect("the address is free");
        axum::serve(listener, routes).await.expect("it serves");
    });
}

#[expect(
    clippy::disallowed_methods,
    reason = "the comparison reads a body as plain code does"
)]
async fn take(
    State(producer): State<Arc<FutureProducer>>,
    headers: HeaderMap,
    body: Body,
) -> (StatusCode, String) {
    let Ok(body) = body
        .collect()
        .await
        .map(http_body_util::Collected::to_bytes)
    else {
        return (StatusCode::BAD_REQUEST, String::new());
    };
    let body = match headers.get("content-encoding") {
        Some(_) => {
            let mut plain = Vec::new();
            let read = std::io::Read::read_to_end(
                &mut flate2::read::GzDecoder::new(body.as_ref()),
                &mut plain,
            );
            if read.is_err() {
                return (StatusCode::BAD_REQUEST, String::new());
            }
            plain
        }
        None => body.to_vec(),
    };
    let mut waiting = Vec::new();
    let (mut received, mut rejected) = (0, 0);
    for line in body
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
    {
        received += 1;
        let Some((topic, payload)) = record(line) else {
            rejected += 1;
            continue;
        };
        let producer = Arc::clone(&producer);
        waiting.push(async move {
            let record = FutureRecord::<(), _>::to(topic).payload(&payload);
            producer.send(record, Duration::from_secs(5)).await.is_ok()
        });
    }
    let mut accepted = 0;
    for sent in futures_all(waiting).await {
        accepted += usize::from(sent);
    }
    let reply = json!({"received": received, "accepted": accepted, "rejected": rejected});
    (StatusCode::OK, reply.to_string())
}

/// Polls all of them together.
async fn futures_all<F: Future<Output = bool> + Send + 'static>(waiting: Vec<F>) -> Vec<bool> {
    let mut set = tokio::task::JoinSet::new();
    for future in waiting {
        set.spawn(future);
    }
    set.join_all().await
}

/// One event through the same stages as the tracking example.
fn record(line: &[u8]) -> Option<(&'static str, Vec<u8>)> {
    let mut event: Map<String, Value> = serde_json::from_slice(line).ok()?;
    event.get("event")?;
    if event
        .get("properties")
        .and_then(|p| p.get("env"))
        .is_some_and(|env| env == "test")
    {
        return None;
    }
    if let Some(time) = event.remove("ts") {
        event.insert("time".to_owned(), time);
    }
    let now = weir::telemetry::clock::timestamp().as_millisecond();
    event.insert("recv_time".to_owned(), json!(now));
    event.insert(
        "ip".to_owned(),
        json!(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 200)).to_string()),
    );
    for (column, value) in [
        ("country", "CN"),
        ("region", "Zhejiang"),
        ("city", "杭州"),
        ("isp", "Example Telecom"),
    ] {
        event.insert(format!("geo_{column}"), json!(value));
    }
    if !valid(&event) {
        return None;
    }
    let identifier = event
        .get("anonymous_id")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let device = Sha256::digest(identifier.as_bytes());
    let device: String = device[..16]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    event.insert("device_id".to_owned(), Value::String(device));
    event.insert("is_new_device".to_owned(), Value::Bool(false));
    let topic = match (
        event["event"].as_str(),
        event.get("project").and_then(Value::as_str),
    ) {
        (Some("app_start"), _) => "attribution",
        (_, Some("default")) => "events_default",
        (_, Some("shop_prod")) => "events_shop_prod",
        _ => "events_other",
    };
    Some((topic, serde_json::to_vec(&event).ok()?))
}

/// Fifteen checks of types, ranges and sets.
fn valid(event: &Map<String, Value>) -> bool {
    let text = |name: &str| event.get(name).is_none_or(Value::is_string);
    let properties = event.get("properties").and_then(Value::as_object);
    let within = |name: &str, least: f64, most: f64| {
        let value = properties.and_then(|p| p.get(name));
        value.is_none_or(|v| v.as_f64().is_some_and(|v| (least..=most).contains(&v)))
    };
    let short = |name: &str, most: usize| {
        let value = properties.and_then(|p| p.get(name));
        value.is_none_or(|v| v.as_str().is_some_and(|v| v.chars().count() <= most))
    };
    let library = properties
        .and_then(|p| p.get("$lib"))
        .and_then(Value::as_str);
    text("event")
        && text("type")
        && text("distinct_id")
        && event.get("time").is_some_and(Value::is_number)
        && library.is_none_or(|lib| ["js", "iOS", "Android", "MiniProgram"].contains(&lib))
        && within("price", 0.0, f64::MAX)
        && within("quantity", 1.0, f64::MAX)
        && within("lat", -90.0, 90.0)
        && within("lng", -180.0, 180.0)
        && within("$screen_width", 1.0, 20_000.0)
        && within("$screen_height", 1.0, 20_000.0)
        && short("$url", 2048)
        && short("$title", 512)
        && short("$referrer", 2048)
        && short("$city", 64)
}
