//! `?dry_run=1` with the debug token of the instance: everything but delivery, told event by event.

use std::sync::Arc;

use hyper::StatusCode;
use hyper::header::HeaderName;
use hyper::http::request::Parts;

use crate::ingest::error::Error;
use crate::ingest::port::Port;
use crate::ingest::reply::{self, Reply};
use crate::ingest::take::Taken;
use crate::rollout::live::Repo;

/// Where the token stands.
const X_WEIR_DEBUG: HeaderName = HeaderName::from_static("x-weir-debug");

/// Whether the request asks for a dry run.
pub(super) fn wanted(head: &Parts) -> bool {
    let query = head.uri.query().unwrap_or_default();
    query.split('&').any(|pair| pair == "dry_run=1")
}

/// Whether it may. The token stands in for a key of the repo.
pub(super) fn allow(port: &Port, head: &Parts) -> Result<(), Error> {
    let given = head.headers.get(&X_WEIR_DEBUG);
    match (&port.debug_token, given) {
        (Some(token), Some(given)) if token.matches(given.as_bytes()) => Ok(()),
        _ => Err(Error::DebugToken),
    }
}

/// Tells what would become of the body.
pub(super) async fn run(
    taken: &Taken<'_>,
    repo: &Arc<Repo>,
    body: Vec<u8>,
) -> Result<Reply, Error> {
    let key = taken.key(repo).map(|key| &*key.id);
    let request = taken.request(repo, key, body);
    let explanation = taken.port.gateway.explain(request).await?;
    let body = serde_json::to_vec(&explanation)
        .expect("an explanation is text, numbers and JSON that was checked");
    Ok(reply::json(StatusCode::OK, body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_exact_word_asks_for_a_dry_run() {
        let wanted = |uri: &str| {
            let request = hyper::Request::get(uri).body(()).unwrap();
            wanted(&request.into_parts().0)
        };
        assert!(wanted("/log/repo/a?dry_run=1"));
        assert!(wanted("/log/repo/a?x=y&dry_run=1"));
        assert!(!wanted("/log/repo/a?dry_run=0"));
        assert!(!wanted("/log/repo/dry_run=1"));
    }
}
