//! Handing over the records of a request: into groups, past breakers and budgets, to the clients.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use crate::delivery::Shared;
use crate::delivery::breaker::Admission;
use crate::delivery::budget::{Budget, RECORD};
use crate::delivery::destination::Destinations;
use crate::delivery::pending::{Books, Failed, Pending};
use crate::delivery::settle::{Care, Handed, Probes};
use crate::event::{Ack, Priority, Reason, Record, Records, Span, TargetId, TopicId};
use crate::sink::{Client, Group, MOST_RECORDS, Message, Stamp};

/// Records of one request that share lane, topic and fate.
#[derive(Clone, Copy, Debug)]
pub(super) struct Share {
    target: TargetId,
    topic: TopicId,
    pub(super) priority: Priority,
    rejects: bool,
    pub(super) records: u32,
    pub(super) bytes: u64,
}

/// A share that was let through: the client it goes to, and what settles with it.
struct Way {
    client: Arc<Client>,
    handed: Arc<Handed>,
}

/// See [`crate::delivery::Delivery::start`].
pub(super) fn start(
    shared: &Arc<Shared>,
    to: &Destinations,
    records: Records,
    stamp: &Stamp<'_>,
) -> Pending {
    let Records { buffer, items } = records;
    let (shares, group_of) = divide(&items);
    let (books, heard) = Books::open();
    let mut refused = Vec::new();
    let now = Instant::now();
    let ways: Vec<Option<Way>> = (0..)
        .zip(&shares)
        .map(|(number, share)| {
            let way = admit(shared, to, share, number, &books, items.len(), now);
            way.map_err(|reason| refused.push(Failed::Group(number, reason)))
                .ok()
        })
        .collect();
    let mut groups: Vec<Option<Group<'_>>> = (0..)
        .zip(&ways)
        .map(|(number, way)| {
            let group = way.as_ref()?.open();
            group
                .map_err(|reason| refused.push(Failed::Group(number, reason)))
                .ok()
        })
        .collect();
    for ((index, record), &number) in (0..).zip(&items).zip(&group_of) {
        let Some(group) = &mut groups[number as usize] else {
            continue;
        };
        let key = record.key.map(|key| key.of(&buffer));
        let message = Message {
            index,
            key,
            payload: record.payload.of(&buffer),
            headers: &to.target(record.target).headers,
        };
        if let Err(reason) = group.add(&message, stamp) {
            refused.push(Failed::Record(index, reason));
        }
    }
    // Each group gives its own answer now.
    drop(groups);
    shared.pool.keep_text(buffer);
    account(to, &shares, &group_of, &refused);
    let waits = books.expects();
    books.close_one();
    Pending {
        items,
        group_of,
        refused,
        heard: waits.then_some(heard),
    }
}

impl Way {
    fn open(&self) -> Result<Group<'_>, Reason> {
        let handed = self.handed.clone();
        let (tag, records) = (handed.topic.tag(), handed.share.records);
        let done = Box::new(move |settled| handed.settle(&settled));
        self.client
            .open(tag, &self.handed.topic.name, records, done)
    }
}

/// Divides records into shares; gives them, and for each record the index of its share.
fn divide(items: &[Record]) -> (Vec<Share>, Vec<u32>) {
    let mut shares: Vec<Share> = Vec::new();
    let mut last = 0;
    let mut place = |record: &Record| {
        // Neighbours mostly go the same way.
        if !shares.get(last).is_some_and(|share| share.holds(record)) {
            let known = shares.iter().position(|share| share.holds(record));
            last = known.unwrap_or_else(|| {
                shares.push(Share::of(record));
                shares.len() - 1
            });
        }
        shares[last].add(record);
        u32::try_from(last).expect("there are no more shares than records")
    };
    let group_of = items.iter().map(&mut place).collect();
    (shares, group_of)
}

