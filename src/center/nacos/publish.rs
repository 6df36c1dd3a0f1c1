//! Publishing by compare-and-swap, with what servers make of it: 2.x tells everyone who inserts at the
//! same moment that he did, and the embedded database of both fails where two write at once.

use std::time::Duration;

use reqwest::Method;
use tokio::time::sleep;

use crate::center::nacos::error::{Error, Kind};
use crate::center::nacos::http::Request;
use crate::center::nacos::{LARGEST, Nacos, Version, reply, write_path};
use crate::telemetry::clock;

/// How often a write is tried again at which the server failed.
const RETRIES: u32 = 4;
/// Before the first of them, give or take a half; it doubles each time.
const PAUSE: Duration = Duration::from_millis(200);
/// Fits no content: a compare-and-swap with it only inserts.
const NO_CONTENT: &str = "00000000000000000000000000000000";

/// What must be there for a publish to happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Base {
    /// Whatever is there.
    Any,
    /// The content with this md5.
    Md5(String),
    /// Nothing.
    Absent,
}

impl Base {
    /// A content as it was published.
    pub fn of(content: &str) -> Self {
        Self::Md5(reply::md5_of(content))
    }
}

impl Nacos {
    /// Publishes a document, with the type that its first character tells. [`Kind::Conflict`] if the
    /// base is another.
    pub async fn publish(&self, data_id: &str, content: &str, base: Base) -> Result<(), Error> {
        if content.trim().is_empty() {
            return Err(self.error(|| attempt(data_id), Kind::Blank));
        }
        if content.len() as u64 > LARGEST.get() {
            return Err(self.error(|| attempt(data_id), Kind::TooLarge(LARGEST)));
        }
        let published = again_if_failed(|| self.try_to_publish(data_id, content, &base));
        let (published, failed) = published.await;
        match published {
            Ok(Version::V2) if base == Base::Absent => self.stands(data_id, content).await,
            // The one that failed may have been done.
            Err(error) if error.is_conflict() && failed > 0 => self.stands(data_id, content).await,
            published => published.map(drop),
        }
    }

    async fn try_to_publish(
        &self,
        data_id: &str,
        content: &str,
        base: &Base,
    ) -> Result<Version, Error> {
        let swap = match base {
            Base::Any => None,
            Base::Md5(md5) => Some(md5.to_ascii_lowercase()),
            Base::Absent => Some(NO_CONTENT.to_owned()),
        };
        let asked = self.ask(
            || attempt(data_id),
            |version| {
                let mut form = self.place(version, data_id);
                form.push(("type", type_of(content).to_owned()));
                form.push(("content", content.to_owned()));
                Request::new(Method::POST, write_path(version), form)
                    .header(swap.clone().map(|md5| ("casMd5", md5)))
            },
        );
        let (version, reply) = asked.await?;
        let done = reply::done(version, &reply);
        done.map_err(|kind| self.error(|| attempt(data_id), kind))?;
        Ok(version)
    }

    /// Whether it is our content that was published, and not somebody else's.
    async fn stands(&self, data_id: &str, content: &str) -> Result<(), Error> {
        let found = self.read_latest(data_id).await?;
        if found.is_some_and(|found| found.content == content) {
            return Ok(());
        }
        Err(self.error(|| attempt(data_id), Kind::Conflict))
    }
}

fn attempt(data_id: &str) -> String {
    format!("publish {data_id}")
}

/// Tries again what the server failed to do; says also how often that was.
pub(super) async fn again_if_failed<T, F>(attempt: impl Fn() -> F) -> (Result<T, Error>, u32)
where
    F: Future<Output = Result<T, Error>>,
{
    let mut failed = 0;
    loop {
        match attempt().await {
            Err(error) if is_failure(&error) && failed < RETRIES => {
                sleep(pause(failed)).await;
                failed += 1;
            }
            done => return (done, failed),
        }
    }
}

/// Those who write at the same moment must not do so again: the clock's nanoseconds tell them apart.
fn pause(failed: u32) -> Duration {
    let nanos = clock::timestamp().subsec_nanosecond().unsigned_abs();
    let jitter = f64::from(nanos % 1_000_000) / 1e6;
    PAUSE.mul_f64(f64::from(1_u32 << failed) * (0.5 + jitter))
}

const fn is_failure(error: &Error) -> bool {
    matches!(error.kind, Kind::Failed { status: 500, .. })
}

/// For editors: without a type a document becomes `text`.
fn type_of(content: &str) -> &'static str {
    if content.starts_with(['{', '[']) {
        "json"
    } else {
        "yaml"
    }
}
