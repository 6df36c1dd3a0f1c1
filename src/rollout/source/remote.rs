//! Nacos as the source: the index says which documents are read. Floating ones are read each time,
//! because only their content tells whether they changed; pinned ones once, by their digest.
//!
//! What cannot be read because Nacos or the way there fails is not missing: what was read last
//! stands for it. An index that names a document which could never be read waits, so that nothing
//! half known is released.

mod plan;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::center::nacos::{Error, Kind, Listener, Nacos};
use crate::center::{Contents, Unreadable};
use crate::document::set::INDEX;
use crate::rollout::source::remote::plan::Plan;
use crate::rollout::source::{Known, Read, Shown, Version};
use crate::tasks::Tasks;

/// How many documents are read at once.
const AT_ONCE: usize = 16;
/// How many rows of a document's history are looked at.
const ROWS: usize = 50;

/// The documents of a namespace.
#[derive(Debug)]
pub(in crate::rollout) struct Remote {
    nacos: Nacos,
    listener: Listener,
}

/// What came of asking for each document; nothing if it is missing.
type Found = BTreeMap<String, Result<Option<String>, Error>>;

impl Remote {
    pub(super) fn new(nacos: Nacos, state: &Path, tasks: &Tasks) -> Self {
        let listener = Listener::spawn(&nacos, &state.join("nacos"), tasks);
        Self { nacos, listener }
    }

    pub(super) async fn nudged(&self) {
        self.listener.nudged().await;
    }

    pub(super) fn shown(&self) -> Shown {
        Shown::Nacos {
            server: self.nacos.server(),
            namespace: self.nacos.namespace().to_owned(),
            group: self.nacos.group().to_owned(),
        }
    }

    pub(super) async fn read(&self, known: &Known) -> Result<Read, String> {
        let index = settle(self.nacos.read(INDEX).await).map_err(|error| error.to_string())?;
        let plan = Plan::of(index, known);
        self.listener.listen(plan.listen.clone());
        let found = self.fetch(&plan).await;
        merge(plan, found, known)
    }

    /// Reads documents, some at once. When Nacos is away, the rest is not asked for.
    async fn fetch(&self, plan: &Plan) -> Found {
        let places = Arc::new(Semaphore::new(AT_ONCE));
        let mut reads = JoinSet::new();
        for data_id in &plan.fetch {
            let (nacos, data_id, places) =
                (self.nacos.clone(), data_id.clone(), Arc::clone(&places));
            reads.spawn(async move {
                let _place = places.acquire_owned().await;
                let read = nacos.read(&data_id).await;
                (data_id, read)
            });
        }
        let mut found = Found::new();
        while let Some(read) = reads.join_next().await {
            let Ok((data_id, read)) = read else { continue };
            let outage = read
                .as_ref()
                .err()
                .filter(|error| error.is_outage())
                .cloned();
            found.insert(data_id, read);
            if let Some(error) = outage {
                for data_id in &plan.fetch {
                    found
                        .entry(data_id.clone())
                        .or_insert_with(|| Err(error.clone()));
                }
                break;
            }
        }
        found
    }

    pub(super) async fn versions(&self, data_id: &str) -> Result<Vec<Version>, Error> {
        let rows = self.nacos.history(data_id).await?.into_iter();
        Ok(rows.take(ROWS).map(|row| Version(row.id)).collect())
    }

    /// The row of an insert holds the new content, every other one the content before: one after
    /// the other they are the versions, the newest first.
    pub(super) async fn version(
        &self,
        data_id: &str,
        Version(row): &Version,
    ) -> Result<Option<String>, Error> {
        let read = self.nacos.history_content(data_id, row).await;
        Ok(settle(read)?.and_then(Result::ok))
    }
}

/// Parts what is wrong with a document, which is told of it, from what is wrong with Nacos or the
/// way there, which says nothing of the document.
fn settle(
    read: Result<Option<String>, Error>,
) -> Result<Option<Result<String, Unreadable>>, Error> {
    match read {
        Ok(found) => Ok(found.map(Ok)),
        Err(error) => match error.kind() {
            Kind::Blank | Kind::TooLarge(_) => Ok(Some(Err(Unreadable(error.kind().to_string())))),
            _ => Err(error),
        },
    }
}

/// What stands in Nacos, as far as that is known.
fn merge(plan: Plan, found: Found, known: &Known) -> Result<Read, String> {
    let mut contents = plan.known;
    let mut failed: Vec<Error> = Vec::new();
    let mut blind = Contents::new();
    for (data_id, read) in found {
        match settle(read) {
            Ok(Some(content)) => {
                contents.insert(data_id, content);
            }
            Ok(None) => {}
            Err(error) => {
                if let Some(last) = known.contents.get(&data_id) {
                    contents.insert(data_id, last.clone());
                } else if !known.asked.contains(&data_id) {
                    blind.insert(data_id, Err(Unreadable(error.to_string())));
                }
                failed.push(error);
            }
        }
    }
    let last = known.contents.get(INDEX);
    if blind.is_empty() || plan.index.as_ref() == last {
        contents.extend(blind);
        contents.extend(plan.index.map(|index| (INDEX.to_owned(), index)));
    } else if let Some(last) = last {
        contents.insert(INDEX.to_owned(), last.clone());
    } else {
        return Err(told(&failed).unwrap_or_default());
    }
    Ok(Read {
        contents,
        asked: plan.fetch,
        stale: told(&failed),
    })
}

/// What could not be read: the first, and how many there are.
fn told(failed: &[Error]) -> Option<String> {
    let first = failed.first()?;
    Some(match failed.len() {
        1 => first.to_string(),
        more => format!("{first} (and {} other documents)", more - 1),
    })
}

#[cfg(test)]
mod tests;
