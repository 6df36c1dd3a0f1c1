//! `weir apply`: compiles a directory here, and releases it in Nacos. Whatever is wrong is found
//! before anything is written.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{anyhow, ensure};
use serde::Serialize;

use crate::center::nacos::{Base, Nacos};
use crate::cli::check::Checked;
use crate::cli::release::{Done, Why, carry_out, put_all, put_floating};
use crate::cli::{Output, check, nacos, print, print_json};
use crate::document::diagnostic::Diagnostic;
use crate::document::digest::{Content, DataId};
use crate::document::index::{IndexForm, ReleaseForm};
use crate::document::set::{Compilation, INDEX, SWITCHES, Set};
use crate::rollout::release::{self, Choice, Plan, Release, Standing, Wanted, Which, read_index};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// A directory of documents.
    #[arg(value_name = "DIR", required_unless_present = "init")]
    documents: Option<PathBuf>,
    #[command(flatten)]
    nacos: nacos::Arguments,
    #[command(flatten)]
    why: Why,
    /// Make the namespace and its first index; without DIR that of an empty set.
    #[arg(long)]
    init: bool,
    /// Entries that float, whatever the index says: all, or those of this name.
    #[arg(long, value_name = "NAME", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    float: Vec<String>,
    /// Entries that are pinned, whatever the index says: all, or those of this name. Without an
    /// index in DIR all are.
    #[arg(long, value_name = "NAME", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    pin: Vec<String>,
    /// Also publish the switches of DIR over those that stand in Nacos.
    #[arg(long)]
    switches: bool,
    /// Release only over this set.
    #[arg(long, value_name = "DIGEST")]
    expect: Option<String>,
    /// Say what would be written, and write nothing.
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, Default, Serialize)]
struct Report {
    /// Whether everything that was asked for was done.
    ok: bool,
    dry_run: bool,
    /// The digest of the set that stood before.
    previous: Option<String>,
    /// Whether it stands already, so that nothing had to be written.
    unchanged: bool,
    #[serde(flatten)]
    done: Done,
    diagnostics: Vec<Diagnostic>,
}

pub(super) fn run(arguments: &Arguments, output: Output) -> anyhow::Result<ExitCode> {
    let nacos = arguments.nacos.connect()?;
    let report = match &arguments.documents {
        Some(folder) => nacos::wait(apply(arguments, folder, &nacos))?,
        None => nacos::wait(init(arguments, &nacos))?,
    };
    match output {
        Output::Json => print_json(&report)?,
        Output::Human => print(&told(&report))?,
    }
    Ok(ExitCode::from(u8::from(!report.ok)))
}

/// What the directory says, compiled.
struct Compiled {
    set: Set,
    wanted: Wanted,
    switches: Option<Content>,
    choice: Choice,
    compilation: Compilation,
}

async fn apply(arguments: &Arguments, folder: &Path, nacos: &Nacos) -> anyhow::Result<Report> {
    let mut checked = check::compile(folder)?;
    let compilation = &mut checked.compilation;
    let failed = compilation.diagnostics.iter().any(Diagnostic::is_error);
    let Some(set) = compilation.set.take().filter(|_| !failed) else {
        return Ok(Report {
            diagnostics: checked.compilation.diagnostics,
            ..Report::default()
        });
    };
    let compiled = compiled(arguments, set, checked)?;
    let digest = compiled.set.digest.to_string();
    let release = match arguments.dry_run {
        true => arguments.why.unsaid(&digest),
        false => arguments.why.form(&digest, None)?,
    };
    if arguments.init && !arguments.dry_run {
        nacos.create_namespace().await?;
    }
    let standing = nacos::standing(nacos, |_| compiled.places()).await?;
    let previous = previous(&standing, nacos, arguments)?;
    let plan = release::plan(&compiled.wanted, &standing, &compiled.choice, &release)?;
    let mut report = Report {
        ok: true,
        dry_run: arguments.dry_run,
        previous,
        ..Report::default()
    };
    match &plan {
        Plan::Release(plan) if arguments.dry_run => report.done = would_write(plan),
        Plan::Release(plan) => report.done = carry_out(nacos, plan).await?,
        Plan::Stands(contents) => {
            report.done.set = digest;
            report.done.version = standing.form().map_or(0, |form| form.version);
            report.done.written = put_all(nacos, contents, arguments.dry_run).await?;
            report.unchanged = report.done.written.is_empty();
        }
    }
    // The release is live: what goes wrong from here on is told with it.
    let switches = compiled.publish_switches(arguments, nacos, &mut report);
    if let Err(error) = switches.await {
        report.ok = !arguments.switches;
        let note = format!("the switches were not published: {error:#}");
        report.done.notes.push(note);
    }
    match compiled.finish(nacos).await {
        Ok(found) => report.diagnostics = found,
        Err(error) => {
            let note = format!("the switches in Nacos were not looked at: {error:#}");
            report.done.notes.push(note);
        }
    }
    Ok(report)
}

