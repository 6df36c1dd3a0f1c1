//! The open groups of a client, and the count of the records that each still waits for.
//!
//! The Kafka library carries one machine word with every record. It holds the group's slot (16
//! bits), the slot's generation (24) and the record's index (24), so that an answer finds its group
//! without a look-up, and an answer that comes after its group was given up finds nothing. A
//! success only counts down; a failure leaves a note; the last answer closes the group. Slots are
//! made 1,024 at a time when they are needed and used again.

use std::fmt;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crate::event::Reason;
use crate::sink::{Done, Settled, Verdict};

const SEGMENTS: usize = 64;
const SEGMENT: usize = 1024;
/// Bits of a record's index, and of a slot's generation.
pub(super) const INDEX_BITS: u32 = 24;
const FIELD: u32 = INDEX_BITS;
const MASK: usize = (1 << FIELD) - 1;
/// Of a slot's state: the generation above, the records still waited for below.
const COUNT: u32 = 32;
const COUNTED: usize = (1 << COUNT) - 1;

const _: () = assert!(usize::BITS == 64, "the word of a record needs 64 bits");

/// The open groups of a client.
pub(crate) struct Ledger {
    segments: [OnceLock<Box<[Slot]>>; SEGMENTS],
    free: Mutex<Free>,
    outstanding: AtomicUsize,
    acknowledged: AtomicU64,
    shut: OnceLock<Reason>,
    born: Instant,
}

/// Which slots may be used.
#[derive(Default)]
struct Free {
    slots: Vec<usize>,
    segments: usize,
}

#[derive(Default)]
struct Slot {
    state: AtomicUsize,
    /// Microseconds from the ledger's birth to the opening of the group.
    opened: AtomicU64,
    tag: AtomicU32,
    /// How many records were handed over.
    handed: AtomicU32,
    entry: Mutex<Entry>,
}

#[derive(Default)]
struct Entry {
    failures: Vec<(u32, Reason)>,
    done: Option<Done>,
}

/// An open group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket {
    slot: usize,
    generation: usize,
}

impl Ticket {
    /// The word that goes with a record.
    pub(crate) fn word(self, index: u32) -> usize {
        self.slot << (2 * FIELD) | self.generation << FIELD | (index as usize & MASK)
    }

    fn of(word: usize) -> (Self, u32) {
        let ticket = Self {
            slot: word >> (2 * FIELD),
            generation: word >> FIELD & MASK,
        };
        let index = u32::try_from(word & MASK).expect("24 bits fit into 32");
        (ticket, index)
    }
}

impl Ledger {
    pub(crate) fn new() -> Self {
        Self {
            segments: [const { OnceLock::new() }; SEGMENTS],
            free: Mutex::default(),
            outstanding: AtomicUsize::new(0),
            acknowledged: AtomicU64::new(0),
            shut: OnceLock::new(),
            born: Instant::now(),
        }
    }

    /// Opens a group that waits for `answers`, at least one. If it cannot, `done` runs at once, and
    /// the reason is given.
    pub(crate) fn open(&self, tag: u32, answers: u32, done: Done) -> Result<Ticket, Reason> {
        debug_assert!(answers > 0, "a group that waits for nothing never closes");
        let Some(slot) = self.take_slot() else {
            let nothing = Verdict::Records(Vec::new());
            done(Settled {
                verdict: nothing,
                handed: 0,
                elapsed: Duration::ZERO,
            });
            return Err(Reason::Overloaded);
        };
        let ticket = self.fill(slot, tag, answers, done);
        // Looked at after the slot is filled: either this sees that the ledger is shut, or the
        // sweep that comes after shutting it sees the slot.
        match self.shut.get() {
            None => Ok(ticket),
            Some(reason) => {
                self.count_down(ticket, answers);
                Err(*reason)
            }
        }
    }

    /// From now on no group is opened, and every one that is still open fails.
    pub(crate) fn shut(&self, reason: Reason) -> usize {
        // Shut twice, it stays shut for the first reason.
        self.shut.set(reason).ok();
        self.abandon(Duration::ZERO, reason)
    }

    /// Notes how many records of a group were handed over; before its last answer.
    pub(crate) fn handed(&self, ticket: Ticket, records: u32) {
        self.slot(ticket.slot)
            .handed
            .store(records, Ordering::Relaxed);
    }

    fn fill(&self, index: usize, tag: u32, answers: u32, done: Done) -> Ticket {
        let slot = self.slot(index);
        *lock(&slot.entry) = Entry {
            failures: Vec::new(),
            done: Some(done),
        };
        slot.tag.store(tag, Ordering::Relaxed);
        slot.handed.store(0, Ordering::Relaxed);
        slot.opened.store(self.now(), Ordering::Relaxed);
        self.outstanding.fetch_add(1, Ordering::Relaxed);
        let generation = slot.state.load(Ordering::Relaxed) >> COUNT;
        let state = generation << COUNT | answers as usize;
        slot.state.store(state, Ordering::SeqCst);
        Ticket {
            slot: index,
            generation: generation & MASK,
        }
    }

    /// A record was taken.
    pub(crate) fn acknowledge(&self, word: usize) {
        self.acknowledged.fetch_add(1, Ordering::Relaxed);
        let (ticket, _) = Ticket::of(word);
        self.count_down(ticket, 1);
    }

