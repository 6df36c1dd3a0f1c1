//! The token that `/api` asks for, when the settings name one.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;

use crate::admin::answer::Error;
use crate::secret::Secret;

pub(super) async fn require(
    State(token): State<Arc<Option<Secret>>>,
    request: Request,
    next: Next,
) -> Result<Response, Error> {
    if let Some(token) = token.as_ref() {
        let header = request.headers().get(header::AUTHORIZATION);
        let given = header.and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
        if !given.is_some_and(|given| token.matches(given)) {
            return Err(Error {
                status: StatusCode::UNAUTHORIZED,
                code: "unauthorized",
                message: "send the admin token as `Authorization: Bearer <token>`".to_owned(),
            });
        }
    }
    Ok(next.run(request).await)
}
