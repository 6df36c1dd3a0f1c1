//! `weir rollback` and `weir float`: going back in Nacos, so that every instance follows, and letting
//! what was pinned on the way follow its document again.

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::{Context as _, bail, ensure};
use serde::Serialize;

use crate::center::nacos::{Base, Nacos, Operation};
use crate::cli::release::{Done, Why, carry_out, put_floating};
use crate::cli::{Output, history, nacos, print, print_json};
use crate::document::diagnostic::Diagnostic;
use crate::document::digest::{Content, DataId};
use crate::rollout::release::timeline::{Past, Walk};
use crate::rollout::release::{Release, Standing, back, digest};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    nacos: nacos::Arguments,
    #[command(flatten)]
    why: Why,
    /// To which set: its number in `weir history`, or the beginning of its digest. Without it to the
    /// one before.
    #[arg(long, value_name = "NUMBER|DIGEST")]
    to: Option<String>,
    /// Only this entry (`tracking`, or `catalog/app`) goes back, to what it was before.
    #[arg(long, value_name = "NAME", conflicts_with = "to")]
    repo: Option<String>,
    /// The switches go back by one change too; otherwise they never move.
    #[arg(long)]
    switches: bool,
    /// Go back also to what does not compile with this version of weir.
    #[arg(long)]
    force: bool,
    /// Say what would be written, and write nothing.
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct FloatArguments {
    /// The entry (`tracking`, or `catalog/app`).
    name: String,
    #[command(flatten)]
    nacos: nacos::Arguments,
    #[command(flatten)]
    why: Why,
    /// Also if the document does not compile: instances then hold it.
    #[arg(long)]
    force: bool,
}

#[derive(Debug, Serialize)]
struct Report {
    /// Whether everything that was asked for was done.
    ok: bool,
    dry_run: bool,
    /// Nothing was written: what it asks for does not compile.
    #[serde(skip)]
    refused: bool,
    /// The set that stood before.
    previous: Option<String>,
    #[serde(flatten)]
    done: Done,
    /// What is wrong with the set that was asked for.
    diagnostics: Vec<Diagnostic>,
}

/// How many sets of the history are looked through for a digest.
const LOOKED_THROUGH: usize = 200;

pub(super) fn run(arguments: &Arguments, output: Output) -> anyhow::Result<ExitCode> {
    let nacos = arguments.nacos.connect()?;
    finish(&nacos::wait(roll_back(arguments, &nacos))?, output)
}

pub(super) fn float(arguments: &FloatArguments, output: Output) -> anyhow::Result<ExitCode> {
    let nacos = arguments.nacos.connect()?;
    finish(&nacos::wait(let_float(arguments, &nacos))?, output)
}

fn finish(report: &Report, output: Output) -> anyhow::Result<ExitCode> {
    match output {
        Output::Json => print_json(report)?,
        Output::Human => print(&told(report))?,
    }
    Ok(ExitCode::from(u8::from(!report.ok)))
}

async fn roll_back(arguments: &Arguments, nacos: &Nacos) -> anyhow::Result<Report> {
    let past = nacos::past(nacos, |walk| arguments.has_enough(walk)).await?;
    let target = arguments.target(&past)?;
    let now = past.first().and_then(|now| now.digest.as_ref());
    let previous = now.map(ToString::to_string);
    let release = match arguments.dry_run {
        true => arguments.why.unsaid(""),
        false => arguments.why.form("", previous.clone())?,
    };
    let floating = |_: &Standing| {
        let wanted = target.floating.keys().cloned();
        wanted.collect()
    };
    let standing = nacos::standing(nacos, floating).await?;
    let stands = standing.form().map(|form| {
        let content = |id: &str| standing.documents.get(id).map(|stood| &stood.content);
        digest(&form, content).to_string()
    });
    ensure!(
        stands == previous,
        "somebody changed the documents while their history was read; look at `weir history` and try again"
    );
    let mut plan = match &arguments.repo {
        Some(name) => back::of_entry(name, target, &standing, &release)?,
        None => back::to(target, &standing, &release)?,
    };
    if arguments.repo.is_none()
        && let (Some(digest), Some(release)) = (&target.digest, &mut plan.index.release)
    {
        // Of pinned contents the standing documents say nothing.
        release.of = digest.to_string();
        plan.digest = digest.clone();
    }
    let report = release_checked(
        nacos,
        &plan,
        &standing,
        arguments.force,
        arguments.dry_run,
        previous,
    );
    let mut report = report.await?;
    if arguments.switches && report.ok && !arguments.dry_run {
        // The documents are back: what goes wrong from here on is told with that.
        if let Err(error) = switches_back(nacos, &standing, &mut report.done).await {
            report.ok = false;
            let note = format!("the switches did not go back: {error:#}");
            report.done.notes.push(note);
        }
    }
    Ok(report)
}

async fn let_float(arguments: &FloatArguments, nacos: &Nacos) -> anyhow::Result<Report> {
    let places = |standing: &Standing| {
        let form = standing.form();
        let places = form.and_then(|form| back::places(&arguments.name, &form).ok());
        places.unwrap_or_default()
    };
    let standing = nacos::standing(nacos, places).await?;
    nacos::index(&standing)?.context("there is no index; `weir apply --init` prepares one")?;
    let release = arguments.why.form("", None)?;
    let plan = back::floating(&arguments.name, &standing, &release)?;
    release_checked(nacos, &plan, &standing, arguments.force, false, None).await
}

