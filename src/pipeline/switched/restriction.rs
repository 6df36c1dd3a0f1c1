//! Emergency rules: what fits a condition is dropped, sampled, sent elsewhere, made less important
//! or slowed down.

use std::sync::Arc;

use crate::event::{Batch, EventMut, FieldId, Priority, Reason, TargetId, TopicId};
use crate::pipeline::Context;
use crate::pipeline::condition::Condition;
use crate::pipeline::switched::bucket::{Bucket, Flow};

/// One rule of the switches.
#[derive(Debug)]
pub struct Restriction {
    /// Its place in the document, from 1.
    pub number: u8,
    /// Which events.
    pub when: Condition,
    /// What becomes of them.
    pub action: Action,
    /// As it was written, without notes: two that were written alike are alike.
    pub written: Box<str>,
}

/// What becomes of an event that fits.
#[derive(Debug)]
pub enum Action {
    /// It is filtered.
    Drop,
    /// It is filtered, unless the hash of a field (or of the event as received) is below a share.
    Sample {
        /// The share that stays.
        keep: f64,
        /// What is hashed; an event without it is hashed whole.
        by: Option<FieldId>,
    },
    /// It goes to this topic alone.
    Redirect(TargetId, TopicId),
    /// It has this priority.
    Priority(Priority),
    /// It is filtered when the bucket is empty.
    Rate(Flow, Arc<Bucket>),
}

impl PartialEq for Restriction {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number && self.written == other.written
    }
}

impl Restriction {
    pub(super) fn apply(&self, batch: &mut Batch, context: &Context<'_>) {
        let reason = Reason::Restriction(self.number);
        if let Action::Rate(flow, bucket) = &self.action {
            self.slow_down(batch, context, *flow, bucket);
            return;
        }
        batch.each(|event| {
            if !self.when.holds(event, context) {
                return;
            }
            match &self.action {
                Action::Drop => event.leave(reason),
                Action::Sample { keep, by } => {
                    if sampled(event, *by) >= *keep {
                        event.leave(reason);
                    }
                }
                Action::Redirect(target, topic) => event.event.redirect = Some((*target, *topic)),
                Action::Priority(priority) => event.event.restricted = Some(*priority),
                Action::Rate(..) => {}
            }
        });
    }

    /// Places are taken for the whole batch at once, and those not needed given back.
    fn slow_down(&self, batch: &mut Batch, context: &Context<'_>, flow: Flow, bucket: &Bucket) {
        let now = i64::try_from(context.received.as_nanosecond()).unwrap_or(i64::MAX);
        let mut places = bucket.take(flow, now, batch.live());
        batch.each(|event| {
            if !self.when.holds(event, context) {
                return;
            }
            match places.checked_sub(1) {
                Some(left) => places = left,
                None => event.leave(Reason::Restriction(self.number)),
            }
        });
        bucket.give_back(flow, places);
    }
}

/// Between 0 and 1, and the same for the same content on every instance.
fn sampled(event: &EventMut<'_>, by: Option<FieldId>) -> f64 {
    let content = by.and_then(|field| event.get(field)).map(|json| json.0);
    let hash = stable_hash(content.unwrap_or_else(|| event.received())) >> 32;
    f64::from(u32::try_from(hash).unwrap_or(u32::MAX)) / f64::from(u32::MAX)
}

/// FNV-1a, with the finalizer of `MurmurHash3` because its high bits alone are too regular.
fn stable_hash(bytes: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in bytes {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

#[cfg(test)]
mod tests;
