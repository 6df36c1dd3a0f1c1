//! What is counted, how much of it is kept, and what is never told.

use jiff::ToSpan as _;

use super::*;

const START: Timestamp = Timestamp::UNIX_EPOCH;

fn violation(reason: Reason, field: &str, message: &str) -> Violation {
    Violation {
        event: 0,
        reason,
        field: field.to_owned(),
        message: message.to_owned(),
        effect: Effect::Shadow,
        validator: Some(0),
        sample: Some("99".into()),
    }
}

fn key(event: &str) -> Borrowed<'_> {
    Borrowed {
        validator: "plan",
        event: Some(event),
        field: Cow::Borrowed("price"),
        code: Reason::ValidateType.code(),
        would: Would::Reject,
    }
}

fn add(table: &mut Table, event: &str, events: u64, message: &str, now: Timestamp) {
    let newest = &violation(Reason::ValidateType, "price", message);
    table.add(&key(event), &Tally { events, newest }, now);
}

#[test]
fn the_same_is_one_row_with_the_newest_samples() {
    let mut table = Table::default();
    for number in 1..=5 {
        add(&mut table, "buy", 2, &format!("{number}"), START);
    }
    add(&mut table, "see", 1, "", START);
    let rows = table.rows();
    assert_eq!(rows.len(), 2);
    let (key, row) = &rows[0];
    assert_eq!((key.event.as_deref(), row.events), (Some("buy"), 10));
    let messages: Vec<_> = row.samples.iter().map(|each| &*each.message).collect();
    assert_eq!(messages, ["5", "4", "3"]);
}

#[test]
fn what_finds_no_row_is_summed_up() {
    let mut table = Table::default();
    for number in 0..Table::ROWS + 7 {
        add(&mut table, &format!("event {number}"), 3, "", START);
    }
    assert_eq!(table.other(), 21);
    assert_eq!(table.rows.len(), Table::ROWS);
}

#[test]
fn a_full_table_makes_room_for_what_happens_now() {
    let mut table = Table::default();
    for number in 0..Table::ROWS {
        add(&mut table, &format!("event {number}"), 1, "", START);
    }
    let later = START + 2.hours();
    add(&mut table, "event 0", 1, "", later);
    add(&mut table, "buy", 1, "", later);
    assert_eq!(table.rows.len(), 2, "the busy row and the new one");
    assert_eq!(
        table.other(),
        Table::ROWS as u64 - 1,
        "nothing is forgotten"
    );
}

#[test]
fn names_that_came_with_the_event_are_told_only_if_they_are_words() {
    let unknown = violation(Reason::ValidateUnknown, "properties.13812345678", "");
    assert_eq!(field(&unknown), "properties.99999999999");
    let declared = violation(Reason::ValidateType, "properties.id_2024", "");
    assert_eq!(field(&declared), "properties.id_2024");
    let schema = violation(Reason::ValidateSchema, "", "('anne' was unexpected)");
    assert_eq!(&*message(&schema), "the schema does not hold");
}
