//! The commands: one file each. Exit codes: 0 done, 1 what was asked for failed, 2 wrong usage,
//! 3 somebody else released first, 4 what was waited for did not come in time.

mod apply;
mod check;
mod explain;
mod history;
mod instance;
mod nacos;
mod pin;
mod release;
mod rollback;
mod schema;
mod serve;
mod status;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use serde::Serialize;

/// The exit code of wrong usage.
const USAGE: u8 = 2;
/// The exit code of a lost race.
const LOST: u8 = 3;
/// The exit code of what did not come in time.
const LATE: u8 = 4;

/// What is missing on the command line.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Usage(String);

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
    /// Compile a directory of documents and release it in Nacos.
    Apply(apply::Arguments),
    /// Go back to an earlier set in Nacos, so that every instance follows.
    Rollback(rollback::Arguments),
    /// Let an entry that is pinned follow its document in Nacos again.
    Float(rollback::FloatArguments),
    /// Keep instances at a set that was live on them before, whatever stands in Nacos.
    Pin(pin::Arguments),
    /// Let instances follow their documents again.
    Unpin(pin::UnpinArguments),
    /// List the sets that stood in Nacos: when, by whom, why, and what changed.
    History(history::Arguments),
    /// Show what stands in Nacos, what instances run, and whether they agree.
    Status(status::Arguments),
}

/// Runs what was asked for on the command line.
pub fn run() -> anyhow::Result<ExitCode> {
    let done = command(Cli::parse());
    let Err(error) = &done else { return done };
    let code = match () {
        () if error.is::<Usage>() => USAGE,
        () if error.is::<release::Lost>() => LOST,
        () => return done,
    };
    // Nothing is left to do if even standard error is closed.
    drop(writeln!(anstream::stderr(), "weir: {error:#}"));
    Ok(ExitCode::from(code))
}

fn command(cli: Cli) -> anyhow::Result<ExitCode> {
    match cli.command {
        Command::Serve(arguments) => serve::run(arguments, cli.output),
        Command::Check(arguments) => check::run(&arguments, cli.output),
        Command::Explain(arguments) => explain::run(&arguments, cli.output),
        Command::Schema(arguments) => schema::run(&arguments, cli.output),
        Command::Apply(arguments) => apply::run(&arguments, cli.output),
        Command::Rollback(arguments) => rollback::run(&arguments, cli.output),
        Command::Float(arguments) => rollback::float(&arguments, cli.output),
        Command::Pin(arguments) => pin::run(&arguments, cli.output),
        Command::Unpin(arguments) => pin::unpin(&arguments, cli.output),
        Command::History(arguments) => history::run(&arguments, cli.output),
        Command::Status(arguments) => status::run(&arguments, cli.output),
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
