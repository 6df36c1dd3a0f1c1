//! Answers of the admin port as HTTP, errors among them, in this one place: JSON, and for an error
//! a code and what to do.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::json;

/// An answer as JSON.
#[derive(Debug)]
pub(super) struct Json<T>(pub(super) T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(body) => ([(header::CONTENT_TYPE, "application/json")], body).into_response(),
            Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
        }
    }
}

/// An answer that is not what was asked for.
#[derive(Debug)]
pub(super) struct Error {
    pub(super) status: StatusCode,
    pub(super) code: &'static str,
    pub(super) message: String,
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let body = json!({"error": {"code": self.code, "message": self.message}});
        (self.status, Json(body)).into_response()
    }
}

pub(super) async fn not_found() -> Error {
    Error {
        status: StatusCode::NOT_FOUND,
        code: "not_found",
        message: "the admin port has /livez, /readyz, /metrics, /api/revision, /api/revisions, \
                  /api/switches, /api/shadow, /api/pin, /api/unpin, /api/rollback and /api/explain"
            .to_owned(),
    }
}

pub(super) async fn method_not_allowed() -> Error {
    Error {
        status: StatusCode::METHOD_NOT_ALLOWED,
        code: "method_not_allowed",
        message:
            "/api/explain, /api/pin, /api/unpin and /api/rollback take POST, everything else GET"
                .to_owned(),
    }
}
