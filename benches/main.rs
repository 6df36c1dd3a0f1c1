//! What Weir costs: CPU time and instructions per event, events a second and core of CPU with a real
//! Kafka acknowledging, memory. Every figure stands beside the same work done plainly (a tree by
//! `serde_json::Value`, a future per record) in the same run; nothing is asserted.
//!
//! `cargo bench` runs all of it; `cargo bench -- steps`, `-- kafka`, `-- redis` and `-- swap`
//! a part.

#![expect(clippy::print_stdout, reason = "a bench tells its figures")]

mod corpus;
mod kafka;
mod load;
mod peer;
mod process;
mod redis;
mod steps;
mod swap;

fn main() {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| a != "--bench")
        .collect();
    match arguments
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .as_slice()
    {
        ["peer", address, brokers] => peer::serve(address, brokers),
        ["loop", step, rounds] => steps::repeat(step, rounds.parse().expect("a number of rounds")),
        ["load", address, batch, seconds] => kafka::load(address, batch, seconds),
        ["steps"] => steps::print(),
        ["kafka"] => kafka::print(),
        ["redis"] => redis::print(),
        ["swap"] => swap::print(),
        _ => {
            steps::print();
            kafka::print();
            redis::print();
            swap::print();
        }
    }
}
