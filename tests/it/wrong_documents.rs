//! Whatever is wrong with a document, the diagnostics name the document and the place in it, and say
//! what to do. All of them are kept as one snapshot that reads like a page of a manual.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Output;

use serde_json::Value;

use crate::harness::documents::Documents;
use crate::harness::gateway::command;

const PRODUCERS: &str = "weir.producers.yaml";
const REPO: &str = "weir.repo.events.yaml";
const CATALOG: &str = "weir.catalog.app.yaml";
const INDEX: &str = "weir.index.yaml";
const SWITCHES: &str = "weir.switches.yaml";
const TABLES: &str = "weir.tables.yaml";

/// A set that compiles; each case replaces or adds one document.
fn good() -> Documents {
    Documents::empty()
        .with(PRODUCERS, "version: 1\nproducers: { main: { file: { folder: files } } }\n")
        .with(CATALOG, "version: 1\nproperties: { price: { type: float } }\nevents: { buy: { properties: { price: {} } } }\n")
        .with(REPO, &repo(""))
}

/// A repo document that compiles, with more lines.
fn repo(more: &str) -> String {
    format!("version: 1\n{more}route: [ {{ otherwise: {{ producer: main, topic: events }} }} ]\n")
}

fn routed(rule: &str) -> String {
    format!("version: 1\nroute: [ {{ otherwise: {rule} }} ]\n")
}

/// Title, document, content.
fn cases() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let mut cases = syntax();
    cases.extend(shape());
    cases.extend(references());
    cases.extend(meaning());
    cases.extend(others());
    cases
        .into_iter()
        .map(|(title, document, text)| (title, document, text.into_bytes()))
        .collect()
}

type Case = (&'static str, &'static str, String);

fn syntax() -> Vec<Case> {
    vec![
        ("YAML that is cut off", REPO, "version: [1,".into()),
        ("YAML with a tab", REPO, "version: 1\n\troute: []\n".into()),
        (
            "YAML with a key twice",
            REPO,
            "version: 1\nversion: 2\n".into(),
        ),
        (
            "YAML with an alias",
            REPO,
            "version: 1\ninput: &a { format: jsonl }\nauth: *a\n".into(),
        ),
        ("YAML with a tag", REPO, "version: !!str 1\n".into()),
        (
            "JSON that is cut off",
            "weir.repo.events.json",
            "{ \"version\": 1,".into(),
        ),
        (
            "JSON with a key twice",
            "weir.repo.other.json",
            "{ \"version\": 1, \"version\": 2 }".into(),
        ),
        ("a blank document", REPO, String::new()),
        ("a document of comments", REPO, "# to be written\n".into()),
        ("a list instead of an object", REPO, "- version: 1\n".into()),
        (
            "a document of 5 MiB",
            REPO,
            format!("# {}\n", "x".repeat(5 * 1024 * 1024)),
        ),
        (
            "a document of no kind",
            "weir.repos.events.yaml",
            "version: 1\n".into(),
        ),
    ]
}

fn shape() -> Vec<Case> {
    vec![
        (
            "an unknown field",
            REPO,
            repo("constraints: { field: a, exists: true }\n"),
        ),
        (
            "an unknown field further down",
            REPO,
            repo("input: { format: jsonl, limits: { evnts: 10 } }\n"),
        ),
        (
            "a version that is no number",
            REPO,
            repo("").replace("version: 1", "version: seven"),
        ),
        (
            "a word that is not in the set",
            REPO,
            repo("input: { format: xml }\n"),
        ),
        (
            "a size without a unit that exists",
            REPO,
            repo("input: { limits: { body: 8 MB } }\n"),
        ),
        (
            "a time without a unit",
            REPO,
            repo(
                "enrich: {}\nvalidate: [ { name: fresh, kind: freshness, field: time, past: 10 } ]\n",
            ),
        ),
        (
            "a target without a topic",
            REPO,
            routed("{ producer: main }"),
        ),
        ("no route", REPO, "version: 1\n".into()),
        (
            "an executer of two kinds",
            REPO,
            repo("executers: [ { rename: { a: b }, remove: c } ]\n"),
        ),
        (
            "an executer of an unknown kind",
            REPO,
            repo("executers: [ { renam: { a: b } } ]\n"),
        ),
        (
            "a validator of an unknown kind",
            REPO,
            repo("validate: [ { name: v, kind: typs, fields: {} } ]\n"),
        ),
        (
            "a secret itself",
            REPO,
            repo("auth: { keys: [ { id: a, secret: hunter2 } ] }\n"),
        ),
        (
            "a condition with nothing to compare",
            REPO,
            repo("constraint: { field: a }\n"),
        ),
        (
            "an operator without a field",
            REPO,
            repo("constraint: { eq: 1 }\n"),
        ),
    ]
}

