//! The wall clock: the one place that reads it, so that time of receipt is taken once a request and
//! handed down.

use std::time::SystemTime;

use jiff::Timestamp;

/// The time now.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the clock that everything else asks"
)]
pub fn now() -> SystemTime {
    SystemTime::now()
}

/// The time now, as the stages have it. A clock before the year -9999 or after 9999 is 1970.
pub fn timestamp() -> Timestamp {
    Timestamp::try_from(now()).unwrap_or(Timestamp::UNIX_EPOCH)
}
