//! Whatever happens to Nacos, traffic goes on as it was; what is wrong is told, and a change that was
//! made meanwhile is live soon after Nacos is back.

use std::fs;
use std::time::{Duration, Instant};

use weir::center::nacos::{Base, Nacos as Client};
use weir::unit::TimeSpan;

use crate::harness::documents::Documents;
use crate::harness::faulty::Faulty;
use crate::harness::gateway::Gateway;
use crate::harness::load::{self, Load};
use crate::harness::nacos::{Nacos, Space, settings};
use crate::harness::{LONG, eventually, soak};

/// When a client gives up: far beyond what is expected, which `make soak` prints.
const PATIENCE: Duration = Duration::from_secs(60);
const REPO: &str = "weir.repo.events";
const INDEX: &str = "version: 1\ndocuments:\n\
    - { kind: producers, name: default, data_id: weir.producers }\n\
    - { kind: repo, name: events, data_id: weir.repo.events }\n";

/// A repo that sends to a topic of its version.
fn repo(version: usize) -> String {
    format!(
        "version: {version}\nroute: [ {{ otherwise: {{ producer: files, topic: v{version} }} }} ]\n"
    )
}

fn documents() -> Documents {
    Documents::empty()
        .with(
            "weir.producers.yaml",
            "version: 1\nproducers: { files: { file: { folder: files, fsync: false } } }\n",
        )
        .with("weir.repo.events.yaml", &repo(1))
        .with("weir.index.yaml", INDEX)
}

/// With a short deadline: how soon silence is told is part of what is tested.
fn spawn(space: &Space) -> Gateway {
    Gateway::spawn_from(&space.arguments(), Documents::empty(), |command| {
        command.env("WEIR_NACOS_DEADLINE", "3 s");
    })
}

/// A client that waits until a server that hangs goes on.
fn patient(space: &Space) -> Client {
    let mut settings = settings(&space.url, &space.name);
    settings.deadline = TimeSpan::seconds(240);
    Client::connect(&settings).unwrap()
}

/// A gateway that serves what stands in the namespace, with clients that send without pause.
async fn under_load(space: &Space) -> (Gateway, Load) {
    space.publish_all(&documents()).await;
    let gateway = spawn(space);
    gateway.until_ready().await;
    let load = Load::start(&gateway, "events", 4, PATIENCE, load::numbered);
    (gateway, load)
}

/// Every event of every request was accepted.
async fn assert_unharmed(load: Load) {
    let ledger = load.finish().await;
    assert!(ledger.answers.len() > 10);
    for answer in &ledger.answers {
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.counts.unwrap().accepted, 10, "{answer:?}");
    }
    if soak() {
        println!("the slowest request took {:?}", ledger.slowest());
    }
}

/// Waits until the instance says what is wrong, with all of these words, in its log too. It may say
/// something else first: a server that is going away can also be slow.
async fn until_told(gateway: &Gateway, words: &[&str]) {
    let what = format!("the instance says what is wrong, with {words:?}");
    eventually(LONG, &what, || async {
        let why = gateway.revision().await.0["stale"]["why"].clone();
        let (why, log) = (why.as_str()?, gateway.log());
        let told = |word: &&str| why.contains(word) && log.contains(word);
        words.iter().all(told).then_some(())
    })
    .await;
}

