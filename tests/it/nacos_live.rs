//! Documents in a real Nacos reconfigure a running gateway: what is good goes live by itself, what
//! is wrong, missing or out of reach changes nothing and is told.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::documents::Documents;
use crate::harness::gateway::{Gateway, Revision};
use crate::harness::load::Load;
use crate::harness::nacos::{Nacos, Space};
use crate::harness::{LONG, eventually, scale, soak};
use crate::live_changes::{
    FILES, PATIENCE, SWITCHED, Taken, assert_fits, assert_held, broken, by_kind, kinds, report,
    switched, switches, taken,
};
use crate::restarts::{repo, serves, sha256, topic};

/// An index of floating repos.
fn index(repos: &[&str]) -> String {
    let entry =
        |name: &&str| format!("- {{ kind: repo, name: {name}, data_id: weir.repo.{name} }}\n");
    let entries: String = repos.iter().map(entry).collect();
    format!(
        "version: 1\nswitches: weir.switches\ndocuments:\n\
         - {{ kind: producers, name: default, data_id: weir.producers }}\n{entries}"
    )
}

/// Producers, a repo of this text, and an index of it.
fn documents(name: &str, repo: &str) -> Documents {
    Documents::empty()
        .with("weir.index.yaml", &index(&[name]))
        .with("weir.producers.yaml", FILES)
        .with("weir.switches.yaml", "version: 1\n")
        .with(&format!("weir.repo.{name}.yaml"), repo)
}

async fn space(name: &str, documents: &Documents) -> Space {
    let space = Nacos::shared().space(name).await;
    space.publish_all(documents).await;
    space
}

/// Waits until `/api/revision` shows this.
async fn until(gateway: &Gateway, what: &str, holds: impl Fn(&Revision) -> bool) -> Revision {
    eventually(LONG, what, || async {
        // A process that begins answers a little later.
        gateway.readiness().await?;
        let revision = gateway.revision().await;
        holds(&revision).then_some(revision)
    })
    .await
}

fn held(revision: &Revision) -> Vec<&str> {
    let held = revision.0["held"].as_array().unwrap();
    held.iter()
        .map(|each| each["document"].as_str().unwrap())
        .collect()
}

/// That a document is named where operators look.
async fn assert_told(gateway: &Gateway, document: &str, log: &str) {
    let metrics = gateway.metrics().await;
    let held = metrics.sum("weir_document_held", &[("document", document)]);
    assert_eq!(held, 1.0, "{document}");
    assert!(gateway.log().contains(log), "{log}:\n{}", gateway.log());
}

/// How often the log says that something is wrong with a document.
fn complaints(gateway: &Gateway, document: &str) -> usize {
    let log = gateway.log();
    let wrong = log
        .lines()
        .filter(|line| line.contains("document is wrong"));
    wrong.filter(|line| line.contains(document)).count()
}

