//! Which web pages may send to a repo (CORS): its document names their origins.
//!
//! A preflight is answered for every repo that exists; without a grant the browser refuses the page,
//! which is all that CORS can do. Requested headers are mirrored. Credentials are in headers, not in
//! cookies, so no answer allows those.

use hyper::HeaderMap;
use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    HeaderValue, ORIGIN, VARY,
};

use crate::pipeline::access::Access;

const ONE_DAY: HeaderValue = HeaderValue::from_static("86400");
const METHODS: HeaderValue = HeaderValue::from_static("POST, OPTIONS");
const EXPOSED: HeaderValue = HeaderValue::from_static("retry-after");
const VARY_ORIGIN: HeaderValue = HeaderValue::from_static("origin");

/// What a page may be told; nothing for requests that no web page made.
#[derive(Clone, Debug, Default)]
pub struct Grant(Option<HeaderValue>);

impl Grant {
    /// Of what the repo allows to the page that the request names.
    pub fn of(access: &Access, request: &HeaderMap) -> Self {
        let allowed = |origin: &&HeaderValue| {
            let mut entries = access.origins.iter().map(|entry| entry.as_bytes());
            entries.any(|entry| entry == b"*" || entry.eq_ignore_ascii_case(origin.as_bytes()))
        };
        if access.origins.is_empty() {
            return Self::default();
        }
        Self(request.get(ORIGIN).filter(allowed).cloned())
    }

    /// Adds what a real reply says.
    pub fn write(&self, reply: &mut HeaderMap) {
        if let Some(origin) = &self.0 {
            reply.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            reply.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
            reply.insert(VARY, VARY_ORIGIN);
        }
    }

    /// Adds what the answer to a preflight says.
    pub fn write_preflight(&self, request: &HeaderMap, reply: &mut HeaderMap) {
        let Some(origin) = &self.0 else { return };
        reply.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        reply.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        reply.insert(ACCESS_CONTROL_MAX_AGE, ONE_DAY);
        reply.insert(VARY, VARY_ORIGIN);
        if let Some(headers) = request.get(ACCESS_CONTROL_REQUEST_HEADERS) {
            reply.insert(ACCESS_CONTROL_ALLOW_HEADERS, headers.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Depth;
    use crate::pipeline::access::Limits;
    use crate::pipeline::decode::{Format, Input};

    fn access(origins: &[&str]) -> Access {
        Access {
            input: Input {
                format: Format::Jsonl,
                event_limit: 1,
                max_events: 1,
                depth: Depth(1),
            },
            limits: Limits {
                wire: 1,
                body: 1,
                ratio: 1,
            },
            keys: Vec::new(),
            rate: None,
            origins: origins.iter().map(|origin| (*origin).into()).collect(),
        }
    }

    fn preflight(origins: &[&str], origin: &str) -> HeaderMap {
        let mut request = HeaderMap::new();
        request.insert(ORIGIN, origin.parse().unwrap());
        let asked = "authorization, x-retry-count".parse().unwrap();
        request.insert(ACCESS_CONTROL_REQUEST_HEADERS, asked);
        let mut reply = HeaderMap::new();
        Grant::of(&access(origins), &request).write_preflight(&request, &mut reply);
        reply
    }

    #[test]
    fn requested_headers_are_mirrored_to_pages_that_may_send() {
        let reply = preflight(&["https://shop.example"], "https://shop.example");
        assert_eq!(reply[ACCESS_CONTROL_ALLOW_ORIGIN], "https://shop.example");
        assert_eq!(
            reply[ACCESS_CONTROL_ALLOW_HEADERS],
            "authorization, x-retry-count"
        );
        assert_eq!(reply[ACCESS_CONTROL_MAX_AGE], "86400");
        assert!(preflight(&["https://shop.example"], "https://evil.example").is_empty());
        assert!(preflight(&[], "https://shop.example").is_empty());
        assert!(!preflight(&["*"], "null").is_empty());
    }

    #[test]
    fn a_real_reply_names_the_page_and_no_methods() {
        let mut request = HeaderMap::new();
        let mut reply = HeaderMap::new();
        Grant::of(&access(&["*"]), &request).write(&mut reply);
        assert!(reply.is_empty());
        request.insert(ORIGIN, "https://a.example".parse().unwrap());
        Grant::of(&access(&["*"]), &request).write(&mut reply);
        assert_eq!(reply[ACCESS_CONTROL_ALLOW_ORIGIN], "https://a.example");
        assert!(!reply.contains_key(ACCESS_CONTROL_ALLOW_METHODS));
    }
}
