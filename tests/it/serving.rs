//! The data port as clients, proxies, browsers and operators meet it: who may send, how fast, from
//! where, and what happens when somebody is slow, leaves, or ends the process.

use crate::harness::documents::Documents;
use crate::harness::gateway::Gateway;
use crate::harness::http::{Raw, send, status_of};
use crate::harness::{LONG, eventually};

const PRODUCERS: &str =
    "version: 1\nproducers: { files: { file: { folder: files, fsync: false } } }\n";
const ROUTE: &str = "route: [ { otherwise: { producer: files, topic: events } } ]\n";

fn documents(repo: &str) -> Documents {
    Documents::empty()
        .with("weir.producers.yaml", PRODUCERS)
        .with(
            "weir.repo.events.yaml",
            &format!("version: 1\n{repo}{ROUTE}"),
        )
}

fn head(length: usize) -> String {
    format!("POST /log/repo/events HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_accepted_event_is_in_the_file_as_it_was_sent() {
    let mut gateway = Gateway::start(documents("")).await;
    let events = [
        "{\"b\" : 1.50, \"a\":\"\\u00e9\u{1f600}\"}",
        "{\"big\":123456789012345678901234567890}",
    ];
    let reply = gateway.post("events", events.join("\n")).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.counts().accepted, 2);
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert_eq!(reply.revision(), gateway.revision().await.digest());
    assert!(!reply.json()["request_id"].as_str().unwrap().is_empty());
    assert_eq!(gateway.written("events"), events);
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_has_begun_is_finished_at_the_end() {
    let mut gateway = Gateway::start(documents("")).await;
    let body = "{\"n\":1}\n{\"n\":2}\n";
    let mut raw = Raw::connect(gateway.data).await;
    raw.write(head(body.len()) + &body[..8]).await;
    eventually(LONG, "the request has begun", || async {
        (gateway.metrics().await.sum("weir_in_flight_requests", &[]) == 1.0).then_some(())
    })
    .await;
    gateway.terminate();
    let port = gateway.data;
    eventually(LONG, "no new connection is accepted", || async {
        tokio::net::TcpStream::connect(("127.0.0.1", port))
            .await
            .err()
    })
    .await;
    raw.write(&body[8..]).await;
    let answer = raw.answer().await;
    assert_eq!(status_of(&answer), 200, "{answer}");
    assert!(answer.contains("\"accepted\":2"), "{answer}");
    assert_eq!(gateway.exited().await.code(), Some(0));
    assert_eq!(gateway.written("events"), ["{\"n\":1}", "{\"n\":2}"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_does_not_wait_for_a_client_that_hangs() {
    let mut gateway = Gateway::start_with(documents(""), |command| {
        command.env("WEIR_DATA_PORT_DRAIN", "1 s");
    })
    .await;
    let mut raw = Raw::connect(gateway.data).await;
    raw.write(head(100) + "{\"n\":1}\n").await;
    eventually(LONG, "the request has begun", || async {
        (gateway.metrics().await.sum("weir_in_flight_requests", &[]) == 1.0).then_some(())
    })
    .await;
    gateway.stop().await;
    assert!(gateway.written("events").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_leave_in_the_middle_of_a_body_change_no_book() {
    let mut gateway = Gateway::start(documents("")).await;
    for _ in 0..200 {
        let mut raw = Raw::connect(gateway.data).await;
        raw.write(head(1000) + "{\"n\":1}\n").await;
    }
    let reply = gateway.post("events", "{\"n\":2}").await;
    assert_eq!(reply.counts().accepted, 1);
    eventually(LONG, "nothing is in flight", || async {
        let metrics = gateway.metrics().await;
        let rest =
            metrics.sum("weir_in_flight_requests", &[]) + metrics.sum("weir_in_flight_bytes", &[]);
        (rest == 0.0).then_some(())
    })
    .await;
    assert_eq!(gateway.metrics().await.books("events").received, 1);
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_clients_are_told_so() {
    // Each on an instance of its own: on a busy machine nobody is quick enough for such limits.
    let limited = |limit: &'static str| {
        Gateway::start_with(documents(""), move |command| {
            command.env(limit, "200 ms");
        })
    };
    let mut slow_to_begin = limited("WEIR_DATA_PORT_HEADER_TIMEOUT").await;
    let mut raw = Raw::connect(slow_to_begin.data).await;
    raw.write("POST /log/repo/events HTTP/1.1\r\nhost:").await;
    let status = raw.status().await;
    assert!(status == 408 || status == 0, "{status}");

    let mut slow_to_end = limited("WEIR_DATA_PORT_BODY_TIMEOUT").await;
    let mut raw = Raw::connect(slow_to_end.data).await;
    raw.write(head(1000) + "{\"n\":1}\n").await;
    assert_eq!(raw.status().await, 408);

    for gateway in [&mut slow_to_begin, &mut slow_to_end] {
        assert_eq!(gateway.metrics().await.books("events").received, 0);
        gateway.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repo_beyond_its_rate_is_told_when_to_come_back() {
    let mut gateway =
        Gateway::start(documents("rate: { per: repo, requests_per_second: 1 }\n")).await;
    let mut refused = None;
    for _ in 0..50 {
        let reply = gateway.post("events", "{\"n\":1}").await;
        if reply.status == 429 {
            refused = Some(reply);
            break;
        }
        assert_eq!(reply.status, 200, "{reply:?}");
    }
    let refused = refused.expect("50 requests at once are more than one a second");
    assert!(
        refused
            .header("retry-after")
            .unwrap()
            .parse::<u64>()
            .unwrap()
            >= 1
    );
    let books = gateway.metrics().await.books("events");
    assert_eq!(
        books.received, books.accepted,
        "what was refused was not received"
    );
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rate_of_events_refuses_whole_requests_while_in_debt() {
    let mut gateway =
        Gateway::start(documents("rate: { per: repo, events_per_second: 1 }\n")).await;
    let reply = gateway.post("events", "{\"n\":1}\n".repeat(100)).await;
    assert_eq!(
        (reply.status, reply.counts().accepted),
        (200, 100),
        "charged after decoding"
    );
    let reply = gateway.post("events", "{\"n\":1}\n").await;
    assert_eq!(reply.status, 429, "{reply:?}");
    assert!(reply.header("retry-after").is_some());
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_taken_from_each_place_and_change_with_the_document() {
    let folder = tempfile::tempdir().unwrap();
    let old = folder.path().join("old");
    std::fs::write(&old, "s3cret-old\n").unwrap();
    let both = format!(
        "auth: {{ keys: [ {{ id: old, secret: \"file:{}\" }}, {{ id: new, secret: \"env:TEST_KEY\" }} ] }}\n",
        old.display()
    );
    let mut gateway = Gateway::start_with(documents(&both), |command| {
        command.env("TEST_KEY", "s3cret-new");
    })
    .await;
    let post = |name: &'static str, value: String| {
        let request = gateway.batch("events", "{\"n\":1}").header(name, value);
        async move { send(request).await.status }
    };
    for key in ["s3cret-old", "s3cret-new"] {
        assert_eq!(post("authorization", format!("Bearer {key}")).await, 200);
        assert_eq!(post("x-weir-key", key.to_owned()).await, 200);
        let request = gateway
            .batch("events", "{\"n\":1}")
            .basic_auth(key, None::<&str>);
        assert_eq!(send(request).await.status, 200);
    }
    assert_eq!(gateway.post("events", "{\"n\":1}").await.status, 401);
    assert_eq!(post("x-weir-key", "s3cret".to_owned()).await, 403);

    let revision = gateway
        .change(
            "weir.repo.events.yaml",
            &format!(
                "version: 2\nauth: {{ keys: [ {{ id: new, secret: \"env:TEST_KEY\" }} ] }}\n{ROUTE}"
            ),
        )
        .await;
    assert_eq!(revision.state(), "applied", "{revision:?}");
    assert_eq!(
        post("x-weir-key", "s3cret-old".to_owned()).await,
        403,
        "a revoked key"
    );
    assert_eq!(post("x-weir-key", "s3cret-new".to_owned()).await, 200);
    let told = gateway.log() + &revision.0.to_string();
    assert!(
        !told.contains("s3cret"),
        "a secret stands in the log or on the admin port"
    );
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn browsers_are_answered_for_the_pages_that_may_send() {
    let mut gateway = Gateway::start(documents(
        "cors: { origins: [ \"https://shop.example\" ] }\n",
    ))
    .await;
    let preflight = |origin: &'static str| {
        let request = gateway
            .client
            .request(reqwest::Method::OPTIONS, gateway.url("/log/repo/events"));
        let request = request
            .header("origin", origin)
            .header("access-control-request-method", "POST");
        send(request.header("access-control-request-headers", "x-weir-key, x-other"))
    };
    let reply = preflight("https://shop.example").await;
    assert!(reply.status == 200 || reply.status == 204, "{reply:?}");
    assert_eq!(
        reply.header("access-control-allow-origin"),
        Some("https://shop.example")
    );
    assert_eq!(
        reply.header("access-control-allow-headers"),
        Some("x-weir-key, x-other")
    );
    assert_eq!(reply.header("access-control-max-age"), Some("86400"));
    assert_eq!(
        preflight("https://evil.example")
            .await
            .header("access-control-allow-origin"),
        None
    );

    let reply = send(
        gateway
            .batch("events", "{\"n\":1}")
            .header("origin", "https://shop.example"),
    )
    .await;
    assert_eq!(reply.status, 200);
    assert_eq!(
        reply.header("access-control-allow-origin"),
        Some("https://shop.example")
    );
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_of_the_index_lead_to_repos() {
    let index = "version: 1\n\
        documents:\n\
        \x20 - { kind: producers, name: default, data_id: weir.producers }\n\
        \x20 - { kind: repo, name: events, data_id: weir.repo.events }\n\
        \x20 - { kind: repo, name: exact, data_id: weir.repo.exact }\n\
        paths: { /v1/track: exact, /v1: events }\n";
    let documents = documents("").with("weir.index.yaml", index).with(
        "weir.repo.exact.yaml",
        "version: 1\nroute: [ { otherwise: { producer: files, topic: exact } } ]\n",
    );
    let mut gateway = Gateway::start(documents).await;
    let post = |path: &'static str| {
        send(
            gateway
                .client
                .post(gateway.url(path))
                .body(format!("{{\"path\":\"{path}\"}}")),
        )
    };
    for (path, status) in [
        ("/v1/track", 200),
        ("/v1/other", 200),
        ("/v1", 200),
        ("/v2", 404),
        ("/v10", 404),
    ] {
        assert_eq!(post(path).await.status, status, "{path}");
    }
    assert_eq!(gateway.written("exact"), ["{\"path\":\"/v1/track\"}"]);
    assert_eq!(
        gateway.written("events"),
        ["{\"path\":\"/v1/other\"}", "{\"path\":\"/v1\"}"]
    );
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_shows_everything_and_delivers_nothing() {
    let repo = "executers: [ { set: { added: 1 } } ]\nconstraint: { field: n, exists: true }\n";
    let mut gateway = Gateway::start_with(documents(repo), |command| {
        command
            .env("WEIR_DATA_PORT_DEBUG_TOKEN", "env:TEST_TOKEN")
            .env("TEST_TOKEN", "let-me-see");
    })
    .await;
    let url = gateway.url("/log/repo/events?dry_run=1");
    let ask = |token: &'static str| {
        let body = "{\"n\":1}\n{\"m\":1}\n{oops}\n";
        send(
            gateway
                .client
                .post(&url)
                .header("x-weir-debug", token)
                .body(body),
        )
    };
    assert!([401, 403].contains(&ask("wrong").await.status));
    let reply = ask("let-me-see").await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let text = reply.text.replace("\\\"", "\"");
    for expected in ["added", "\"topic\":\"events\"", "constraint", "decode.json"] {
        assert!(text.contains(expected), "no {expected} in {text}");
    }
    assert!(gateway.written("events").is_empty());
    assert_eq!(gateway.metrics().await.books("events").received, 0);
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_address_is_taken_from_proxies_that_are_trusted() {
    let repo = "enrich: { client_ip: { as: ip } }\n";
    let mut gateway = Gateway::start_with(documents(repo), |command| {
        command.env("WEIR_DATA_PORT_TRUSTED", "127.0.0.0/8, 10.0.0.0/8");
    })
    .await;
    let forwarded = |name: &'static str, value: &'static str| {
        let request = gateway.batch("events", "{}").header(name, value);
        async move { assert_eq!(send(request).await.status, 200) }
    };
    forwarded("x-forwarded-for", "1.1.1.1, 203.0.113.7, 10.1.2.3").await;
    forwarded(
        "forwarded",
        "for=1.1.1.1, for=\"[2001:db8::7]:4711\";proto=https",
    )
    .await;
    gateway
        .post("events", "{\"x-forwarded-for\":\"9.9.9.9\"}")
        .await;
    let addresses: Vec<String> = gateway
        .written("events")
        .iter()
        .map(|line| {
            let event: serde_json::Value = serde_json::from_str(line).unwrap();
            event["ip"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(addresses, ["203.0.113.7", "2001:db8::7", "127.0.0.1"]);
    gateway.stop().await;

    let mut open = Gateway::start(documents(repo)).await;
    let request = open
        .batch("events", "{}")
        .header("x-forwarded-for", "203.0.113.7");
    assert_eq!(send(request).await.status, 200);
    assert!(
        open.written("events")[0].contains("127.0.0.1"),
        "nobody is trusted unless told"
    );
    open.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_beyond_the_budget_in_flight_are_told_to_come_back() {
    let mut gateway = Gateway::start_with(documents(""), |command| {
        command.env("WEIR_DATA_PORT_IN_FLIGHT", "64 KiB");
    })
    .await;
    let large = 48 * 1024;
    let mut first = Raw::connect(gateway.data).await;
    first.write(head(large) + "{\"n\":1}\n").await;
    eventually(LONG, "the first body is in flight", || async {
        (gateway.metrics().await.sum("weir_in_flight_bytes", &[]) > 0.0).then_some(())
    })
    .await;
    let reply = gateway.post("events", " ".repeat(large)).await;
    assert_eq!(reply.status, 503, "{reply:?}");
    assert!(reply.header("retry-after").is_some());
    assert!(reply.json().get("received").is_none(), "nothing was taken");
    let health = gateway
        .client
        .get(gateway.url("/healthz"))
        .send()
        .await
        .unwrap();
    assert_eq!(health.status(), 200, "health stays answerable");
    drop(first);
    eventually(LONG, "the budget is free again", || async {
        (gateway.post("events", " ".repeat(large)).await.status == 200).then_some(())
    })
    .await;
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_beyond_the_limit_do_not_harm_those_within() {
    let mut gateway = Gateway::start_with(documents(""), |command| {
        command.env("WEIR_DATA_PORT_MAX_CONNECTIONS", "4");
    })
    .await;
    let mut there = Raw::connect(gateway.data).await;
    there.write(head(7) + "{\"n\":1}").await;
    assert_eq!(there.status().await, 200);
    let mut others = Vec::new();
    for _ in 0..40 {
        others.push(Raw::connect(gateway.data).await);
    }
    eventually(LONG, "connections are refused", || async {
        (gateway
            .metrics()
            .await
            .sum("weir_connections_refused_total", &[])
            > 0.0)
            .then_some(())
    })
    .await;
    there.write(head(7) + "{\"n\":2}").await;
    assert_eq!(
        there.status().await,
        200,
        "the connection that was there goes on"
    );
    drop(others);
    eventually(LONG, "there is room again", || async {
        let mut raw = Raw::connect(gateway.data).await;
        raw.write(head(7) + "{\"n\":3}").await;
        (raw.status().await == 200).then_some(())
    })
    .await;
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_before_the_body_is_read_reaches_the_client() {
    let mut gateway = Gateway::start(documents(
        "auth: { keys: [ { id: a, secret: \"env:NOBODY\" } ] }\n",
    ))
    .await;
    // As much as the gateway reads and discards so that the answer is not lost to a reset.
    let reply = gateway.post("nobody", vec![b' '; 200 * 1024]).await;
    assert_eq!(reply.status, 404);
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repo_without_a_good_document_is_told_apart_from_none() {
    let documents = documents("").with("weir.repo.broken.yaml", "version: [");
    let mut gateway = Gateway::start(documents).await;
    let reply = gateway.post("broken", "{\"n\":1}").await;
    assert_eq!(reply.status, 503, "{reply:?}");
    assert!(reply.header("retry-after").is_some());
    assert_eq!(gateway.post("nobody", "{\"n\":1}").await.status, 404);
    assert_eq!(
        gateway.post("events", "{\"n\":1}").await.status,
        200,
        "one team's mistake harms nobody else"
    );
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_admin_port_says_how_it_is() {
    let mut gateway = Gateway::start(documents("")).await;
    for path in ["/livez", "/readyz"] {
        let answer = gateway
            .client
            .get(gateway.admin_url(path))
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 200, "{path}");
    }
    let revision = gateway.revision().await;
    assert_eq!(revision.digest().len(), 12);
    assert_eq!(revision.state(), "applied");
    assert!(revision.0["since"].is_string());
    let metrics = gateway.metrics().await;
    assert_eq!(
        metrics.sum("weir_revision_info", &[("digest", revision.digest())]),
        1.0
    );
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_document_changes_nothing() {
    let mut gateway = Gateway::start(documents("")).await;
    let before = gateway.revision().await;
    gateway.documents.remove("weir.repo.events.yaml");
    let after = gateway.outcome_after(&before).await;
    assert_ne!(after.state(), "applied", "{after:?}");
    assert_eq!(after.digest(), before.digest());
    assert_eq!(gateway.post("events", "{\"n\":1}").await.status, 200);
    gateway.stop().await;
}
