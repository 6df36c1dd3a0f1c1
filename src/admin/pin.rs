//! Pinning this one instance to a set that was live before, and letting it go: for when the config
//! center is away. `/api/rollback` is a pin to the set before the live one.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::admin::State;
use crate::admin::answer::{Error, Json};
use crate::admin::revision::Shown;
use crate::rollout::control;

/// How long the outcome is waited for: longer than clusters are given to answer.
const WITHIN: Duration = Duration::from_secs(30);

/// To which set, and why.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct To {
    /// Of a set, or of a revision: then its set is meant.
    digest: String,
    reason: String,
}

/// Why.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Because {
    reason: String,
}

pub(super) async fn pin(
    Shared(state): Shared<Arc<State>>,
    body: Bytes,
) -> Result<Json<Shown>, Error> {
    let to: To = read(&body, r#"{"digest":"…","reason":"…"}"#)?;
    let reason = given(&to.reason)?;
    outcome(&state, state.control.pin(&to.digest, reason)).await
}

pub(super) async fn rollback(
    Shared(state): Shared<Arc<State>>,
    body: Bytes,
) -> Result<Json<Shown>, Error> {
    let because: Because = read(&body, r#"{"reason":"…"}"#)?;
    let reason = given(&because.reason)?;
    outcome(&state, state.control.rollback(reason)).await
}

pub(super) async fn unpin(
    Shared(state): Shared<Arc<State>>,
    body: Bytes,
) -> Result<Json<Shown>, Error> {
    let because: Because = read(&body, r#"{"reason":"…"}"#)?;
    let reason = given(&because.reason)?;
    outcome(&state, state.control.unpin(reason)).await
}

fn read<T: DeserializeOwned>(body: &[u8], example: &str) -> Result<T, Error> {
    serde_json::from_slice(body).map_err(|error| Error {
        status: StatusCode::BAD_REQUEST,
        code: "question",
        message: format!("{error}; send {example}"),
    })
}

/// A pin that nobody can explain a month later is never let go.
fn given(reason: &str) -> Result<&str, Error> {
    let reason = reason.trim();
    if !reason.is_empty() {
        return Ok(reason);
    }
    Err(Error {
        status: StatusCode::BAD_REQUEST,
        code: "reason",
        message: "give a `reason`: it is shown until the instance is unpinned".to_owned(),
    })
}

/// This instance as it is afterwards.
async fn outcome(
    state: &State,
    asked: impl Future<Output = Result<(), control::Error>>,
) -> Result<Json<Shown>, Error> {
    match tokio::time::timeout(WITHIN, asked).await {
        Ok(Ok(())) => Ok(Json(Shown::of(state))),
        Ok(Err(error)) => Err(refused(&error)),
        Err(_) => Err(Error {
            status: StatusCode::ACCEPTED,
            code: "under_way",
            message: "not live yet: clusters are still being asked; see /api/revision".to_owned(),
        }),
    }
}

fn refused(error: &control::Error) -> Error {
    let (status, code) = match error {
        control::Error::Unknown(_) => (StatusCode::NOT_FOUND, "unknown"),
        control::Error::NoPrevious => (StatusCode::CONFLICT, "no_previous"),
        control::Error::NotPinned => (StatusCode::CONFLICT, "not_pinned"),
        control::Error::Damaged(_) => (StatusCode::CONFLICT, "damaged"),
        control::Error::Stopping => (StatusCode::SERVICE_UNAVAILABLE, "stopping"),
    };
    Error {
        status,
        code,
        message: error.to_string(),
    }
}
