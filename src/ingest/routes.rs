//! The paths of the data port, on one page. Whatever is not a path of its own may be mapped to a repo
//! by the index, which is known only when the revision is: that is the fallback.

use std::sync::Arc;

use axum::Router;
use axum::routing::{any, get};
use bytes::Bytes;
use hyper::StatusCode;

use crate::ingest::port::Port;
use crate::ingest::reply::{self, Reply};
use crate::ingest::take;

/// Where repos are by name.
pub(super) const REPOS: &str = "/log/repo/";

#[rustfmt::skip]
pub(super) fn routes(port: &Arc<Port>) -> Router {
    Router::new()
        .route("/log/repo/{repo}", any(take::take))
        .route("/healthz",         get(health))
        .fallback(take::take)
        .with_state(Arc::clone(port))
}

/// For load balancers: the port answers.
async fn health() -> Reply {
    reply::json(StatusCode::OK, Bytes::from_static(br#"{"status":"ok"}"#))
}
