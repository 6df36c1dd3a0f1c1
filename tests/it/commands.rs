//! The commands as scripts use them: exit codes, JSON, settings from file, environment and flags.

use std::process::Output;

use serde_json::Value;

use crate::harness::documents::Documents;
use crate::harness::gateway::{Gateway, command};

fn run(arguments: &[&str]) -> Output {
    command().args(arguments).output().unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("no JSON: {}", String::from_utf8_lossy(&output.stdout)))
}

#[test]
fn the_schemas_of_all_documents_are_printed() {
    let output = run(&["schema", "--output", "json"]);
    assert_eq!(output.status.code(), Some(0));
    let text = json(&output).to_string();
    for kind in [
        "repo",
        "catalog",
        "producers",
        "tables",
        "index",
        "switches",
    ] {
        assert!(text.contains(kind), "no schema of {kind}");
    }
}

#[test]
fn settings_come_from_file_environment_and_flags_in_this_order() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("weir.toml");
    std::fs::write(
        &file,
        "listen = \"127.0.0.1:1001\"\nadmin = \"127.0.0.1:1002\"\nstate = \"from-file\"\n",
    )
    .unwrap();
    let output = command()
        .args([
            "serve",
            "--print-settings",
            "--admin",
            "127.0.0.1:3002",
            "--settings",
        ])
        .arg(&file)
        .env("WEIR_LISTEN", "127.0.0.1:2001")
        .env("WEIR_ADMIN", "127.0.0.1:2002")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    for expected in [
        "listen = \"127.0.0.1:2001\"",
        "admin = \"127.0.0.1:3002\"",
        "state = \"from-file\"",
    ] {
        assert!(text.contains(expected), "no {expected} in {text}");
    }
}

#[test]
fn a_setting_that_does_not_exist_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("weir.toml");
    std::fs::write(&file, "listn = \"127.0.0.1:1\"\n").unwrap();
    let output = command()
        .args(["serve", "--print-settings", "--settings"])
        .arg(&file)
        .output()
        .unwrap();
    assert_ne!(output.status.code(), Some(0));
    assert!(String::from_utf8(output.stderr).unwrap().contains("listn"));
}

#[test]
fn explain_shows_what_becomes_of_an_event() {
    let documents = Documents::empty()
        .with("weir.producers.yaml", "version: 1\nproducers: { files: { file: { folder: files } } }\n")
        .with(
            "weir.repo.events.yaml",
            "version: 1\nexecuters: [ { set: { added: 1 } } ]\nroute: [ { otherwise: { producer: files, topic: events } } ]\n",
        );
    let event = documents.path().join("event.json");
    std::fs::write(&event, "{\"n\":1}").unwrap();
    let output = command()
        .arg("explain")
        .arg(documents.path())
        .args(["--repo", "events", "--output", "json", "--event"])
        .arg(&event)
        .output()
        .unwrap();
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = json(&output).to_string();
    for expected in ["added", "events", "accepted"] {
        assert!(text.contains(expected), "no {expected} in {text}");
    }
}

#[test]
fn check_warns_of_a_table_that_cannot_be_loaded_here() {
    let documents = Documents::example("tracking");
    std::fs::remove_file(documents.path().join("geo-v6.csv")).unwrap();
    let output = run(&[
        "check",
        documents.path().to_str().unwrap(),
        "--output",
        "json",
    ]);
    assert_eq!(
        output.status.code(),
        Some(0),
        "the table may stand elsewhere"
    );
    let report = json(&output);
    let warning = &report["diagnostics"][0];
    assert_eq!(warning["document"], "weir.tables");
    assert_eq!(warning["pointer"], "/ip/files");
    let message = warning["message"].as_str().unwrap();
    assert!(message.contains("geo-v6.csv"), "{message}");
}

#[test]
fn a_deadline_that_cannot_be_read_is_wrong_usage() {
    let output = command()
        .args([
            "history",
            "--nacos",
            "http://127.0.0.1:1",
            "--namespace",
            "none",
        ])
        .env("WEIR_NACOS_DEADLINE", "soon")
        .output()
        .unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.contains("WEIR_NACOS_DEADLINE"), "{error}");
    assert!(error.contains("`30 s`"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_waited_for_and_came_is_a_success_though_nacos_is_away() {
    let documents = Documents::empty()
        .with(
            "weir.producers.yaml",
            "version: 1\nproducers: { files: { file: { folder: files } } }\n",
        )
        .with(
            "weir.repo.events.yaml",
            "version: 1\nroute: [ { otherwise: { producer: files, topic: events } } ]\n",
        );
    let gateway = Gateway::start(documents).await;
    let set = gateway.revision().await.set().to_owned();
    let mut status = command();
    status
        .args(["status", "--output", "json", "--wait", &set])
        .args(["--admin", &gateway.admin_url("")])
        .args(["--nacos", "http://127.0.0.1:1", "--namespace", "none"])
        // Neither Nacos nor instances are asked through one.
        .env("HTTP_PROXY", "http://127.0.0.1:1")
        .env("http_proxy", "http://127.0.0.1:1");
    let output = tokio::task::spawn_blocking(move || status.output().unwrap());
    let output = output.await.unwrap();
    let report = json(&output);
    assert_eq!(output.status.code(), Some(0), "{report:#}");
    assert_eq!(
        (&report["reached"], &report["ok"]),
        (&true.into(), &false.into())
    );
    let error = report["nacos"]["error"].as_str().unwrap();
    assert!(error.contains("no connection"), "{error}");
}
