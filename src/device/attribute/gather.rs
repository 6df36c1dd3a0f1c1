//! The devices of a batch: told apart by their identifiers as they are written, found in the cache or
//! noted for the look-up, and written into their events.

use std::hash::BuildHasher;
use std::ops::Range;

use foldhash::fast::RandomState;
use hashbrown::{HashSet, HashTable};

use crate::device::attribute::{Counts, Words};
use crate::device::cache::Found;
use crate::device::entry::First;
use crate::device::lookup::{Asked, Lookup, Mode, Moment};
use crate::device::report::Report;
use crate::device::{Open, Resolved, Status, Step};
use crate::event::{Batch, EventMut, Fate, Span};

/// A device of the batch.
#[derive(Debug)]
pub(super) struct Distinct {
    /// Its identifiers, in [`Gathered::written`].
    written: Range<usize>,
    resolved: Resolved,
    /// The event that was looked up: only it can be the device's first.
    first: usize,
    /// Where it stands in the look-up, if it is not known already.
    asked: Option<usize>,
    /// What is told of it.
    report: Option<usize>,
}

/// The devices of a batch, as far as they are known without the map.
#[derive(Debug)]
pub(super) struct Gathered {
    pub(super) distinct: Vec<Distinct>,
    /// The identifiers of all of them as they are written, one after the other.
    written: Vec<u8>,
    /// Devices by their identifiers.
    by_written: HashTable<usize>,
    hasher: RandomState,
    /// Of each event the device, as an index; of one that left none.
    devices: Vec<usize>,
    pub(super) lookup: Lookup,
    /// Devices that this instance found earlier in the day.
    pub(super) cached: u64,
    /// Of each device that is looked up, which of the step's identifiers it has.
    kinds: Vec<Vec<usize>>,
}

impl Gathered {
    pub(super) fn of(
        open: Option<&Open>,
        mode: Mode,
        step: &Step,
        batch: &mut Batch,
        moment: Moment,
    ) -> Self {
        let mut gathered = Self {
            distinct: Vec::new(),
            written: Vec::new(),
            by_written: HashTable::new(),
            hasher: RandomState::default(),
            devices: vec![usize::MAX; batch.events().len()],
            lookup: Lookup::new(mode, moment),
            cached: 0,
            kinds: Vec::new(),
        };
        for index in 0..batch.events().len() {
            if batch.events()[index].fate != Fate::Live {
                continue;
            }
            let event = batch.event(index);
            let start = gathered.written.len();
            step.read(&event, &mut gathered.written);
            let (hash, known) = gathered.known(start);
            let device = known.unwrap_or_else(|| {
                let written = start..gathered.written.len();
                let (resolved, asked) = match open {
                    None => (Resolved::without_id(Status::Degraded), None),
                    Some(open) => gathered.look(open, mode, step, &event, start, moment),
                };
                let distinct = Distinct {
                    written,
                    resolved,
                    first: index,
                    asked,
                    report: None,
                };
                gathered.add(hash, distinct)
            });
            gathered.devices[index] = device;
        }
        gathered
    }

    /// The device whose identifiers stand behind `start`, if it was met before; then they are taken
    /// away again. With their hash.
    fn known(&mut self, start: usize) -> (u64, Option<usize>) {
        let (before, written) = self.written.split_at(start);
        let hash = self.hasher.hash_one(written);
        let same = |device: &usize| before[self.distinct[*device].written.clone()] == *written;
        let known = self.by_written.find(hash, same).copied();
        if known.is_some() {
            self.written.truncate(start);
        }
        (hash, known)
    }

    /// Adds a device that was not met before.
    fn add(&mut self, hash: u64, distinct: Distinct) -> usize {
        self.distinct.push(distinct);
        let device = self.distinct.len() - 1;
        let (all, written, hasher) = (&self.distinct, &self.written, &self.hasher);
        let again = |device: &usize| hasher.hash_one(&written[all[*device].written.clone()]);
        self.by_written.insert_unique(hash, device, again);
        device
    }

