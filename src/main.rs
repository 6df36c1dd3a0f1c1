//! Runs the command, prints the error chain, chooses the exit code.

fn main() {}
