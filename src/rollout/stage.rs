//! Making ready what a set needs before it can go live: clients that answer, tables in memory, the
//! device map. What cannot be made ready is told by document, so that it can be held; what was not
//! ready before either, or is missing at the start, holds nothing up: the set goes without it.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use crate::delivery::{Connected, Producer};
use crate::device::{self, Devices};
use crate::document::index::Kind;
use crate::document::set::Set;
use crate::event::Label;
use crate::sink;
use crate::tables::{self, Tables};

/// What a set needs, ready to be used. What did not change is shared with the set before.
#[derive(Clone, Debug, Default)]
pub(super) struct Ready {
    /// By label, with what each was compiled to; only those in use.
    pub(super) producers: BTreeMap<Label, (sink::Spec, Producer)>,
    /// The enrichment data.
    pub(super) tables: Arc<Tables>,
    ip: Option<(tables::Spec, Stamps)>,
    /// The device map.
    pub(super) devices: Devices,
    device_spec: Option<device::Spec>,
}

/// Something of a set that could not be made ready.
#[derive(Debug)]
pub(super) struct Missing {
    /// The kind of the document that asks for it.
    pub(super) kind: Kind,
    /// Whether what is live does not ask for it.
    pub(super) is_new: bool,
    /// What it is, and why it is not ready.
    pub(super) why: String,
}

/// When the files of a table were last changed, and their sizes.
type Stamps = Vec<Option<(SystemTime, u64)>>;

impl Ready {
    /// Whether a file that is not bound to a digest has changed since it was loaded.
    pub(super) fn files_changed(&self, base: &Path) -> bool {
        self.ip
            .as_ref()
            .is_some_and(|(spec, stamps)| stamps_of(spec, base) != *stamps)
    }

    /// Takes the tables and the device map of a set. Blocking.
    pub(super) fn load(
        &mut self,
        set: &Set,
        live: Option<&Set>,
        base: &Path,
        opener: &device::Opener,
    ) -> Vec<Missing> {
        let tables = self.load_tables(set, base).err().map(|error| Missing {
            kind: Kind::Tables,
            is_new: live.is_some_and(|live| live.tables.ip != set.tables.ip),
            why: chain(&error),
        });
        let devices = self.open_devices(set, opener).err().map(|error| Missing {
            kind: Kind::Tables,
            is_new: live.is_some_and(|live| live.tables.devices != set.tables.devices),
            why: chain(&error),
        });
        tables.into_iter().chain(devices).collect()
    }

    /// Those before, if nothing changed, or loads them.
    fn load_tables(&mut self, set: &Set, base: &Path) -> Result<(), tables::Error> {
        let Some(spec) = &set.tables.ip else {
            self.tables = Arc::default();
            self.ip = None;
            return Ok(());
        };
        let stamps = stamps_of(spec, base);
        let wanted = Some((spec.clone(), stamps));
        if self.ip == wanted {
            return Ok(());
        }
        let table = tables::load(&spec.beside(base))?;
        let summary = table.summary();
        tracing::info!(
            ranges_v4 = summary.ranges_v4,
            ranges_v6 = summary.ranges_v6,
            rows = summary.rows,
            bytes = summary.bytes,
            "ip table loaded"
        );
        self.tables = Arc::new(Tables {
            ip: Some(Arc::new(table)),
        });
        self.ip = wanted;
        Ok(())
    }

    /// The one before, if nothing changed, or opens one.
    fn open_devices(&mut self, set: &Set, opener: &device::Opener) -> Result<(), device::Error> {
        if self.device_spec != set.tables.devices {
            self.devices = match &set.tables.devices {
                Some(spec) => Devices::open(spec, opener)?,
                None => Devices::unavailable(),
            };
            self.device_spec.clone_from(&set.tables.devices);
        }
        Ok(())
    }