/// An empty set in an empty namespace.
async fn init(arguments: &Arguments, nacos: &Nacos) -> anyhow::Result<Report> {
    let made = match arguments.dry_run {
        true => !nacos.has_namespace().await?,
        false => nacos.create_namespace().await?,
    };
    let standing = nacos::standing(nacos, |_| Vec::new()).await?;
    let mut report = Report {
        ok: true,
        dry_run: arguments.dry_run,
        unchanged: standing.index.is_some(),
        ..Report::default()
    };
    if made {
        let verb = if arguments.dry_run { "would be" } else { "was" };
        let note = format!("the namespace {} {verb} made", nacos.namespace());
        report.done.notes.push(note);
    }
    if standing.index.is_none() {
        let index = release::back::nothing();
        let digest = release::digest(&index, |_| None);
        let done = match arguments.dry_run {
            true => {
                let release = arguments.why.unsaid(digest.as_str());
                would_write(&first(index, digest, release))
            }
            false => {
                let release = arguments.why.form(digest.as_str(), None)?;
                carry_out(nacos, &first(index, digest, release)).await?
            }
        };
        report.done = Done {
            notes: report.done.notes,
            ..done
        };
    }
    Ok(report)
}

fn first(
    index: IndexForm,
    digest: crate::document::digest::Digest,
    release: ReleaseForm,
) -> Release {
    Release {
        digest,
        addressed: Vec::new(),
        index: IndexForm {
            release: Some(release),
            ..index
        },
        base: Base::Absent,
        follow: None,
    }
}

fn compiled(arguments: &Arguments, set: Set, checked: Checked) -> anyhow::Result<Compiled> {
    let documents = checked.documents.into_iter();
    let mut contents: std::collections::BTreeMap<_, _> = documents
        .filter_map(|(id, content)| Some((id, content.ok()?)))
        .collect();
    let switches = set
        .switches
        .as_ref()
        .and_then(|id| contents.get(id))
        .cloned();
    let (index, choice) = match contents.remove(INDEX) {
        Some(content) => {
            let index = read_index(&content)
                .map_err(|problems| anyhow!("{INDEX} is wrong: {problems:?}"))?;
            (index, arguments.choice(Which::None))
        }
        None => {
            let entries = set.entries.iter();
            let entries =
                entries.map(|entry| (entry.kind, entry.name.clone(), entry.data_id.clone()));
            (
                release::index_of(entries, switches.is_some()),
                arguments.choice(Which::All),
            )
        }
    };
    Ok(Compiled {
        set,
        wanted: Wanted { index, contents },
        switches,
        choice,
        compilation: checked.compilation,
    })
}

impl Arguments {
    fn choice(&self, pinned: Which) -> Choice {
        let which = |names: &[String], otherwise| match names {
            [] => otherwise,
            names if names.iter().any(String::is_empty) => Which::All,
            names => Which::Named(names.to_vec()),
        };
        let pinned = if self.float.is_empty() {
            pinned
        } else {
            Which::None
        };
        Choice {
            float: which(&self.float, Which::None),
            pin: which(&self.pin, pinned),
        }
    }
}

impl Compiled {
    /// Where its floating entries stand.
    fn places(&self) -> Vec<DataId> {
        release::places(&self.wanted.index, &self.choice)
    }

