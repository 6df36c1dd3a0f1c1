//! Writes whose outcome is known, and is seen: instances read Nacos in a way that lags behind what
//! was written, by up to a tenth of a second.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use tokio::time::{sleep, timeout};

use crate::center::nacos::{Base, Error, Kind, Nacos};
use crate::cli::nacos::stood;
use crate::cli::release::Lost;
use crate::document::digest::{Content, DataId};
use crate::document::set::INDEX;
use crate::rollout::release::read_index;

/// How long what was written may take to be seen where instances read: a busy Nacos is no reason to
/// give a release up half-way.
const SEEN_WITHIN: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How often a write is tried again that Nacos failed to do.
const TRIES: usize = 3;

/// Moves the index. Who loses learns who won.
pub(super) async fn swap(nacos: &Nacos, text: &str, base: Base) -> anyhow::Result<()> {
    match publish(nacos, INDEX, text, base).await {
        Ok(()) => Ok(()),
        Err(error) if error.is_conflict() => {
            let stands = stood(nacos, INDEX).await;
            let stands = stands
                .context("somebody moved the index, and nobody knows who: see `weir status`")?;
            let form = stands.and_then(|stood| read_index(&stood.content).ok());
            let winner = form.and_then(|form| form.release);
            Err(Lost { winner }.into())
        }
        Err(error) if is_unknown(&error) => Err(anyhow::Error::new(error).context(
            "nobody knows whether the index was moved; it may be live: see `weir status`",
        )),
        Err(error) => Err(error.into()),
    }
}

/// Whether the write may have been done, or may still be.
const fn is_unknown(error: &Error) -> bool {
    matches!(
        error.kind,
        Kind::Unreachable(_) | Kind::Silent(_) | Kind::Failed { status: 500.., .. }
    )
}

/// Writes a content under a dataId that is its own; true if it was not there.
pub(super) async fn put_addressed(
    nacos: &Nacos,
    id: &DataId,
    content: &Content,
) -> anyhow::Result<bool> {
    for _ in 0..2 {
        if let Some(stood) = stood(nacos, id.as_str()).await? {
            ensure!(
                stood.content == *content,
                "{id} holds another content than its name says; delete it in Nacos' console"
            );
            return Ok(false);
        }
        match publish(nacos, id.as_str(), &content.text, Base::Absent).await {
            Ok(()) => return Ok(true),
            // Somebody released the same content at this moment.
            Err(error) if error.is_conflict() => {}
            Err(error) => return Err(error.into()),
        }
    }
    bail!("{id} is written and deleted by somebody else at the same time")
}

/// Writes what instances follow, and waits until they can see it.
pub(in crate::cli) async fn put_floating(
    nacos: &Nacos,
    id: &str,
    text: &str,
    base: Base,
) -> anyhow::Result<()> {
    publish(nacos, id, text, base).await?;
    until_seen(nacos, id, text).await
}

/// Waits until instances can see what was written, or somebody else has written over it.
pub(super) async fn until_seen(nacos: &Nacos, id: &str, text: &str) -> anyhow::Result<()> {
    let seen = async {
        while nacos.read(id).await?.as_deref() != Some(text) {
            let stands = nacos.read_latest(id).await?;
            if stands.is_none_or(|stands| stands.content != text) {
                break;
            }
            sleep(LOOK_EVERY).await;
        }
        anyhow::Ok(())
    };
    let within = timeout(SEEN_WITHIN, seen).await;
    within.with_context(|| format!("{id} was written, and is not seen where instances read"))?
}

/// A compare-and-swap whose outcome is known: when Nacos fails, or is silent, what stands there tells.
/// Its own database fails where several insert at the same moment.
async fn publish(nacos: &Nacos, id: &str, text: &str, base: Base) -> Result<(), Error> {
    let mut tries = 0;
    loop {
        let error = match nacos.publish(id, text, base.clone()).await {
            Err(error) if error.is_outage() && tries < TRIES => error,
            // One that was given up on may have been done since, and have won over this one.
            Err(error) if error.is_conflict() && tries > 0 => error,
            published => return published,
        };
        sleep(LOOK_EVERY).await;
        let lost = error.is_conflict();
        let stands = nacos.read_latest(id).await.map_err(|_| error.clone())?;
        if stands.is_some_and(|stands| stands.content == text) {
            return Ok(());
        }
        if lost {
            return Err(error);
        }
        tries += 1;
    }
}
