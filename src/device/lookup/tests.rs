//! What is asked of a map in which order, and what follows from its answers.

use crate::device::Status;
use crate::device::digest::{EventDigest, Key, Keys};
use crate::device::entry::{Entry, First, Record};
use crate::device::lookup::{Answer, Asked, Command, Lookup, Mode, Moment};
use crate::device::memory::Memory;
use crate::secret::Secret;

const DAY: u32 = 86_400;

fn key(n: u8) -> Key {
    Key([n; 12])
}

fn first(n: u8) -> First {
    First {
        length: 100,
        digest: EventDigest([n; 8]),
    }
}

fn lookup(second: u32, devices: &[(&[u8], u8, Option<i32>)]) -> Lookup {
    let moment = Moment {
        second,
        day: u16::try_from(second / DAY).unwrap(),
    };
    let mut lookup = Lookup::new(Mode::Remember, moment);
    for (identifiers, event, skew) in devices {
        let keys = identifiers.iter().copied().map(key).collect();
        lookup.asked.push(Asked::new(keys, first(*event), *skew));
    }
    lookup
}

/// Runs it, and says how many commands each round had.
fn run(map: &Memory, lookup: &mut Lookup) -> Vec<usize> {
    let mut rounds = Vec::new();
    loop {
        let commands = lookup.next();
        if commands.is_empty() {
            return rounds;
        }
        rounds.push(commands.len());
        let answers: Vec<_> = commands.iter().map(|command| map.run(command)).collect();
        lookup.answer(answers.into_iter());
    }
}

fn statuses(lookup: &Lookup) -> Vec<Status> {
    let keys = Keys::new(&Secret::new("s"));
    let asked = lookup.asked.iter();
    asked.map(|asked| asked.resolved(&keys).status).collect()
}

fn record(map: &Memory, owner: u8) -> Record {
    match map.run(&Command::Get(key(owner))) {
        Answer::Entry(Some(Entry::Own(record))) => record,
        other => panic!("no record: {other:?}"),
    }
}

#[test]
fn a_new_device_takes_three_rounds_and_a_known_one_takes_one() {
    let map = Memory::new(1000);
    let mut new = lookup(0, &[(&[1, 2, 3], 1, None), (&[4], 2, None)]);
    assert_eq!(run(&map, &mut new), [4, 2, 2]);
    assert_eq!(statuses(&new), [Status::New, Status::New]);
    let mut known = lookup(0, &[(&[1, 2, 3], 9, None), (&[4], 2, None)]);
    assert_eq!(run(&map, &mut known), [4]);
    assert_eq!(statuses(&known), [Status::Known, Status::New], "sent again");
}

#[test]
fn new_devices_of_one_request_that_share_identifiers_are_one() {
    let map = Memory::new(1000);
    let mut both = lookup(0, &[(&[1, 2], 1, None), (&[2, 3], 2, None)]);
    assert_eq!(run(&map, &mut both), [4, 1, 2]);
    assert_eq!(statuses(&both), [Status::New, Status::Known]);
    let keys = Keys::new(&Secret::new("s"));
    let id = |at: usize| both.asked[at].resolved(&keys).id;
    assert_eq!(id(0), id(1));
}

#[test]
fn a_chain_of_shared_identifiers_is_one_new_device() {
    let map = Memory::new(1000);
    let mut chain = lookup(
        0,
        &[(&[1, 2], 1, None), (&[2, 3], 2, None), (&[3, 4], 3, None)],
    );
    run(&map, &mut chain);
    assert_eq!(
        statuses(&chain),
        [Status::New, Status::Known, Status::Known]
    );
    let mut last = lookup(0, &[(&[4], 4, None), (&[1], 5, None)]);
    run(&map, &mut last);
    let keys = Keys::new(&Secret::new("s"));
    let id = |at: usize| last.asked[at].resolved(&keys).id;
    assert_eq!(id(0), id(1));
}