    /// Finds a device in the cache, or notes it for the look-up.
    fn look(
        &mut self,
        open: &Open,
        mode: Mode,
        step: &Step,
        event: &EventMut<'_>,
        start: usize,
        moment: Moment,
    ) -> (Resolved, Option<usize>) {
        if mode == Mode::Remember
            && let Some(resolved) = open.cached(&self.written[start..], event, moment.day)
        {
            self.cached += 1;
            return (resolved, None);
        }
        let (kinds, keys) = step.keys_of(event, &open.keys);
        if keys.is_empty() {
            return (Resolved::without_id(Status::None), None);
        }
        let first = First {
            length: First::length(event.received()),
            digest: open.keys.event(event.received()),
        };
        let skew = step.skew_of(event);
        self.lookup.asked.push(Asked::new(keys, first, skew));
        self.kinds.push(kinds);
        let asked = self.lookup.asked.len() - 1;
        (Resolved::without_id(Status::Degraded), Some(asked))
    }

    /// Takes what came of the look-up; what is certain goes into the cache.
    pub(super) fn take(&mut self, open: &Open, step: &Step) -> Vec<Report> {
        let (lookup, kinds) = (&self.lookup, &self.kinds);
        let mut reports = Vec::new();
        for each in &mut self.distinct {
            if let Some(at) = each.asked {
                let asked = &lookup.asked[at];
                each.resolved = asked.resolved(&open.keys);
                let told = (asked, &kinds[at][..]);
                let report = Report::of(step, &open.keys, told, &each.resolved, each.first);
                each.report = report.map(|report| {
                    reports.push(report);
                    reports.len() - 1
                });
            }
        }
        if lookup.remembers() {
            for each in &self.distinct {
                let settled = each.asked.and_then(|at| lookup.asked[at].settled());
                if let Some((first, device)) = settled.zip(each.resolved.id) {
                    let written = self.written[each.written.clone()].into();
                    let day = lookup.day();
                    open.cache.insert(written, Found { device, first, day });
                }
            }
        }
        reports
    }

    pub(super) fn write(&self, step: &Step, batch: &mut Batch, reports: &mut [Report]) -> Counts {
        let words = Words::share(batch);
        let ids: Vec<Span> = self
            .distinct
            .iter()
            .map(|each| match each.resolved.id {
                Some(id) => batch.share(&id.quoted()),
                None => Span::default(),
            })
            .collect();
        let mut counts = Counts::default();
        for (index, device) in self.devices.iter().enumerate() {
            let Some(each) = self.distinct.get(*device) else {
                continue;
            };
            let resolved = if index == each.first {
                each.resolved
            } else {
                each.resolved.of_a_later_event()
            };
            counts.add(resolved.status);
            if let Some(report) = each.report {
                reports[report].events += 1;
            }
            step.settle(&mut batch.event(index), ids[*device], resolved, &words);
        }
        counts
    }
}

impl Open {
    /// A device that this instance found today.
    fn cached(&self, written: &[u8], event: &EventMut<'_>, day: u16) -> Option<Resolved> {
        let found = self.cache.get(written, day)?;
        let received = event.received();
        let first = found.first;
        let first = first.filter(|first| first.length == First::length(received));
        let is_new = first.is_some_and(|first| first.digest == self.keys.event(received));
        Some(Resolved {
            id: Some(found.device),
            status: if is_new { Status::New } else { Status::Known },
            is_new: Some(is_new),
        })
    }
}

/// Different identifiers may lead to one device: only the first event of each can be its first.
pub(super) fn unite(distinct: &mut [Distinct]) {
    let mut seen = HashSet::new();
    for each in distinct {
        if each.resolved.id.is_some_and(|id| !seen.insert(id)) {
            each.resolved = each.resolved.of_a_later_event();
        }
    }
}
