//! What operators do with a real Nacos: release a set, go back by command and as Nacos' console does,
//! let documents float again, and release at the same moment as somebody else.

use std::process::{Output, Stdio};
use std::time::Instant;

use serde_json::{Value, json};

use crate::harness::documents::Documents;
use crate::harness::faulty::Faulty;
use crate::harness::gateway::{Gateway, command};
use crate::harness::nacos::{Nacos, Space};
use crate::harness::{LONG, eventually, scale};

const INDEX: &str = "weir.index";
const REPO: &str = "weir.repo.events";

/// Takes every event.
const GOOD: &str = "version: 1\nroute: [ { otherwise: { producer: files, topic: events } } ]\n";
/// Compiles, and takes none.
const BAD: &str = "version: 2\nconstraint: { field: nobody, exists: true }\n\
                   route: [ { otherwise: { producer: files, topic: events } } ]\n";

fn documents(repo: &str) -> Documents {
    Documents::empty()
        .with(
            "weir.producers.yaml",
            "version: 1\nproducers: { files: { file: { folder: files, fsync: false } } }\n",
        )
        .with("weir.repo.events.yaml", repo)
}

/// What a command said.
struct Said {
    code: i32,
    json: Value,
    error: String,
}

impl Said {
    fn of(output: &Output) -> Self {
        Self {
            code: output.status.code().unwrap(),
            json: serde_json::from_slice(&output.stdout).unwrap_or_default(),
            error: String::from_utf8(output.stderr.clone()).unwrap(),
        }
    }

    fn done(self) -> Value {
        assert_eq!(self.code, 0, "{} {:#}", self.error, self.json);
        self.json
    }
}

fn operator(space: &Space, by: &str, arguments: &[&str]) -> std::process::Command {
    let mut command = command();
    command
        .args(arguments)
        .args(space.arguments())
        .args(["--output", "json"])
        .env("WEIR_BY", by)
        // For a machine that is busy with other tests.
        .env("WEIR_NACOS_DEADLINE", "20 s")
        .stdin(Stdio::null());
    command
}

async fn weir(space: &Space, by: &str, arguments: &[&str]) -> Said {
    let mut command = operator(space, by, arguments);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap());
    Said::of(&output.await.unwrap())
}

async fn apply(space: &Space, by: &str, documents: &Documents, more: &[&str]) -> String {
    let folder = documents.path().to_str().unwrap();
    let arguments = [&["apply", folder, "--reason", "a release"], more].concat();
    let done = weir(space, by, &arguments).await.done();
    done["set"].as_str().unwrap().to_owned()
}

fn serve(space: &Space) -> Gateway {
    Gateway::spawn_from(&space.arguments(), Documents::empty(), |_| {})
}

async fn status(space: &Space, gateway: &Gateway, more: &[&str]) -> Said {
    let admin = gateway.admin_url("");
    let arguments = [&["status", "--admin", admin.as_str()], more].concat();
    weir(space, "ann", &arguments).await
}

/// Waits, as a pipeline does, until the instance runs a set.
async fn until_runs(space: &Space, gateway: &Gateway, set: &str) -> Value {
    let since = Instant::now();
    let wait = ["--wait", set, "--timeout", "240 s"];
    let status = status(space, gateway, &wait).await.done();
    println!("set {set} runs after {:?}", since.elapsed());
    assert_eq!(status["reached"], true);
    status
}

/// How many of two events are taken.
async fn taken(gateway: &Gateway) -> u64 {
    let reply = gateway.post("events", "{\"a\":1}\n{\"a\":2}").await;
    reply.counts().accepted
}

/// The states in which the instance's newest outcomes ended, by their sets.
fn outcomes(status: &Value) -> Vec<(String, String)> {
    let outcomes = status["instances"][0]["outcomes"].as_array().unwrap();
    let text = |of: &Value| of.as_str().unwrap().to_owned();
    let outcome = |each: &Value| (text(&each["set"]), text(&each["state"]));
    outcomes.iter().map(outcome).collect()
}

