//! What validators in mode `shadow` would have done, counted by validator, event and field, with the
//! newest few samples: what people look at before they switch a validator to `enforce`.
//!
//! A batch without such violations costs one look at its list of violations. The table of a repo is
//! bounded ([`Table::ROWS`]), and shows no value and no name that a client may have made up of an
//! identifier ([`legible`]).

mod legible;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use hashbrown::{Equivalent, HashMap};
use jiff::Timestamp;
use serde::Serialize;

use crate::event::{Batch, Effect, FieldId, Json, Path, Reason, Violation};
use crate::gateway::shadow::legible::legible;
use crate::pipeline::validate::Check;
use crate::pipeline::{Plan, RepoName};
use crate::telemetry::clock;

/// What validators in mode `shadow` found, by repo, since the process started.
#[derive(Debug, Default)]
pub struct Shadows(Mutex<BTreeMap<RepoName, Table>>);

/// What was found in one repo.
#[derive(Clone, Debug, Default)]
pub struct Table {
    rows: HashMap<Key, Row>,
    /// Events for which there was no row left.
    other: u64,
}

/// What is counted by.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct Key {
    /// The validator's name.
    pub validator: Box<str>,
    /// The event's name, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<Box<str>>,
    /// The field, as a path; empty when it is about the event.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub field: Box<str>,
    /// The code of the reason.
    pub code: &'static str,
    /// What would follow, were it enforced.
    pub would: Would,
}

/// What would follow from a violation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Would {
    /// The event would be rejected.
    Reject,
    /// The field would be made right or taken away.
    Repair,
}

/// How often it was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// In how many events.
    pub events: u64,
    /// When it was first found.
    pub first: Timestamp,
    /// When it was last found.
    pub last: Timestamp,
    /// The newest, the newest first.
    pub samples: Vec<Sample>,
}

/// One violation, without the value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Sample {
    /// When it was found.
    pub at: Timestamp,
    /// What was expected and found.
    pub message: Box<str>,
    /// The shape of the value: letters as `x`, digits as `9`. Absent for personal data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Box<str>>,
}

/// A [`Key`] while a batch is gone through.
#[derive(PartialEq, Eq, Hash)]
struct Borrowed<'b> {
    validator: &'b str,
    event: Option<&'b str>,
    field: Cow<'b, str>,
    code: &'static str,
    would: Would,
}

/// What one batch adds to a row.
struct Tally<'b> {
    events: u64,
    newest: &'b Violation,
}

/// The names of the events of a batch in which something was found, by their index.
type Names = Vec<(u32, Option<Box<str>>)>;

impl Shadows {
    /// Adds what was found in a batch.
    pub(super) fn note(&self, batch: &mut Batch, plan: &Plan) {
        if batch.violations().iter().all(|each| would(each).is_none()) {
            return;
        }
        let names = names(batch, plan);
        let tallies = tallies(batch, plan, &names);
        let now = clock::timestamp();
        let mut tables = self.lock();
        let table = tables.entry(plan.repo.clone()).or_default();
        for (key, tally) in tallies {
            table.add(&key, &tally, now);
        }
    }

    /// A copy of the tables, by repo.
    pub fn tables(&self) -> BTreeMap<RepoName, Table> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<RepoName, Table>> {
        // Nothing panics while it is held; if it did, counts of one batch would be missing.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// Most rows of a repo.
    pub const ROWS: usize = 200;
    /// A row that found nothing for so long makes way when there is no room for a new one.
    const QUIET_SECONDS: i64 = 3600;

    /// How many events found no row.
    pub fn other(&self) -> u64 {
        self.other
    }

    /// The rows, those with most events first.
    pub fn rows(self) -> Vec<(Key, Row)> {
        let mut rows: Vec<_> = self.rows.into_iter().collect();
        rows.sort_by(|(a_key, a), (b_key, b)| b.events.cmp(&a.events).then(a_key.cmp(b_key)));
        rows
    }

    fn add(&mut self, key: &Borrowed<'_>, tally: &Tally<'_>, now: Timestamp) {
        if let Some(row) = self.rows.get_mut(key) {
            return row.add(tally, now);
        }
        if self.rows.len() >= Self::ROWS {
            let quiet = |row: &Row| now.as_second() - row.last.as_second() > Self::QUIET_SECONDS;
            for (_, gone) in self.rows.extract_if(|_, row| quiet(row)) {
                self.other += gone.events;
            }
        }
        if self.rows.len() >= Self::ROWS {
            self.other += tally.events;
            return;
        }
        let mut row = Row {
            events: 0,
            first: now,
            last: now,
            samples: Vec::new(),
        };
        row.add(tally, now);
        self.rows.insert(key.owned(), row);
    }
}

impl Row {
    const SAMPLES: usize = 3;
    /// Most characters of a message.
    const MESSAGE: usize = 200;

