//! Weir, an event and log gateway. This is the map of the code, lowest layer first: a module uses
//! only modules above it in this list (`tests/it/architecture.rs` holds the exact table).

// Foundations.
pub mod event;
pub mod secret;
pub mod telemetry;
pub mod unit;

pub mod tasks;

pub mod tables;

pub mod device;
pub mod sink;

pub mod center;
pub mod pipeline;

pub mod delivery;

// What people write, and how it goes live.
pub mod document;
pub mod rollout;

// The data path and its two ports.
pub mod gateway;

pub mod admin;
pub mod ingest;

// The process.
pub mod settings;

pub mod app;
pub mod cli;
