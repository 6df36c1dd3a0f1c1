//! The state directory: sets that were live, the last good switches and the pin, kept so that an
//! instance starts without its source and goes back without it.
//!
//! ```text
//! rollout/contents/<sha256>      the text of a document; its name is its digest
//! rollout/sets/<number>.json     a record: a set by the names and digests of its documents
//! rollout/switches.json          a record: the last good switches, by name and digest
//! rollout/pin.json               a record: the set that this instance is pinned to
//! ```
//! A record is one line of JSON with its `format` (1), then the SHA-256 of that line. Contents are
//! written before the record that names them, each file synced, renamed and its folder synced, and
//! removed only after the last record that names them: whenever the process is killed, every record
//! that can be read names what stood before or what stands after, whole. Numbers count up; the
//! highest is what went live last. The newest 20 different sets are kept, and for each document
//! that is held the newest set in which it was not: its pipeline was compiled from that one. Sets
//! of another source (namespace and group of Nacos, or a directory) are left out, and removed with
//! the next change.

mod keep;
mod pin;
mod sealed;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use crate::rollout::store::keep::before;
pub use crate::rollout::store::pin::Pin;

use crate::document::digest::{Checksum, Content, DataId};
use crate::document::set::Set;
use crate::rollout::history::State;
use crate::rollout::live::Digest;
use crate::rollout::stage::chain;
use crate::rollout::store::keep::worth_keeping;

const FORMAT: u32 = 1;

/// Why something is not in the state directory.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It could not be written: full, read-only, broken.
    #[error("write {path}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It could not be read.
    #[error("read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is not what was written.
    #[error("{path} is damaged: {why}")]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What was found.
        why: String,
    },
}

/// A set that was live.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saved {
    format: u32,
    /// Where its documents were from.
    source: String,
    /// Counts up by one with each set that goes live.
    pub number: u64,
    /// Its digest.
    pub set: String,
    /// The revision it was when it went live: with the switches of that moment.
    pub revision: String,
    /// When it went live.
    pub at: Timestamp,
    /// What came of it: all of it live, or part of it held.
    pub outcome: State,
    /// What it is made of, the index among them.
    pub documents: Vec<SavedDocument>,
}

/// A document of a set that was live.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedDocument {
    /// Where it stands.
    pub data_id: String,
    /// Of its content.
    pub sha256: String,
    /// Whether something newer stood in the source that was not good.
    #[serde(default)]
    pub held: bool,
}

#[derive(Debug, Serialize, Deserialize)]
struct SavedSwitches {
    format: u32,
    source: String,
    data_id: String,
    sha256: String,
}

/// The state directory.
#[derive(Debug)]
pub struct Store {
    root: PathBuf,
    /// Where documents are from.
    source: String,
    /// The newest first.
    kept: Mutex<Vec<Arc<Saved>>>,
}

impl Store {
    /// Looks at what is there. What is damaged is told in the log and left out, and so is what came
    /// from another source: one environment must not serve the documents of another.
    pub fn open(state: &Path, source: &str) -> Self {
        let store = Self {
            root: state.join("rollout"),
            source: source.to_owned(),
            kept: Mutex::default(),
        };
        for folder in ["contents", "sets", "."] {
            sealed::sweep(&store.root.join(folder));
        }
        let numbers: BTreeSet<u64> = store.numbers().collect();
        let saved = numbers
            .into_iter()
            .rev()
            .filter_map(|number| store.read_set(number));
        *store.kept() = saved.map(Arc::new).collect();
        store
    }

    /// The sets that can be read, the newest first.
    pub fn sets(&self) -> Vec<Arc<Saved>> {
        self.kept().clone()
    }

    /// Leaves out a set that turned out to be damaged.
    pub fn forget(&self, number: u64) {
        self.kept().retain(|saved| saved.number != number);
    }

    /// The documents of a set, each as its digest says.
    pub fn contents(&self, saved: &Saved) -> Result<BTreeMap<DataId, Content>, Error> {
        let content = |document: &SavedDocument| {
            let content = self.content(&document.sha256)?;
            Ok((DataId::new(&document.data_id), content))
        };
        saved.documents.iter().map(content).collect()
    }

    /// Whether a set is the newest that is kept, document by document: sets of the same digest may
    /// stand in other places.
    pub fn is_newest(&self, set: &Set) -> bool {
        let kept = self.kept();
        kept.first().is_some_and(|saved| {
            let documents = saved.documents.iter();
            let saved_ones = documents.map(|each| (each.data_id.as_str(), each.sha256.clone()));
            let contents = set.contents();
            let live = contents.map(|(id, content)| (id.as_str(), content.sha256.to_string()));
            saved.set == set.digest.as_str() && saved_ones.eq(live)
        })
    }

    /// Keeps a set that is about to go live.
    pub fn save(
        &self,
        set: &Set,
        revision: &Digest,
        outcome: State,
        at: Timestamp,
    ) -> Result<(), Error> {
        self.make_folders()?;
        for (_, content) in set.contents() {
            self.write_content(content)?;
        }
        let held = |data_id: &DataId| {
            let mut entries = set.entries.iter();
            entries.any(|entry| entry.held && entry.data_id == *data_id)
        };
        let document = |(data_id, content): (&DataId, &Content)| SavedDocument {
            data_id: data_id.to_string(),
            sha256: content.sha256.to_string(),
            held: held(data_id),
        };
        let saved = Saved {
            format: FORMAT,
            source: self.source.clone(),
            number: self.numbers().max().unwrap_or_default() + 1,
            set: set.digest.to_string(),
            revision: revision.to_string(),
            at,
            outcome,
            documents: set.contents().map(document).collect(),
        };
        sealed::write_record(&self.set_path(saved.number), &saved)?;
        self.kept().insert(0, Arc::new(saved));
        // The set is kept: what could not be removed takes space, and nothing else.
        if let Err(error) = self.prune() {
            let why = chain(&error);
            tracing::warn!(
                why,
                "saved sets that are not needed any more cannot be removed"
            );
        }
        Ok(())
    }

