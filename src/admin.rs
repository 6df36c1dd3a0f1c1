//! The admin port: health, metrics, revision, switches, explain. Its paths are one table, on this page.

mod answer;
mod explain;
mod health;
mod pin;
mod revision;
mod shadow;
mod switches;
mod token;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State as Shared;
use axum::http::header::CONTENT_TYPE;
use axum::middleware;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use prometheus_client::registry::Registry;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use crate::delivery::Delivery;
use crate::gateway::Gateway;
use crate::rollout::control::Control;
use crate::rollout::history::History;
use crate::rollout::live::Live;
use crate::secret::Secret;
use crate::tasks::{Drained, Tasks};
use crate::telemetry::metrics::{self, expose};
use crate::unit::SecretRef;

/// The settings of the admin port.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Where the token stands that `/api` asks for (`Authorization: Bearer`). Needed when the port
    /// listens on more than loopback.
    pub token: Option<SecretRef>,
}

/// Why the admin port cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Open to others without a token.
    #[error(
        "the admin port listens on {0}, which others can reach: set `admin_port.token` to a \
         reference such as `file:/etc/weir/admin-token`, or listen on 127.0.0.1"
    )]
    Open(SocketAddr),
    /// The token cannot be had.
    #[error("resolve `admin_port.token`")]
    Token(#[from] crate::secret::Error),
    /// The address cannot be had.
    #[error("listen on {address} for the admin port")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
}

/// What the admin port shows.
#[derive(Debug)]
pub struct State {
    /// The live revision.
    pub live: Arc<Live>,
    /// What came of each change.
    pub history: Arc<History>,
    /// Pins and unpins this instance.
    pub control: Control,
    /// Where records go.
    pub delivery: Delivery,
    /// What events are taken through.
    pub gateway: Arc<Gateway>,
    /// All metrics.
    pub registry: Registry,
    /// This instance's name.
    pub instance: String,
}

/// The admin port, listening and not yet answering.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    token: Option<Secret>,
}

impl Server {
    /// Listens; everything that can fail is done here.
    pub async fn bind(address: SocketAddr, settings: &Settings) -> Result<Self, Error> {
        let token = settings
            .token
            .as_ref()
            .map(|token| token.reference().resolve())
            .transpose()?;
        if token.is_none() && !address.ip().is_loopback() {
            return Err(Error::Open(address));
        }
        let listener = TcpListener::bind(address)
            .await
            .map_err(|source| Error::Listen { address, source })?;
        Ok(Self { listener, token })
    }

    /// The address it listens on.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers until the process drains.
    pub fn spawn(self, state: Arc<State>, tasks: &Tasks) {
        let stop = tasks.stop_signal();
        let routes = routes(state, self.token);
        tasks.spawn("admin", async move {
            axum::serve(self.listener, routes)
                .with_graceful_shutdown(stop.cancelled_owned())
                .await
                .map(|()| Drained)
                .map_err(|error| crate::tasks::Error(error.to_string()))
        });
    }
}

#[rustfmt::skip]
fn routes(state: Arc<State>, token: Option<Secret>) -> Router {
    let api = Router::new()
        .route("/api/revision",  get(revision::show))
        .route("/api/switches",  get(switches::show))
        .route("/api/shadow",    get(shadow::show))
        .route("/api/revisions", get(revision::list))
        .route("/api/pin",       post(pin::pin))
        .route("/api/rollback",  post(pin::rollback))
        .route("/api/unpin",     post(pin::unpin))
        .route("/api/explain",   post(explain::run))
        .layer(middleware::from_fn_with_state(Arc::new(token), token::require));
    Router::new()
        .route("/livez",   get(health::live))
        .route("/readyz",  get(health::ready))
        .route("/metrics", get(exposition))
        .merge(api)
        .fallback(answer::not_found)
        .method_not_allowed_fallback(answer::method_not_allowed)
        .with_state(state)
}

/// What Prometheus reads.
async fn exposition(Shared(state): Shared<Arc<State>>) -> impl IntoResponse {
    (
        [(CONTENT_TYPE, metrics::CONTENT_TYPE)],
        expose(&state.registry),
    )
}
