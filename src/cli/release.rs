//! Carrying a release out: contents first, then the index by compare-and-swap, which is the release;
//! then what floats. Nothing before the swap is read by any instance.

#[cfg(test)]
mod tests;
mod write;

use std::io::{self, IsTerminal as _, Write as _};

use anyhow::{Context as _, ensure};
use jiff::Timestamp;
use serde::Serialize;

use crate::center::nacos::{Base, Nacos};
use crate::cli::Usage;
use crate::cli::nacos::stood;
use crate::document::digest::{Content, DataId};
use crate::document::index::{IndexForm, ReleaseForm};
use crate::document::set::INDEX;
use crate::rollout::release::Release;
use crate::telemetry::clock;

pub(super) use write::put_floating;
use write::{put_addressed, swap, until_seen};

/// Who does it, and why: both are written into the index.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Who and why")]
pub(super) struct Why {
    /// Why; asked for on a terminal.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Who; without it the name of the user who is logged in.
    #[arg(long, value_name = "NAME", env = "WEIR_BY")]
    by: Option<String>,
}

/// Somebody else moved the index first: nothing of ours is read by any instance.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.told())]
pub(super) struct Lost {
    /// What the winner wrote about it, if anything.
    pub(super) winner: Option<ReleaseForm>,
}

/// What was done.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Done {
    /// The digest of the set.
    pub(super) set: String,
    /// The version of the index.
    pub(super) version: u64,
    /// The documents that were written, in this order.
    pub(super) written: Vec<String>,
    /// What did not go as it should, after the release had gone live.
    pub(super) notes: Vec<String>,
}

impl Done {
    /// A line for every document and note.
    pub(super) fn lines(&self, dry_run: bool) -> impl Iterator<Item = String> {
        let verb = if dry_run { "would write" } else { "wrote" };
        let written = self.written.iter().map(move |id| format!("{verb} {id}"));
        written.chain(self.notes.iter().cloned())
    }
}

impl Why {
    /// Who, when and why; asks on a terminal.
    pub(super) fn form(&self, of: &str, undoes: Option<String>) -> anyhow::Result<ReleaseForm> {
        Ok(ReleaseForm {
            by: self.who(),
            at: now().into(),
            reason: self.reason()?,
            of: of.to_owned(),
            undoes,
        })
    }

    /// Of what is only tried: nobody need say why.
    pub(super) fn unsaid(&self, of: &str) -> ReleaseForm {
        ReleaseForm {
            by: self.who(),
            at: now().into(),
            reason: self.reason.clone().unwrap_or_default(),
            of: of.to_owned(),
            undoes: None,
        }
    }

    fn who(&self) -> String {
        let variable = |name: &str| std::env::var(name).ok();
        let names = ["USER", "LOGNAME", "WEIR_NACOS_USERNAME"];
        let known = self
            .by
            .clone()
            .or_else(|| names.into_iter().find_map(variable));
        known
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| "unknown".to_owned())
    }

    fn reason(&self) -> anyhow::Result<String> {
        let given = self.reason.clone().unwrap_or_default();
        if !given.trim().is_empty() {
            return Ok(given.trim().to_owned());
        }
        if !io::stdin().is_terminal() {
            return Err(Usage("say why, with --reason TEXT".to_owned()).into());
        }
        let mut out = anstream::stderr();
        write!(out, "Why? ")
            .and_then(|()| out.flush())
            .context("ask for the reason")?;
        let mut line = String::new();
        io::stdin()
            .read_line(&mut line)
            .context("read the reason")?;
        ensure!(!line.trim().is_empty(), "nothing is done without a reason");
        Ok(line.trim().to_owned())
    }
}

/// To the second: it is for people.
fn now() -> Timestamp {
    let now = clock::timestamp();
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}

impl Lost {
    fn told(&self) -> String {
        let who = match &self.winner {
            Some(winner) => format!(
                "{} released {} at {}: {}",
                winner.by, winner.of, winner.at, winner.reason
            ),
            None => "somebody changed the index, without saying who or why".to_owned(),
        };
        format!(
            "lost the race for the index: {who}; nothing of this release is live, look at theirs and try again"
        )
    }
}

/// Carries a release out.
pub(super) async fn carry_out(nacos: &Nacos, release: &Release) -> anyhow::Result<Done> {
    let mut done = Done {
        set: release.digest.to_string(),
        ..Done::default()
    };
    done.written = put_all(nacos, &release.addressed, false).await?;
    let mut text = release.index.to_yaml();
    swap(nacos, &text, release.base.clone()).await?;
    done.version = release.index.version;
    done.written.push(INDEX.to_owned());
    if let Some(follow) = &release.follow {
        let mut index = follow.index.clone();
        for (id, content, base) in &follow.documents {
            match put_floating(nacos, id.as_str(), &content.text, base.clone()).await {
                Ok(()) => done.written.push(id.to_string()),
                Err(error) => {
                    stay_pinned(&mut index, &release.index, id);
                    let note = format!("{id} stays pinned, until `weir float`: {error:#}");
                    done.notes.push(note);
                }
            }
        }
        let (base, last) = (Base::of(&text), index.to_yaml());
        match swap(nacos, &last, base).await {
            Ok(()) => {
                text = last;
                done.written.push(INDEX.to_owned());
            }
            Err(error) => done.notes.push(format!("entries stay pinned: {error:#}")),
        }
    }
    if let Err(error) = until_seen(nacos, INDEX, &text).await {
        done.notes.push(format!("{error:#}"));
    }
    match stood(nacos, INDEX).await {
        Ok(Some(stands)) if *stands.content.text == *text => {}
        Ok(_) => done
            .notes
            .push("the index has been changed again since".to_owned()),
        Err(error) => done
            .notes
            .push(format!("whether it still stands is not known: {error:#}")),
    }
    Ok(done)
}

/// Writes contents that are not there under dataIds of their own, and waits until instances can see
/// them; says which those were.
pub(super) async fn put_all(
    nacos: &Nacos,
    contents: &[(DataId, Content)],
    dry_run: bool,
) -> anyhow::Result<Vec<String>> {
    let mut written = Vec::new();
    for (id, content) in contents {
        let is_missing = match dry_run {
            true => stood(nacos, id.as_str()).await?.is_none(),
            false => put_addressed(nacos, id, content).await?,
        };
        if is_missing {
            written.push(id.to_string());
        }
    }
    if !dry_run {
        for (id, content) in contents {
            until_seen(nacos, id.as_str(), &content.text).await?;
        }
    }
    Ok(written)
}

/// Leaves the entry of a document as the first index has it.
fn stay_pinned(index: &mut IndexForm, first: &IndexForm, id: &DataId) {
    for (entry, pinned) in index.documents.iter_mut().zip(&first.documents) {
        if entry.data_id == id.as_str() {
            *entry = pinned.clone();
        }
    }
}