    /// The last good switches, if there are any.
    pub fn switches(&self) -> Result<Option<(DataId, Content)>, Error> {
        let path = self.root.join("switches.json");
        let Some(saved) = sealed::read_record::<SavedSwitches>(&path)? else {
            return Ok(None);
        };
        check_format(saved.format, &path)?;
        if saved.source != self.source {
            return Ok(None);
        }
        let content = self.content(&saved.sha256)?;
        Ok(Some((DataId::new(&saved.data_id), content)))
    }

    /// Keeps the last good switches.
    pub fn save_switches(&self, data_id: &DataId, content: &Content) -> Result<(), Error> {
        self.make_folders()?;
        self.write_content(content)?;
        let saved = SavedSwitches {
            format: FORMAT,
            source: self.source.clone(),
            data_id: data_id.to_string(),
            sha256: content.sha256.to_string(),
        };
        sealed::write_record(&self.root.join("switches.json"), &saved)
    }

    /// A content by its digest. A damaged one is removed, so that it is written again when a set
    /// with it goes live.
    fn content(&self, sha256: &str) -> Result<Content, Error> {
        let path = self.content_path(sha256);
        let corrupt = |why: &str| {
            // Where it cannot be removed, it is found damaged again.
            let _left = sealed::remove(&path);
            Error::Corrupt {
                path: path.clone(),
                why: why.to_owned(),
            }
        };
        let bytes = sealed::read(&path)?.ok_or_else(|| corrupt("it is not there"))?;
        let text = String::from_utf8(bytes).map_err(|_| corrupt("it is not UTF-8"))?;
        let content = Content::new(text);
        if sha256.parse() == Ok(content.sha256) {
            Ok(content)
        } else {
            Err(corrupt("its digest is not its name"))
        }
    }

    fn write_content(&self, content: &Content) -> Result<(), Error> {
        let path = self.content_path(&content.sha256.to_string());
        // A file of that name and length was whole when it was renamed; damage done since then is
        // found when it is read.
        let there = fs::metadata(&path).is_ok_and(|file| file.len() == content.text.len() as u64);
        if there {
            return Ok(());
        }
        sealed::write(&path, content.text.as_bytes())
    }

    /// Removes sets beyond those that are kept, and the contents that nothing names any more.
    fn prune(&self) -> Result<(), Error> {
        let pinned = unless_damaged(self.pin())?.map(|pin| pin.set);
        let numbers: BTreeSet<u64> = {
            let mut kept = self.kept();
            *kept = worth_keeping(&kept, pinned.as_deref());
            kept.iter().map(|saved| saved.number).collect()
        };
        for number in self.numbers().filter(|number| !numbers.contains(number)) {
            sealed::remove(&self.set_path(number))?;
        }
        let sets = self.sets();
        let documents = sets.iter().flat_map(|saved| &saved.documents);
        let mut named: BTreeSet<String> = documents.map(|each| each.sha256.clone()).collect();
        let switches = sealed::read_record::<SavedSwitches>(&self.root.join("switches.json"));
        let switches = unless_damaged(switches)?;
        named.extend(switches.map(|switches| switches.sha256));
        for name in sealed::names(&self.root.join("contents")) {
            // Only what this store wrote is its own to remove.
            if name.parse::<Checksum>().is_ok() && !named.contains(&name) {
                sealed::remove(&self.content_path(&name))?;
            }
        }
        Ok(())
    }

    fn read_set(&self, number: u64) -> Option<Saved> {
        let path = self.set_path(number);
        let read = sealed::read_record::<Saved>(&path).and_then(|saved| {
            let saved = saved.ok_or_else(|| Error::Corrupt {
                path: path.clone(),
                why: "it is not there".to_owned(),
            })?;
            check_format(saved.format, &path).map(|()| saved)
        });
        let saved = read.inspect_err(|error| {
            let why = chain(error);
            tracing::error!(why, "a saved set cannot be used");
        });
        let saved = saved.ok()?;
        if saved.source != self.source {
            let (of, now) = (&saved.source, &self.source);
            tracing::warn!(number, of, now, "a saved set is of another source");
            return None;
        }
        Some(saved)
    }

    fn numbers(&self) -> impl Iterator<Item = u64> {
        let names = sealed::names(&self.root.join("sets")).into_iter();
        names.filter_map(|name| name.strip_suffix(".json")?.parse().ok())
    }

    fn make_folders(&self) -> Result<(), Error> {
        for folder in ["contents", "sets"] {
            let path = self.root.join(folder);
            fs::create_dir_all(&path).map_err(|source| Error::Write { path, source })?;
        }
        Ok(())
    }

    fn set_path(&self, number: u64) -> PathBuf {
        self.root.join("sets").join(format!("{number:010}.json"))
    }

    fn content_path(&self, sha256: &str) -> PathBuf {
        self.root.join("contents").join(sha256)
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Saved>>> {
        // Nothing panics while it is held; if it did, the list is still whole.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is damaged cannot be used, and is as good as not there.
fn unless_damaged<T>(read: Result<Option<T>, Error>) -> Result<Option<T>, Error> {
    match read {
        Err(Error::Corrupt { .. }) => Ok(None),
        read => read,
    }
}

fn check_format(format: u32, path: &Path) -> Result<(), Error> {
    if format == FORMAT {
        return Ok(());
    }
    Err(Error::Corrupt {
        path: path.to_owned(),
        why: format!("its format is {format}, this program reads {FORMAT}"),
    })
}