    /// Switches are product staff's: they are written only where there are none, or if told to.
    async fn publish_switches(
        &self,
        arguments: &Arguments,
        nacos: &Nacos,
        report: &mut Report,
    ) -> anyhow::Result<()> {
        let (Some(id), Some(content)) = (&self.set.switches, &self.switches) else {
            return Ok(());
        };
        let stands = nacos::stood(nacos, id.as_str()).await?;
        let base = match &stands {
            None => Base::Absent,
            Some(stands) if arguments.switches && stands.content != *content => {
                Base::Md5(stands.md5.clone())
            }
            Some(stands) => {
                if stands.content != *content {
                    let note = format!(
                        "{id} stays as it stands in Nacos; --switches publishes that of the directory"
                    );
                    report.done.notes.push(note);
                }
                return Ok(());
            }
        };
        if !arguments.dry_run {
            put_floating(nacos, id.as_str(), &content.text, base).await?;
        }
        report.unchanged = false;
        report.done.written.push(id.to_string());
        Ok(())
    }

    /// What should be looked at: warnings of the documents, and of the switches that stand in Nacos.
    async fn finish(self, nacos: &Nacos) -> anyhow::Result<Vec<Diagnostic>> {
        let switches = self.set.switches.clone();
        let switches = switches.map_or_else(|| SWITCHES.to_owned(), |id| id.to_string());
        let mut compilation = self.compilation;
        compilation.set = Some(self.set);
        let mut found = nacos::switches(nacos, &compilation).await?;
        let own = compilation.diagnostics.into_iter();
        found.extend(own.filter(|each| each.document != switches));
        Ok(found)
    }
}

/// The digest of the set that stands; refuses where it must not be replaced.
fn previous(
    standing: &Standing,
    nacos: &Nacos,
    arguments: &Arguments,
) -> anyhow::Result<Option<String>> {
    let Some(index) = nacos::index(standing).or_else(|error| match &arguments.expect {
        Some(_) => Err(error),
        // A wrong index is what a release may have to put right.
        None => Ok(None),
    })?
    else {
        let hint = "`weir apply --init` prepares an empty namespace";
        let (namespace, group) = (nacos.namespace(), nacos.group());
        ensure!(
            arguments.init || standing.index.is_some(),
            "there is no {INDEX} in namespace {namespace}, group {group}; {hint}"
        );
        return Ok(None);
    };
    let content = |id: &str| standing.documents.get(id).map(|stood| &stood.content);
    let digest = release::digest(&index, content).to_string();
    if let Some(expected) = &arguments.expect
        && !digest.starts_with(expected.as_str())
    {
        let lost = crate::cli::release::Lost {
            winner: index.release,
        };
        return Err(anyhow::Error::new(lost)
            .context(format!("expected the set {expected}, and {digest} stands")));
    }
    Ok(Some(digest))
}

fn would_write(release: &Release) -> Done {
    let mut written: Vec<_> = release
        .addressed
        .iter()
        .map(|(id, _)| id.to_string())
        .collect();
    written.push(INDEX.to_owned());
    if let Some(follow) = &release.follow {
        written.extend(follow.documents.iter().map(|(id, ..)| id.to_string()));
        written.push(INDEX.to_owned());
    }
    Done {
        set: release.digest.to_string(),
        version: release.index.version,
        written,
        notes: Vec::new(),
    }
}

fn told(report: &Report) -> String {
    let mut lines: Vec<_> = report.diagnostics.iter().map(ToString::to_string).collect();
    if !report.ok && report.done.set.is_empty() {
        lines.push("nothing was written: the documents do not compile".to_owned());
        return lines.join("\n");
    }
    lines.extend(report.done.lines(report.dry_run));
    let (set, version) = (&report.done.set, report.done.version);
    lines.push(match (&report.previous, report.unchanged) {
        (_, true) if set.is_empty() => "there is an index already".to_owned(),
        (_, true) => format!("the set {set} stands already; nothing was written"),
        (Some(previous), false) if previous != set => {
            format!("the set is {set}, before {previous}; index version {version}")
        }
        (_, false) => format!("the set is {set}; index version {version}"),
    });
    lines.join("\n")
}
