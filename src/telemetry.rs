//! Logs, metrics and the clock.

pub mod clock;
pub mod log;
pub mod meter;
pub mod metrics;