/// The times that changes took to go live.
fn tell(what: &str, mut took: Vec<Duration>) {
    if soak() {
        took.sort();
        let late = took.iter().filter(|took| **took > Duration::from_secs(2));
        println!(
            "{what}: {} changes, median {:?}, slowest {:?}, {} over 2 s",
            took.len(),
            took[took.len() / 2],
            took.last().unwrap(),
            late.count()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_have_the_same_digest_from_nacos_and_from_a_directory() {
    let documents = Documents::example("quickstart").with(
        "weir.index.yaml",
        "version: 1\ndocuments:\n\
         - { kind: producers, name: default, data_id: weir.producers }\n\
         - { kind: tables, name: default, data_id: weir.tables }\n\
         - { kind: repo, name: events, data_id: weir.repo.events }\n",
    );
    let space = space("digest", &documents).await;
    let mut nacos = Gateway::start_on(&space).await;
    let mut again = Gateway::start_on(&space).await;
    let mut directory = Gateway::start(documents).await;
    let (one, two) = (nacos.revision().await, again.revision().await);
    let three = directory.revision().await;
    assert_eq!(one.state(), "applied", "{one:?}");
    assert_eq!(one.0["source"]["namespace"], space.name.as_str());
    assert_eq!(three.0["source"]["kind"], "directory");
    assert_eq!(one.digest(), two.digest());
    assert_eq!(one.digest(), three.digest());
    assert_eq!(one.set(), three.set());
    for gateway in [&mut nacos, &mut again, &mut directory] {
        gateway.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_namespace_is_not_ready_and_says_what_prepares_it() {
    let space = Nacos::shared().space_without_namespace("empty");
    let mut gateway = Gateway::spawn_on(&space);
    let why = eventually(LONG, "it says why it is not ready", || async {
        let (status, text) = gateway.readiness().await?;
        assert_eq!(status, 503);
        text.contains("there is no index").then_some(text)
    })
    .await;
    assert!(why.contains("weir apply --init"), "{why}");
    assert!(why.contains(&space.name), "{why}");
    space.publish_all(&documents("a", &repo(1))).await;
    gateway.until_ready().await;
    serves(&gateway, "a", 1).await;
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repo_published_under_load_goes_live_without_harm() {
    let space = space("repo", &documents("events", &by_kind(0))).await;
    let mut gateway = Gateway::start_on(&space).await;
    let mut current = gateway.revision().await.digest().to_owned();
    let mut live = Taken::from([(current.clone(), taken(0))]);
    let mut took = Vec::new();
    let load = Load::start(&gateway, "events", 16, PATIENCE, kinds);
    for version in 1..=scale(200) {
        if version.is_multiple_of(10) {
            let text = match broken(version) {
                "" => "[]",
                text => text,
            };
            let before = complaints(&gateway, "weir.repo.events");
            let revision = gateway.publish(&space, "weir.repo.events", text).await;
            assert_held(&revision, &current, version);
            assert_eq!(held(&revision), ["weir.repo.events"]);
            assert_ne!(revision.0["held"][0]["diagnostics"], json!([]));
            assert_told(&gateway, "weir.repo.events", "weir.repo.events").await;
            assert!(
                complaints(&gateway, "weir.repo.events") > before,
                "{version}"
            );
        } else {
            let published = Instant::now();
            let text = by_kind(version);
            let revision = gateway.publish(&space, "weir.repo.events", &text).await;
            took.push(published.elapsed());
            assert_eq!(
                revision.state(),
                "applied",
                "change {version}: {revision:?}"
            );
            current = revision.digest().to_owned();
            live.insert(current.clone(), taken(version));
        }
    }
    let ledger = load.finish().await;
    report("changes of a repo in nacos", &ledger);
    tell("changes of a repo in nacos", took);
    assert_fits(&ledger, &live);
    gateway.metrics().await.books("events");
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn switches_published_under_load_go_live_while_another_document_is_broken() {
    let documents = documents("events", SWITCHED)
        .with("weir.index.yaml", &index(&["events", "other"]))
        .with("weir.repo.other.yaml", &by_kind(0))
        .with("weir.switches.yaml", &switches(1));
    let space = space("switches", &documents).await;
    let mut gateway = Gateway::start_on(&space).await;
    let broken = gateway
        .publish(&space, "weir.repo.other", "version: [")
        .await;
    assert_eq!(held(&broken), ["weir.repo.other"]);
    let mut current = broken.digest().to_owned();
    let mut live = Taken::from([(current.clone(), 7)]);
    let mut took = Vec::new();
    let load = Load::start(&gateway, "events", 16, PATIENCE, kinds);
    for version in 2..=scale(200) {
        let published = Instant::now();
        let text = switches(version);
        let revision = gateway.publish(&space, "weir.switches", &text).await;
        if version.is_multiple_of(10) {
            assert_held(&revision, &current, version);
            assert_eq!(held(&revision), ["weir.repo.other", "weir.switches"]);
        } else {
            took.push(published.elapsed());
            assert_ne!(revision.digest(), current, "change {version}: {revision:?}");
            assert_eq!(held(&revision), ["weir.repo.other"]);
            current = revision.digest().to_owned();
            live.insert(current.clone(), switched(version));
        }
    }
    let ledger = load.finish().await;
    report("changes of the switches in nacos", &ledger);
    tell("changes of the switches in nacos", took);
    assert_fits(&ledger, &live);
    gateway.metrics().await.books("events");
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_document_or_index_leaves_the_running_revision_and_is_named() {
    let space = space("deleted", &documents("a", &repo(1))).await;
    let mut gateway = Gateway::start_on(&space).await;
    let running = gateway.revision().await;
    for data_id in ["weir.repo.a", "weir.index"] {
        let rows = space.history(data_id).await.unwrap();
        space.roll_back(data_id, rows.last().unwrap()).await;
        assert_eq!(space.content(data_id).await, None);
        let missing = until(&gateway, "the deletion is told", |revision| {
            held(revision).contains(&data_id)
        })
        .await;
        assert_eq!(missing.digest(), running.digest());
        let log = match data_id {
            "weir.index" => "the index is missing",
            _ => "there is no document `weir.repo.a`",
        };
        assert_told(&gateway, data_id, log).await;
        serves(&gateway, "a", 1).await;
    }
    // The same content again: the library never tells of it.
    space.publish("weir.repo.a", &repo(1)).await;
    space.publish("weir.index", &index(&["a"])).await;
    until(&gateway, "it is back", |revision| held(revision).is_empty()).await;
    assert_eq!(gateway.revision().await.state(), "applied");
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rolling_back_in_the_console_is_followed() {
    let space = space("console", &documents("a", &repo(1))).await;
    let mut gateway = Gateway::start_on(&space).await;
    let first = gateway.revision().await;
    let second = gateway.publish(&space, "weir.repo.a", &repo(2)).await;
    assert_ne!(second.set(), first.set());
    let rows = space.history("weir.repo.a").await.unwrap();
    space.roll_back("weir.repo.a", &rows[0]).await;
    until(&gateway, "the roll back is live", |now| {
        now.set() == first.set()
    })
    .await;
    serves(&gateway, "a", 1).await;

    let pinned = index(&["a"]).replace(
        "data_id: weir.repo.a",
        &format!("data_id: weir.repo.a.2, sha256: \"{}\"", sha256(&repo(2))),
    );
    space.publish("weir.repo.a.2", &repo(2)).await;
    let released = gateway.publish(&space, "weir.index", &pinned).await;
    assert_eq!(released.state(), "applied", "{released:?}");
    serves(&gateway, "a", 2).await;
    let rows = space.history("weir.index").await.unwrap();
    space.roll_back("weir.index", &rows[0]).await;
    until(&gateway, "the roll back is live", |now| {
        now.set() == first.set()
    })
    .await;
    serves(&gateway, "a", 1).await;
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_whose_content_does_not_fit_its_pin_is_refused() {
    let space = space("pin", &documents("a", &repo(1))).await;
    let mut gateway = Gateway::start_on(&space).await;
    let before = gateway.revision().await;
    let pinned = index(&["a"]).replace(
        "data_id: weir.repo.a",
        &format!("data_id: weir.repo.a.2, sha256: \"{}\"", sha256(&repo(2))),
    );
    space.publish("weir.repo.a.2", &repo(3)).await;
    let refused = gateway.publish(&space, "weir.index", &pinned).await;
    assert_eq!(refused.state(), "refused", "{refused:?}");
    assert_eq!(refused.digest(), before.digest());
    let told = refused.diagnostics();
    assert!(told.contains("not the one it is pinned to"), "{told}");
    // Refused, it lets floating documents go on as before.
    let floats = gateway.publish(&space, "weir.repo.a", &repo(4)).await;
    assert_eq!(floats.state(), "refused", "{floats:?}");
    serves(&gateway, "a", 4).await;
    let good = gateway.publish(&space, "weir.repo.a.2", &repo(2)).await;
    assert_eq!(good.state(), "applied", "{good:?}");
    serves(&gateway, "a", 2).await;
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_instance_finds_the_newest_good_version_of_a_broken_document() {
    let documents = documents("a", &repo(1))
        .with("weir.index.yaml", &index(&["a", "b"]))
        .with("weir.repo.b.yaml", "version: [");
    let space = space("past", &documents).await;
    space.publish("weir.repo.a", &repo(2)).await;
    space.publish("weir.repo.a", "version: [").await;
    space.publish("weir.repo.a", "version: 3\nroute: [").await;
    let mut gateway = Gateway::start_on(&space).await;
    let revision = gateway.revision().await;
    assert_eq!(revision.state(), "held", "{revision:?}");
    assert_eq!(held(&revision), ["weir.repo.a", "weir.repo.b"]);
    serves(&gateway, "a", 2).await;
    assert_eq!(gateway.post("b", "{}").await.status, 503);
    assert!(gateway.log().contains("no version of it is good"));
    let fixed = gateway.publish(&space, "weir.repo.b", &repo(5)).await;
    assert_eq!(held(&fixed), ["weir.repo.a"]);
    serves(&gateway, "b", 5).await;
    serves(&gateway, "a", 2).await;
    gateway.stop().await;
}

/// An index that pins two repos to one version: half of a release would be seen.
fn release(version: usize) -> String {
    let sha256 = sha256(&repo(version));
    let entry = |name: &str| {
        format!(
            "- {{ kind: repo, name: {name}, data_id: weir.repo.{name}.{version}, sha256: \"{sha256}\" }}\n"
        )
    };
    index(&[]) + &entry("a") + &entry("b")
}

/// Publishes the contents of a release, before its index, as `weir apply` does.
async fn publish_contents(space: &Space, version: usize) {
    for name in ["a", "b"] {
        let data_id = format!("weir.repo.{name}.{version}");
        space.publish(&data_id, &repo(version)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment_of_a_release_it_comes_back_whole_with_and_without_nacos() {
    let space = space("killed", &documents("a", &repo(0))).await;
    publish_contents(&space, 0).await;
    space.publish("weir.index", &release(0)).await;
    let mut gateway = Gateway::start_on(&space).await;
    let dead = ["--nacos", "http://127.0.0.1:1", "--namespace", &space.name];
    let dead = dead.map(str::to_owned);
    for round in 1..=scale(100) {
        publish_contents(&space, round).await;
        space.publish_unseen("weir.index", &release(round)).await;
        // Spread over what a change takes, from the nudge on.
        let moment = u64::try_from(round * 7_919 % 600).unwrap();
        tokio::time::sleep(Duration::from_millis(moment)).await;
        gateway.kill();
        gateway.start_again_from(&dead);
        gateway.until_ready().await;
        let (a, b) = (topic(&gateway, "a").await, topic(&gateway, "b").await);
        assert_eq!(a, b, "round {round} is half live");
        let versions = [round - 1, round].map(|version| format!("v{version}"));
        assert!(versions.contains(&a), "round {round}: {a}");
        gateway.kill();
        gateway.start_again_from(&space.arguments());
        gateway.until_ready().await;
        // Applied may also be the set that it began with.
        eventually(LONG, "the release is live", || async {
            (topic(&gateway, "a").await == format!("v{round}")).then_some(())
        })
        .await;
        serves(&gateway, "b", round).await;
    }
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_nacos_it_serves_starts_and_is_pinned_and_follows_when_nacos_is_back() {
    let nacos = Nacos::to_disturb().await;
    let space = nacos.space("away").await;
    space.publish_all(&documents("a", &repo(1))).await;
    let mut gateway = Gateway::start_on(&space).await;
    let first = gateway.revision().await;
    let second = gateway.publish(&space, "weir.repo.a", &repo(2)).await;
    assert_eq!(second.state(), "applied", "{second:?}");

    nacos.kill();
    let stale = until(&gateway, "it says that it is stale", |revision| {
        revision.state() == "stale"
    })
    .await;
    let why = stale.0["stale"]["why"].as_str().unwrap();
    assert!(why.contains(&space.url), "{why}");
    assert_eq!(
        gateway.metrics().await.sum("weir_source_reachable", &[]),
        0.0
    );
    serves(&gateway, "a", 2).await;

    // Killed and started again, it has what it had.
    gateway.kill();
    gateway.start_again();
    gateway.until_ready().await;
    let snapshot = gateway.revision().await;
    assert_eq!(snapshot.digest(), second.digest());
    assert_eq!(snapshot.state(), "snapshot", "{snapshot:?}");
    serves(&gateway, "a", 2).await;

    let because = json!({ "reason": "version 2 is bad, and nacos is away" });
    let (status, pinned) = gateway.ask("/api/rollback", &because).await;
    assert_eq!((status, &pinned["set"]), (200, &Value::from(first.set())));
    serves(&gateway, "a", 1).await;

    nacos.restart();
    space.publish("weir.repo.a", &repo(3)).await;
    until(&gateway, "nacos is read again", |revision| {
        revision.0["stale"].is_null()
    })
    .await;
    assert_eq!(gateway.revision().await.state(), "pinned");
    serves(&gateway, "a", 1).await;
    let (_, unpinned) = gateway
        .ask("/api/unpin", &json!({ "reason": "fixed" }))
        .await;
    assert_eq!(unpinned["pinned"], Value::Null, "{unpinned}");
    let third = until(
        &gateway,
        "what was published meanwhile is live",
        |revision| {
            revision.state() == "applied"
                && revision.set() != first.set()
                && revision.set() != second.set()
        },
    )
    .await;
    assert_eq!(
        gateway.metrics().await.sum("weir_source_reachable", &[]),
        1.0
    );
    assert_ne!(third.set(), second.set());
    serves(&gateway, "a", 3).await;
    gateway.stop().await;
}
