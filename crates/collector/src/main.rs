//! The server `api-sessions` and its commands.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    collector::cli::run()
}
