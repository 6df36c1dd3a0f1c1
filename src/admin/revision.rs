//! Which revision is live, since when, and what came of the newest changes.

use std::sync::Arc;

use axum::extract::State as Shared;
use serde::Serialize;

use crate::admin::State;
use crate::admin::answer::Json;
use crate::rollout::history::Report;

/// The answer of `/api/revision`.
#[derive(Debug, Serialize)]
pub(super) struct Shown {
    instance: String,
    version: &'static str,
    #[serde(flatten)]
    report: Report,
}

pub(super) async fn show(Shared(state): Shared<Arc<State>>) -> Json<Shown> {
    Json(Shown {
        instance: state.instance.clone(),
        version: env!("CARGO_PKG_VERSION"),
        report: state.history.report(),
    })
}
