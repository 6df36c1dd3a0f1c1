//! The commands as scripts use them: exit codes, JSON, settings from file, environment and flags.

use std::process::Output;

use serde_json::Value;

use crate::harness::documents::Documents;
use crate::harness::gateway::command;

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
