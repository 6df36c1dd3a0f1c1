//! Runs the command, prints the error chain, chooses the exit code.

use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    match weir::cli::run() {
        Ok(code) => code,
        Err(error) => {
            // Nothing is left to do if even standard error is closed.
            drop(writeln!(std::io::stderr(), "weir: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
