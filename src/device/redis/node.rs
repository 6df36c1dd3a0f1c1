//! One server: its connection, shared by all requests, and whether it is asked at all.
//!
//! It is asked while it is connected and answers in time. After [`Node::MOST_MISSED`] deadlines in a
//! row, or an error of the connection, it is asked nothing until its keeper has seen it answer.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use redis::aio::MultiplexedConnection;
use redis::io::tcp::TcpSettings;
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ErrorKind, IntoConnectionInfo as _, Pipeline,
    RedisConnectionInfo, RedisError, Value,
};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use crate::secret::Secret;
use crate::telemetry::metrics::{DeviceFailure, DeviceNode, Metrics};

/// How connections are made, and what is expected of them.
#[derive(Debug)]
pub(super) struct Access {
    /// How long requests wait for an answer.
    pub(super) deadline: Duration,
    pub(super) tls: bool,
    pub(super) username: Option<Box<str>>,
    pub(super) password: Option<Secret>,
}

/// A server.
pub(super) struct Node {
    /// `host:port`.
    pub(super) address: String,
    connection: ArcSwapOption<MultiplexedConnection>,
    /// Nothing is asked.
    refuses: AtomicBool,
    /// Deadlines that it missed since it last answered.
    missed: AtomicU32,
    /// Whether its keeper has looked at it.
    pub(super) probed: AtomicBool,
    /// Wakes its keeper.
    pub(super) nudge: Notify,
    /// The last error that it answered with.
    complaint: Mutex<Option<String>>,
    pub(super) metrics: Metrics,
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Node({})", self.address)
    }
}

impl Node {
    /// A busy machine may make one request miss its deadline; three in a row are the server's.
    const MOST_MISSED: u32 = 3;

    pub(super) fn new(address: &str, metrics: &Metrics) -> Self {
        Self {
            address: address.to_owned(),
            connection: ArcSwapOption::empty(),
            refuses: AtomicBool::new(true),
            missed: AtomicU32::new(0),
            probed: AtomicBool::new(false),
            nudge: Notify::new(),
            complaint: Mutex::new(None),
            metrics: metrics.clone(),
        }
    }

    /// The answers to a pipeline, if they come in time.
    pub(super) async fn ask(&self, pipeline: &Pipeline, end: Instant) -> Option<Vec<Value>> {
        let connection = self.connection.load_full().filter(|_| !self.refuses());
        let Some(connection) = connection else {
            return self.failed("refused");
        };
        let mut connection = MultiplexedConnection::clone(&connection);
        let asked = connection.send_packed_commands(pipeline, 0, pipeline.len());
        match timeout_at(end, asked).await {
            Ok(Ok(values)) => {
                self.missed.store(0, Ordering::Relaxed);
                Some(values)
            }
            Ok(Err(error)) => {
                self.complain(&error.to_string());
                self.refuse();
                self.failed("connection")
            }
            Err(_) => {
                if self.missed.fetch_add(1, Ordering::Relaxed) + 1 >= Self::MOST_MISSED {
                    self.refuse();
                }
                self.failed("deadline")
            }
        }
    }

    fn failed<T>(&self, cause: &'static str) -> Option<T> {
        let labels = DeviceFailure { cause };
        self.metrics.device_failures.get_or_create(&labels).inc();
        None
    }

    /// Notes an error that it answered to a command; the keeper tells it.
    pub(super) fn answered_with(&self, error: &str) {
        let labels = DeviceFailure { cause: "answer" };
        self.metrics.device_failures.get_or_create(&labels).inc();
        self.complain(error);
    }

    fn complain(&self, error: &str) {
        let mut complaint = self
            .complaint
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if complaint.is_none() {
            *complaint = Some(error.to_owned());
        }
    }

    /// What it complained about since this was last asked.
    pub(super) fn complaint(&self) -> Option<String> {
        let complaint = self.complaint.lock();
        complaint.unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Asks it nothing from now on.
    pub(super) fn refuse(&self) {
        if !self.refuses.swap(true, Ordering::AcqRel) {
            self.show();
            self.nudge.notify_one();
        }
    }

    /// It has answered: asks it again.
    pub(super) fn admit(&self) {
        self.missed.store(0, Ordering::Relaxed);
        self.refuses.store(false, Ordering::Release);
    }

    /// Whether nothing is asked.
    pub(super) fn refuses(&self) -> bool {
        self.refuses.load(Ordering::Acquire)
    }

    /// Publishes whether it is asked.
    pub(super) fn show(&self) {
        let node = self.address.clone();
        let gauge = self
            .metrics
            .device_node_refused
            .get_or_create_owned(&DeviceNode { node });
        gauge.set(i64::from(self.refuses()));
    }

    pub(super) fn connection(&self) -> Option<MultiplexedConnection> {
        self.connection.load_full().map(|one| (*one).clone())
    }

    /// Takes a new connection, or none.
    pub(super) fn connect_to(&self, connection: Option<MultiplexedConnection>) {
        self.connection.store(connection.map(Arc::new));
    }
}

impl Access {
    /// Connects to a node.
    pub(super) async fn connect(
        &self,
        address: &str,
        within: Duration,
    ) -> Result<MultiplexedConnection, RedisError> {
        let client = Client::open(self.target(address)?)?;
        // Requests have deadlines of their own.
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(within))
            .set_response_timeout(None);
        client
            .get_multiplexed_async_connection_with_config(&config)
            .await
    }

    fn target(&self, address: &str) -> Result<redis::ConnectionInfo, RedisError> {
        let wrong = || RedisError::from((ErrorKind::InvalidClientConfig, "not `host:port`"));
        let (host, port) = address.rsplit_once(':').ok_or_else(wrong)?;
        let host = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        let port = port.parse().map_err(|_| wrong())?;
        let address = if self.tls {
            ConnectionAddr::TcpTls {
                host,
                port,
                insecure: false,
                tls_params: None,
            }
        } else {
            ConnectionAddr::Tcp(host, port)
        };
        let mut login = RedisConnectionInfo::default().set_skip_set_lib_name();
        if let Some(username) = &self.username {
            login = login.set_username(username);
        }
        if let Some(password) = &self.password {
            login = login.set_password(password.expose());
        }
        let tcp = TcpSettings::default().set_nodelay(true);
        let target = address.into_connection_info()?;
        Ok(target.set_redis_settings(login).set_tcp_settings(tcp))
    }
}