    /// The producers of a set that are not these already.
    pub(super) fn unlike(&self, set: &Set) -> Vec<(Label, sink::Spec)> {
        let known = |label: &Label| self.producers.get(label).map(|(spec, _)| spec);
        let used = set.producers_in_use();
        used.into_iter()
            .filter(|(label, spec)| known(label) != Some(spec))
            .collect()
    }

    /// Takes producers that were asked for; drops those that the set does not use.
    pub(super) fn take(&mut self, set: &Set, live: Option<&Set>, asked: &Answers) -> Vec<Missing> {
        let before = live.map(Set::producers_in_use);
        let mut missing = Vec::new();
        for (label, spec) in self.unlike(set) {
            let why = match asked.of(&label, &spec) {
                Some(Answer::Ready(producer)) => {
                    self.producers.insert(label, (spec, producer.clone()));
                    continue;
                }
                Some(Answer::Silent(producer, why)) => match self.producers.entry(label.clone()) {
                    Entry::Occupied(_) => why.as_str(),
                    Entry::Vacant(new) => {
                        tracing::warn!(label = %new.key(), why, "producer does not answer yet");
                        new.insert((spec, producer.clone()));
                        continue;
                    }
                },
                Some(Answer::Failed(why)) => why,
                None => "it was not asked for",
            };
            missing.push(Missing {
                kind: Kind::Producers,
                is_new: before
                    .as_ref()
                    .is_some_and(|before| before.get(&label) != Some(&spec)),
                why: format!("producer `{label}`: {why}"),
            });
        }
        let used = set.producers_in_use();
        self.producers.retain(|label, _| used.contains_key(label));
        missing
    }

    /// Whether it serves events as the other does.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        let producers = |ready: &Self| {
            let producers = ready.producers.iter();
            let specs = producers.map(|(label, (spec, _))| (label.clone(), spec.clone()));
            specs.collect::<Vec<_>>()
        };
        self.ip == other.ip
            && self.device_spec == other.device_spec
            && producers(self) == producers(other)
    }
}

/// What came of asking producers whether they answer. Kept until the set changes, so that nobody
/// silent is asked again and again.
#[derive(Debug, Default)]
pub(super) struct Answers(Vec<(Label, sink::Spec, Answer)>);

#[derive(Debug)]
enum Answer {
    Ready(Producer),
    Silent(Producer, String),
    Failed(String),
}

impl Answers {
    /// Notes answers in the order of what was wanted.
    pub(super) fn note(&mut self, wanted: Vec<(Label, sink::Spec)>, connected: Vec<Connected>) {
        for ((label, spec), connected) in wanted.into_iter().zip(connected) {
            let answer = match connected {
                Connected::Ready(producer) => Answer::Ready(producer),
                Connected::Silent(producer, error) => Answer::Silent(producer, chain(&error)),
                Connected::Failed(error) => Answer::Failed(chain(&error)),
            };
            self.0.push((label, spec, answer));
        }
    }

    /// Whether it was asked.
    pub(super) fn knows(&self, label: &Label, spec: &sink::Spec) -> bool {
        self.of(label, spec).is_some()
    }

    /// Forgets everything: what was asked for is in use now.
    pub(super) fn forget(&mut self) {
        self.0.clear();
    }

    /// Forgets all that the documents do not ask for any more, and what has been taken.
    pub(super) fn keep(&mut self, wanted: &[(Label, sink::Spec)]) {
        self.0
            .retain(|(label, spec, _)| wanted.iter().any(|(l, s)| l == label && s == spec));
    }

    fn of(&self, label: &Label, spec: &sink::Spec) -> Option<&Answer> {
        let found = self.0.iter().find(|(l, s, _)| l == label && s == spec);
        found.map(|(_, _, answer)| answer)
    }
}

/// An error with all its causes in one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

fn stamps_of(spec: &tables::Spec, base: &Path) -> Stamps {
    let stamp = |path: PathBuf| {
        let metadata = std::fs::metadata(path).ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    };
    spec.files
        .iter()
        .map(|file| stamp(base.join(&file.path)))
        .collect()
}
