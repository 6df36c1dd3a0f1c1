//! Runs the command, prints the error chain, chooses the exit code.

use std::io::Write;
use std::process::ExitCode;

use mimalloc::MiMalloc;

/// Also for the C libraries in this program: the Kafka library makes its records on one thread and
/// frees them on another, which the system's allocator does slowly.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

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
