//! The task that watches: ages of what waits, breakers, refused topics, failed and unused clients.

use std::sync::Arc;
use std::time::Instant;

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::delivery::Delivery;
use crate::delivery::connection::Connection;
use crate::delivery::stall::TICK;
use crate::event::Reason;
use crate::tasks::{Drained, Ended};

/// What need not be done every tick is done every this many.
const SLOW: u32 = 10;

/// Ticks until told to stop.
pub(super) async fn run(delivery: Delivery, stop: CancellationToken) -> Ended {
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut count: u32 = 0;
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = stop.cancelled() => return Ok(Drained),
        }
        count = count.wrapping_add(1);
        delivery.tick(Instant::now(), count.is_multiple_of(SLOW));
    }
}

impl Delivery {
    /// One look at everything.
    pub(super) fn tick(&self, now: Instant, slow: bool) {
        let registry = &self.shared.registry;
        for connection in registry.connections() {
            connection.watch(now);
            self.mend(&connection, now, slow);
        }
        registry.retire();
        for lane in registry.all_lanes() {
            lane.show();
            if slow {
                lane.tell_lost();
            }
        }
        if slow {
            registry.show_producers(&self.shared.metrics);
        }
    }

    /// What blocks is done elsewhere.
    fn mend(&self, connection: &Arc<Connection>, now: Instant, slow: bool) {
        if connection.must_replace(now) {
            let (connection, metrics) = (connection.clone(), self.shared.metrics.clone());
            tokio::task::spawn_blocking(move || connection.replace(&metrics));
        } else if slow && connection.must_ask(now) {
            let connection = connection.clone();
            tokio::task::spawn_blocking(move || connection.ask());
        } else if slow
            && connection
                .refused()
                .iter()
                .any(|(_, why)| *why == Reason::UnknownTopic)
        {
            let connection = connection.clone();
            tokio::task::spawn_blocking(move || connection.look_up());
        }
    }
}
