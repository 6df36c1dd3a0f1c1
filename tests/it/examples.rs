//! Every folder of `config-examples/` compiles, its samples pass, and it teaches.

use std::fs;

use serde_json::Value;

use crate::harness::documents::examples;
use crate::harness::gateway::command;

fn folders() -> Vec<String> {
    let folders = fs::read_dir(examples())
        .unwrap()
        .map(|entry| entry.unwrap());
    let folders = folders.filter(|entry| entry.file_type().unwrap().is_dir());
    let mut names: Vec<_> = folders
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn every_example_passes_the_check() {
    let names = folders();
    for expected in ["chopper", "quickstart", "tracking"] {
        assert!(
            names.iter().any(|name| name == expected),
            "config-examples/{expected} is missing"
        );
    }
    for name in names {
        let output = command()
            .arg("check")
            .arg(examples().join(&name))
            .args(["--output", "json"])
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(0), "{name}: {text}");
        let result: Value = serde_json::from_str(&text).unwrap();
        let diagnostics = result["diagnostics"].as_array().unwrap();
        let errors = diagnostics.iter().filter(|one| one["severity"] == "error");
        assert_eq!(errors.count(), 0, "{name}: {text}");
    }
}

#[test]
fn every_document_of_the_examples_explains_itself() {
    for name in folders() {
        for entry in fs::read_dir(examples().join(&name)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|ending| ending == "yaml") {
                let text = fs::read_to_string(&path).unwrap();
                let comments = text
                    .lines()
                    .filter(|line| line.trim_start().starts_with('#'))
                    .count();
                assert!(comments >= 1, "{} has no comment", path.display());
            }
        }
    }
}
