//! What the tests share: the gateway as a process, its documents in a folder of their own, clients
//! for its ports, Kafka clusters, and Redis.

pub(crate) mod documents;
pub(crate) mod faulty;
pub(crate) mod gateway;
pub(crate) mod http;
pub(crate) mod kafka;
pub(crate) mod load;
pub(crate) mod metrics;
#[expect(dead_code, reason = "the tests of documents in Nacos use the rest")]
pub(crate) mod nacos;
pub(crate) mod ports;
pub(crate) mod redis;

use std::time::{Duration, Instant};

/// `full` with `WEIR_SOAK=1`, else a tenth of it, at least one.
pub(crate) fn scale(full: usize) -> usize {
    if soak() { full } else { (full / 10).max(1) }
}

/// Whether this is `make soak`, which runs everything in full and prints measured times.
pub(crate) fn soak() -> bool {
    std::env::var_os("WEIR_SOAK").is_some()
}

/// Seconds that anything may take on a machine that is busy with other things.
pub(crate) const LONG: u64 = 240;

/// Waits until `holds` returns something, and fails with `what` after `seconds`. Deadlines are far
/// beyond what is expected: they end a test that hangs, they measure nothing.
pub(crate) async fn eventually<T, F>(seconds: u64, what: &str, mut holds: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let end = Instant::now() + Duration::from_secs(seconds);
    loop {
        if let Some(found) = holds().await {
            return found;
        }
        assert!(Instant::now() < end, "{what} within {seconds} s");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