    fn add(&mut self, tally: &Tally<'_>, now: Timestamp) {
        self.events += tally.events;
        self.last = now;
        self.samples.truncate(Self::SAMPLES - 1);
        self.samples.insert(
            0,
            Sample {
                at: now,
                message: message(tally.newest),
                value: tally.newest.sample.clone(),
            },
        );
    }
}

impl Borrowed<'_> {
    fn owned(&self) -> Key {
        Key {
            validator: self.validator.into(),
            event: self.event.map(Into::into),
            field: self.field.as_ref().into(),
            code: self.code,
            would: self.would,
        }
    }
}

impl Equivalent<Key> for Borrowed<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        *self.validator == *key.validator
            && self.event == key.event.as_deref()
            && *self.field == *key.field
            && self.code == key.code
            && self.would == key.would
    }
}

/// What enforcing would do about a violation; `None`: a validator that does more than look found it.
fn would(violation: &Violation) -> Option<Would> {
    match violation.effect {
        Effect::Shadow => Some(Would::Reject),
        Effect::ShadowRepair => Some(Would::Repair),
        Effect::Rejected | Effect::Repaired => None,
    }
}

/// The names of the events in which something was found.
fn names(batch: &mut Batch, plan: &Plan) -> Names {
    let shadowed = batch.violations().iter();
    let shadowed = shadowed.filter(|each| would(each).is_some());
    let mut events: Vec<_> = shadowed.map(|each| each.event).collect();
    events.sort_unstable();
    events.dedup();
    let field = name_field(plan);
    let name = |index: u32| {
        let event = batch.event(index as usize);
        let name = field.and_then(|field| event.get(field).and_then(Json::as_str));
        name.map(|name| match listed(plan, &name) {
            true => name.into(),
            false => legible(&name).into(),
        })
    };
    events
        .iter()
        .copied()
        .zip(events.iter().copied().map(name))
        .collect()
}

/// Where an event's name stands.
fn name_field(plan: &Plan) -> Option<FieldId> {
    let catalog = plan.validators.iter().find_map(|each| match &each.check {
        Check::Catalog(check) => Some(check.event),
        _ => None,
    });
    catalog.or_else(|| plan.fields.find(&Path::parse(Plan::EVENT).ok()?))
}

/// Whether a catalog of the repo lists this name: then people chose it, and no client made it up.
fn listed(plan: &Plan, name: &str) -> bool {
    plan.validators.iter().any(|each| match &each.check {
        Check::Catalog(check) => check.catalog.lists(name),
        _ => false,
    })
}

fn tallies<'b>(
    batch: &'b Batch,
    plan: &'b Plan,
    names: &'b Names,
) -> HashMap<Borrowed<'b>, Tally<'b>> {
    let mut tallies: HashMap<_, Tally<'_>> = HashMap::new();
    for violation in batch.violations_by_event() {
        let (Some(would), Some(index)) = (would(violation), violation.validator) else {
            continue;
        };
        let Some(validator) = plan.validators.get(usize::from(index)) else {
            continue;
        };
        let at = names.binary_search_by_key(&violation.event, |(event, _)| *event);
        let key = Borrowed {
            validator: &validator.name,
            event: at.ok().and_then(|at| names[at].1.as_deref()),
            field: field(violation),
            code: violation.reason.code(),
            would,
        };
        tallies
            .entry(key)
            .and_modify(|tally| {
                // An event counts once, however often a validator finds the same in it.
                tally.events += u64::from(tally.newest.event != violation.event);
                tally.newest = violation;
            })
            .or_insert(Tally {
                events: 1,
                newest: violation,
            });
    }
    tallies
}

/// The field's path. What documents declare is told as it is; names that came with the event not.
fn field(violation: &Violation) -> Cow<'_, str> {
    match violation.reason {
        Reason::ValidateUnknown | Reason::ValidateSchema => {
            let parts = violation.field.split('.').map(legible);
            Cow::Owned(parts.collect::<Vec<_>>().join("."))
        }
        _ => Cow::Borrowed(&violation.field),
    }
}

/// What was expected and found. A schema's own words may name what it found.
fn message(violation: &Violation) -> Box<str> {
    let quotes = |c: char| matches!(c, '"' | '\'');
    if violation.reason == Reason::ValidateSchema && violation.message.contains(quotes) {
        return "the schema does not hold".into();
    }
    violation.message.chars().take(Row::MESSAGE).collect()
}
