//! The data port over real sockets, with a repo that reads events and takes none.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use hashbrown::HashMap;
use prometheus_client::registry::Registry;

use super::*;
use crate::delivery::{self, Delivery};
use crate::gateway::Gateway;
use crate::pipeline::switched::Switched;
use crate::pipeline::{Pipeline, RepoName, fixture};
use crate::rollout::live::{Digest, Live, Paths, Repo, Revision};
use crate::tasks::Tasks;
use crate::telemetry::meter::RepoMeter;
use crate::telemetry::metrics::Metrics;
use crate::unit::TimeSpan;
use std::sync::Arc;

fn revision(metrics: &Metrics, delivery: &Delivery) -> Revision {
    let plan = Arc::new(fixture::plan());
    let repo = Repo {
        pipeline: Pipeline {
            switched: Arc::new(Switched::as_written(&plan)),
            plan,
        },
        device: None,
        keys: Vec::new(),
        destinations: delivery.bind(Vec::new(), &[]),
        meter: RepoMeter::new(metrics, "events"),
    };
    let name = RepoName::new("events");
    Revision {
        digest: Digest::new("3f2a91c0d4e5"),
        repos: HashMap::from_iter([(name.clone(), Arc::new(repo))]),
        without_document: [RepoName::new("broken")].into_iter().collect(),
        paths: Paths::new([("/v1".to_owned(), name)]),
        devices: crate::device::Devices::unavailable(),
        switches: Arc::new([]),
        tables: Arc::default(),
        serving: true,
    }
}

/// A data port with two workers on a free port of this machine.
async fn serve(change: impl FnOnce(&mut Settings)) -> (SocketAddr, Running, Metrics) {
    let mut settings = Settings {
        workers: 2,
        drain: TimeSpan::seconds(5),
        ..Settings::default()
    };
    change(&mut settings);
    let metrics = Metrics::new(&mut Registry::default());
    let delivery = Delivery::new(
        delivery::Settings {
            memory: 1 << 20,
            files: "unused".into(),
        },
        metrics.clone(),
    );
    let live = Arc::new(Live::default());
    live.replace(Arc::new(revision(&metrics, &delivery)));
    let gateway = Gateway::new(live, delivery, Tasks::default(), "here", metrics.clone());
    let server = Server::bind((Ipv4Addr::LOCALHOST, 0).into(), &settings).unwrap();
    let address = server.address();
    (address, server.spawn(Arc::new(gateway), &metrics), metrics)
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    stream
}

