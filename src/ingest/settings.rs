//! The settings of the data port: what the process may spend on it, and how long it waits.

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::unit::{SecretRef, Size, TimeSpan};

/// The settings of the data port.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Threads that serve connections; 0 is one for each core.
    pub workers: usize,
    /// Connections at once. A few more are told that there are too many; the rest is closed.
    pub max_connections: usize,
    /// Bytes of bodies in memory at once. A request that would not fit is answered 503.
    pub in_flight: Size,
    /// How long the head of a request may take.
    pub header_timeout: TimeSpan,
    /// How long a body may take.
    pub body_timeout: TimeSpan,
    /// How long a connection may be open without a request.
    pub idle_timeout: TimeSpan,
    /// How long requests may go on after the port has stopped accepting.
    pub drain: TimeSpan,
    /// Proxies: whose word about the client's address is taken (`10.0.0.0/8`).
    #[schemars(with = "Vec<String>")]
    pub trusted: Vec<IpNet>,
    /// Whether every connection begins with a PROXY protocol v2 header.
    pub proxy_protocol: bool,
    /// Where the token stands that `?dry_run=1` asks for (`X-Weir-Debug`). Without one nobody can.
    pub debug_token: Option<SecretRef>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            workers: 0,
            max_connections: 10_000,
            in_flight: Size::mib(256),
            header_timeout: TimeSpan::seconds(10),
            body_timeout: TimeSpan::seconds(30),
            idle_timeout: TimeSpan::seconds(75),
            drain: TimeSpan::seconds(15),
            trusted: Vec::new(),
            proxy_protocol: false,
            debug_token: None,
        }
    }
}

impl Settings {
    /// How many threads serve.
    pub fn threads(&self) -> usize {
        match self.workers {
            0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            threads => threads,
        }
    }
}