/// Publishes as soon as Nacos takes it, and waits until it is live. The time begins with `back`.
async fn until_live(gateway: &Gateway, space: &Space, version: usize, what: &str) {
    let before = gateway.revision().await;
    let back = Instant::now();
    eventually(LONG, "Nacos takes a write", || async {
        let content = repo(version);
        let published = space.client.publish(REPO, &content, Base::Any);
        published.await.ok()
    })
    .await;
    eventually(LONG, "the change is live, and nothing is stale", || async {
        let now = gateway.revision().await;
        let is_live = now.digest() != before.digest() && now.state() == "applied";
        (is_live && now.0["stale"].is_null()).then_some(())
    })
    .await;
    println!("{what}: live {:?} after Nacos is back", back.elapsed());
    let topic = format!("v{version}");
    eventually(LONG, "events go where the change says", || async {
        (!gateway.written(&topic).is_empty()).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nacos_killed_and_restarted() {
    let server = Nacos::to_disturb().await;
    let space = server.space("killed").await;
    let (gateway, load) = under_load(&space).await;
    server.kill();
    until_told(
        &gateway,
        &[&space.url, "no connection", "check the address"],
    )
    .await;
    server.restart();
    until_live(&gateway, &space, 2, "killed").await;
    assert_unharmed(load).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nacos_paused() {
    let server = Nacos::to_disturb().await;
    let space = server.space("paused").await;
    let (gateway, load) = under_load(&space).await;
    let begun = Instant::now();
    server.pause();
    // A change that somebody makes meanwhile, and that Nacos takes when it goes on.
    let content = repo(2);
    let patient = patient(&space);
    let change = patient.publish(REPO, &content, Base::Any);
    let hangs = async {
        until_told(&gateway, &[&space.url, "no answer within"]).await;
        let rest = Duration::from_secs(if soak() { 60 } else { 6 });
        tokio::time::sleep(rest.saturating_sub(begun.elapsed())).await;
        server.resume();
    };
    let ((), changed) = tokio::join!(hangs, change);
    changed.unwrap();
    until_live(&gateway, &space, 3, "paused").await;
    assert_unharmed(load).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nacos_answering_500() {
    let mut space = Nacos::shared().space("failing").await;
    let proxy = Faulty::before(&space.url).await;
    let direct = space.url.clone();
    space.url.clone_from(&proxy.url);
    let (gateway, load) = under_load(&space).await;
    proxy.fail(true);
    until_told(&gateway, &[&proxy.url, "status 500", "out of order"]).await;
    let before = gateway.revision().await;
    space.publish(REPO, &repo(2)).await;
    assert_eq!(gateway.revision().await.digest(), before.digest());
    proxy.fail(false);
    let back = Instant::now();
    eventually(
        LONG,
        "the change that was made meanwhile is live",
        || async {
            let now = gateway.revision().await;
            (now.digest() != before.digest() && now.0["stale"].is_null()).then_some(())
        },
    )
    .await;
    println!(
        "answering 500: live {:?} after {direct} is back",
        back.elapsed()
    );
    assert_unharmed(load).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nacos_away_at_the_start() {
    let server = Nacos::to_disturb().await;
    let space = server.space("start").await;
    space.publish_all(&documents()).await;
    let mut gateway = spawn(&space);
    gateway.until_ready().await;
    gateway.stop().await;
    server.kill();

    // With what it had saved it serves at once; without, it says why it does not.
    gateway.start_again();
    gateway.until_ready().await;
    let load = Load::start(&gateway, "events", 4, PATIENCE, load::numbered);
    until_told(&gateway, &[&space.url, "no connection"]).await;
    let empty = spawn(&space);
    let ready = eventually(LONG, "it says why it is not ready", || async {
        let reply = empty
            .client
            .get(empty.admin_url("/readyz"))
            .send()
            .await
            .ok()?;
        let text = reply.text().await.ok()?;
        text.contains(&space.url).then_some(text)
    })
    .await;
    assert!(
        ready.contains("not ready") && ready.contains("no connection"),
        "{ready}"
    );

    server.restart();
    until_live(&gateway, &space, 2, "away at the start").await;
    empty.until_ready().await;
    assert_unharmed(load).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_expires_is_renewed() {
    let space = Nacos::guarded().space("expires").await;
    space.publish_all(&documents()).await;
    let secret = tempfile::NamedTempFile::new().unwrap();
    fs::write(secret.path(), "nacos\n").unwrap();
    let gateway = Gateway::spawn_from(&space.arguments(), Documents::empty(), |command| {
        command.env("WEIR_NACOS_USERNAME", "nacos");
        command.env("WEIR_NACOS_PASSWORD_FILE", secret.path());
    });
    gateway.until_ready().await;
    let load = Load::start(&gateway, "events", 4, PATIENCE, load::numbered);
    let begun = Instant::now();
    let mut version = 1;
    // A token lasts 5 s.
    while begun.elapsed() < Duration::from_secs(if soak() { 60 } else { 12 }) {
        version += 1;
        until_live(&gateway, &space, version, "with a login").await;
    }
    let log = gateway.log();
    assert!(!log.contains("documents cannot be read"), "{log}");
    assert_unharmed(load).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_told_and_mended_without_a_restart() {
    let space = Nacos::guarded().space("wrong").await;
    space.publish_all(&documents()).await;
    let secret = tempfile::NamedTempFile::new().unwrap();
    fs::write(secret.path(), "planted-secret\n").unwrap();
    let gateway = Gateway::spawn_from(&space.arguments(), Documents::empty(), |command| {
        command.env("WEIR_NACOS_USERNAME", "nacos");
        command.env("WEIR_NACOS_PASSWORD_FILE", secret.path());
    });
    eventually(LONG, "the admin port answers", || async {
        let url = gateway.admin_url("/livez");
        gateway.client.get(url).send().await.ok()
    })
    .await;
    let told = ["login failed", "wrong password", "WEIR_NACOS_PASSWORD_FILE"];
    until_told(&gateway, &told).await;
    fs::write(secret.path(), "nacos\n").unwrap();
    gateway.until_ready().await;
    let load = Load::start(&gateway, "events", 4, PATIENCE, load::numbered);
    // As if it were rotated in Nacos first.
    fs::write(secret.path(), "planted-secret\n").unwrap();
    until_told(&gateway, &told).await;
    fs::write(secret.path(), "nacos\n").unwrap();
    until_live(&gateway, &space, 2, "with the right password again").await;
    assert_unharmed(load).await;
    assert!(!gateway.log().contains("planted-secret"));
}
