//! One connection: HTTP/1 or HTTP/2, watched for clients that are slow or silent.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::Version;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::TcpStream;
use tokio::time::{Instant as Moment, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;

use crate::ingest::activity::{Activity, Overdue};
use crate::ingest::address;
use crate::ingest::port::{Peer, Port};
use crate::ingest::routes;
use crate::ingest::socket::Socket;

/// Bytes that a head may have, about: path and header fields with their own limits, and the rest.
const HEAD: usize = 136 * 1024;
/// Bytes of header fields of an HTTP/2 request, with those for path and query.
const FIELDS: u32 = 136 * 1024;
/// Requests at once on one HTTP/2 connection.
const STREAMS: u32 = 128;

/// A connection that was accepted.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) stream: TcpStream,
    pub(super) peer: SocketAddr,
    /// Beyond the limit: its requests are refused, and it is closed.
    pub(super) crowded: bool,
}

/// Serves a connection to its end. When `stop` is cancelled, requests that have begun are finished.
pub(super) async fn serve(connection: Connection, port: Arc<Port>, stop: CancellationToken) {
    let Some(peer) = peer(&connection, &port).await else {
        return;
    };
    // Small answers must not wait for each other's acknowledgements.
    connection.stream.set_nodelay(true).ok();
    let activity = Activity::new(Instant::now());
    let socket = Socket::new(connection.stream, Arc::clone(&activity));
    let served = Arc::clone(&activity);
    let service = service_fn(|request: hyper::Request<Incoming>| {
        let serving = served.serve(request.version() == Version::HTTP_2);
        let port = Arc::clone(&port);
        async move {
            let answer = routes::answer(&port, peer, request).await;
            drop(serving);
            Ok::<_, Infallible>(answer)
        }
    });
    let builder = builder();
    let mut http = pin!(builder.serve_connection(TokioIo::new(socket), service));
    let limits = (
        port.settings.idle_timeout.duration(),
        port.settings.header_timeout.duration(),
    );
    let mut looks = looks(limits.0.min(limits.1));
    let mut stopping = false;
    loop {
        tokio::select! {
            biased;
            ended = http.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "connection ended");
                }
                return;
            }
            () = stop.cancelled(), if !stopping => {
                stopping = true;
                http.as_mut().graceful_shutdown();
            }
            _ = looks.tick() => match activity.overdue(Instant::now(), limits.0, limits.1) {
                None => {}
                Some(Overdue::Idle) => http.as_mut().graceful_shutdown(),
                Some(Overdue::Head) => activity.expire(),
                Some(Overdue::Stuck) => return,
            }
        }
    }
}

/// Who the connection speaks for; nothing if it must be closed.
async fn peer(connection: &Connection, port: &Port) -> Option<Peer> {
    let mut address = connection.peer;
    if port.settings.proxy_protocol {
        let deadline = port.settings.header_timeout.duration();
        let source = address::source(&connection.stream, address, &port.trusted, deadline).await;
        match source {
            Ok(source) => address = source,
            Err(error) => {
                tracing::debug!(peer = %connection.peer, %error, "connection refused");
                return None;
            }
        }
    }
    Some(Peer {
        address: address.ip(),
        crowded: connection.crowded,
    })
}

fn builder() -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .max_buf_size(HEAD)
        // A client that has said all may still listen.
        .half_close(true)
        .header_read_timeout(None);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(FIELDS)
        .keep_alive_interval(Duration::from_secs(20));
    builder
}

/// Often enough to notice what is overdue within a quarter of its time.
fn looks(shortest: Duration) -> tokio::time::Interval {
    let every = (shortest / 4).clamp(Duration::from_millis(20), Duration::from_secs(1));
    let mut looks = interval_at(Moment::now() + every, every);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    looks
}
