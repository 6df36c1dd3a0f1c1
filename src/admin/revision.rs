//! Which revision is live, since when, what came of the newest changes, and what can be gone back to.

use std::sync::Arc;

use axum::extract::State as Shared;
use serde::Serialize;

use crate::admin::State;
use crate::admin::answer::Json;
use crate::rollout::history::{Report, Revisions};

/// The answer of `/api/revision`.
#[derive(Debug, Serialize)]
pub(super) struct Shown {
    instance: String,
    version: &'static str,
    #[serde(flatten)]
    report: Report,
}

pub(super) async fn show(Shared(state): Shared<Arc<State>>) -> Json<Shown> {
    Json(Shown::of(&state))
}

impl Shown {
    /// Of this instance, now.
    pub(super) fn of(state: &State) -> Self {
        Self {
            instance: state.instance.clone(),
            version: env!("CARGO_PKG_VERSION"),
            report: state.history.report(),
        }
    }
}

/// The answer of `/api/revisions`.
pub(super) async fn list(Shared(state): Shared<Arc<State>>) -> Json<Revisions> {
    Json(state.history.revisions())
}