fn references() -> Vec<Case> {
    vec![
        ("a producer that nobody declares", REPO, routed("{ producer: mian, topic: events }")),
        ("a catalog that is not there", REPO, repo("validate: [ { name: plan, kind: catalog, catalog: ap } ]\n")),
        ("geo without a table", REPO, repo("enrich: { geo: { table: ip, from: client_ip, as: { country: c } } }\n")),
        ("devices without a map", REPO, repo("device: { identifiers: { oaid: oaid }, as: device_id }\n")),
        ("a template over a value that is not declared", REPO, routed("{ producer: main, topic: \"events_{{ project }}\" }")),
        ("an index with a document that is not there", INDEX, "version: 1\ndocuments: [ { kind: repo, name: gone, data_id: weir.repo.gone } ]\n".into()),
        ("an index with a digest that does not fit", INDEX, format!("version: 1\ndocuments: [ {{ kind: repo, name: events, data_id: weir.repo.events, sha256: \"{}\" }} ]\n", "0".repeat(64))),
        ("a path to a repo that is not there", INDEX, "version: 1\ndocuments: [ { kind: producers, name: default, data_id: weir.producers }, { kind: repo, name: events, data_id: weir.repo.events } ]\npaths: { /v1/track: evnts }\n".into()),
        ("switches for a validator that is not there", SWITCHES, "version: 1\nrepos: { events: { pln: { mode: off } } }\n".into()),
        ("a mode that is not in the set", SWITCHES, "version: 1\nrepos: { events: { plan: { mode: sometimes } } }\n".into()),
        ("a table of no files", TABLES, "version: 1\nip: { files: [], columns: [ country ] }\n".into()),
    ]
}

fn meaning() -> Vec<Case> {
    vec![
        (
            "a regular expression that does not compile",
            REPO,
            repo("constraint: { field: a, regex: \"(\" }\n"),
        ),
        (
            "a network that is none",
            REPO,
            repo("constraint: { field: a, cidr: 10.0.0.0/40 }\n"),
        ),
        (
            "a path that is none",
            REPO,
            repo("constraint: { field: a..b, exists: true }\n"),
        ),
        (
            "a topic that Kafka would refuse",
            REPO,
            routed("{ producer: main, topic: \"my topic\" }"),
        ),
        (
            "an ack that needs the spool",
            REPO,
            routed("{ producer: main, topic: events, ack: both }"),
        ),
        (
            "a script that does not compile",
            REPO,
            repo("executers: [ { script: { source: \"if then\" } } ]\n"),
        ),
        (
            "a script that loops",
            REPO,
            repo(
                "executers: [ { script: { source: \"function process(event) while true do end end\" } } ]\nsamples: [ { name: loops, event: { a: 1 }, expect: { outcome: accepted } } ]\n",
            ),
        ),
        (
            "a limit beyond what the producer takes",
            REPO,
            repo("input: { limits: { event: 4 MiB } }\n").replace("main", "small"),
        ),
        (
            "a sample that fails",
            REPO,
            repo(
                "constraint: { field: kind, eq: a }\nsamples: [ { name: kind b passes, event: { kind: b }, expect: { outcome: accepted, topic: events } } ]\n",
            ),
        ),
        (
            "two executers of the same name",
            REPO,
            repo("executers: [ { name: x, remove: a }, { name: x, remove: b } ]\n"),
        ),
        (
            "a JSON Schema that is none",
            REPO,
            repo("validate: [ { name: s, kind: schema, schema: { type: strng } } ]\n"),
        ),
        (
            "a range without numbers",
            REPO,
            repo(
                "validate: [ { name: t, kind: types, fields: { price: { type: float, min: 3, max: 2 } } } ]\n",
            ),
        ),
        (
            "an origin that is none",
            REPO,
            repo("cors: { origins: [ \"example.com/\" ] }\n"),
        ),
        ("a rate of nothing", REPO, repo("rate: { per: repo }\n")),
    ]
}

