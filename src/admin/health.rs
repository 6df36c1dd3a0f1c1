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
        Err(why) => {
            let more = nothing_live(&state).unwrap_or_default();
            let text = format!("not ready: {why}\n{more}");
            (StatusCode::SERVICE_UNAVAILABLE, text)
        }
    }
}

/// Why no revision is live, where that is so: the source cannot be read, or its documents are wrong.
fn nothing_live(state: &State) -> Option<String> {
    if state.live.current().serving {
        return None;
    }
    let report = state.history.report();
    let stale = report.stale.map(|stale| format!("{}\n", stale.why));
    let newest = report.outcomes.front();
    let wrong = newest.and_then(|newest| newest.diagnostics.first());
    stale.or_else(|| wrong.map(|diagnostic| format!("{diagnostic}\n")))
}
