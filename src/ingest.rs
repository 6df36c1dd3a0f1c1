//! The data port: routes, and what stands between a socket and the gateway.

pub mod address;
pub mod body;
pub mod cors;
pub mod credential;
pub mod error;
pub mod rate;
pub mod reply;
pub mod request_id;
mod settings;

pub use settings::Settings;
