//! What the requests of the data port share.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use prometheus_client::metrics::counter::Counter;

use crate::gateway::Gateway;
use crate::ingest::Settings;
use crate::ingest::address::Trusted;
use crate::ingest::body::{Budget, Reader};
use crate::ingest::crowd::Crowd;
use crate::ingest::rate::Rates;
use crate::ingest::reply::Reply;
use crate::secret::Secret;
use crate::telemetry::metrics::{Answer, Metrics};

/// The code of an answer that is no error.
const NO_ERROR: &str = "none";

/// What the requests of the data port share.
#[derive(Debug)]
pub(super) struct Port {
    pub(super) settings: Settings,
    pub(super) gateway: Arc<Gateway>,
    pub(super) reader: Reader,
    pub(super) rates: Rates,
    pub(super) trusted: Trusted,
    pub(super) crowd: Crowd,
    /// What a dry run asks for.
    pub(super) debug_token: Option<Secret>,
    metrics: Metrics,
    taken: Counter,
}

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer {
    pub(super) address: IpAddr,
    /// Its connection is beyond the limit.
    pub(super) crowded: bool,
}

impl Port {
    pub(super) fn new(
        settings: Settings,
        debug_token: Option<Secret>,
        gateway: Arc<Gateway>,
        metrics: &Metrics,
    ) -> Self {
        let bytes = usize::try_from(settings.in_flight.get()).unwrap_or(usize::MAX);
        let budget = Budget::new(bytes, metrics.in_flight_bytes.clone());
        let deadline = settings.body_timeout.duration();
        Self {
            reader: Reader::new(budget, deadline, gateway.pool().clone()),
            gateway,
            rates: Rates::default(),
            trusted: Trusted::new(&settings.trusted),
            crowd: Crowd::new(settings.max_connections, metrics),
            debug_token,
            taken: metrics.requests.get_or_create_owned(&Answer {
                status: 200,
                code: NO_ERROR,
            }),
            metrics: metrics.clone(),
            settings,
        }
    }

    /// Counts a request until the guard is dropped.
    pub(super) fn begin(&self) -> InFlight<'_> {
        self.metrics.in_flight_requests.inc();
        InFlight(&self.metrics)
    }

    /// Counts an answer; `code` is that of the error it tells.
    pub(super) fn count(&self, reply: &Reply, code: Option<&'static str>, begun: Instant) {
        let status = reply.status().as_u16();
        if status == 200 && code.is_none() {
            self.taken.inc();
        } else {
            let code = code.unwrap_or(NO_ERROR);
            let answer = Answer { status, code };
            self.metrics.requests.get_or_create(&answer).inc();
        }
        let seconds = begun.elapsed().as_secs_f64();
        self.metrics.request_seconds.observe(seconds);
    }
}

/// A request that is being served.
#[derive(Debug)]
pub(super) struct InFlight<'p>(&'p Metrics);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.in_flight_requests.dec();
    }
}
