//! One device of a look-up: its identifiers, what is known to stand under them, and what follows.

use crate::device::digest::{Key, Keys};
use crate::device::entry::{Entry, First, Record};
use crate::device::lookup::{Command, Moment};
use crate::device::{Resolved, Status};

/// A device to be found.
#[derive(Debug)]
pub(in crate::device) struct Asked {
    /// The keys of its identifiers, strongest first; at least one.
    pub(in crate::device) keys: Vec<Key>,
    /// The event that it is looked up for.
    pub(in crate::device) event: First,
    /// The event's clock skew, in milliseconds.
    pub(in crate::device) skew: Option<i32>,
    /// What is known to stand under each key.
    pub(in crate::device) entries: Vec<Option<Entry>>,
    /// This event made it.
    pub(super) created: bool,
    /// It cannot be told where the identifiers lead.
    pub(super) failed: bool,
    /// Something that would lead others here was not written.
    pub(super) partial: bool,
    /// The identifier that turned out to lead too many strangers.
    pub(super) distrust: Option<usize>,
    /// A new device of the same request that shares identifiers, and claims them.
    pub(super) leader: Option<usize>,
}

impl Asked {
    pub(in crate::device) fn new(keys: Vec<Key>, event: First, skew: Option<i32>) -> Self {
        Self {
            entries: vec![None; keys.len()],
            keys,
            event,
            skew,
            created: false,
            failed: false,
            partial: false,
            distrust: None,
            leader: None,
        }
    }

    /// Where the believed identifiers lead, strongest first: position and owner.
    pub(super) fn found(&self) -> impl Iterator<Item = (usize, Key)> {
        let known = self.keys.iter().zip(&self.entries).enumerate();
        known.filter_map(|(at, (key, entry))| {
            let entry = entry.as_ref().filter(|entry| entry.is_trusted())?;
            Some((at, entry.owner(*key)))
        })
    }

    /// The owner of the device, and whether the identifiers disagree.
    pub(super) fn owner(&self) -> (Key, bool) {
        let mut found = self.found();
        match found.next() {
            Some((_, owner)) => (owner, found.any(|(_, other)| other != owner)),
            None => (self.keys[self.unknown().unwrap_or(0)], false),
        }
    }

    /// The identifiers that led nowhere; those that are distrusted lead to somebody, only not here.
    pub(super) fn leading_nowhere(&self) -> impl Iterator<Item = Key> {
        let known = self.keys.iter().zip(&self.entries);
        known.filter_map(|(key, entry)| entry.is_none().then_some(*key))
    }

    /// The strongest identifier that led nowhere.
    pub(super) fn unknown(&self) -> Option<usize> {
        self.entries.iter().position(Option::is_none)
    }

    /// The owner's record, if the event has the owner.
    fn record(&self, owner: Key) -> Option<Record> {
        let at = self.keys.iter().position(|key| *key == owner)?;
        match self.entries[at] {
            Some(Entry::Own(record)) => Some(record),
            Some(Entry::Link(_)) | None => None,
        }
    }

    /// What came of it.
    pub(in crate::device) fn resolved(&self, keys: &Keys) -> Resolved {
        if self.failed {
            return Resolved {
                id: Some(keys.device(self.keys[0])),
                status: Status::Degraded,
                is_new: None,
            };
        }
        let (owner, conflict) = self.owner();
        let again = |record: Record| record.first == Some(self.event);
        let is_new = self.created || self.record(owner).is_some_and(again);
        let status = match (conflict, is_new) {
            (true, _) => Status::Conflict,
            (false, true) => Status::New,
            (false, false) => Status::Known,
        };
        Resolved {
            id: Some(keys.device(owner)),
            status,
            is_new: Some(is_new),
        }
    }

    /// The first event of the device, as far as the event can tell whether it is it; `None` where
    /// the next event must ask the map again.
    pub(in crate::device) fn settled(&self) -> Option<Option<First>> {
        let (owner, conflict) = self.owner();
        let unsettled = self.failed || self.partial || conflict || self.found().next().is_none();
        (!unsettled).then(|| self.record(owner).and_then(|record| record.first))
    }

    /// The record of today, where the one in the map is of an earlier day.
    pub(super) fn of_today(&self, moment: Moment) -> Option<Command> {
        let (owner, conflict) = self.owner();
        let record = self.record(owner)?;
        if self.failed || conflict || record.last_day >= moment.day {
            return None;
        }
        let skews = record.skew.into_iter().chain(self.skew);
        let record = Record {
            last_day: moment.day,
            skew: skews.min_by_key(|skew| skew.unsigned_abs()),
            ..record
        };
        Some(Command::Put(owner, Entry::Own(record)))
    }
}
