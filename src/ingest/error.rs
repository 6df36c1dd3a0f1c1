//! Why a request was refused as a whole, and how that is told by HTTP: the one place where the data
//! port's errors become statuses. Nothing of such a request was taken.

use std::time::Duration;

use hyper::StatusCode;

use crate::ingest::body;
use crate::ingest::credential::Denied;
use crate::pipeline::decode;

/// Why a request was refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No such path.
    #[error("nothing is at this path: send events with POST to /log/repo/{{repo}}")]
    Path,
    /// No such repo.
    #[error("there is no repo of this name: check the name in the path")]
    Repo,
    /// The path and query are too long.
    #[error("the path and query are longer than {} KiB: send it in the body", HEAD_MOST / 1024)]
    LongPath,
    /// The header fields are too large.
    #[error("the header fields are larger than {} KiB: send fewer or smaller ones", HEAD_MOST / 1024)]
    LargeFields,
    /// Not what this path is for.
    #[error("this path takes only {0}")]
    Method(&'static str),
    /// The repo is known, but not yet how to serve it.
    #[error("the repo has no good document at the moment: send it again later")]
    NoDocument,
    /// The key is missing or wrong.
    #[error("{}", denied(*.0))]
    Credential(Denied),
    /// Not allowed to see what the pipeline does.
    #[error("a dry run needs the debug token of this instance in X-Weir-Debug")]
    DebugToken,
    /// Too fast.
    #[error("too much was sent: send it again after the time in Retry-After")]
    Rate(Duration),
    /// Too many connections.
    #[error("too many connections: send it again later, over fewer of them")]
    Crowded,
    /// Nothing that this repo's events go to can take any.
    #[error("nothing can be delivered at the moment: send it again later")]
    Closed,
    /// The body could not be had.
    #[error("{0}")]
    Body(#[from] body::Error),
    /// The body is not what the repo takes.
    #[error("{0}")]
    Decode(#[from] decode::Error),
}

fn denied(denied: Denied) -> &'static str {
    match denied {
        Denied::Missing => {
            "a key is needed: send it as Authorization: Bearer, as the user of Basic, or in X-Weir-Key"
        }
        Denied::Wrong => "the key is not one of this repo's, or was revoked",
        Denied::Unknowable => "the key cannot be checked at the moment: send it again later",
    }
}

impl Error {
    /// The word for it in replies and metrics.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Path => "request.path",
            Self::Repo => "request.repo",
            Self::LongPath => "request.long_path",
            Self::LargeFields => "request.large_fields",
            Self::Method(_) => "request.method",
            Self::NoDocument => "repo.no_document",
            Self::Credential(Denied::Missing) => "credential.missing",
            Self::Credential(Denied::Wrong) => "credential.wrong",
            Self::Credential(Denied::Unknowable) => "credential.unknowable",
            Self::DebugToken => "credential.debug_token",
            Self::Rate(_) => "rate.limited",
            Self::Crowded => "overload.connections",
            Self::Closed => "overload.delivery",
            Self::Body(error) => body_code(error),
            Self::Decode(decode::Error::Array { .. }) => "decode.array",
            Self::Decode(decode::Error::TooManyEvents { .. }) => "decode.events",
            Self::Decode(decode::Error::TooLarge) => "decode.size",
        }
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Path | Self::Repo => StatusCode::NOT_FOUND,
            Self::LongPath => StatusCode::URI_TOO_LONG,
            Self::LargeFields => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::Credential(Denied::Missing) => StatusCode::UNAUTHORIZED,
            Self::Credential(Denied::Wrong) | Self::DebugToken => StatusCode::FORBIDDEN,
            Self::Rate(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::NoDocument
            | Self::Credential(Denied::Unknowable)
            | Self::Crowded
            | Self::Closed => StatusCode::SERVICE_UNAVAILABLE,
            Self::Body(error) => body_status(error),
            Self::Decode(decode::Error::Array { .. }) => StatusCode::BAD_REQUEST,
            Self::Decode(decode::Error::TooManyEvents { .. } | decode::Error::TooLarge) => {
                StatusCode::PAYLOAD_TOO_LARGE
            }
        }
    }

    /// When to come back, in seconds, for those that are to be sent again.
    pub fn retry_after(&self) -> Option<u64> {
        match self {
            Self::Rate(wait) => Some(whole_seconds(*wait)),
            _ if self.status() == StatusCode::SERVICE_UNAVAILABLE => Some(RETRY_AFTER),
            _ => None,
        }
    }
}

/// Bytes that path and query may have, and bytes that the header fields may have.
pub const HEAD_MOST: usize = 64 * 1024;

/// When to come back after a 503, in seconds.
pub const RETRY_AFTER: u64 = 1;

fn body_code(error: &body::Error) -> &'static str {
    match error {
        body::Error::Coding(_) => "body.coding",
        body::Error::Wire { .. } => "body.wire_size",
        body::Error::Decoded { .. } => "body.size",
        body::Error::Ratio { .. } => "body.ratio",
        body::Error::Corrupt(_) => "body.corrupt",
        body::Error::Malformed(_) => "body.malformed",
        body::Error::Slow(_) => "body.slow",
        body::Error::Overloaded(_) => "overload.bytes",
        body::Error::Gone(_) => "body.gone",
    }
}

fn body_status(error: &body::Error) -> StatusCode {
    match error {
        body::Error::Coding(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        body::Error::Wire { .. } | body::Error::Decoded { .. } | body::Error::Ratio { .. } => {
            StatusCode::PAYLOAD_TOO_LARGE
        }
        body::Error::Corrupt(_) | body::Error::Malformed(_) | body::Error::Gone(_) => {
            StatusCode::BAD_REQUEST
        }
        body::Error::Slow(_) => StatusCode::REQUEST_TIMEOUT,
        body::Error::Overloaded(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_to_be_sent_again_says_when() {
        assert_eq!(
            Error::Rate(Duration::from_millis(1200)).retry_after(),
            Some(2)
        );
        assert_eq!(Error::Rate(Duration::from_secs(3)).retry_after(), Some(3));
        assert!(Error::NoDocument.retry_after().is_some());
        assert!(Error::Repo.retry_after().is_none());
        assert!(Error::Credential(Denied::Wrong).retry_after().is_none());
    }

    #[test]
    fn none_is_401_and_wrong_is_403() {
        assert_eq!(Error::Credential(Denied::Missing).status(), 401);
        assert_eq!(Error::Credential(Denied::Wrong).status(), 403);
        assert_eq!(Error::Credential(Denied::Unknowable).status(), 503);
    }
}
