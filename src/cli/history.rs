//! `weir history`: which sets stood in Nacos, the newest first: when, by whom, why, and what changed.

use std::process::ExitCode;

use serde::Serialize;

use crate::cli::{Output, nacos, print, print_json};
use crate::rollout::release::timeline::Past;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    nacos: nacos::Arguments,
    /// How many sets, at most.
    #[arg(long, value_name = "NUMBER", default_value_t = 10)]
    limit: usize,
}

#[derive(Debug, Serialize)]
struct Report {
    sets: Vec<Row>,
}

/// A set, by the number that `weir rollback --to` takes.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    /// 0 is what stands now.
    number: usize,
    /// The digest of the set; none where no index stood.
    set: Option<String>,
    /// Since when it stood; unknown for what was there before the history that is left.
    at: Option<String>,
    /// Who made it.
    by: Option<String>,
    /// Why.
    reason: Option<String>,
    /// Of a rollback: the set that it took back.
    #[serde(skip_serializing_if = "Option::is_none")]
    undoes: Option<String>,
    /// The document that was changed.
    document: Option<String>,
    /// The entries that changed.
    changed: Vec<String>,
}

pub(super) fn run(arguments: &Arguments, output: Output) -> anyhow::Result<ExitCode> {
    let nacos = arguments.nacos.connect()?;
    let limit = arguments.limit.max(1);
    let past = nacos::wait(nacos::past(&nacos, |walk| walk.found() >= limit))?;
    let sets = past.iter().enumerate().take(limit).map(row);
    let report = Report {
        sets: sets.collect(),
    };
    match output {
        Output::Json => print_json(&report)?,
        Output::Human => print(&told(&report.sets))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn row((number, past): (usize, &Past)) -> Row {
    let origin = past.origin.clone();
    let of = |found: fn(&crate::rollout::release::timeline::Origin) -> Option<String>| {
        origin.as_ref().and_then(found)
    };
    Row {
        number,
        set: past.digest.as_ref().map(ToString::to_string),
        at: of(|origin| Some(origin.at.to_string())),
        by: of(|origin| origin.by.clone()),
        reason: of(|origin| origin.reason.clone()),
        undoes: of(|origin| origin.undoes.clone()),
        document: of(|origin| Some(origin.document.to_string())),
        changed: origin.map(|origin| origin.changed).unwrap_or_default(),
    }
}

/// The list, for people.
pub(super) fn list(past: &[Past]) -> String {
    told(&past.iter().enumerate().map(row).collect::<Vec<_>>())
}

fn told(rows: &[Row]) -> String {
    let lines = rows.iter().map(|row| {
        let set = row.set.as_deref().unwrap_or("no index");
        let now = if row.number == 0 { " (now)" } else { "" };
        let mut line = format!("{:>3}  {set}{now}", row.number);
        match &row.at {
            Some(at) => line.push_str(&format!("  {at}")),
            None => line.push_str("  before the history that is left"),
        }
        if let Some(by) = &row.by {
            line.push_str(&format!("  {by}"));
        }
        if let Some(reason) = &row.reason {
            line.push_str(&format!(": {reason}"));
        }
        if let Some(undoes) = &row.undoes {
            line.push_str(&format!(" (took back {undoes})"));
        }
        if !row.changed.is_empty() {
            line.push_str(&format!("\n     {}", row.changed.join(", ")));
        }
        line
    });
    lines.collect::<Vec<_>>().join("\n")
}
