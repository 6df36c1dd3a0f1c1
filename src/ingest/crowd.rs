//! How many connections there are. A few beyond the limit are let in to be told so (and to ask
//! `/healthz`); whatever comes beyond those is closed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;

use crate::telemetry::metrics::Metrics;

/// Connections beyond the limit that are told.
const TOLD: usize = 64;

/// The connections of the data port.
#[derive(Debug)]
pub(super) struct Crowd {
    limit: usize,
    open: Arc<AtomicUsize>,
    shown: Gauge,
    refused: Counter,
}

/// A connection's place; left when dropped.
#[derive(Debug)]
pub(super) struct Place {
    open: Arc<AtomicUsize>,
    shown: Gauge,
}

impl Crowd {
    /// At most so many, and a few to be told.
    pub(super) fn new(limit: usize, metrics: &Metrics) -> Self {
        Self {
            limit,
            open: Arc::default(),
            shown: metrics.connections.clone(),
            refused: metrics.connections_refused.clone(),
        }
    }

    /// A place, and whether it is beyond the limit.
    pub(super) fn enter(&self) -> Option<(Place, bool)> {
        let open = self.open.fetch_add(1, Ordering::Relaxed) + 1;
        self.shown.inc();
        let place = Place {
            open: Arc::clone(&self.open),
            shown: self.shown.clone(),
        };
        if open > self.limit {
            self.refused.inc();
        }
        (open <= self.limit + TOLD).then_some((place, open > self.limit))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
        self.shown.dec();
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::registry::Registry;

    use super::*;

    #[test]
    fn those_beyond_the_limit_are_told_and_those_beyond_that_are_closed() {
        let metrics = Metrics::new(&mut Registry::default());
        let crowd = Crowd::new(2, &metrics);
        let inside: Vec<_> = (0..2).map(|_| crowd.enter().unwrap()).collect();
        assert!(inside.iter().all(|(_, crowded)| !crowded));
        let told: Vec<_> = (0..TOLD).map(|_| crowd.enter().unwrap()).collect();
        assert!(told.iter().all(|(_, crowded)| *crowded));
        assert!(crowd.enter().is_none());
        assert_eq!(metrics.connections.get(), 66);
        drop((inside, told));
        assert_eq!(metrics.connections.get(), 0);
        assert!(!crowd.enter().unwrap().1);
    }
}
