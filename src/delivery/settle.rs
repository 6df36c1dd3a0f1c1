//! What is done when the last record of a group has been answered: budgets given back, breakers
//! told, records counted, the books of the request brought up to date.

use std::sync::Arc;
use std::time::Instant;

use crate::delivery::Shared;
use crate::delivery::connection::{Connection, TOPIC_REST, TopicState};
use crate::delivery::lane::Lane;
use crate::delivery::pending::Books;
use crate::delivery::send::{self, Share};
use crate::event::{Class, Reason};
use crate::sink::{Settled, Verdict};

/// A group on its way.
#[derive(Debug)]
pub(super) struct Handed {
    pub(super) shared: Arc<Shared>,
    pub(super) lane: Arc<Lane>,
    pub(super) connection: Arc<Connection>,
    pub(super) topic: Arc<TopicState>,
    pub(super) care: Care,
    pub(super) share: Share,
    /// Its index among the groups of its request.
    pub(super) number: u32,
    pub(super) probes: Probes,
}

/// Who cares about records that fail after the hand-over.
#[derive(Debug)]
pub(super) enum Care {
    /// The reply waits, and says so.
    Waited(Arc<Books>),
    /// They are lost, counted and logged.
    Memory,
    /// They are reject records, and lost.
    Rejects,
}

/// Which breakers let the group through as a probe.
#[derive(Clone, Copy, Debug)]
pub(super) struct Probes {
    pub(super) topic: bool,
    pub(super) cluster: bool,
}

impl Handed {
    /// Runs on the client's thread.
    pub(super) fn settle(&self, settled: &Settled) {
        send::give(
            &self.shared,
            &self.share,
            &self.lane.budget,
            self.topic.budget(self.share.priority),
        );
        let failed = tally(settled, self.share.records);
        let lost: u32 = failed.iter().map(|(_, records)| records).sum();
        let taken = u64::from(settled.handed.saturating_sub(lost));
        if settled.handed > 0 {
            self.lane.settled(taken, settled.elapsed.as_secs_f64());
        }
        for &(reason, records) in &failed {
            self.lane.failed(u64::from(records), reason);
        }
        self.tell_breakers(taken, &failed);
        match (&self.care, failed.first()) {
            (Care::Waited(books), _) => books.settle(self.number, &settled.verdict),
            (Care::Memory, Some(&(reason, _))) => self.lane.lost(u64::from(lost), reason),
            (Care::Rejects, Some(_)) => self.lane.lost_rejects(u64::from(lost)),
            (Care::Memory | Care::Rejects, None) => {}
        }
    }

    fn tell_breakers(&self, taken: u64, failed: &[(Reason, u32)]) {
        let target = &self.connection.spec;
        // A cluster that refuses a record has answered.
        let answered = failed
            .iter()
            .any(|(reason, _)| reason.class() == Class::Rejected);
        if taken > 0 || answered {
            self.connection.acknowledged();
        } else if self.probes.cluster {
            self.connection.breaker.probe_failed(Instant::now());
        }
        if taken > 0 {
            self.topic.taken(target, taken);
        } else if self.probes.topic {
            let rested = Instant::now() + TOPIC_REST;
            self.topic.breaker.probe_failed(rested);
        }
        let refused = failed.iter().map(|&(reason, _)| reason);
        if let Some(reason) = refused
            .into_iter()
            .find(|&reason| send::concerns_topic(reason))
        {
            self.topic.refuse(target, reason, Instant::now());
        }
    }
}

/// How many records failed for which reason. `records` is how many the group was opened for: if it
/// was given up in the middle of the hand-over, it is not known how many went.
fn tally(settled: &Settled, records: u32) -> Vec<(Reason, u32)> {
    let records = match &settled.verdict {
        Verdict::All(reason) if settled.handed == 0 => return vec![(*reason, records)],
        Verdict::All(reason) => return vec![(*reason, settled.handed)],
        Verdict::Records(records) => records,
    };
    let mut tally: Vec<(Reason, u32)> = Vec::new();
    for (_, reason) in records {
        match tally.iter_mut().find(|(known, _)| known == reason) {
            Some((_, count)) => *count += 1,
            None => tally.push((*reason, 1)),
        }
    }
    tally
}