/// Compiles what a release makes, and carries it out if it compiles.
async fn release_checked(
    nacos: &Nacos,
    plan: &Release,
    standing: &Standing,
    force: bool,
    dry_run: bool,
    previous: Option<String>,
) -> anyhow::Result<Report> {
    let mut at_hand: BTreeMap<DataId, Content> = plan.addressed.iter().cloned().collect();
    for (id, stood) in &standing.documents {
        at_hand
            .entry(id.clone())
            .or_insert_with(|| stood.content.clone());
    }
    let compilation = nacos::compile(nacos, &plan.index, &at_hand).await?;
    let diagnostics = compilation.diagnostics;
    let refused = diagnostics.iter().any(Diagnostic::is_error) && !force;
    let done = if refused || dry_run {
        let contents = plan.addressed.iter().map(|(id, _)| id.to_string());
        Done {
            set: plan.digest.to_string(),
            version: plan.index.version,
            written: contents
                .chain([crate::document::set::INDEX.to_owned()])
                .collect(),
            notes: Vec::new(),
        }
    } else {
        carry_out(nacos, plan).await?
    };
    Ok(Report {
        ok: !refused,
        dry_run,
        refused,
        previous,
        done,
        diagnostics,
    })
}

/// Undoes the newest change of the switches.
async fn switches_back(nacos: &Nacos, standing: &Standing, done: &mut Done) -> anyhow::Result<()> {
    let form = standing.form();
    let id = form
        .and_then(|form| form.switches)
        .context("the index names no switches")?;
    let rows = nacos.history(&id).await?;
    let Some(newest) = rows
        .first()
        .filter(|row| row.operation != Operation::Insert)
    else {
        bail!("no earlier ones are in the history");
    };
    let before = nacos.history_content(&id, &newest.id).await?;
    let before = before.context("the earlier switches are gone from the history")?;
    let stood = nacos::stood(nacos, &id).await?;
    let base = stood.map_or(Base::Absent, |stood| Base::Md5(stood.md5));
    put_floating(nacos, &id, &before, base).await?;
    done.written.push(id);
    Ok(())
}

impl Arguments {
    /// Whether the walk has found the set that is meant.
    fn has_enough(&self, walk: &Walk) -> bool {
        let found = walk.found();
        match (&self.to, number(self.to.as_deref())) {
            (Some(_), Some(number)) => found > number,
            (Some(digest), None) => {
                walk.sets().any(|set| is(set, digest)) || found >= LOOKED_THROUGH
            }
            (None, _) if self.repo.is_some() => {
                self.before(walk.sets()).is_some() || found >= LOOKED_THROUGH
            }
            (None, _) => found > 1,
        }
    }

    fn target<'p>(&self, past: &'p [Past]) -> anyhow::Result<&'p Past> {
        let found = match (&self.to, number(self.to.as_deref())) {
            (Some(_), Some(number)) => past.get(number),
            (Some(digest), None) => past.iter().find(|set| is(set, digest)),
            (None, _) if self.repo.is_some() => self.before(past.iter()),
            (None, _) => {
                refuse_forth(past)?;
                past.get(1)
            }
        };
        let found = found.filter(|set| set.index.is_some());
        found.with_context(|| {
            let wanted = self.to.as_deref().unwrap_or("one before this");
            format!(
                "no set `{wanted}` is in Nacos' history; it has\n{}",
                history::list(past)
            )
        })
    }

    /// The newest set in which the entry held something else.
    fn before<'p>(&self, mut past: impl Iterator<Item = &'p Past>) -> Option<&'p Past> {
        let name = self.repo.as_deref()?;
        let now = past.next()?.holds(name);
        past.find(|set| {
            let held = set.holds(name);
            !held.is_empty() && held != now
        })
    }
}

/// Taking a rollback back is seldom what is meant.
fn refuse_forth(past: &[Past]) -> anyhow::Result<()> {
    let undoes = past
        .first()
        .and_then(|now| now.origin.as_ref()?.undoes.clone());
    let Some(undoes) = undoes else { return Ok(()) };
    bail!(
        "what stands is a rollback already, and the set before it is the one that it took back \
         ({undoes}); say which one is meant, with --to\n{}",
        history::list(past)
    )
}

fn is(set: &Past, digest: &str) -> bool {
    digest.len() >= 4
        && set
            .digest
            .as_ref()
            .is_some_and(|own| own.as_str().starts_with(digest))
}

/// A number of `weir history`; digests have more characters.
fn number(to: Option<&str>) -> Option<usize> {
    to.filter(|text| text.len() < 4)
        .and_then(|text| text.parse().ok())
}

fn told(report: &Report) -> String {
    let mut lines: Vec<_> = report.diagnostics.iter().map(ToString::to_string).collect();
    if report.refused {
        lines.push(
            "nothing was written: that set does not compile; --force goes there all the same"
                .to_owned(),
        );
        return lines.join("\n");
    }
    lines.extend(report.done.lines(report.dry_run));
    let (set, version) = (&report.done.set, report.done.version);
    let before = report
        .previous
        .as_ref()
        .map(|previous| format!(", before {previous}"));
    let before = before.unwrap_or_default();
    lines.push(format!("the set is {set}{before}; index version {version}"));
    lines.join("\n")
}
