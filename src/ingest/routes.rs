//! The paths of the data port, on one page. Whatever is not a path of its own names a repo, or may be
//! mapped to one by the index, which is known only when the revision is.
//!
//! So few paths need no router, and one costs as much as a stage of the pipeline.

use hyper::body::Incoming;
use hyper::{Method, Request, StatusCode};
use jiff::Timestamp;

use crate::ingest::error::Error;
use crate::ingest::port::{Peer, Port};
use crate::ingest::reply::{self, Reply};
use crate::ingest::request_id::RequestId;
use crate::ingest::take;
use crate::telemetry::clock;

/// Where repos are by name.
pub(super) const REPOS: &str = "/log/repo/";

#[rustfmt::skip]
pub(super) async fn answer(port: &Port, peer: Peer, request: Request<Incoming>) -> Reply {
    match request.uri().path() {
        "/healthz" => health(request.method(), clock::timestamp()),
        _          => take::take(port, peer, request).await,
    }
}

/// For load balancers: the port answers.
fn health(method: &Method, received: Timestamp) -> Reply {
    match *method {
        Method::GET | Method::HEAD => reply::json(StatusCode::OK, &br#"{"status":"ok"}"#[..]),
        _ => reply::refusal(&Error::Method("GET, HEAD"), &RequestId::new(received)),
    }
}
