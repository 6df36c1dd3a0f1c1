//! What restrictions do to the events of a batch.

use std::sync::Arc;

use jiff::Timestamp;

use super::*;
use crate::event::{Depth, Fate, FieldsBuilder, Path, Pool};
use crate::pipeline::decode::{Format, Input, decode};
use crate::tables::Tables;

const NAME: FieldId = FieldId(0);

fn batch(events: usize) -> Batch {
    let mut fields = FieldsBuilder::default();
    fields.add(&Path::parse("name").unwrap()).unwrap();
    let body: String = (0..events)
        .map(|n| format!("{{\"name\":\"n{n}\"}}\n"))
        .collect();
    let input = Input {
        format: Format::Jsonl,
        event_limit: 1_000,
        max_events: 100_000,
        depth: Depth(8),
    };
    let fields = Arc::new(fields.build());
    decode(&input, body.into_bytes(), &fields, &Pool::default()).unwrap()
}

fn context(tables: &Tables, received: Timestamp) -> Context<'_> {
    Context {
        received,
        client: None,
        key: None,
        tables,
        geo: None,
        revision: "r",
        batch: "b",
        instance: "i",
    }
}

fn apply(action: Action, batch: &mut Batch) {
    let restriction = Restriction {
        number: 3,
        when: Condition::All([].into()),
        action,
        written: "".into(),
    };
    let tables = Tables::default();
    restriction.apply(
        batch,
        &context(&tables, "2026-01-01T00:00:00Z".parse().unwrap()),
    );
}

#[test]
fn drop_filters_with_the_number_of_the_rule() {
    let mut batch = batch(2);
    apply(Action::Drop, &mut batch);
    assert_eq!(batch.events()[1].fate, Fate::Left(Reason::Restriction(3)));
    assert_eq!(batch.live(), 0);
}

#[test]
fn a_sample_is_stable_and_about_its_share() {
    let kept = || {
        let mut batch = batch(10_000);
        let keep = 0.25;
        apply(
            Action::Sample {
                keep,
                by: Some(NAME),
            },
            &mut batch,
        );
        let live = batch.events().iter().map(|event| event.fate == Fate::Live);
        live.collect::<Vec<_>>()
    };
    let first = kept();
    assert_eq!(first, kept());
    let share = first.iter().filter(|live| **live).count();
    assert!((2_300..2_700).contains(&share), "{share}");
}

#[test]
fn redirect_and_priority_mark_the_event() {
    let mut batch = batch(1);
    apply(Action::Redirect(TargetId(1), TopicId(2)), &mut batch);
    apply(Action::Priority(Priority::P3), &mut batch);
    let event = &batch.events()[0];
    assert_eq!(event.redirect, Some((TargetId(1), TopicId(2))));
    assert_eq!(event.restricted, Some(Priority::P3));
    assert_eq!(event.fate, Fate::Live);
}

#[test]
fn a_rate_lets_the_first_events_through() {
    let mut batch = batch(20);
    let bucket = Arc::new(Bucket::default());
    apply(Action::Rate(Flow { per_second: 12 }, bucket), &mut batch);
    assert_eq!(batch.live(), 12);
    assert_eq!(batch.events()[11].fate, Fate::Live);
    assert_eq!(batch.events()[12].fate, Fate::Left(Reason::Restriction(3)));
}