    /// A record was not taken.
    pub(crate) fn fail(&self, word: usize, reason: Reason) {
        let (ticket, index) = Ticket::of(word);
        let slot = self.slot(ticket.slot);
        let mut entry = lock(&slot.entry);
        if slot.state.load(Ordering::Acquire) >> COUNT & MASK == ticket.generation {
            entry.failures.push((index, reason));
        }
        drop(entry);
        self.count_down(ticket, 1);
    }

    /// One answer for a group as a whole that was opened to wait for one: how many records were
    /// taken, or why none was.
    pub(crate) fn answer(&self, ticket: Ticket, taken: Result<u32, Reason>) {
        match taken {
            Ok(records) => {
                self.acknowledged
                    .fetch_add(u64::from(records), Ordering::Relaxed);
                self.count_down(ticket, 1);
            }
            Err(reason) => {
                let state = self.slot(ticket.slot).state.load(Ordering::Acquire);
                let current = state >> COUNT & MASK == ticket.generation && state & COUNTED > 0;
                if current && swap(&self.slot(ticket.slot).state, state, state & !COUNTED) {
                    self.close(ticket.slot, Some(reason));
                }
            }
        }
    }

    /// `records` fewer answers will come.
    pub(crate) fn count_down(&self, ticket: Ticket, records: u32) {
        let slot = self.slot(ticket.slot);
        let next = |state: usize| {
            let current = state >> COUNT & MASK == ticket.generation;
            let enough = state & COUNTED >= records as usize;
            (current && enough).then(|| state - records as usize)
        };
        let before = slot
            .state
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, next);
        if before.is_ok_and(|state| state & COUNTED == records as usize) {
            self.close(ticket.slot, None);
        }
    }

    /// Calls `each` with tag and age of every open group; gives how many records were ever
    /// acknowledged.
    pub(crate) fn waiting(&self, now: Instant, mut each: impl FnMut(u32, Duration)) -> u64 {
        let now = micros(now.saturating_duration_since(self.born));
        for (_, slot) in self.slots() {
            if slot.state.load(Ordering::Acquire) & COUNTED > 0 {
                let age = now.saturating_sub(slot.opened.load(Ordering::Relaxed));
                each(slot.tag.load(Ordering::Relaxed), Duration::from_micros(age));
            }
        }
        self.acknowledged.load(Ordering::Relaxed)
    }

    /// How many groups are open.
    pub(crate) fn outstanding(&self) -> usize {
        self.outstanding.load(Ordering::Relaxed)
    }

    /// Fails every group that is older than `age`, whole; gives how many there were.
    pub(crate) fn abandon(&self, age: Duration, reason: Reason) -> usize {
        let limit = micros(age);
        let now = self.now();
        let mut abandoned = 0;
        for (index, slot) in self.slots() {
            let state = slot.state.load(Ordering::SeqCst);
            let old = now.saturating_sub(slot.opened.load(Ordering::Relaxed)) >= limit;
            if state & COUNTED == 0 || !old {
                continue;
            }
            let closed = state & !COUNTED;
            if swap(&slot.state, state, closed) {
                self.close(index, Some(reason));
                abandoned += 1;
            }
        }
        abandoned
    }

    /// Frees the slot of a group whose count has just reached nought, and tells its owner.
    fn close(&self, index: usize, all: Option<Reason>) {
        let slot = self.slot(index);
        let elapsed = self
            .now()
            .saturating_sub(slot.opened.load(Ordering::Relaxed));
        let handed = slot.handed.load(Ordering::Relaxed);
        let entry = std::mem::take(&mut *lock(&slot.entry));
        slot.state.fetch_add(1 << COUNT, Ordering::AcqRel);
        lock(&self.free).slots.push(index);
        self.outstanding.fetch_sub(1, Ordering::Relaxed);
        let verdict = all.map_or(Verdict::Records(entry.failures), Verdict::All);
        if let Some(done) = entry.done {
            done(Settled {
                verdict,
                handed,
                elapsed: Duration::from_micros(elapsed),
            });
        }
    }

    fn take_slot(&self) -> Option<usize> {
        let mut free = lock(&self.free);
        if free.slots.is_empty() && free.segments < SEGMENTS {
            let first = free.segments * SEGMENT;
            let slots = (0..SEGMENT).map(|_| Slot::default()).collect();
            let fresh = self.segments[free.segments].set(slots).is_ok();
            debug_assert!(fresh, "a segment is made once, under the lock");
            free.segments += 1;
            free.slots.extend((first..first + SEGMENT).rev());
        }
        free.slots.pop()
    }

    fn slot(&self, index: usize) -> &Slot {
        let segment = self.segments[index / SEGMENT].get();
        &segment.expect("a slot is given out after its segment was made")[index % SEGMENT]
    }

    fn slots(&self) -> impl Iterator<Item = (usize, &Slot)> {
        let made = self.segments.iter().map_while(OnceLock::get);
        made.flat_map(|segment| segment.iter()).enumerate()
    }

    fn now(&self) -> u64 {
        micros(self.born.elapsed())
    }
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ledger")
            .field("outstanding", &self.outstanding())
            .finish_non_exhaustive()
    }
}

fn swap(state: &AtomicUsize, from: usize, to: usize) -> bool {
    state
        .compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire)
        .is_ok()
}

/// A panic elsewhere leaves these locks' contents whole: each is changed by one assignment.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
