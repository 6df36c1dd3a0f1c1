//! One worker: a thread with a runtime of its own, that accepts connections and serves them.

use std::io;
use std::net::TcpListener as StdListener;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::ingest::connection::{self, Connection};
use crate::ingest::port::Port;

/// How long accepting pauses when the process has no more file descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// What a worker needs to begin.
#[derive(Debug)]
pub(super) struct Start {
    pub(super) port: Arc<Port>,
    /// Cancelled when it must accept no more.
    pub(super) stop: CancellationToken,
    /// Cancelled when what is not finished then is given up.
    pub(super) force: CancellationToken,
}

/// Accepts and serves until it is stopped and all is finished, or until it is forced.
pub(super) fn run(runtime: &Runtime, listener: StdListener, start: &Start) -> io::Result<()> {
    runtime.block_on(async {
        let listener = TcpListener::from_std(listener)?;
        let mut connections = JoinSet::new();
        accept(&listener, start, &mut connections).await;
        // What the kernel has accepted already would be reset with the socket.
        while let Some(accepted) = try_accept(&listener).await {
            open(accepted, start, &mut connections);
        }
        drop(listener);
        tokio::select! {
            () = finish(&mut connections) => {}
            () = start.force.cancelled() => {
                tracing::warn!(connections = connections.len(), "connections closed at the deadline");
                connections.shutdown().await;
            }
        }
        Ok(())
    })
}

type Accepted = (tokio::net::TcpStream, std::net::SocketAddr);

async fn accept(listener: &TcpListener, start: &Start, connections: &mut JoinSet<()>) {
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => open(accepted, start, connections),
                Err(error) if gone(&error) => {}
                Err(error) => {
                    tracing::warn!(%error, "connection not accepted");
                    tokio::time::sleep(PAUSE).await;
                }
            },
            Some(ended) = connections.join_next(), if !connections.is_empty() => note(ended),
            () = start.stop.cancelled() => return,
        }
    }
}

/// A connection that waits already, if there is one.
async fn try_accept(listener: &TcpListener) -> Option<Accepted> {
    tokio::select! {
        biased;
        accepted = listener.accept() => accepted.ok(),
        () = std::future::ready(()) => None,
    }
}

/// Serves a connection in a task of this worker.
fn open((stream, peer): Accepted, start: &Start, connections: &mut JoinSet<()>) {
    let Some((place, crowded)) = start.port.crowd.enter() else {
        return;
    };
    let connection = Connection {
        stream,
        peer,
        crowded,
    };
    let port = Arc::clone(&start.port);
    let stop = start.stop.child_token();
    connections.spawn(async move {
        connection::serve(connection, port, stop).await;
        drop(place);
    });
}

async fn finish(connections: &mut JoinSet<()>) {
    while let Some(ended) = connections.join_next().await {
        note(ended);
    }
}

/// A panic costs its connection, not the process: the next request may be well. It is a bug.
fn note(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "a request panicked: please report it");
    }
}

/// The client gave up before it was accepted.
fn gone(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    )
}
