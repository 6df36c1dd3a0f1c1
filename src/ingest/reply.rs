//! What the data port answers: JSON, always, written straight into one buffer.

use std::io::Write as _;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ALLOW, CONNECTION, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use hyper::{Response, StatusCode};

use crate::gateway::receipt::{Complaint, Receipt};
use crate::ingest::error::{self, Error};
use crate::ingest::request_id::RequestId;

/// An answer, with its whole body.
pub type Reply = Response<Full<Bytes>>;

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// What became of the events of a request: 200, or 503 when some are to be sent again.
pub fn receipt(receipt: &Receipt, revision: &str, id: &RequestId) -> Reply {
    let body = write_receipt(receipt, revision, id);
    if receipt.counts.retry == 0 {
        return json(StatusCode::OK, body);
    }
    let mut reply = json(StatusCode::SERVICE_UNAVAILABLE, body);
    let after = HeaderValue::from(error::RETRY_AFTER);
    reply.headers_mut().insert(RETRY_AFTER, after);
    reply
}

/// Why nothing of a request was taken.
pub fn refusal(error: &Error, id: &RequestId) -> Reply {
    let mut body = br#"{"error":{"code":"#.to_vec();
    string(&mut body, error.code());
    body.extend_from_slice(br#","message":"#);
    string(&mut body, &error.to_string());
    body.extend_from_slice(br#"},"request_id":"#);
    string(&mut body, id.as_str());
    body.push(b'}');
    let mut reply = json(error.status(), body);
    let headers = reply.headers_mut();
    if let Some(seconds) = error.retry_after() {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    if let Error::Method(allowed) = error {
        headers.insert(ALLOW, HeaderValue::from_static(allowed));
    }
    if matches!(error, Error::Crowded) {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    if error.status() == StatusCode::UNAUTHORIZED {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    reply
}

/// An answer with this body, which is JSON.
pub fn json(status: StatusCode, body: impl Into<Bytes>) -> Reply {
    let mut reply = Response::new(Full::new(body.into()));
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, JSON);
    reply
}

fn write_receipt(receipt: &Receipt, revision: &str, id: &RequestId) -> Vec<u8> {
    let mut body = Vec::with_capacity(160 + receipt.complaints.len() * 128);
    let counts = &receipt.counts;
    for (name, count) in [
        (r#"{"received":"#, counts.received),
        (r#","accepted":"#, counts.accepted),
        (r#","filtered":"#, counts.filtered),
        (r#","rejected":"#, counts.rejected),
        (r#","retry":"#, counts.retry),
    ] {
        body.extend_from_slice(name.as_bytes());
        number(&mut body, count);
    }
    if !receipt.complaints.is_empty() {
        body.extend_from_slice(br#","errors":"#);
        list(&mut body, &receipt.complaints, complaint);
    }
    if !receipt.retry_lines.is_empty() {
        body.extend_from_slice(br#","retry_lines":"#);
        list(&mut body, &receipt.retry_lines, |body, (first, last)| {
            body.push(b'[');
            number(body, u64::from(*first));
            body.push(b',');
            number(body, u64::from(*last));
            body.push(b']');
        });
    }
    body.extend_from_slice(br#","revision":"#);
    string(&mut body, revision);
    body.extend_from_slice(br#","request_id":"#);
    string(&mut body, id.as_str());
    body.push(b'}');
    body
}

fn complaint(body: &mut Vec<u8>, complaint: &Complaint) {
    body.extend_from_slice(br#"{"line":"#);
    number(body, u64::from(complaint.line));
    body.extend_from_slice(br#","code":"#);
    string(body, complaint.code);
    if !complaint.field.is_empty() {
        body.extend_from_slice(br#","field":"#);
        string(body, &complaint.field);
    }
    body.extend_from_slice(br#","message":"#);
    string(body, &complaint.message);
    body.push(b'}');
}

fn list<T>(body: &mut Vec<u8>, items: &[T], mut write: impl FnMut(&mut Vec<u8>, &T)) {
    body.push(b'[');
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            body.push(b',');
        }
        write(body, item);
    }
    body.push(b']');
}

fn number(body: &mut Vec<u8>, number: u64) {
    write!(body, "{number}").expect("writing into a vector cannot fail");
}

fn string(body: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(body, text).expect("writing a string into a vector cannot fail");
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::{Value, json};

    use super::*;
    use crate::gateway::receipt::Counts;

    fn written(receipt: &Receipt, id: &RequestId) -> Value {
        serde_json::from_slice(&write_receipt(receipt, "3f2a91c0d4e5", id)).unwrap()
    }

    #[test]
    fn a_receipt_is_written_as_designed() {
        let id = RequestId::new(Timestamp::UNIX_EPOCH);
        let receipt_of = Receipt {
            counts: Counts {
                received: 25,
                accepted: 20,
                filtered: 1,
                rejected: 2,
                retry: 2,
            },
            complaints: vec![
                Complaint {
                    line: 3,
                    code: "validate.type",
                    field: "properties.\"price\"".to_owned(),
                    message: "expected float, got string".to_owned(),
                },
                Complaint {
                    line: 4,
                    code: "decode.json",
                    field: String::new(),
                    message: "expected `}` at byte 7".to_owned(),
                },
            ],
            retry_lines: vec![(3, 7), (12, 12)],
        };
        let expected = json!({
            "received": 25, "accepted": 20, "filtered": 1, "rejected": 2, "retry": 2,
            "errors": [
                { "line": 3, "code": "validate.type", "field": "properties.\"price\"",
                  "message": "expected float, got string" },
                { "line": 4, "code": "decode.json", "message": "expected `}` at byte 7" },
            ],
            "retry_lines": [[3, 7], [12, 12]],
            "revision": "3f2a91c0d4e5", "request_id": id.as_str(),
        });
        assert_eq!(written(&receipt_of, &id), expected);
        let reply = receipt(&receipt_of, "3f2a91c0d4e5", &id);
        assert_eq!(reply.status(), 503);
        assert_eq!(reply.headers()[RETRY_AFTER], "1");
        assert_eq!(reply.headers()[CONTENT_TYPE], "application/json");
    }

    #[test]
    fn a_clean_receipt_holds_no_lists() {
        let id = RequestId::new(Timestamp::UNIX_EPOCH);
        let clean = Receipt {
            counts: Counts::default(),
            complaints: Vec::new(),
            retry_lines: Vec::new(),
        };
        let text = written(&clean, &id);
        assert!(text.get("errors").is_none() && text.get("retry_lines").is_none());
        assert_eq!(receipt(&clean, "r", &id).status(), 200);
    }

    #[test]
    fn a_refusal_says_what_is_wrong_and_counts_nothing() {
        let reply = refusal(
            &Error::Method("POST, OPTIONS"),
            &RequestId::new(Timestamp::UNIX_EPOCH),
        );
        assert_eq!(reply.status(), 405);
        assert_eq!(reply.headers()[ALLOW], "POST, OPTIONS");
        assert_eq!(reply.headers()[CONTENT_TYPE], "application/json");
    }
}
