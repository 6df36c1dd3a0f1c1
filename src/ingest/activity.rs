//! What a connection is doing, and for how long: between requests, in the head of one, or serving.
//!
//! The socket tells when bytes come, requests tell when they begin and end, and the connection's task
//! looks now and then whether it has been one thing for too long. No timer is set for a request.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Answered when the head of a request does not arrive.
pub(super) const SLOW_HEAD: &[u8] = b"HTTP/1.1 408 Request Timeout\r\n\
    content-type: application/json\r\ncontent-length: 98\r\nconnection: close\r\n\r\n\
    {\"error\":{\"code\":\"request.slow\",\"message\":\"the head of the request took too long: send it again\"}}";

/// What a connection is doing. Shared between its task, its socket and its requests, which all run on
/// one thread: the atomics are there to be shareable, not for ordering.
#[derive(Debug)]
pub(super) struct Activity {
    opened: Instant,
    /// Requests being served.
    serving: AtomicU32,
    /// Whether bytes have come since the last request, or since the connection was opened.
    in_head: AtomicBool,
    /// Whether requests may overlap: then bytes between them need not be a head.
    multiplexed: AtomicBool,
    /// Milliseconds after opening at which the present state began.
    since: AtomicU64,
    /// Whether the head came too late.
    expired: AtomicBool,
}

/// Since when a connection does nothing useful.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overdue {
    /// It is open and nobody asks anything.
    Idle,
    /// A request has begun and its head does not end.
    Head,
    /// It was told to end, and does not: its client reads no answer.
    Stuck,
}

/// How long a connection that is told to end may take.
const LAST_WORDS: Duration = Duration::from_secs(5);

impl Activity {
    /// Of a connection just opened: it must begin its first request as if the head had begun.
    pub(super) fn new(now: Instant) -> Arc<Self> {
        Arc::new(Self {
            opened: now,
            serving: AtomicU32::new(0),
            in_head: AtomicBool::new(true),
            multiplexed: AtomicBool::new(false),
            since: AtomicU64::new(0),
            expired: AtomicBool::new(false),
        })
    }

    /// A request's head has been read; it is served until the guard is dropped.
    pub(super) fn serve(self: &Arc<Self>, multiplexed: bool) -> Serving {
        if multiplexed {
            self.multiplexed.store(true, Ordering::Relaxed);
        }
        self.in_head.store(false, Ordering::Relaxed);
        self.serving.fetch_add(1, Ordering::Relaxed);
        Serving(Arc::clone(self))
    }

    /// What is overdue.
    pub(super) fn overdue(&self, now: Instant, idle: Duration, head: Duration) -> Option<Overdue> {
        if self.serving.load(Ordering::Relaxed) > 0 {
            return None;
        }
        let since = self.opened + Duration::from_millis(self.since.load(Ordering::Relaxed));
        let passed = now.saturating_duration_since(since);
        let (limit, overdue) = if self.in_head.load(Ordering::Relaxed) {
            (head, Overdue::Head)
        } else {
            (idle, Overdue::Idle)
        };
        if passed >= limit + LAST_WORDS {
            return Some(Overdue::Stuck);
        }
        (passed >= limit).then_some(overdue)
    }

    /// The head came too late: the socket says so, and reads no more.
    pub(super) fn expire(&self) {
        self.expired.store(true, Ordering::Relaxed);
    }

    /// Whether the head came too late.
    pub(super) fn expired(&self) -> bool {
        self.expired.load(Ordering::Relaxed)
    }

    /// The socket has read something.
    pub(super) fn bytes_came(&self) {
        let waiting = self.serving.load(Ordering::Relaxed) == 0
            && !self.multiplexed.load(Ordering::Relaxed)
            && !self.in_head.load(Ordering::Relaxed);
        if waiting {
            self.in_head.store(true, Ordering::Relaxed);
            self.begin(Instant::now());
        }
    }

    fn begin(&self, now: Instant) {
        let passed = now.saturating_duration_since(self.opened).as_millis();
        let passed = u64::try_from(passed).unwrap_or(u64::MAX);
        self.since.store(passed, Ordering::Relaxed);
    }
}

/// A request is being served.
#[derive(Debug)]
pub(super) struct Serving(Arc<Activity>);

impl Drop for Serving {
    fn drop(&mut self) {
        if self.0.serving.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.0.begin(Instant::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: Duration = Duration::from_secs(10);
    const IDLE: Duration = Duration::from_secs(75);

    #[test]
    fn a_connection_that_never_asks_is_a_slow_head() {
        let opened = Instant::now();
        let activity = Activity::new(opened);
        assert_eq!(activity.overdue(opened + HEAD / 2, IDLE, HEAD), None);
        assert_eq!(
            activity.overdue(opened + HEAD, IDLE, HEAD),
            Some(Overdue::Head)
        );
    }

    #[test]
    fn a_request_may_take_its_time_and_then_the_connection_is_idle() {
        let opened = Instant::now();
        let activity = Activity::new(opened);
        let serving = activity.serve(false);
        assert_eq!(activity.overdue(opened + 10 * IDLE, IDLE, HEAD), None);
        drop(serving);
        let now = Instant::now();
        assert_eq!(activity.overdue(now + HEAD, IDLE, HEAD), None);
        assert_eq!(
            activity.overdue(now + IDLE, IDLE, HEAD),
            Some(Overdue::Idle)
        );
        let later = now + IDLE + LAST_WORDS;
        assert_eq!(activity.overdue(later, IDLE, HEAD), Some(Overdue::Stuck));
        activity.bytes_came();
        assert_eq!(
            activity.overdue(Instant::now() + HEAD, IDLE, HEAD),
            Some(Overdue::Head)
        );
    }

    #[test]
    fn frames_between_multiplexed_requests_are_no_head() {
        let activity = Activity::new(Instant::now());
        drop(activity.serve(true));
        activity.bytes_came();
        assert_eq!(activity.overdue(Instant::now() + HEAD, IDLE, HEAD), None);
    }

    #[test]
    fn the_answer_to_a_slow_head_is_as_long_as_it_says() {
        let text = std::str::from_utf8(SLOW_HEAD).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(
            head.contains(&format!("content-length: {}", body.len())),
            "{}",
            body.len()
        );
        serde_json::from_str::<serde_json::Value>(body).unwrap();
    }
}