#[test]
fn new_devices_that_share_only_a_distrusted_identifier_are_two() {
    let map = Memory::new(1000);
    run(&map, &mut lookup(0, &[(&[9], 1, None)]));
    let Answer::Entry(Some(known)) = map.run(&Command::Get(key(9))) else {
        panic!("it was claimed");
    };
    map.run(&Command::Put(key(9), known.distrusted()));
    let mut two = lookup(0, &[(&[9, 2], 2, None), (&[9, 3], 3, None)]);
    run(&map, &mut two);
    assert_eq!(statuses(&two), [Status::New, Status::New]);
}

#[test]
fn a_claim_that_came_second_is_a_conflict_where_it_leads_elsewhere() {
    let map = Memory::new(1000);
    let mut slow = lookup(0, &[(&[1, 2], 1, None)]);
    let reads = slow.next().len();
    slow.answer(std::iter::repeat_n(Answer::Entry(None), reads));
    // Meanwhile somebody who does not know the strongest identifier was here.
    run(&map, &mut lookup(0, &[(&[2], 2, None)]));
    run(&map, &mut slow);
    assert_eq!(statuses(&slow), [Status::Conflict]);
    let keys = Keys::new(&Secret::new("s"));
    assert_eq!(slow.asked[0].resolved(&keys).id, Some(keys.device(key(1))));
    assert_eq!(slow.asked[0].settled(), None, "it is not cached");
}

#[test]
fn what_is_not_answered_is_degraded_and_the_rest_is_not() {
    let map = Memory::new(1000);
    run(&map, &mut lookup(0, &[(&[1], 1, None)]));
    let mut half = lookup(0, &[(&[1], 1, None), (&[2], 2, None)]);
    let commands = half.next();
    let answers: Vec<_> = commands[..1].iter().map(|each| map.run(each)).collect();
    half.answer(answers.into_iter());
    assert!(half.next().is_empty(), "nothing is claimed for it");
    assert_eq!(statuses(&half), [Status::New, Status::Degraded]);
    let keys = Keys::new(&Secret::new("s"));
    let told = half.asked[1].resolved(&keys);
    assert_eq!((told.id, told.is_new), (Some(keys.device(key(2))), None));
}

#[test]
fn the_record_is_written_once_a_day_with_the_least_skew() {
    let map = Memory::new(1000);
    run(&map, &mut lookup(10 * DAY, &[(&[1], 1, Some(-900))]));
    let today = lookup_of(&map, 10 * DAY + 5, Some(1));
    assert_eq!(today, [], "it is of today already");
    let tomorrow = lookup_of(&map, 11 * DAY, Some(300));
    let [put @ Command::Put(..)] = tomorrow[..] else {
        panic!("one write: {tomorrow:?}");
    };
    map.run(&put);
    let found = record(&map, 1);
    assert_eq!((found.first_seen, found.last_day), (10 * DAY, 11));
    assert_eq!((found.skew, found.first), (Some(300), Some(first(1))));
    assert_eq!(lookup_of(&map, 11 * DAY + 9, Some(7)), []);
}

/// What a look-up of the device 1 leaves to be written, twice in one request.
fn lookup_of(map: &Memory, second: u32, skew: Option<i32>) -> Vec<Command> {
    let mut lookup = lookup(second, &[(&[1], 5, skew), (&[1], 6, skew)]);
    run(map, &mut lookup);
    lookup.afterwards()
}

#[test]
fn a_device_whose_record_was_lost_is_not_new_again() {
    let map = Memory::new(1000);
    let mut device = lookup(0, &[(&[1, 2], 1, None)]);
    run(&map, &mut device);
    let other = Memory::new(1000);
    let link = map.run(&Command::Get(key(2)));
    let Answer::Entry(Some(link)) = link else {
        panic!("the weaker identifier leads somewhere: {link:?}");
    };
    other.run(&Command::Claim(key(2), link));
    let mut again = lookup(0, &[(&[1, 2], 2, None)]);
    run(&other, &mut again);
    assert_eq!(statuses(&again), [Status::Known]);
    assert_eq!(record(&other, 1).first, None);
}
