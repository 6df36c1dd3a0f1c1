//! Clients of the data port: a well-behaved one, and a bare connection for what such a client would
//! not send.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long an answer may take before a test counts as hanging.
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) fn client() -> reqwest::Client {
    reqwest::Client::builder()
        .no_proxy()
        .timeout(PATIENCE)
        .build()
        .unwrap()
}

/// A client that opens a connection for each request.
pub(crate) fn client_without_pool() -> reqwest::Client {
    let builder = reqwest::Client::builder().no_proxy().timeout(PATIENCE);
    builder.pool_max_idle_per_host(0).build().unwrap()
}

/// A whole answer of the data port.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
}

/// The sums of a reply.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) received: u64,
    pub(crate) accepted: u64,
    pub(crate) filtered: u64,
    pub(crate) rejected: u64,
    pub(crate) retry: u64,
}

impl Counts {
    pub(crate) fn balance(&self) -> bool {
        self.received == self.accepted + self.filtered + self.rejected + self.retry
    }
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.received += other.received;
        self.accepted += other.accepted;
        self.filtered += other.filtered;
        self.rejected += other.rejected;
        self.retry += other.retry;
    }
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The counts, which must balance; an answer without them is a failure.
    pub(crate) fn counts(&self) -> Counts {
        let counts: Counts = serde_json::from_str(&self.text)
            .unwrap_or_else(|error| panic!("no counts ({error}): {self:?}"));
        assert!(counts.balance(), "the books do not balance: {self:?}");
        counts
    }

    /// `line: code` of each error shown.
    pub(crate) fn errors(&self) -> Vec<(u64, String)> {
        let json = self.json();
        let errors = json["errors"].as_array().cloned().unwrap_or_default();
        let shown = errors.iter().map(|error| {
            (
                error["line"].as_u64().unwrap(),
                error["code"].as_str().unwrap().to_owned(),
            )
        });
        shown.collect()
    }

    /// The line numbers of `retry_lines`, its ranges written out.
    pub(crate) fn retry_lines(&self) -> Vec<u64> {
        let json = self.json();
        let ranges = json["retry_lines"].as_array().cloned().unwrap_or_default();
        let lines = ranges
            .iter()
            .flat_map(|range| range[0].as_u64().unwrap()..=range[1].as_u64().unwrap());
        lines.collect()
    }

    pub(crate) fn revision(&self) -> String {
        self.json()["revision"]
            .as_str()
            .unwrap_or_else(|| panic!("no revision: {self:?}"))
            .to_owned()
    }
}

pub(crate) async fn send(request: reqwest::RequestBuilder) -> Reply {
    try_send(request).await.unwrap()
}

pub(crate) async fn try_send(request: reqwest::RequestBuilder) -> reqwest::Result<Reply> {
    let answer = request.send().await?;
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    Ok(Reply {
        status,
        headers,
        text: answer.text().await?,
    })
}

/// A bare connection.
pub(crate) struct Raw(TcpStream);

impl Raw {
    pub(crate) async fn connect(port: u16) -> Self {
        Self(TcpStream::connect(("127.0.0.1", port)).await.unwrap())
    }

    /// Writes as much as the other side takes; it may have answered and closed already.
    pub(crate) async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        let _taken = self.0.write_all(bytes.as_ref()).await;
    }

    /// Says that nothing more will come.
    pub(crate) async fn finish(&mut self) {
        let _open = self.0.shutdown().await;
    }

    /// Goes away at once, with a reset.
    pub(crate) fn reset(self) {
        socket2::SockRef::from(&self.0)
            .set_linger(Some(Duration::ZERO))
            .unwrap();
    }

    /// One answer: its head, and as much body as its `content-length` says. Empty if the other side
    /// closes without an answer.
    pub(crate) async fn answer(&mut self) -> String {
        let mut seen = Vec::new();
        let mut piece = vec![0; 64 * 1024];
        loop {
            if whole(&seen) {
                break;
            }
            match timeout(PATIENCE, self.0.read(&mut piece))
                .await
                .expect("an answer or a close")
            {
                Ok(0) | Err(_) => break,
                Ok(length) => seen.extend_from_slice(&piece[..length]),
            }
        }
        String::from_utf8(seen).unwrap()
    }

    /// The status of one answer; 0 if the other side closes without one.
    pub(crate) async fn status(&mut self) -> u16 {
        status_of(&self.answer().await)
    }
}

/// The status in the first line of an answer; 0 if there is none.
pub(crate) fn status_of(answer: &str) -> u16 {
    answer
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .unwrap_or(0)
}

fn whole(seen: &[u8]) -> bool {
    let text = String::from_utf8_lossy(seen);
    // The answer proper comes after the word to go on.
    let text = text
        .strip_prefix("HTTP/1.1 100 Continue\r\n\r\n")
        .unwrap_or(&text);
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head.to_ascii_lowercase();
    let length = length
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"));
    length.is_some_and(|length| body.len() >= length.trim().parse::<usize>().unwrap())
}
