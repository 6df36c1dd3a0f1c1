//! Which revision is live, and how that changes.

pub mod live;