/// All answers on a connection that asks for its end.
fn ask(address: SocketAddr, request: &str) -> String {
    let mut stream = connect(address);
    stream.write_all(request.as_bytes()).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn post(path: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("POST {path} HTTP/1.1\r\nhost: a\r\n{headers}content-length: {length}\r\n\r\n{body}")
}

const EVENTS: &str = "/log/repo/events";

/// Requests, and what their answers hold.
fn cases() -> Vec<(String, u16, &'static str)> {
    vec![
        (
            post(EVENTS, "", "{oops}\n\n[]"),
            200,
            r#""received":2,"accepted":0"#,
        ),
        (post("/log/repo/events/", "", ""), 200, r#""received":0"#),
        (
            post("/v1/x?y=z", "", ""),
            200,
            r#""revision":"3f2a91c0d4e5""#,
        ),
        (post("/v2", "", ""), 404, "request.path"),
        (post("/log/repo/nobody", "", ""), 404, "request.repo"),
        (post("/log/repo/broken", "", ""), 503, "retry-after: 1"),
        (
            post(EVENTS, "content-encoding: compress\r\n", "{}"),
            415,
            "body.coding",
        ),
        (
            post(EVENTS, "content-encoding: gzip\r\n", "{}"),
            400,
            "body.corrupt",
        ),
        (post(EVENTS, "", "[{]"), 400, "decode.array"),
        (post(EVENTS, "", &"{}\n".repeat(101)), 413, "decode.events"),
        (
            post("/log/repo/events?dry_run=1", "", "{}"),
            403,
            "credential.debug_token",
        ),
        (
            "GET /log/repo/events HTTP/1.1\r\nhost: a\r\n\r\n".to_owned(),
            405,
            "allow: POST, OPTIONS",
        ),
        (
            "OPTIONS /v1 HTTP/1.1\r\nhost: a\r\n\r\n".to_owned(),
            200,
            "{}",
        ),
        (
            "GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n".to_owned(),
            200,
            "ok",
        ),
    ]
}

#[tokio::test]
async fn each_path_and_method_has_its_answer() {
    let (address, running, metrics) = serve(|_| {}).await;
    for (request, status, part) in cases() {
        let answer = ask(address, &request);
        let line = format!("HTTP/1.1 {status} ");
        assert!(answer.starts_with(&line), "{request}: {answer}");
        assert!(answer.contains(part), "{request}: {answer}");
        assert!(
            answer.contains("content-type: application/json"),
            "{answer}"
        );
    }
    let repo = RepoMeter::new(&metrics, "events");
    assert_eq!((repo.received.get(), repo.accepted.get()), (2, 0));
    assert_eq!(metrics.in_flight_bytes.get(), 0);
    assert!(running.drain().await);
    assert!(
        TcpStream::connect(address).is_err(),
        "nothing listens any more"
    );
}

#[tokio::test]
async fn a_connection_serves_many_requests() {
    let (address, running, _) = serve(|_| {}).await;
    let answers = ask(address, &post("/log/repo/events", "", "{oops}").repeat(20));
    assert_eq!(answers.matches(r#""rejected":1"#).count(), 20);
    assert!(running.drain().await);
}

#[tokio::test]
async fn slow_heads_and_silent_connections_are_closed() {
    // Each at a port of its own: on a busy machine nobody is quick enough for such limits.
    let slow = serve(|settings| settings.header_timeout = TimeSpan::millis(100)).await;
    let silent = serve(|settings| settings.idle_timeout = TimeSpan::millis(200)).await;
    let request = post("/log/repo/events", "", "");
    for ((address, running, _), sent, status) in [
        (slow, "POST /log/repo/events HTTP/1.1\r\nhost:", 408),
        (silent, &request, 200),
    ] {
        let mut stream = connect(address);
        stream.write_all(sent.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{answer}"
        );
        assert!(running.drain().await);
    }
}

#[tokio::test]
async fn a_body_that_does_not_come_is_408() {
    let (address, running, _) = serve(|settings| {
        settings.body_timeout = TimeSpan::millis(50);
    })
    .await;
    let mut slow = connect(address);
    slow.write_all(b"POST /log/repo/events HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\n{")
        .unwrap();
    let mut answer = String::new();
    slow.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("body.slow"), "{answer}");
    assert!(running.drain().await);
}

#[tokio::test]
async fn a_crowd_is_told_and_health_stays_answerable() {
    let (address, running, _) = serve(|settings| settings.max_connections = 1).await;
    let mut first = connect(address);
    let request = post("/log/repo/events", "", "");
    first.write_all(request.as_bytes()).unwrap();
    let mut answer = [0; 12];
    first.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    let answer = ask(address, &request);
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(answer.contains("overload.connections"), "{answer}");
    assert!(answer.contains("connection: close"), "{answer}");
    let health = ask(address, "GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n");
    assert!(health.starts_with("HTTP/1.1 200 "), "{health}");
    drop(first);
    assert!(running.drain().await);
}

#[tokio::test]
async fn what_has_begun_is_finished_and_what_hangs_is_given_up() {
    let (address, running, metrics) = serve(|settings| {
        settings.drain = TimeSpan::seconds(3);
    })
    .await;
    let begun = b"POST /log/repo/events HTTP/1.1\r\nhost: a\r\ncontent-length: 6\r\n\r\n";
    let (mut good, mut hangs) = (connect(address), connect(address));
    for stream in [&mut good, &mut hangs] {
        stream.write_all(begun).unwrap();
    }
    while metrics.in_flight_requests.get() < 2 {
        tokio::task::yield_now().await;
    }
    let finish = std::thread::spawn(move || {
        while TcpStream::connect(address).is_ok() {
            std::thread::sleep(Duration::from_millis(5));
        }
        good.write_all(b"{oops}").unwrap();
        let mut answer = String::new();
        good.read_to_string(&mut answer).unwrap();
        answer
    });
    assert!(!running.drain().await, "one of them hangs");
    let answer = finish.join().unwrap();
    assert!(answer.contains(r#""rejected":1"#), "{answer}");
    let mut rest = Vec::new();
    assert!(hangs.read_to_end(&mut rest).is_err() || rest.is_empty());
    assert_eq!(metrics.in_flight_requests.get(), 0);
}

#[tokio::test]
async fn a_refusal_reaches_a_client_that_is_still_sending() {
    let (address, running, _) = serve(|_| {}).await;
    let body = " ".repeat(200 * 1024);
    let answer = ask(address, &post("/log/repo/nobody", "", &body));
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
    assert!(running.drain().await);
}

#[tokio::test]
async fn a_client_that_waits_for_100_is_refused_at_once() {
    let (address, running, _) = serve(|_| {}).await;
    let head = |repo: &str| {
        format!(
            "POST /log/repo/{repo} HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\n\
             content-length: 6\r\n\r\n"
        )
    };
    let mut refused = connect(address);
    refused.write_all(head("nobody").as_bytes()).unwrap();
    let mut line = [0; 12];
    refused.read_exact(&mut line).unwrap();
    assert_eq!(&line, b"HTTP/1.1 404");
    let mut welcome = connect(address);
    welcome.write_all(head("events").as_bytes()).unwrap();
    welcome.read_exact(&mut line).unwrap();
    assert_eq!(&line, b"HTTP/1.1 100");
    welcome.write_all(b"{oops}").unwrap();
    drop((refused, welcome));
    assert!(running.drain().await);
}

#[tokio::test]
async fn what_is_no_request_and_what_is_too_large_is_answered() {
    let (address, running, _) = serve(|_| {}).await;
    let large = "x".repeat(100 * 1024);
    for (request, status) in [
        ("hello\r\n\r\n".to_owned(), 400),
        (post(EVENTS, &format!("x-large: {large}\r\n"), "{}"), 431),
        (
            post(
                EVENTS,
                &format!("x-large: {}\r\n", &large[..60 * 1024]),
                "{}",
            ),
            200,
        ),
        (post(&format!("{EVENTS}?{large}"), "", "{}"), 414),
        (
            post(EVENTS, &format!("x-large: {large}{large}\r\n"), "{}"),
            431,
        ),
        (post(EVENTS, "", &" ".repeat(2 << 20)), 413),
    ] {
        let mut stream = connect(address);
        // It may be answered and closed before all is sent.
        stream.write_all(request.as_bytes()).ok();
        let mut line = [0; 12];
        stream.read_exact(&mut line).unwrap();
        let line = String::from_utf8_lossy(&line);
        assert_eq!(
            line,
            format!("HTTP/1.1 {status}"),
            "{} bytes",
            request.len()
        );
    }
    assert!(running.drain().await);
}
