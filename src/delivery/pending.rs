//! What became of the records of a request: collected from its groups, told by event.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::oneshot;

use crate::delivery::connection::lock;
use crate::event::{Class, Reason, Record};
use crate::sink::Verdict;

/// A record, or a whole group of them, that was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failed {
    /// The record with this index.
    Record(u32, Reason),
    /// The group with this index.
    Group(u32, Reason),
}

/// The books of a request: open until the last group that someone waits for has settled.
pub(super) struct Books {
    open: AtomicUsize,
    expected: AtomicBool,
    failed: Mutex<Vec<Failed>>,
    tell: Mutex<Option<oneshot::Sender<Vec<Failed>>>>,
}

impl Books {
    /// Open for the hand-over itself.
    pub(super) fn open() -> (Arc<Self>, oneshot::Receiver<Vec<Failed>>) {
        let (tell, heard) = oneshot::channel();
        let books = Self {
            open: AtomicUsize::new(1),
            expected: AtomicBool::new(false),
            failed: Mutex::default(),
            tell: Mutex::new(Some(tell)),
        };
        (Arc::new(books), heard)
    }

    /// One more group is waited for.
    pub(super) fn expect(self: &Arc<Self>) -> Arc<Self> {
        self.open.fetch_add(1, Ordering::Relaxed);
        self.expected.store(true, Ordering::Relaxed);
        self.clone()
    }

    /// Whether any group is, or was, waited for.
    pub(super) fn expects(&self) -> bool {
        self.expected.load(Ordering::Relaxed)
    }

    /// One of the groups has settled.
    pub(super) fn settle(&self, group: u32, verdict: &Verdict) {
        match verdict {
            Verdict::Records(records) if records.is_empty() => {}
            Verdict::Records(records) => {
                let failed = records
                    .iter()
                    .map(|&(index, reason)| Failed::Record(index, reason));
                lock(&self.failed).extend(failed);
            }
            Verdict::All(reason) => lock(&self.failed).push(Failed::Group(group, *reason)),
        }
        self.close_one();
    }

    /// A group less to wait for, or the hand-over done.
    pub(super) fn close_one(&self) {
        if self.open.fetch_sub(1, Ordering::AcqRel) == 1
            && let Some(tell) = lock(&self.tell).take()
        {
            // Nobody listens if the caller went away; the counts were made where groups settle.
            tell.send(std::mem::take(&mut *lock(&self.failed))).ok();
        }
    }
}

impl fmt::Debug for Books {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let open = self.open.load(Ordering::Relaxed);
        f.debug_struct("Books")
            .field("open", &open)
            .finish_non_exhaustive()
    }
}

/// Records that were handed over. May be moved to another task, or dropped.
#[derive(Debug)]
#[must_use = "without its outcome nobody knows what was taken"]
pub struct Pending {
    pub(super) items: Vec<Record>,
    /// By record: the index of its group.
    pub(super) group_of: Vec<u32>,
    /// Not taken at hand-over.
    pub(super) refused: Vec<Failed>,
    /// Tells what else was not taken; absent if nobody needs to wait.
    pub(super) heard: Option<oneshot::Receiver<Vec<Failed>>>,
}

/// What became of the events of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The events that are not safe, in order, each once: rejected if one of its records was
    /// refused for good, else to be sent again. All others are safe.
    pub failures: Vec<(u32, Reason)>,
}

impl Pending {
    /// Whether the outcome is known without waiting.
    pub fn settled(&self) -> bool {
        self.heard.is_none()
    }

    /// Waits until every record is as safe as its target wants it, or is known not to be.
    pub async fn outcome(mut self) -> Outcome {
        if let Some(heard) = self.heard.take() {
            match heard.await {
                Ok(failed) => self.refused.extend(failed),
                // A group was forgotten, and it is not known which: nothing may count as safe.
                Err(_) => {
                    let lost = |&group| Failed::Group(group, Reason::Unavailable);
                    self.refused.extend(self.group_of.iter().map(lost));
                }
            }
        }
        self.conclude()
    }

    /// From records to events.
    fn conclude(self) -> Outcome {
        if self.refused.is_empty() {
            return Outcome::default();
        }
        let mut failures = Vec::new();
        for failed in &self.refused {
            match *failed {
                Failed::Record(index, reason) => {
                    let record = self.items.get(index as usize);
                    failures.extend(record.and_then(|record| record.event).map(|e| (e, reason)));
                }
                Failed::Group(group, reason) => {
                    let records = self.items.iter().zip(&self.group_of);
                    let events = records
                        .filter(|&(_, &of)| of == group)
                        .filter_map(|(record, _)| record.event);
                    failures.extend(events.map(|event| (event, reason)));
                }
            }
        }
        failures.sort_by_key(|&(event, reason)| (event, reason.class() != Class::Rejected));
        failures.dedup_by_key(|&mut (event, _)| event);
        Outcome { failures }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Priority, Span, TargetId, TopicId};

    fn pending(events: &[Option<u32>], group_of: &[u32], refused: &[Failed]) -> Pending {
        let record = |&event: &Option<u32>| Record {
            event,
            target: TargetId(0),
            topic: TopicId(0),
            priority: Priority::P2,
            key: None,
            payload: Span::default(),
        };
        Pending {
            items: events.iter().map(record).collect(),
            group_of: group_of.to_vec(),
            refused: refused.to_vec(),
            heard: None,
        }
    }

    #[test]
    fn an_event_fails_once_and_a_refusal_for_good_outweighs_a_retry() {
        let events = [Some(0), Some(1), Some(1), Some(2), Some(2), None];
        let refused = [
            Failed::Record(2, Reason::DeliveryTooLarge),
            Failed::Group(0, Reason::Unavailable),
        ];
        let outcome = pending(&events, &[1, 0, 1, 0, 1, 0], &refused).conclude();
        let expected = [(1, Reason::DeliveryTooLarge), (2, Reason::Unavailable)];
        assert_eq!(outcome.failures, expected);
    }

    #[test]
    fn reject_records_change_no_outcome() {
        let refused = [
            Failed::Record(1, Reason::UnknownTopic),
            Failed::Group(0, Reason::Fenced),
        ];
        let outcome = pending(&[Some(0), None, None], &[1, 0, 0], &refused).conclude();
        assert_eq!(outcome, Outcome::default());
    }

    #[tokio::test]
    async fn the_last_group_tells_all_that_failed() {
        let (books, heard) = Books::open();
        let (first, second) = (books.expect(), books.expect());
        let mut pending = pending(&[Some(0), Some(1), Some(2)], &[0, 1, 1], &[]);
        pending.heard = Some(heard);
        assert!(!pending.settled());
        first.settle(0, &Verdict::Records(vec![(0, Reason::Unavailable)]));
        books.close_one();
        second.settle(1, &Verdict::All(Reason::Fenced));
        let failures = pending.outcome().await.failures;
        let expected = [
            (0, Reason::Unavailable),
            (1, Reason::Fenced),
            (2, Reason::Fenced),
        ];
        assert_eq!(failures, expected);
    }

    #[tokio::test]
    async fn what_is_never_told_of_is_not_safe() {
        let (books, heard) = Books::open();
        let mut pending = pending(&[Some(0), Some(1)], &[0, 1], &[]);
        pending.heard = Some(heard);
        drop(books);
        let all = [(0, Reason::Unavailable), (1, Reason::Unavailable)];
        assert_eq!(pending.outcome().await.failures, all);
    }
}
