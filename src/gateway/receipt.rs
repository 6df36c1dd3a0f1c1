//! What a client is told of its request: every event counted once, and what was not accepted named.

use crate::event::{Batch, Class, Effect, Fate, Reason, Violation};

/// The books of a request: `received` is the sum of the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Events in the body.
    pub received: u64,
    /// Safe by the ack of their targets.
    pub accepted: u64,
    /// Dropped on purpose.
    pub filtered: u64,
    /// Not wanted.
    pub rejected: u64,
    /// Could not be made safe: to be sent again.
    pub retry: u64,
}

impl Counts {
    /// Whether no event is missing and none is counted twice.
    pub fn balance(&self) -> bool {
        self.received == self.accepted + self.filtered + self.rejected + self.retry
    }

    /// Counts events that left.
    pub(super) fn leave(&mut self, class: Class, events: u64) {
        match class {
            Class::Filtered => self.filtered += events,
            Class::Rejected => self.rejected += events,
            Class::Retry => self.retry += events,
        }
    }
}

/// Something that is wrong with an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// Line of the body, or element of the array, from 1.
    pub line: u32,
    /// The code of the reason.
    pub code: &'static str,
    /// The field, as a path; empty when it is about the event.
    pub field: String,
    /// What was expected and found.
    pub message: String,
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The books.
    pub counts: Counts,
    /// The first things that are wrong: of rejected events, then of those to be sent again.
    pub complaints: Vec<Complaint>,
    /// All lines to be sent again, as ranges of first and last.
    pub retry_lines: Vec<(u32, u32)>,
}

impl Receipt {
    /// Of a batch whose every event has its last fate. `shown` is how many complaints are told.
    pub(super) fn of(batch: &Batch, counts: Counts, shown: usize) -> Self {
        let mut receipt = Self {
            counts,
            complaints: Vec::new(),
            retry_lines: Vec::new(),
        };
        if counts.rejected > 0 {
            receipt.tell_rejected(batch, shown);
        }
        if counts.retry > 0 {
            receipt.tell_retry(batch, shown);
        }
        receipt
    }

    fn tell_rejected(&mut self, batch: &Batch, shown: usize) {
        let found = batch.violations_by_event();
        let mut found = found.as_slice();
        for (index, event) in batch.events().iter().enumerate() {
            let of_event = |violation: &&Violation| violation.event as usize == index;
            let until = found.iter().take_while(|v| of_event(v)).count();
            let (own, rest) = found.split_at(until);
            found = rest;
            let Fate::Left(reason) = event.fate else {
                continue;
            };
            if reason.class() != Class::Rejected {
                continue;
            }
            let fatal = own.iter().filter(|v| v.effect == Effect::Rejected);
            let before = self.complaints.len();
            let room = shown.saturating_sub(before);
            let told = fatal.take(room).map(|v| Complaint {
                line: event.line,
                code: v.reason.code(),
                field: v.field.clone(),
                message: v.message.clone(),
            });
            self.complaints.extend(told);
            if self.complaints.len() == before && room > 0 {
                self.complaints.push(unexplained(event.line, reason));
            }
            if self.complaints.len() >= shown {
                return;
            }
        }
    }

    fn tell_retry(&mut self, batch: &Batch, shown: usize) {
        for event in batch.events() {
            let Fate::Left(reason) = event.fate else {
                continue;
            };
            if reason.class() != Class::Retry {
                continue;
            }
            match self.retry_lines.last_mut() {
                Some((_, last)) if *last + 1 == event.line => *last = event.line,
                _ => self.retry_lines.push((event.line, event.line)),
            }
            if self.complaints.len() < shown {
                self.complaints.push(unexplained(event.line, reason));
            }
        }
    }
}

/// For reasons that come without a violation: delivery's, above all.
fn unexplained(line: u32, reason: Reason) -> Complaint {
    let message = match reason {
        Reason::DeliveryTooLarge => "the record is larger than the topic takes",
        Reason::DeliveryInvalid => "the topic refused the record as invalid",
        Reason::DeliveryPolicy => "the topic refused the record by its policy",
        Reason::RouteTooLarge => "the record is larger than its producer takes",
        Reason::RouteNone => "no route takes this event",
        Reason::Overloaded => "too much waits to be delivered there: send it again later",
        Reason::Unavailable => "it could not be delivered in time: send it again",
        Reason::UnknownTopic => "its topic does not exist yet: send it again later",
        Reason::Unauthorized => "the gateway may not write to its topic yet: send it again later",
        Reason::Fenced => "the client for its topic is being replaced: send it again",
        Reason::Closing => "the gateway is ending: send it again, to another instance",
        _ => "the event was not accepted",
    };
    Complaint {
        line,
        code: reason.code(),
        field: String::new(),
        message: message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::event::{Depth, Fields, Pool};
    use crate::pipeline::decode::{Format, Input, decode};

    fn batch(events: u32) -> Batch {
        let input = Input {
            format: Format::Jsonl,
            event_limit: 1000,
            max_events: 1000,
            depth: Depth(8),
        };
        let body = "{\"a\":1}\n".repeat(events as usize).into_bytes();
        decode(&input, body, &Arc::new(Fields::default()), &Pool::default()).unwrap()
    }

    fn receipt(batch: &Batch, shown: usize) -> Receipt {
        let mut counts = Counts {
            received: batch.events().len() as u64,
            ..Counts::default()
        };
        for class in [Class::Filtered, Class::Rejected, Class::Retry] {
            counts.leave(class, batch.left(class) as u64);
        }
        Receipt::of(batch, counts, shown)
    }

    #[test]
    fn retry_lines_are_whole_ranges_and_uncapped() {
        let mut batch = batch(100);
        for index in (2..7).chain([11]).chain((20..100).step_by(2)) {
            batch.event(index).leave(Reason::Unavailable);
        }
        let receipt = receipt(&batch, 2);
        assert_eq!(receipt.retry_lines[..3], [(3, 7), (12, 12), (21, 21)]);
        assert_eq!(receipt.retry_lines.len(), 42);
        assert_eq!(receipt.complaints.len(), 2);
        assert_eq!(receipt.complaints[0].code, "delivery.unavailable");
    }

    #[test]
    fn all_that_is_wrong_with_rejected_events_is_told_in_the_order_of_lines() {
        let mut batch = batch(3);
        let wrong = |batch: &mut Batch, index: usize, field: &str| {
            batch
                .event(index)
                .reject(Reason::ValidateType, field, "expected int".to_owned());
        };
        wrong(&mut batch, 2, "late");
        wrong(&mut batch, 0, "first");
        wrong(&mut batch, 0, "second");
        batch
            .event(1)
            .violate(Reason::ValidateRange, "seen", String::new());
        let told: Vec<_> = receipt(&batch, 20)
            .complaints
            .into_iter()
            .map(|complaint| (complaint.line, complaint.field))
            .collect();
        let expected = [(1, "first"), (1, "second"), (3, "late")];
        assert_eq!(told, expected.map(|(line, field)| (line, field.to_owned())));
        assert_eq!(receipt(&batch, 1).complaints.len(), 1);
        assert!(receipt(&batch, 0).complaints.is_empty());
    }

    #[test]
    fn a_rejection_without_a_violation_is_told_too() {
        let mut batch = batch(2);
        batch.event(1).leave(Reason::DeliveryTooLarge);
        let told = receipt(&batch, 20).complaints;
        assert_eq!((told[0].line, told[0].code), (2, "delivery.too_large"));
    }
}
