//! `tests/services/kubernetes/kubernetes.sh`: helm, and the decoder of what it renders.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

const SCRIPT: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/services/kubernetes/kubernetes.sh"
);
/// The oldest and the newest Kubernetes, and those between where what is rendered changes.
pub(super) const KUBERNETES: [&str; 5] = ["1.28", "1.29", "1.30", "1.34", "1.37"];
pub(super) const NEWEST: &str = "1.37";

/// A rendering: values (none is the default) and more arguments for helm.
#[derive(Clone, Debug, Default)]
pub(super) struct Chart {
    pub(super) values: Option<PathBuf>,
    pub(super) arguments: Vec<String>,
}

pub(super) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("helm/weir")
}

/// The default, and every set of values in `helm/weir/ci`.
pub(super) fn charts() -> Vec<Chart> {
    let files = fs::read_dir(folder().join("ci")).unwrap();
    let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 4, "{files:?}");
    let with = |file| Chart {
        values: Some(file),
        arguments: Vec::new(),
    };
    let mut charts = vec![Chart::default()];
    charts.extend(files.into_iter().map(with));
    charts
}

/// The set of values `helm/weir/ci/NAME-values.yaml`.
pub(super) fn chart(name: &str) -> Chart {
    Chart {
        values: Some(folder().join(format!("ci/{name}-values.yaml"))),
        arguments: Vec::new(),
    }
}

impl Chart {
    pub(super) fn name(&self) -> String {
        let file = self.values.as_ref().and_then(|file| file.file_stem());
        file.map_or_else(
            || "default".to_owned(),
            |name| name.to_string_lossy().into(),
        )
    }

    pub(super) fn set(mut self, value: &str) -> Self {
        self.arguments
            .extend(["--set-json".to_owned(), value.to_owned()]);
        self
    }

    /// Runs `helm VERB` over the chart.
    pub(super) fn helm(&self, verb: &[&str], kubernetes: &str) -> Output {
        let mut command = Command::new(SCRIPT);
        command.arg("helm").args(verb).arg(folder());
        command.args(["--namespace", "events", "--kube-version", kubernetes]);
        if let Some(file) = &self.values {
            command.arg("--values").arg(file);
        }
        command.args(&self.arguments).output().unwrap()
    }

    /// What it renders, as text.
    pub(super) fn text(&self, kubernetes: &str) -> String {
        let output = self.helm(&["template", "weir"], kubernetes);
        let name = self.name();
        assert!(output.status.success(), "{name}: {}", errors(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// What it renders, decoded strictly.
    pub(super) fn objects(&self, kubernetes: &str) -> Vec<Value> {
        let text = self.text(kubernetes);
        let objects = decode(&text);
        let objects = objects.unwrap_or_else(|e| panic!("{} {kubernetes}: {e}", self.name()));
        serde_json::from_str(&objects).unwrap()
    }

    /// The rendered object of a kind and name.
    pub(super) fn object(&self, kind: &str, name: &str) -> Value {
        let of = |object: &Value| object["kind"] == kind && object["metadata"]["name"] == name;
        let found = self.objects(NEWEST).into_iter().find(of);
        found.unwrap_or_else(|| panic!("{}: no {kind} {name}", self.name()))
    }

    /// The pod's only container.
    pub(super) fn container(&self, kubernetes: &str) -> Value {
        let objects = self.objects(kubernetes);
        let set = objects
            .iter()
            .find(|object| object["kind"] == "StatefulSet");
        set.unwrap()["spec"]["template"]["spec"]["containers"][0].clone()
    }
}

pub(super) fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Decodes objects as an API server does; the error names all that is wrong.
pub(super) fn decode(text: &str) -> Result<String, String> {
    pipe("decode", text)
}

/// One YAML document as JSON.
pub(super) fn json(text: &str) -> Value {
    serde_json::from_str(&pipe("json", text).unwrap()).unwrap()
}

fn pipe(verb: &str, text: &str) -> Result<String, String> {
    let mut child = Command::new(SCRIPT)
        .arg(verb)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(text.as_bytes()).unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    if output.status.success() {
        Ok(String::from_utf8(output.stdout).unwrap())
    } else {
        Err(errors(&output))
    }
}
