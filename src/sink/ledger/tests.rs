//! The ledger's promises: once for every group, never twice, never for another's.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use super::*;

fn noted() -> (Done, Receiver<Verdict>) {
    let (told, heard) = channel();
    let done = move |settled: Settled| told.send(settled.verdict).unwrap();
    (Box::new(done), heard)
}

#[test]
fn the_last_answer_closes_the_group_with_the_failures_alone() {
    let ledger = Ledger::new();
    let (done, heard) = noted();
    let ticket = ledger.open(7, 3, done).unwrap();
    ledger.acknowledge(ticket.word(0));
    ledger.fail(ticket.word(2), Reason::UnknownTopic);
    assert!(heard.try_recv().is_err());
    assert_eq!(ledger.outstanding(), 1);
    ledger.acknowledge(ticket.word(1));
    assert_eq!(
        heard.recv().unwrap(),
        Verdict::Records(vec![(2, Reason::UnknownTopic)])
    );
    assert_eq!(ledger.outstanding(), 0);
}

#[test]
fn an_answer_to_a_group_that_was_given_up_does_not_touch_the_next_one() {
    let ledger = Ledger::new();
    let (first, lost) = noted();
    let stale = ledger.open(1, 2, first).unwrap();
    assert_eq!(ledger.abandon(Duration::ZERO, Reason::Unavailable), 1);
    assert_eq!(lost.recv().unwrap(), Verdict::All(Reason::Unavailable));

    let (second, heard) = noted();
    let fresh = ledger.open(1, 1, second).unwrap();
    assert_eq!(fresh.slot, stale.slot);
    ledger.acknowledge(stale.word(0));
    ledger.fail(stale.word(1), Reason::Fenced);
    assert!(heard.try_recv().is_err());
    ledger.acknowledge(fresh.word(0));
    assert_eq!(heard.recv().unwrap(), Verdict::Records(vec![]));
}

#[test]
fn with_every_slot_in_use_a_group_is_refused_and_told() {
    let ledger = Ledger::new();
    let open = |_| {
        let (done, heard) = noted();
        (ledger.open(0, 1, done).unwrap(), heard)
    };
    let mut open: Vec<_> = (0..SEGMENTS * SEGMENT).map(open).collect();
    let (done, heard) = noted();
    assert_eq!(ledger.open(0, 1, done), Err(Reason::Overloaded));
    assert_eq!(heard.recv().unwrap(), Verdict::Records(vec![]));
    let (ticket, _heard) = open.pop().unwrap();
    ledger.acknowledge(ticket.word(0));
    let (done, _heard) = noted();
    assert!(ledger.open(0, 1, done).is_ok());
}

#[test]
fn a_ledger_that_is_shut_fails_open_groups_and_opens_no_more() {
    let ledger = Ledger::new();
    let (done, open) = noted();
    ledger.open(0, 1, done).unwrap();
    assert_eq!(ledger.shut(Reason::Closing), 1);
    assert_eq!(open.recv().unwrap(), Verdict::All(Reason::Closing));
    // The caller knows what it could not hand over; the group itself held nothing.
    let (done, late) = noted();
    assert_eq!(ledger.open(0, 1, done), Err(Reason::Closing));
    assert_eq!(late.recv().unwrap(), Verdict::Records(vec![]));
    assert_eq!(ledger.outstanding(), 0);
}

#[test]
fn waiting_names_open_groups_and_counts_acknowledgements() {
    let ledger = Ledger::new();
    let (done, _heard) = noted();
    let ticket = ledger.open(9, 2, done).unwrap();
    ledger.acknowledge(ticket.word(0));
    let mut seen = Vec::new();
    let later = Instant::now() + Duration::from_secs(3);
    let acknowledged = ledger.waiting(later, |tag, age| seen.push((tag, age)));
    assert_eq!(acknowledged, 1);
    assert_eq!(seen.len(), 1);
    assert!(seen[0].0 == 9 && seen[0].1 >= Duration::from_secs(3));
}

#[test]
fn answers_from_many_threads_settle_every_group_once() {
    let ledger = Arc::new(Ledger::new());
    let (told, heard) = channel();
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let ledger = ledger.clone();
            let told = told.clone();
            std::thread::spawn(move || {
                for _ in 0..2_000 {
                    let told = told.clone();
                    let done = move |settled: Settled| told.send(settled.verdict).unwrap();
                    let ticket = ledger.open(0, 4, Box::new(done)).unwrap();
                    std::thread::scope(|_| {
                        ledger.acknowledge(ticket.word(0));
                        ledger.fail(ticket.word(1), Reason::Unavailable);
                        ledger.count_down(ticket, 2);
                    });
                }
            })
        })
        .collect();
    threads
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
    drop(told);
    let all: Vec<_> = heard.iter().collect();
    assert_eq!(all.len(), 8_000);
    assert!(
        all.iter()
            .all(|verdict| *verdict == Verdict::Records(vec![(1, Reason::Unavailable)]))
    );
    assert_eq!(ledger.outstanding(), 0);
}
