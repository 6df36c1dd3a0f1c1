//! What would become of events, told by the live revision: nothing is delivered or counted.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::admin::State;
use crate::admin::answer::{Error, Json};
use crate::event::ClientIp;
use crate::gateway::Request;
use crate::gateway::explain::Explanation;
use crate::rollout::live::Found;
use crate::telemetry::clock;

/// What is asked.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    /// Which repo.
    repo: String,
    /// One event as JSON; or `body`.
    event: Option<Box<RawValue>>,
    /// A body as a client sends it, not compressed.
    body: Option<String>,
    /// The client's address (default 127.0.0.1).
    address: Option<IpAddr>,
    /// When it was received (default now).
    received: Option<Timestamp>,
}

pub(super) async fn run(
    Shared(state): Shared<Arc<State>>,
    body: Bytes,
) -> Result<Json<Explanation>, Error> {
    let question: Question = serde_json::from_slice(&body).map_err(|error| refused(
        "question",
        format!("{error}; send {{\"repo\":\"…\",\"event\":{{…}}}}, or \"body\" with the text of a body"),
    ))?;
    let body = match (question.event, question.body) {
        (Some(event), None) => event.get().replace(['\n', '\r'], " ").into_bytes(),
        (None, Some(body)) => body.into_bytes(),
        _ => {
            return Err(refused(
                "question",
                "send either `event` or `body`".to_owned(),
            ));
        }
    };
    let revision = state.live.current();
    let Found::Repo(repo) = revision.repo(&question.repo) else {
        return Err(Error {
            status: StatusCode::NOT_FOUND,
            code: "repo",
            message: format!(
                "the live revision does not serve a repo `{}`",
                question.repo
            ),
        });
    };
    let address = question.address.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let request = Request {
        revision: &revision,
        repo,
        body,
        received: question.received.unwrap_or_else(clock::timestamp),
        client: Some(ClientIp::new(address)),
        key: None,
        id: "explain",
    };
    let explained = state.gateway.explain(request).await;
    explained
        .map(Json)
        .map_err(|error| refused("body", error.to_string()))
}

fn refused(code: &'static str, message: String) -> Error {
    Error {
        status: StatusCode::BAD_REQUEST,
        code,
        message,
    }
}
