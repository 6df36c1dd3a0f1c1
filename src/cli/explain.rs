//! `weir explain`: takes events through a repo's pipeline, stage by stage; nothing is delivered.

use std::io::Read as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use serde_json::value::RawValue;

use crate::cli::{Output, check, print, print_json};
use crate::device::{self, Devices};
use crate::document::diagnostic::Severity;
use crate::document::set::Set;
use crate::event::ClientIp;
use crate::gateway::explain::{self, Explained, Explanation, Shown};
use crate::pipeline::switched::Switched;
use crate::pipeline::{Context, Pipeline};
use crate::tables::{self, Tables};
use crate::telemetry::clock;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// A directory of documents.
    #[arg(value_name = "DIR")]
    documents: PathBuf,
    /// The repo that the events are sent to.
    #[arg(long)]
    repo: String,
    /// A file with an event, or a body of several; `-` is standard input.
    #[arg(long, value_name = "FILE", default_value = "-")]
    event: PathBuf,
    /// The client's address.
    #[arg(long, default_value = "127.0.0.1")]
    address: IpAddr,
    /// When it was received, such as `2026-01-31T08:00:00Z`; without it now.
    #[arg(long)]
    received: Option<jiff::Timestamp>,
}

pub(super) fn run(arguments: &Arguments, output: Output) -> anyhow::Result<ExitCode> {
    let explanation = explain(arguments)?;
    match output {
        Output::Json => print_json(&explanation)?,
        Output::Human => print(&told(&explanation))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn explain(arguments: &Arguments) -> anyhow::Result<Explanation> {
    let compilation = check::compile(&arguments.documents)?.compilation;
    let Some(set) = compilation.set else {
        let errors = compilation
            .diagnostics
            .iter()
            .filter(|d| d.severity == Severity::Error);
        bail!("the documents do not compile\n{}", lines(errors));
    };
    let found = set
        .repos
        .iter()
        .find(|(name, _)| name.as_str() == arguments.repo);
    let Some((_, repo)) = found else {
        let names: Vec<_> = set.repos.keys().map(ToString::to_string).collect();
        bail!(
            "no repo `{}` compiles; those that do: {}",
            arguments.repo,
            names.join(", ")
        );
    };
    let pipeline = Pipeline {
        switched: Arc::new(Switched::as_written(&repo.plan)),
        plan: Arc::clone(&repo.plan),
    };
    let tables = tables(&set, &arguments.documents)?;
    let context = Context {
        received: arguments.received.unwrap_or_else(clock::timestamp),
        client: Some(ClientIp::new(arguments.address)),
        key: None,
        tables: &tables,
        geo: None,
        revision: set.digest.as_str(),
        batch: "explain",
        instance: "explain",
    };
    let headers = |target: crate::event::TargetId| {
        let target = pipeline.plan.targets.get(usize::from(target.0));
        let spec = target.and_then(|target| set.producers.get(&target.producer));
        spec.map(crate::sink::Spec::headers).unwrap_or_default()
    };
    let body = body(&arguments.event)?;
    let devices = devices(&set);
    let device = repo.device.as_ref().map(|step| (&devices, step));
    let explained = explain::explain(&pipeline, device, body, &context, headers);
    tokio::runtime::Builder::new_current_thread()
        .build()
        .context("start the runtime")?
        .block_on(explained)
        .context("the body cannot be decoded")
}

/// A body; one event that is spread over lines becomes one line.
fn body(file: &Path) -> anyhow::Result<Vec<u8>> {
    let mut body = Vec::new();
    if file == Path::new("-") {
        std::io::stdin()
            .read_to_end(&mut body)
            .context("read standard input")?;
    } else {
        body = std::fs::read(file).with_context(|| format!("read {}", file.display()))?;
    }
    if serde_json::from_slice::<&RawValue>(&body).is_ok() {
        for byte in &mut body {
            if matches!(byte, b'\n' | b'\r') {
                *byte = b' ';
            }
        }
    }
    Ok(body)
}

/// A map that knows no device yet. Where the secret cannot be had, ids are not those of the gateway.
fn devices(set: &Set) -> Devices {
    let Some(spec) = &set.tables.devices else {
        return Devices::unavailable();
    };
    let without_secret = device::Spec {
        secret: None,
        ..spec.clone()
    };
    let opened = Devices::alone(spec).or_else(|_| Devices::alone(&without_secret));
    opened.unwrap_or_default()
}

/// Paths are looked for beside the documents, as at run time.
fn tables(set: &Set, base: &Path) -> anyhow::Result<Tables> {
    let Some(spec) = &set.tables.ip else {
        return Ok(Tables::default());
    };
    let mut spec = spec.clone();
    for file in &mut spec.files {
        file.path = base.join(&file.path);
    }
    Ok(Tables {
        ip: Some(Arc::new(tables::load(&spec)?)),
    })
}

fn told(explanation: &Explanation) -> String {
    let mut text = format!("repo {}, set {}", explanation.repo, explanation.revision);
    for event in &explanation.events {
        text.push_str(&told_event(event));
    }
    for record in &explanation.rejects {
        text.push_str(&told_record("reject record", record));
    }
    text
}

fn told_event(event: &Explained) -> String {
    let mut text = format!("\nline {}: {}", event.line, event.outcome);
    if let Some(reason) = event.reason {
        text.push_str(&format!(" ({reason})"));
    }
    for step in &event.trace {
        text.push_str(&format!("\n  after {}: ", step.stage));
        match (&step.event, step.left) {
            (_, Some(reason)) => text.push_str(&format!("left, {reason}")),
            (Some(event), None) => text.push_str(event.get()),
            (None, None) => text.push_str("unchanged"),
        }
    }
    for found in &event.violations {
        let validator = found.validator.as_deref().unwrap_or("pipeline");
        let (code, field, message) = (found.code, &found.field, &found.message);
        text.push_str(&format!(
            "\n  {}: {code} by {validator} at {field}: {message}",
            found.effect
        ));
    }
    for record in &event.records {
        text.push_str(&told_record("  record", record));
    }
    text
}

fn told_record(what: &str, record: &Shown) -> String {
    let key = record
        .key
        .as_deref()
        .map(|key| format!(", key {key}"))
        .unwrap_or_default();
    let (producer, topic, priority) = (&record.producer, &record.topic, record.priority);
    format!("\n{what}: producer {producer}, topic {topic}, {priority}{key}")
}

fn lines<'d>(
    diagnostics: impl Iterator<Item = &'d crate::document::diagnostic::Diagnostic>,
) -> String {
    diagnostics
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("\n")
}