/// Lets a share through, if the breakers of its topic and its cluster do, and its budgets.
fn admit(
    shared: &Arc<Shared>,
    to: &Destinations,
    share: &Share,
    number: u32,
    books: &Arc<Books>,
    of: usize,
    now: Instant,
) -> Result<Way, Reason> {
    if shared.closing.load(Ordering::Acquire) {
        return Err(Reason::Closing);
    }
    if of >= MOST_RECORDS {
        return Err(Reason::Overloaded);
    }
    let target = to.target(share.target);
    let topic = to.topic(target, share.priority, share.topic);
    let (lane, connection) = (
        target.lane(share.priority),
        target.connection(share.priority),
    );
    let client = connection.client();
    let by_topic = topic.breaker.admit(now)?;
    let taken = take(shared, share, &lane.budget, topic.budget(share.priority));
    let by_cluster = taken.and_then(|()| {
        let admission = connection.breaker.admit(now);
        admission.inspect_err(|_| give(shared, share, &lane.budget, topic.budget(share.priority)))
    });
    if by_cluster.is_err() && by_topic == Admission::Probe {
        topic.breaker.probe_failed(now);
    }
    let probes = Probes {
        topic: by_topic == Admission::Probe,
        cluster: by_cluster? == Admission::Probe,
    };
    let care = match (share.rejects, target.ack) {
        (true, _) => Care::Rejects,
        (false, Ack::Memory) => Care::Memory,
        (false, Ack::Kafka | Ack::Any | Ack::Disk | Ack::Both) => Care::Waited(books.expect()),
    };
    let (lane, connection) = (lane.clone(), connection.clone());
    let (shared, share) = (shared.clone(), *share);
    let handed = Handed {
        shared,
        lane,
        connection,
        topic,
        care,
        share,
        number,
        probes,
    };
    Ok(Way {
        client,
        handed: Arc::new(handed),
    })
}

/// Takes a share's bytes from all three budgets, or from none.
fn take(shared: &Shared, share: &Share, lane: &Budget, topic: &Budget) -> Result<(), Reason> {
    if !lane.take(share.bytes) {
        return Err(Reason::Overloaded);
    }
    if !topic.take(share.bytes) {
        lane.give(share.bytes);
        return Err(Reason::Overloaded);
    }
    if !shared.memory.take_as(share.bytes, share.priority) {
        lane.give(share.bytes);
        topic.give(share.bytes);
        return Err(Reason::Overloaded);
    }
    Ok(())
}

/// Gives a share's bytes back to all three budgets.
pub(super) fn give(shared: &Shared, share: &Share, lane: &Budget, topic: &Budget) {
    lane.give(share.bytes);
    topic.give(share.bytes);
    shared.memory.give(share.bytes);
}

/// Counts what was refused at the hand-over, and closes topics that are unknown or not for us.
#[cold]
fn account(to: &Destinations, shares: &[Share], group_of: &[u32], refused: &[Failed]) {
    let mut tally: Vec<(u32, Reason, u32)> = Vec::new();
    for failed in refused {
        let (number, reason, records) = match *failed {
            Failed::Group(number, reason) => (number, reason, shares[number as usize].records),
            Failed::Record(index, reason) => (group_of[index as usize], reason, 1),
        };
        match tally
            .iter_mut()
            .find(|(n, r, _)| (*n, *r) == (number, reason))
        {
            Some((_, _, known)) => *known += records,
            None => tally.push((number, reason, records)),
        }
    }
    for (number, reason, records) in tally {
        let share = &shares[number as usize];
        let target = to.target(share.target);
        let lane = target.lane(share.priority);
        lane.failed(u64::from(records), reason);
        if share.rejects {
            lane.lost_rejects(u64::from(records));
        }
    }
    for failed in refused {
        if let Failed::Record(index, reason) = *failed
            && concerns_topic(reason)
        {
            let share = &shares[group_of[index as usize] as usize];
            let target = to.target(share.target);
            let topic = to.topic(target, share.priority, share.topic);
            topic.refuse(
                &target.connection(share.priority).spec,
                reason,
                Instant::now(),
            );
        }
    }
}

/// Whether it is the topic that is refused, not the record or the cluster.
pub(super) fn concerns_topic(reason: Reason) -> bool {
    matches!(reason, Reason::UnknownTopic | Reason::Unauthorized)
}

impl Share {
    fn of(record: &Record) -> Self {
        Self {
            target: record.target,
            topic: record.topic,
            priority: record.priority,
            rejects: record.event.is_none(),
            records: 0,
            bytes: 0,
        }
    }

    fn holds(&self, record: &Record) -> bool {
        self.target == record.target
            && self.topic == record.topic
            && self.priority == record.priority
            && self.rejects == record.event.is_none()
    }

    fn add(&mut self, record: &Record) {
        let key = record.key.map_or(0, Span::len);
        self.records += 1;
        self.bytes += RECORD + (key + record.payload.len()) as u64;
    }
}
