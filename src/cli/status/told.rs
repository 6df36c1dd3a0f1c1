//! A status for people.

use serde_json::Value;

use crate::cli::status::nacos::InNacos;
use crate::cli::status::{Instance, Report};

/// How many outcomes of an instance are told.
const OUTCOMES: usize = 5;

pub(super) fn report(report: &Report) -> String {
    let mut lines = Vec::new();
    if let Some(nacos) = &report.nacos {
        in_nacos(nacos, &mut lines);
    }
    for each in &report.instances {
        instance(each, &mut lines);
    }
    if let Some(reached) = report.reached {
        let word = if reached {
            "every instance runs it"
        } else {
            "not every instance runs it yet"
        };
        lines.push(word.to_owned());
    } else if report.nacos.is_some() && !report.instances.is_empty() {
        lines.push(match report.agree {
            true => "every instance runs what stands in Nacos".to_owned(),
            false => "not every instance runs what stands in Nacos".to_owned(),
        });
    }
    lines.join("\n")
}

fn in_nacos(nacos: &InNacos, lines: &mut Vec<String>) {
    let (server, namespace, group) = (&nacos.server, &nacos.namespace, &nacos.group);
    lines.push(format!(
        "Nacos {server}, namespace {namespace}, group {group}"
    ));
    if let Some(error) = &nacos.error {
        lines.push(format!("  {error}"));
        return;
    }
    let set = nacos.set.as_deref().unwrap_or_default();
    lines.push(format!(
        "  set {set}, index version {}",
        nacos.version.unwrap_or_default()
    ));
    if let Some(release) = &nacos.release {
        let undoes = release
            .undoes
            .as_ref()
            .map(|set| format!(" (took back {set})"));
        let (by, at, reason) = (&release.by, &release.at, &release.reason);
        lines.push(format!(
            "  released by {by} at {at}: {reason}{}",
            undoes.unwrap_or_default()
        ));
    }
    for document in &nacos.documents {
        let (kind, name, state) = (document.kind, &document.name, document.state);
        let missing = if document.sha256.is_none() {
            ", MISSING"
        } else {
            ""
        };
        lines.push(format!(
            "  {kind} {name}: {state}, {}{missing}",
            document.data_id
        ));
    }
    lines.extend(nacos.diagnostics.iter().map(|each| format!("  {each}")));
}

fn instance(instance: &Instance, lines: &mut Vec<String>) {
    if let Some(error) = &instance.error {
        lines.push(format!("instance {}: {error}", instance.url));
        return;
    }
    let text = |name| instance.text(name).unwrap_or("none");
    lines.push(format!(
        "instance {} ({}): {}, revision {}, set {}, since {}",
        text("instance"),
        instance.url,
        text("state"),
        text("digest"),
        text("set"),
        text("since"),
    ));
    let report = &instance.report;
    if let Some(pinned) = report.get("pinned").filter(|pinned| pinned.is_object()) {
        let of = |name: &str| pinned[name].as_str().unwrap_or_default();
        lines.push(format!(
            "  pinned to {} since {}: {}",
            of("set"),
            of("since"),
            of("reason")
        ));
    }
    if let Some(stale) = report.get("stale").filter(|stale| stale.is_object()) {
        let of = |name: &str| stale[name].as_str().unwrap_or_default();
        lines.push(format!("  stale since {}: {}", of("since"), of("why")));
    }
    for held in list(report, "held") {
        lines.push(format!(
            "  held: {}",
            held["document"].as_str().unwrap_or_default()
        ));
        lines.extend(
            list(held, "diagnostics")
                .iter()
                .map(|each| format!("    {}", diagnostic(each))),
        );
    }
    for outcome in list(report, "outcomes").iter().take(OUTCOMES) {
        let of = |name: &str| outcome[name].as_str().unwrap_or_default();
        lines.push(format!(
            "  {} {}: revision {}, set {}",
            of("at"),
            of("state"),
            of("digest"),
            of("set")
        ));
    }
}

fn diagnostic(of: &Value) -> String {
    let text = |name: &str| of[name].as_str().unwrap_or_default();
    let line = of["line"]
        .as_u64()
        .map(|line| format!(":{line}"))
        .unwrap_or_default();
    let (severity, document, pointer) = (text("severity"), text("document"), text("pointer"));
    let pointer = if pointer.is_empty() { "/" } else { pointer };
    format!(
        "{severity}: {document}{line} {pointer}: {} ({})",
        text("message"),
        text("hint")
    )
}

fn list<'v>(of: &'v Value, name: &str) -> &'v [Value] {
    of.get(name)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}
