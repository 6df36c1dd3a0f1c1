//! The commands: one file each. Exit codes: 0 done, 1 what was asked for failed, 2 wrong usage.

mod check;
mod explain;
mod schema;
mod serve;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use serde::Serialize;

/// An event and log gateway: HTTP in, Kafka out, reconfigured live by documents.
#[derive(Debug, Parser)]
#[command(name = "weir", version, max_term_width = 100)]
pub struct Cli {
    /// How results are printed.
    #[arg(long, global = true, value_enum, default_value_t = Output::Human)]
    output: Output,
    #[command(subcommand)]
    command: Command,
}

/// How results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    Human,
    /// One JSON object, for programs.
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the gateway until SIGTERM.
    Serve(serve::Arguments),
    /// Compile a directory of documents (or one document) and run its samples; print all problems.
    Check(check::Arguments),
    /// Take one event through a repo's pipeline, stage by stage; nothing is delivered.
    Explain(explain::Arguments),
    /// Print the JSON Schemas of the documents.
    Schema(schema::Arguments),
}

/// Runs what was asked for on the command line.
pub fn run() -> anyhow::Result<ExitCode> {
    let cli = Cli::parse();
    match cli.command {
        Command::Serve(arguments) => serve::run(arguments, cli.output),
        Command::Check(arguments) => check::run(&arguments, cli.output),
        Command::Explain(arguments) => explain::run(&arguments, cli.output),
        Command::Schema(arguments) => schema::run(&arguments, cli.output),
    }
}

/// Prints a result for programs. A closed pipe is not an error: the reader has had enough.
fn print_json(result: &impl Serialize) -> anyhow::Result<()> {
    print(&serde_json::to_string_pretty(result)?)
}

/// Prints a line for people.
fn print(text: &str) -> anyhow::Result<()> {
    let mut out = anstream::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
