//! `weir check`: compiles documents without running them, and prints all that is wrong.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use serde::Serialize;

use crate::center::{Contents, Unreadable, directory};
use crate::cli::{Output, print, print_json};
use crate::document::diagnostic::{Diagnostic, Severity};
use crate::document::digest::{Content, DataId};
use crate::document::index::Kind;
use crate::document::set::{self, Compilation, Input};
use crate::document::switches;
use crate::tables;
use crate::telemetry::clock;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// A directory of documents, or one document in it.
    #[arg(value_name = "DIR|FILE")]
    path: PathBuf,
}

#[derive(Debug, Serialize)]
struct Report {
    ok: bool,
    /// The digest of the set, if it compiles.
    set: Option<String>,
    /// How many documents were looked at.
    documents: usize,
    /// How many repos the set has.
    repos: usize,
    diagnostics: Vec<Diagnostic>,
}

pub(super) fn run(arguments: &Arguments, output: Output) -> anyhow::Result<ExitCode> {
    let report = check(&arguments.path)?;
    match output {
        Output::Json => print_json(&report)?,
        Output::Human => print(&told(&report))?,
    }
    Ok(if report.ok {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// A directory that was compiled.
pub(super) struct Checked {
    /// What was read, once: its files may have changed since.
    pub(super) documents: BTreeMap<DataId, Result<Content, String>>,
    pub(super) compilation: Compilation,
}

/// Documents as the compiler takes them.
fn documents(contents: &Contents) -> BTreeMap<DataId, Result<Content, String>> {
    let document = |(name, content): (&String, &Result<String, Unreadable>)| {
        let content = content.as_ref().map(|text| Content::new(text.as_str()));
        (
            DataId::new(name),
            content.map_err(|Unreadable(why)| why.clone()),
        )
    };
    contents.iter().map(document).collect()
}

/// Compiles a directory as it would be compiled at a start.
pub(super) fn compile(folder: &Path) -> anyhow::Result<Checked> {
    let contents = directory::read(folder)?;
    anyhow::ensure!(
        !contents.is_empty(),
        "there are no documents in {}: they are files such as `weir.repo.events.yaml`",
        folder.display()
    );
    let documents = documents(&contents);
    let mut compilation = set::compile(&Input {
        documents: &documents,
        previous: None,
        run_samples: true,
        listed: true,
    });
    check_switches(&documents, &mut compilation);
    check_tables(folder, &mut compilation);
    Ok(Checked {
        documents,
        compilation,
    })
}

fn check(path: &Path) -> anyhow::Result<Report> {
    let (folder, only) = if path.is_file() {
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        let name = path
            .file_stem()
            .and_then(|name| name.to_str())
            .context("a file without a name")?;
        (folder.unwrap_or_else(|| Path::new(".")), Some(name))
    } else {
        (path, None)
    };
    let compilation = compile(folder)?.compilation;
    let of_document = |found: &Diagnostic| only.is_none_or(|only| found.document == only);
    let diagnostics: Vec<_> = compilation
        .diagnostics
        .into_iter()
        .filter(of_document)
        .collect();
    let set = compilation.set.as_ref();
    Ok(Report {
        ok: diagnostics
            .iter()
            .all(|found| found.severity != Severity::Error),
        set: set.map(|set| set.digest.to_string()),
        documents: set.map_or(0, |set| set.entries.len()),
        repos: set.map_or(0, |set| set.repos.len()),
        diagnostics,
    })
}

/// Switches are compiled against the set that they are for.
fn check_switches(
    documents: &BTreeMap<DataId, Result<Content, String>>,
    compilation: &mut Compilation,
) {
    let Some(set) = &compilation.set else { return };
    let Some(name) = &set.switches else { return };
    if let Some(Ok(content)) = documents.get(name) {
        let compiled = switches::compile(name, content, set, clock::timestamp(), None);
        let found = compiled.map_or_else(|problems| problems, |switches| switches.warnings);
        compilation.diagnostics.extend(found);
    }
}

/// Files of tables stand where the gateway runs, which need not be here: only a warning.
fn check_tables(folder: &Path, compilation: &mut Compilation) {
    let Some(set) = &compilation.set else { return };
    let Some(spec) = &set.tables.ip else { return };
    let Err(error) = tables::load(&spec.beside(folder)) else {
        return;
    };
    let document = set.entries.iter().find(|entry| entry.kind == Kind::Tables);
    compilation.diagnostics.push(Diagnostic {
        severity: Severity::Warning,
        document: document.map_or_else(String::new, |entry| entry.data_id.to_string()),
        pointer: "/ip/files".to_owned(),
        line: None,
        message: format!(
            "the IP table cannot be loaded here: {:#}",
            anyhow::Error::from(error)
        ),
        hint: "see that the file is like this where the gateway runs; until it is, the document \
               is held there"
            .to_owned(),
    });
}

fn told(report: &Report) -> String {
    let mut lines: Vec<_> = report.diagnostics.iter().map(ToString::to_string).collect();
    let errors = report
        .diagnostics
        .iter()
        .filter(|found| found.severity == Severity::Error)
        .count();
    let warnings = counted(report.diagnostics.len() - errors, "warning");
    lines.push(match (&report.set, report.ok) {
        (Some(set), true) => format!(
            "{} and {} compile; the set is {set} ({warnings})",
            counted(report.documents, "document"),
            counted(report.repos, "repo")
        ),
        _ => {
            let errors = counted(errors, "error");
            format!("{errors}, {warnings}: nothing of this would go live")
        }
    });
    lines.join("\n")
}

/// As people count: `1 error`, `2 errors`.
fn counted(number: usize, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}
