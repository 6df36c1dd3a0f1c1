//! The wall clock: the one place that reads it, so that time of receipt is taken once a request and
//! handed down.

use std::time::SystemTime;

/// The time now.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the clock that everything else asks"
)]
pub fn now() -> SystemTime {
    SystemTime::now()
}