fn others() -> Vec<Case> {
    vec![
        ("a producer of two kinds", PRODUCERS, "version: 1\nproducers: { main: { file: { folder: files }, kafka: { brokers: [ \"a:1\" ] } } }\n".into()),
        ("a producer of no kind", PRODUCERS, "version: 1\nproducers: { main: {} }\n".into()),
        ("a broker without a port", PRODUCERS, "version: 1\nproducers: { main: { kafka: { brokers: [ kafka-1 ] } } }\n".into()),
        ("a compression that does not exist", PRODUCERS, "version: 1\nproducers: { main: { kafka: { brokers: [ \"a:1\" ], compression: lzma } } }\n".into()),
        ("a mechanism that does not exist", PRODUCERS, "version: 1\nproducers: { main: { kafka: { brokers: [ \"a:1\" ], sasl: { mechanism: SCRAM, user: a, password: \"env:A\" } } } }\n".into()),
        ("an event in two parts of a catalog", INDEX, TWO_PARTS.into()),
        ("a property that nobody defines", CATALOG, "version: 1\nevents: { buy: { use: [ prise ] } }\n".into()),
        ("a type that does not exist", CATALOG, "version: 1\nproperties: { price: { type: double } }\nevents: { buy: { use: [ price ] } }\n".into()),
    ]
}

const TWO_PARTS: &str = "\
version: 1
documents:
  - { kind: producers, name: default, data_id: weir.producers }
  - { kind: repo, name: events, data_id: weir.repo.events }
  - { kind: catalog, name: app, data_id: weir.catalog.app }
  - { kind: catalog, name: app, data_id: weir.catalog.app2 }
";

/// The folder of a case.
fn folder(document: &str, text: &[u8]) -> Documents {
    let documents = good();
    if document == "weir.repo.events.json" {
        documents.remove(REPO);
    }
    if text == TWO_PARTS.as_bytes() {
        documents.put(
            "weir.catalog.app2.yaml",
            "version: 1\nevents: { buy: {} }\n",
        );
    }
    if String::from_utf8_lossy(text).contains("small") {
        let small = "version: 1\nproducers: { small: { kafka: { brokers: [ \"127.0.0.1:1\" ], message_max: 1 MiB } } }\n";
        documents.put(PRODUCERS, small);
    }
    documents.put(document, text);
    documents
}

fn check(folder: &Path, output: &str) -> Output {
    command()
        .arg("check")
        .arg(folder)
        .args(["--output", output])
        .output()
        .unwrap()
}

#[test]
fn a_good_set_passes() {
    let output = check(good().path(), "human");
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
}

#[test]
fn every_wrong_document_is_told_with_its_place_and_what_to_do() {
    let cases = cases();
    assert!(cases.len() >= 30);
    let mut page = String::new();
    for (title, document, text) in cases {
        let documents = folder(document, &text);
        let human = check(documents.path(), "human");
        let said = String::from_utf8(human.stdout).unwrap();
        let said = said.replace(documents.path().to_str().unwrap(), "DIR");
        let code = human.status.code().unwrap();
        write!(
            page,
            "## {title} ({document}, exit code {code})\n{}\n\n",
            said.trim_end()
        )
        .unwrap();

        let json = check(documents.path(), "json");
        let result: Value = serde_json::from_slice(&json.stdout).unwrap();
        let diagnostics = result["diagnostics"].as_array().unwrap();
        assert!(!diagnostics.is_empty(), "{title}: nothing is wrong with it");
        for diagnostic in diagnostics {
            for field in ["document", "message", "hint"] {
                let text = diagnostic[field].as_str().unwrap_or_default();
                assert!(!text.is_empty(), "{title}: no {field} in {diagnostic}");
            }
            assert!(
                diagnostic["pointer"].is_string(),
                "{title}: no pointer in {diagnostic}"
            );
        }
    }
    assert!(!page.contains("hunter2"), "a secret is repeated");
    insta::assert_snapshot!(page);
}

#[test]
fn a_document_that_is_not_utf_8_is_told() {
    let documents = folder(REPO, b"version: 1\ndescription: \"\xff\"\n");
    let output = check(documents.path(), "human");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stdout).unwrap().contains("UTF-8"));
}

#[test]
fn wrong_usage_is_not_a_wrong_document() {
    for arguments in [&["check"][..], &["check", "--colour", "x"], &["chek", "."]] {
        let output = command().args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    }
}
