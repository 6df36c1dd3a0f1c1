//! The data port as a whole: bind it (may fail), spawn it (cannot), drain it.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;

use tokio::runtime::{self, Runtime};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::gateway::Gateway;
use crate::ingest::Settings;
use crate::ingest::listen::listen;
use crate::ingest::port::Port;
use crate::ingest::worker::{self, Start};
use crate::secret::Secret;
use crate::telemetry::metrics::Metrics;

/// Why the data port cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address cannot be had.
    #[error("listen on {address} for the data port")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The debug token cannot be had.
    #[error("resolve `data_port.debug_token`")]
    Token(#[from] crate::secret::Error),
    /// No thread or runtime.
    #[error("start a worker of the data port")]
    Worker(#[source] io::Error),
}

/// The data port: its sockets listen, its threads wait.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    settings: Settings,
    debug_token: Option<Secret>,
    workers: Vec<Worker>,
}

/// A thread that waits for what it needs to begin, and tells when it has ended.
struct Worker {
    start: mpsc::SyncSender<Start>,
    ended: oneshot::Receiver<()>,
}

impl Server {
    /// Listens; everything that can fail is done here.
    pub fn bind(address: SocketAddr, settings: &Settings) -> Result<Self, Error> {
        let debug_token = settings.debug_token.as_ref();
        let debug_token = debug_token
            .map(|token| token.reference().resolve())
            .transpose()?;
        let listening = |source| Error::Listen { address, source };
        let sockets = listen(address, settings.threads()).map_err(listening)?;
        let address = sockets
            .first()
            .map_or(Ok(address), TcpListener::local_addr)
            .map_err(listening)?;
        let workers: Result<_, _> = sockets.into_iter().enumerate().map(worker).collect();
        Ok(Self {
            address,
            settings: settings.clone(),
            debug_token,
            workers: workers.map_err(Error::Worker)?,
        })
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until it is drained.
    pub fn spawn(self, gateway: Arc<Gateway>, metrics: &Metrics) -> Running {
        let port = Port::new(self.settings, self.debug_token, gateway, metrics);
        let running = Running {
            port: Arc::new(port),
            stop: CancellationToken::new(),
            force: CancellationToken::new(),
            ended: Vec::new(),
        };
        let begin = |worker: Worker| {
            let start = Start {
                port: Arc::clone(&running.port),
                stop: running.stop.child_token(),
                force: running.force.child_token(),
            };
            // A worker that is gone is told by the channel on which it tells its end.
            worker.start.send(start).ok();
            worker.ended
        };
        let ended = self.workers.into_iter().map(begin).collect();
        Running { ended, ..running }
    }
}

/// The data port, serving.
#[derive(Debug)]
pub struct Running {
    port: Arc<Port>,
    stop: CancellationToken,
    force: CancellationToken,
    ended: Vec<oneshot::Receiver<()>>,
}

impl Running {
    /// Accepts no more, finishes what has begun, and gives up what is not finished at the deadline
    /// of the settings. True if all was finished. Books of requests given up are closed by tasks.
    pub async fn drain(self) -> bool {
        self.stop.cancel();
        let deadline = self.port.settings.drain.duration();
        let mut ended = self.ended;
        let finished = async {
            for ended in &mut ended {
                // An error is a worker that has ended otherwise.
                ended.await.ok();
            }
        };
        if tokio::time::timeout(deadline, finished).await.is_ok() {
            return true;
        }
        self.force.cancel();
        for ended in ended {
            if !ended.is_terminated() {
                ended.await.ok();
            }
        }
        false
    }
}

/// Makes a worker's runtime and thread, and lets it wait.
fn worker((number, listener): (usize, TcpListener)) -> io::Result<Worker> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (start, begin) = mpsc::sync_channel(1);
    let (tell, ended) = oneshot::channel();
    thread::Builder::new()
        .name(format!("data-port-{number}"))
        .spawn(move || {
            if let Ok(start) = begin.recv() {
                serve(runtime, listener, &start);
            }
            tell.send(()).ok();
        })?;
    Ok(Worker { start, ended })
}

fn serve(runtime: Runtime, listener: TcpListener, start: &Start) {
    if let Err(error) = worker::run(&runtime, listener, start) {
        tracing::error!(%error, "a worker of the data port does not serve");
    }
    // Nothing of its own may hold the end up: what is left is given up here.
    runtime.shutdown_background();
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").finish_non_exhaustive()
    }
}