fn assert_shows_both(status: &Value, good: &str, bad: &str) {
    let outcomes = outcomes(status);
    for set in [good, bad] {
        let applied = (set.to_owned(), "applied".to_owned());
        assert!(outcomes.contains(&applied), "{set} in {outcomes:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_release_is_undone_by_one_command() {
    let space = Nacos::shared().space_without_namespace("undone");
    let folder = documents(GOOD);
    let early = ["apply", folder.path().to_str().unwrap(), "--reason", "x"];
    let early = weir(&space, "ann", &early).await;
    assert!(early.error.contains("weir apply --init"), "{}", early.error);
    let good = apply(&space, "ann", &documents(GOOD), &["--init"]).await;
    let gateway = serve(&space);
    gateway.until_ready().await;
    assert_eq!(taken(&gateway).await, 2);

    let wrong = documents("version: 1\nroute: []\nrout: 1\n");
    let refused = weir(
        &space,
        "bob",
        &["apply", wrong.path().to_str().unwrap(), "--reason", "x"],
    )
    .await;
    assert_eq!((refused.code, &refused.json["ok"]), (1, &false.into()));
    assert!(refused.json["diagnostics"].to_string().contains("/rout"));

    let bad = apply(&space, "bob", &documents(BAD), &[]).await;
    until_runs(&space, &gateway, &bad).await;
    assert_eq!(taken(&gateway).await, 0);

    let unsaid = weir(&space, "eve", &["rollback"]).await;
    assert_eq!(unsaid.code, 2, "{}", unsaid.error);
    let back = weir(&space, "eve", &["rollback", "--reason", "takes nothing"])
        .await
        .done();
    assert_eq!(back["set"], good.as_str());
    let status = until_runs(&space, &gateway, &good).await;
    assert_eq!(taken(&gateway).await, 2);
    assert_shows_both(&status, &good, &bad);
    assert_eq!(status["agree"], true);
    assert_eq!(status["nacos"]["release"]["by"], "eve");
    assert_eq!(status["nacos"]["release"]["undoes"], bad.as_str());

    let history = weir(&space, "ann", &["history"]).await.done();
    let told: Vec<_> = history["sets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            (
                row["set"].as_str().unwrap(),
                row["by"].as_str().unwrap(),
                row["reason"].as_str().unwrap(),
            )
        })
        .collect();
    let expected = [
        (good.as_str(), "eve", "takes nothing"),
        (bad.as_str(), "bob", "a release"),
        (good.as_str(), "ann", "a release"),
    ];
    assert_eq!(told, expected);
    let forth = weir(&space, "eve", &["rollback", "--reason", "again"]).await;
    assert_eq!(forth.code, 1);
    assert!(forth.error.contains("--to"), "{}", forth.error);
    let forth = weir(
        &space,
        "eve",
        &["rollback", "--to", &bad[..6], "--reason", "meant"],
    )
    .await;
    assert_eq!(forth.done()["set"], bad.as_str());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_of_the_first_index_writes_nothing() {
    let space = Nacos::shared().space_without_namespace("dry");
    let init = ["apply", "--init", "--reason", "x"];
    let dry = [&init[..], &["--dry-run"]].concat();
    let dry = weir(&space, "ann", &dry).await.done();
    assert_eq!(dry["written"], json!([INDEX]));
    assert_eq!(dry["dry_run"], true);
    assert!(!space.client.has_namespace().await.unwrap());
    assert_eq!(space.content(INDEX).await, None);
    let done = weir(&space, "ann", &init).await.done();
    assert_eq!(done["written"], dry["written"]);
    assert!(space.client.has_namespace().await.unwrap());
    assert!(space.content(INDEX).await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pinned_content_that_was_deleted_comes_back_by_applying_again() {
    let space = Nacos::shared().space_without_namespace("repaired");
    let folder = documents(GOOD);
    let set = apply(&space, "ann", &folder, &["--init"]).await;
    let found = status_of(&space).await;
    let found = found["documents"].as_array().unwrap();
    let pinned = found.iter().find(|each| each["kind"] == "repo").unwrap();
    let pinned = pinned["data_id"].as_str().unwrap();
    space.delete(pinned).await;

    let again = ["apply", folder.path().to_str().unwrap(), "--reason", "x"];
    let dry = [&again[..], &["--dry-run"]].concat();
    let written = json!([pinned]);
    for arguments in [&dry[..], &again] {
        let said = weir(&space, "bob", arguments).await.done();
        assert_eq!(
            (&said["written"], &said["unchanged"]),
            (&written, &false.into())
        );
        assert_eq!(said["set"], set.as_str());
    }
    assert_eq!(space.content(pinned).await.as_deref(), Some(GOOD));
    let gateway = serve(&space);
    gateway.until_ready().await;
    assert_eq!(taken(&gateway).await, 2);
    let nothing = weir(&space, "bob", &again).await.done();
    assert_eq!(
        (&nothing["written"], &nothing["unchanged"]),
        (&json!([]), &true.into())
    );
}

/// What stands in Nacos.
async fn status_of(space: &Space) -> Value {
    let status = weir(space, "ann", &["status"]).await.done();
    status["nacos"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_floating_document_goes_back_pinned_and_floats_again() {
    let space = Nacos::shared().space_without_namespace("floats");
    let good = apply(&space, "ann", &documents(GOOD), &["--init", "--float"]).await;
    let gateway = serve(&space);
    gateway.until_ready().await;
    space.publish(REPO, BAD).await;
    eventually(LONG, "the edit is live", || async {
        (taken(&gateway).await == 0).then_some(())
    })
    .await;

    weir(&space, "eve", &["rollback", "--reason", "takes nothing"])
        .await
        .done();
    let status = until_runs(&space, &gateway, &good).await;
    assert_eq!(taken(&gateway).await, 2);
    let documents = status["nacos"]["documents"].as_array().unwrap();
    let repo = documents
        .iter()
        .find(|each| each["kind"] == "repo")
        .unwrap();
    assert_eq!(repo["state"], "pinned by rollback");
    assert_eq!(
        space.content(REPO).await.unwrap(),
        BAD,
        "the document itself stays"
    );

    let better = GOOD.replace("version: 1", "version: 3");
    space.publish(REPO, &better).await;
    let floats = weir(&space, "ann", &["float", "events", "--reason", "repaired"])
        .await
        .done();
    let status = until_runs(&space, &gateway, floats["set"].as_str().unwrap()).await;
    assert_eq!(status["nacos"]["documents"][1]["state"], "floating");
    assert_eq!(taken(&gateway).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_consoles_roll_back_of_an_index_is_followed() {
    let space = Nacos::shared().space_without_namespace("console");
    let good = apply(&space, "ann", &documents(GOOD), &["--init"]).await;
    let gateway = serve(&space);
    gateway.until_ready().await;
    let bad = apply(&space, "bob", &documents(BAD), &[]).await;
    until_runs(&space, &gateway, &bad).await;
    assert_eq!(taken(&gateway).await, 0);

    let rows = space.history(INDEX).await.unwrap();
    space.roll_back(INDEX, &rows[0]).await;
    let status = until_runs(&space, &gateway, &good).await;
    assert_eq!(taken(&gateway).await, 2);
    assert_shows_both(&status, &good, &bad);
    let history = weir(&space, "ann", &["history"]).await.done();
    assert_eq!(history["sets"][0]["set"], good.as_str());
    assert_eq!(history["sets"][0]["reason"], Value::Null, "nobody said why");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_is_followed_without_the_listener() {
    let space = Nacos::shared().space_without_namespace("unheard");
    let good = apply(&space, "ann", &documents(GOOD), &["--init"]).await;
    // What passes HTTP alone: the listener's own port is a thousand above.
    let proxy = Faulty::before(&space.url).await;
    let source = ["--nacos", &proxy.url, "--namespace", &space.name].map(str::to_owned);
    let gateway = Gateway::spawn_from(&source, Documents::empty(), |_| {});
    gateway.until_ready().await;
    let bad = apply(&space, "bob", &documents(BAD), &[]).await;
    until_runs(&space, &gateway, &bad).await;
    let back = ["rollback", "--reason", "takes nothing"];
    weir(&space, "eve", &back).await.done();
    until_runs(&space, &gateway, &good).await;
    assert_eq!(taken(&gateway).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_consoles_roll_back_of_a_floating_document_is_followed() {
    let space = Nacos::shared().space_without_namespace("console-floats");
    let good = apply(&space, "ann", &documents(GOOD), &["--init", "--float"]).await;
    let gateway = serve(&space);
    gateway.until_ready().await;
    space.publish(REPO, BAD).await;
    eventually(LONG, "the edit is live", || async {
        (taken(&gateway).await == 0).then_some(())
    })
    .await;
    let bad = gateway.revision().await.0["set"]
        .as_str()
        .unwrap()
        .to_owned();

    let rows = space.history(REPO).await.unwrap();
    space.roll_back(REPO, &rows[0]).await;
    let status = until_runs(&space, &gateway, &good).await;
    assert_eq!(taken(&gateway).await, 2);
    assert_shows_both(&status, &good, &bad);
}

/// What the console's roll back does to a document that was never changed: it deletes.
async fn a_first_version_is_rolled_back(document: &str) {
    let space = Nacos::shared().space_without_namespace("first");
    space.client.create_namespace().await.unwrap();
    let index = "version: 1\ndocuments:\n\
        - { kind: producers, name: default, data_id: weir.producers }\n\
        - { kind: repo, name: events, data_id: weir.repo.events }\n";
    space
        .publish_all(&documents(GOOD).with("weir.index.yaml", index))
        .await;
    let gateway = serve(&space);
    gateway.until_ready().await;
    let running = gateway.revision().await.digest().to_owned();

    let rows = space.history(document).await.unwrap();
    space.roll_back(document, &rows[0]).await;
    assert_eq!(space.content(document).await, None);
    let named = [("document", document)];
    let since = Instant::now();
    eventually(LONG, "the metrics name the missing document", || async {
        let metrics = gateway.metrics().await;
        (metrics.sum("weir_document_held", &named) == 1.0).then_some(())
    })
    .await;
    println!(
        "the deletion of {document} is told after {:?}",
        since.elapsed()
    );
    let told = status(&space, &gateway, &[]).await;
    let held = &told.json["instances"][0]["held"][0];
    assert_eq!(held["document"], document, "{:#}", told.json);
    assert!(gateway.log().contains(document));
    assert!(gateway.log().contains("missing") || gateway.log().contains("there is no document"));
    assert_eq!(
        gateway.revision().await.digest(),
        running,
        "the running revision stays"
    );
    assert_eq!(taken(&gateway).await, 2);
    assert_eq!(told.json["agree"], false);
    weir(&space, "ann", &["rollback", "--reason", "it was deleted"])
        .await
        .done();
    eventually(LONG, "nothing is held", || async {
        let metrics = gateway.metrics().await;
        (metrics.sum("weir_documents_held", &[]) == 0.0).then_some(())
    })
    .await;
    assert_eq!(taken(&gateway).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_consoles_roll_back_of_a_first_index_deletes_it_and_changes_nothing() {
    a_first_version_is_rolled_back(INDEX).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_consoles_roll_back_of_a_first_document_deletes_it_and_changes_nothing() {
    a_first_version_is_rolled_back(REPO).await;
}

/// A repo that tells who wrote it, and in which round.
fn of_round(by: &str, round: usize) -> String {
    format!("{GOOD}description: {by} {round}\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_operators_one_wins_and_the_other_is_told() {
    let space = Nacos::shared().space_without_namespace("race");
    let mut stands = apply(&space, "ann", &documents(GOOD), &["--init"]).await;
    let gateway = serve(&space);
    gateway.until_ready().await;
    let mut winners = vec![stands.clone()];
    for round in 0..scale(50) {
        let folders = ["ann", "bob"].map(|by| (by, documents(&of_round(by, round))));
        let how = if round % 2 == 0 { "--pin" } else { "--float" };
        let racers = folders.each_ref().map(|(by, folder)| {
            let reason = format!("{by} in round {round}");
            let folder = folder.path().to_str().unwrap();
            let arguments = [
                "apply", folder, "--expect", &stands, "--reason", &reason, how,
            ];
            let mut command = operator(&space, by, &arguments);
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
            (*by, command.spawn().unwrap())
        });
        let racers = racers.map(|(by, racer)| {
            let said = tokio::task::spawn_blocking(move || racer.wait_with_output().unwrap());
            (by, said)
        });
        let (mut won, mut lost) = (Vec::new(), Vec::new());
        for (by, said) in racers {
            let said = Said::of(&said.await.unwrap());
            match said.code {
                0 => won.push((by, said)),
                3 => lost.push(said),
                code => panic!("round {round}: {by} ends with {code}: {}", said.error),
            }
        }
        let ([(winner, won)], [lost]) = (&won[..], &lost[..]) else {
            panic!("round {round}: {} won", won.len());
        };
        let why = format!("{winner} in round {round}");
        assert!(lost.error.contains(&why), "{why} in {}", lost.error);
        stands = won.json["set"].as_str().unwrap().to_owned();
        winners.push(stands.clone());
        let status = until_runs(&space, &gateway, &stands).await;
        for (set, state) in outcomes(&status) {
            assert!(
                winners.contains(&set),
                "{set} ({state}) is a loser's, round {round}"
            );
        }
        assert_eq!(status["nacos"]["set"], stands.as_str());
    }
    assert_eq!(taken(&gateway).await, 2);
    let rows = space.history(REPO).await.unwrap();
    assert_eq!(rows.len(), scale(50) / 2, "no loser wrote what floats");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_documents_have_the_same_digest_wherever_they_stand() {
    let switches = "version: 1\nrepos: { events: { must: { mode: shadow } } }\n";
    let repo = format!("{GOOD}validate: [ {{ name: must, kind: required, fields: [ a ] }} ]\n");
    let same = || documents(&repo).with("weir.switches.yaml", switches);
    let folder = same();
    let output = command()
        .args(["check", "--output", "json"])
        .arg(folder.path())
        .output()
        .unwrap();
    let checked = Said::of(&output).done()["set"].clone();
    let directory = Gateway::start(same()).await.revision().await;
    assert_eq!(directory.0["set"], checked);
    for how in ["--pin", "--float"] {
        let space = Nacos::shared().space_without_namespace("digest");
        let set = apply(&space, "ann", &same(), &["--init", how]).await;
        assert_eq!(checked, set.as_str(), "{how}");
        let gateway = serve(&space);
        gateway.until_ready().await;
        let revision = gateway.revision().await;
        assert_eq!(revision.0["set"], checked, "{how}");
        assert_eq!(
            revision.digest(),
            directory.digest(),
            "with switches, {how}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_logs_in_stands_in_the_same_variables_as_for_serve() {
    let space = Nacos::guarded().space_without_namespace("login");
    let folder = documents(GOOD);
    let arguments = [
        "apply",
        folder.path().to_str().unwrap(),
        "--init",
        "--reason",
        "x",
    ];
    let password = tempfile::NamedTempFile::new().unwrap();
    let said = |user: Option<&str>| {
        let mut command = operator(&space, "ann", &arguments);
        if let Some(user) = user {
            command.env("WEIR_NACOS_USERNAME", user);
            command.env("WEIR_NACOS_PASSWORD_FILE", password.path());
        }
        let output = tokio::task::spawn_blocking(move || command.output().unwrap());
        async { Said::of(&output.await.unwrap()) }
    };
    let without = said(None).await;
    assert_eq!(without.code, 1);
    assert!(
        without.error.contains("WEIR_NACOS_USERNAME"),
        "{}",
        without.error
    );
    std::fs::write(password.path(), "hunter2").unwrap();
    let wrong = said(Some("nacos")).await;
    assert!(wrong.error.contains("the login failed"), "{}", wrong.error);
    assert!(
        !wrong.error.contains("hunter2"),
        "no password is told: {}",
        wrong.error
    );
    std::fs::write(password.path(), "nacos\n").unwrap();
    said(Some("nacos")).await.done();
}

#[tokio::test(flavor = "multi_thread")]
async fn switches_stay_with_product_staff() {
    const SWITCHES: &str = "weir.switches";
    let space = Nacos::shared().space_without_namespace("switches");
    let ours = "version: 1\nrepos: {}\n";
    let theirs = "version: 2\nrepos: { events: { gone: { mode: off } } }\n";
    let with_ours = |repo: &str| documents(repo).with("weir.switches.yaml", ours);
    apply(&space, "ann", &with_ours(GOOD), &["--init"]).await;
    assert_eq!(
        space.content(SWITCHES).await.unwrap(),
        ours,
        "there were none"
    );
    space.publish(SWITCHES, theirs).await;

    let folder = with_ours(BAD);
    let again = ["apply", folder.path().to_str().unwrap(), "--reason", "x"];
    let done = weir(&space, "bob", &again).await.done();
    assert!(done["notes"][0].as_str().unwrap().contains("--switches"));
    let found = done["diagnostics"].to_string();
    assert!(
        found.contains("`gone` is no validator"),
        "those that stand: {found}"
    );
    let back = ["rollback", "--reason", "x"];
    weir(&space, "eve", &back).await.done();
    assert_eq!(space.content(SWITCHES).await.unwrap(), theirs);

    let both = ["rollback", "--to", "1", "--switches", "--reason", "x"];
    weir(&space, "eve", &both).await.done();
    assert_eq!(space.content(SWITCHES).await.unwrap(), ours);
    space.publish(SWITCHES, theirs).await;
    apply(&space, "ann", &with_ours(GOOD), &["--switches"]).await;
    assert_eq!(space.content(SWITCHES).await.unwrap(), ours);
}
