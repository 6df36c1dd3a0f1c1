//! The integration tests: one binary that drives the real program, against a real Kafka. Each file
//! is one claim; what they share stands in `harness`.
//!
//! `make test` runs a tenth of the repetitions, `make soak` (`WEIR_SOAK=1`) all of them.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
#![expect(clippy::print_stdout, reason = "`make soak` prints what it measures")]
#![expect(
    clippy::disallowed_methods,
    reason = "the bans are for the gateway, not for its clients"
)]
#![expect(
    clippy::too_many_lines,
    reason = "a table of cases is as long as it is"
)]

mod architecture;
mod away;
mod bad_input;
mod commands;
#[path = "../../benches/corpus.rs"]
mod corpus;
mod corpus_stays;
mod examples;
mod examples_kafka;
mod guides;
mod harness;
mod helm;
mod image;
mod kafka;
mod live_changes;
mod many_repos;
mod nacos_client;
mod nacos_facts;
mod nacos_live;
mod nacos_outages;
mod redis_devices;
mod releases;
mod restarts;
mod serving;
mod shadow;
mod try_it;
mod wrong_documents;
