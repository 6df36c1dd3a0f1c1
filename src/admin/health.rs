//! Probes. `/livez` says that the process answers and looks at nothing else; `/readyz` that a
//! revision is live and that records can be made safe somewhere.

use std::sync::Arc;

use axum::extract::State as Shared;
use axum::http::StatusCode;

use crate::admin::State;

pub(super) async fn live() -> &'static str {
    "live\n"
}

pub(super) async fn ready(Shared(state): Shared<Arc<State>>) -> (StatusCode, String) {
    match state.live.ready().and_then(|()| state.delivery.ready()) {
        Ok(()) => (StatusCode::OK, "ready\n".to_owned()),
        Err(why) => (
            StatusCode::SERVICE_UNAVAILABLE,
            format!("not ready: {why}\n"),
        ),
    }
}
