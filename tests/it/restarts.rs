//! What an instance does without its source: it comes back with what was live, whole, whenever it
//! was killed; it can be pinned to what was live before, and stays there over restarts.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::documents::Documents;
use crate::harness::gateway::{Gateway, Revision, command};
use crate::harness::{eventually, scale, soak};

const FILES: &str = "version: 1\nproducers: { files: { file: { folder: files } } }\n";

/// A repo that sends to a topic of its version.
pub(crate) fn repo(version: usize) -> String {
    format!(
        "version: {version}\nroute: [ {{ otherwise: {{ producer: files, topic: v{version} }} }} ]\n"
    )
}

/// A set of two repos that always have the same version: half of one would be seen.
fn index(version: usize) -> String {
    format!(
        "version: {version}\ndocuments:\n\
         - {{ kind: producers, name: default, data_id: weir.producers }}\n\
         - {{ kind: repo, name: a, data_id: weir.repo.a, sha256: \"{0}\" }}\n\
         - {{ kind: repo, name: b, data_id: weir.repo.b, sha256: \"{0}\" }}\n",
        sha256(&repo(version))
    )
}

pub(crate) fn sha256(text: &str) -> String {
    use sha2::Digest;
    let sum = sha2::Sha256::digest(text.as_bytes());
    sum.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn single() -> Documents {
    Documents::empty()
        .with("weir.producers.yaml", FILES)
        .with("weir.repo.a.yaml", &repo(1))
}

/// The topic that events of a repo go to; that of its version.
pub(crate) async fn topic(gateway: &Gateway, name: &str) -> String {
    let reply = gateway.post(name, "{\"n\":1}").await;
    assert_eq!(reply.counts().accepted, 1, "{reply:?}");
    let question = json!({ "repo": name, "event": { "n": 1 } });
    let (status, explained) = gateway.ask("/api/explain", &question).await;
    assert_eq!(status, 200, "{explained}");
    let text = explained.to_string();
    let (_, topic) = text.split_once("\"topic\":\"").unwrap();
    topic.split_once('"').unwrap().0.to_owned()
}

pub(crate) async fn serves(gateway: &Gateway, name: &str, version: usize) {
    assert_eq!(topic(gateway, name).await, format!("v{version}"));
}

fn digests(revisions: &Value) -> Vec<&str> {
    let sets = revisions["sets"].as_array().unwrap();
    sets.iter()
        .map(|set| set["set"].as_str().unwrap())
        .collect()
}

/// Changes the repo and gives the set that is live then.
async fn change(gateway: &Gateway, version: usize) -> Revision {
    let revision = gateway.change("weir.repo.a.yaml", &repo(version)).await;
    assert_eq!(revision.state(), "applied", "{revision:?}");
    revision
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment_of_a_release_it_comes_back_with_the_old_or_the_new_set_whole() {
    let documents = Documents::empty()
        .with("weir.producers.yaml", FILES)
        .with("weir.repo.a.yaml", &repo(0))
        .with("weir.repo.b.yaml", &repo(0))
        .with("weir.index.yaml", &index(0));
    let mut gateway = Gateway::start(documents).await;
    let mut slowest = Duration::ZERO;
    for round in 1..=scale(100) {
        // Spread over what a change takes, without a pattern that fits the program's own times.
        let moment = Duration::from_micros(u64::try_from(round * 7_919 % 40_000).unwrap());
        for name in ["weir.repo.a.yaml", "weir.repo.b.yaml"] {
            gateway.documents.put(name, repo(round));
        }
        gateway.documents.put("weir.index.yaml", index(round));
        tokio::time::sleep(moment).await;
        gateway.kill();

        // Without its documents it has nothing but what was saved.
        let away = gateway.documents.path().with_extension("away");
        let elsewhere = away.join("nothing");
        fs::create_dir_all(&elsewhere).unwrap();
        fs::write(elsewhere.join("weir.index.yaml"), "not an index").unwrap();
        let source = ["--documents".to_owned(), elsewhere.display().to_string()];
        let started = std::time::Instant::now();
        gateway.start_again_from(&source);
        gateway.until_ready().await;
        slowest = slowest.max(started.elapsed());
        let (a, b) = (topic(&gateway, "a").await, topic(&gateway, "b").await);
        assert_eq!(a, b, "round {round} is half live");
        let versions = [round - 1, round].map(|version| format!("v{version}"));
        assert!(versions.contains(&a), "round {round}: {a}");
        gateway.kill();

        // With its documents it is at the new set.
        let source = [
            "--documents".to_owned(),
            gateway.documents.path().display().to_string(),
        ];
        gateway.start_again_from(&source);
        gateway.until_ready().await;
        serves(&gateway, "a", round).await;
        serves(&gateway, "b", round).await;
        fs::remove_dir_all(away).unwrap();
    }
    if soak() {
        println!("slowest start from the state directory: {slowest:?}");
    }
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_held_before_a_restart_is_held_after_it() {
    let mut gateway = Gateway::start(single()).await;
    let good = gateway.revision().await;
    let held = gateway.change("weir.repo.a.yaml", "version: [").await;
    assert_eq!(held.state(), "held");
    gateway.kill();
    gateway.start_again();
    gateway.until_ready().await;
    let revision = gateway.revision().await;
    assert_eq!(revision.digest(), good.digest());
    assert_eq!(revision.state(), "held", "{revision:?}");
    assert_eq!(revision.0["held"][0]["document"], "weir.repo.a");
    serves(&gateway, "a", 1).await;
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_went_away_is_missing_until_the_next_start() {
    let documents = single().with("weir.repo.b.yaml", &repo(1));
    let mut gateway = Gateway::start(documents).await;
    let before = gateway.revision().await;
    gateway.documents.remove("weir.repo.b.yaml");
    let missing = gateway.outcome_after(&before).await;
    assert_eq!(missing.state(), "held");
    assert_eq!(missing.digest(), before.digest());
    assert!(missing.diagnostics().contains("the document is missing"));
    let held = |document| [("document", document)];
    let metrics = gateway.metrics().await;
    assert_eq!(metrics.sum("weir_document_held", &held("weir.repo.b")), 1.0);
    assert!(gateway.log().contains("the document is missing"));
    serves(&gateway, "b", 1).await;
    gateway.kill();
    gateway.start_again();
    gateway.until_ready().await;
    assert_eq!(gateway.revision().await.state(), "applied");
    assert_eq!(gateway.post("b", "{}").await.status, 404);
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pinned_instance_stays_over_changes_and_restarts_until_it_is_unpinned() {
    let mut gateway = Gateway::start(single()).await;
    let mut sets = vec![gateway.revision().await.set().to_owned()];
    for version in 2..=3 {
        sets.push(change(&gateway, version).await.set().to_owned());
    }
    let revisions = gateway.api("/api/revisions").await;
    let newest_first: Vec<_> = sets.iter().rev().map(String::as_str).collect();
    assert_eq!(digests(&revisions), newest_first);
    assert_eq!(revisions["previous"], sets[1].as_str());

    let (status, refused) = gateway
        .ask("/api/rollback", &json!({ "reason": " " }))
        .await;
    assert_eq!((status, &refused["error"]["code"]), (400, &json!("reason")));
    let pin = |digest: &str| json!({ "digest": digest, "reason": "version 3 is bad" });
    let (status, unknown) = gateway.ask("/api/pin", &pin("000000000000")).await;
    assert_eq!(
        (status, &unknown["error"]["code"]),
        (404, &json!("unknown"))
    );
    let (status, _) = gateway
        .ask("/api/unpin", &json!({ "reason": "no pin" }))
        .await;
    assert_eq!(status, 409);

    let because = json!({ "reason": "version 3 is bad" });
    let (status, pinned) = gateway.ask("/api/rollback", &because).await;
    assert_eq!(
        (status, &pinned["state"]),
        (200, &json!("pinned")),
        "{pinned}"
    );
    assert_eq!(pinned["set"], sets[1].as_str());
    assert_eq!(pinned["pinned"]["reason"], "version 3 is bad");
    serves(&gateway, "a", 2).await;

    // The next one back, though nothing new went live from the documents.
    let (_, further) = gateway.ask("/api/rollback", &because).await;
    assert_eq!(further["set"], sets[0].as_str(), "{further}");
    serves(&gateway, "a", 1).await;
    let (_, by_digest) = gateway.ask("/api/pin", &pin(&sets[1])).await;
    assert_eq!(by_digest["set"], sets[1].as_str(), "{by_digest}");

    gateway.documents.put("weir.repo.a.yaml", repo(4));
    let mut read = gateway.revision().await.0["reconciled"].clone();
    // The first read that ends may have begun before the change.
    for _ in 0..2 {
        read = eventually(60, "the documents are read again", || async {
            let now = gateway.revision().await.0["reconciled"].clone();
            (now != read).then_some(now)
        })
        .await;
    }
    serves(&gateway, "a", 2).await;
    gateway.kill();
    gateway.start_again();
    gateway.until_ready().await;
    assert_eq!(gateway.revision().await.state(), "pinned");
    assert_eq!(gateway.metrics().await.sum("weir_pinned", &[]), 1.0);
    assert!(gateway.log().contains("this instance is pinned"));
    serves(&gateway, "a", 2).await;

    let (status, followed) = gateway
        .ask("/api/unpin", &json!({ "reason": "fixed" }))
        .await;
    assert_eq!(
        (status, &followed["state"]),
        (200, &json!("applied")),
        "{followed}"
    );
    assert_eq!(followed["pinned"], Value::Null);
    serves(&gateway, "a", 4).await;
    gateway.stop().await;
}

/// Runs a command of the program against one instance; whether it succeeded, and what it printed.
fn run(gateway: &Gateway, arguments: &[&str]) -> (bool, String) {
    let admin = gateway.admin_url("");
    let done = command()
        .args(arguments)
        .args(["--admin", &admin])
        .output()
        .unwrap();
    let text = String::from_utf8([done.stdout, done.stderr].concat()).unwrap();
    (done.status.success(), text)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_is_pinned_and_unpinned_from_the_command_line() {
    let mut gateway = Gateway::start(single()).await;
    let first = gateway.revision().await;
    let second = change(&gateway, 2).await;
    let (done, text) = run(&gateway, &["pin", "--reason", "version 2 is bad"]);
    assert!(done && text.contains("pinned, set"), "{text}");
    assert!(text.contains(first.set()), "{text}");
    serves(&gateway, "a", 1).await;
    // By the digest of a revision, too.
    let because = ["--reason", "it was not"];
    let (done, text) = run(&gateway, &["pin", second.digest(), because[0], because[1]]);
    assert!(done && text.contains(second.set()), "{text}");
    let (done, text) = run(&gateway, &["pin", "nonsense", because[0], because[1]]);
    assert!(!done && text.contains("no kept set"), "{text}");
    let (done, text) = run(&gateway, &["unpin", because[0], because[1]]);
    assert!(done && text.contains("applied, set"), "{text}");
    let (done, text) = run(&gateway, &["unpin", because[0], because[1]]);
    assert!(!done && text.contains("not pinned"), "{text}");
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pinning_needs_the_token_of_the_admin_port() {
    let documents = single();
    let token = "let-me-in";
    let mut gateway = Gateway::start_with(documents, |command| {
        command
            .env("WEIR_ADMIN_PORT_TOKEN", "env:ADMIN_TOKEN")
            .env("ADMIN_TOKEN", token);
    })
    .await;
    for path in ["/api/pin", "/api/unpin", "/api/rollback"] {
        let (status, _) = gateway.ask(path, &json!({ "reason": "no token" })).await;
        assert_eq!(status, 401, "{path}");
    }
    let refused = run(&gateway, &["unpin", "--reason", "no token"]);
    assert!(!refused.0 && refused.1.contains("401"), "{refused:?}");
    let done = command()
        .args([
            "unpin",
            "--reason",
            "with it",
            "--admin",
            &gateway.admin_url(""),
        ])
        .args(["--admin-token", "env:ADMIN_TOKEN"])
        .env("ADMIN_TOKEN", token)
        .output()
        .unwrap();
    let text = String::from_utf8(done.stdout).unwrap();
    assert!(text.contains("not pinned"), "{text}");
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn switches_reach_a_pinned_instance() {
    let validated = format!(
        "{}validate: [ {{ name: kind, kind: condition, condition: {{ field: kind, eq: b }}, mode: enforce }} ]\n",
        repo(1)
    );
    let documents = Documents::empty()
        .with("weir.producers.yaml", FILES)
        .with("weir.repo.a.yaml", &validated)
        .with("weir.switches.yaml", "version: 1\n");
    let mut gateway = Gateway::start(documents).await;
    change(&gateway, 2).await;
    let (_, pinned) = gateway
        .ask("/api/rollback", &json!({ "reason": "test" }))
        .await;
    assert_eq!(pinned["state"], "pinned", "{pinned}");
    assert_eq!(
        gateway
            .post("a", "{\"kind\":\"a\"}")
            .await
            .counts()
            .rejected,
        1
    );
    let off = "version: 2\nrepos: { a: { kind: { mode: off } } }\n";
    let switched = gateway.change("weir.switches.yaml", off).await;
    assert_eq!(switched.state(), "pinned", "{switched:?}");
    assert_eq!(
        gateway
            .post("a", "{\"kind\":\"a\"}")
            .await
            .counts()
            .accepted,
        1
    );
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_directory_that_cannot_be_written_is_told_and_stops_no_change() {
    let mut gateway = Gateway::start(single()).await;
    let sets = gateway.state().join("rollout/sets");
    fs::remove_dir_all(&sets).unwrap();
    fs::write(&sets, "in the way").unwrap();
    change(&gateway, 2).await;
    serves(&gateway, "a", 2).await;
    let metrics = gateway.metrics().await;
    assert!(metrics.sum("weir_state_write_failures_total", &[]) >= 1.0);
    let unsaved = gateway.revision().await.0["unsaved"].clone();
    assert!(unsaved.as_str().unwrap().contains("write"), "{unsaved}");
    assert!(
        gateway
            .log()
            .contains("the state directory cannot be written")
    );
    fs::remove_file(&sets).unwrap();
    change(&gateway, 3).await;
    assert_eq!(gateway.revision().await.0["unsaved"], Value::Null);
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn switches_that_could_not_be_saved_are_told_until_they_are_saved_without_another_change() {
    let mut gateway = Gateway::start(single()).await;
    let record = gateway.state().join("rollout/switches.json");
    fs::create_dir_all(record.join("in the way")).unwrap();
    gateway.change("weir.switches.yaml", "version: 1\n").await;
    let unsaved = || async { gateway.revision().await.0["unsaved"].to_string() };
    assert!(unsaved().await.contains("switches.json"));
    // A set that is saved does not hide it.
    change(&gateway, 2).await;
    assert!(unsaved().await.contains("switches.json"));
    fs::remove_dir_all(&record).unwrap();
    eventually(60, "they are saved", || async {
        (unsaved().await == "null").then_some(())
    })
    .await;
    assert!(record.is_file());
    gateway.stop().await;
}
