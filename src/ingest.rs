//! The data port: routes, and what stands between a socket and the gateway.

mod activity;
pub mod address;
pub mod body;
mod connection;
pub mod cors;
pub mod credential;
mod crowd;
mod dry_run;
pub mod error;
mod listen;
mod port;
pub mod rate;
pub mod reply;
pub mod request_id;
mod routes;
mod server;
mod settings;
mod socket;
mod take;
#[cfg(test)]
mod tests;
mod worker;

pub use server::{Error, Running, Server};
pub use settings::Settings;
