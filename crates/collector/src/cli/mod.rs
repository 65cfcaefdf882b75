//! The commands of `api-sessions`.
//!
//! `serve` is the server, `generate` writes into the log of one that is stopped; all others ask the
//! running server over its unix socket and open neither its log nor its store. What goes to a terminal is escaped first: values come from clients of
//! the watched site, who may try to write to the reader's screen.

mod bundle;
mod check;
mod client;
mod export;
mod filter;
mod find;
mod generate;
mod serve;
mod session;
mod sessions;
mod table;
mod tail;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::{Config, ConfigError, Flags, Surroundings};
use crate::generate::GenerateError;
use crate::serve::ServeError;
use client::{AskError, Client};

/// Groups API traffic behind NGINX into user sessions and answers questions about them.
#[derive(Debug, Parser)]
#[command(name = "api-sessions", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server
    Serve(Box<serve::Serve>),
    /// List sessions, the last seen first
    Sessions(sessions::Sessions),
    /// Show one session and its requests
    Session(session::Session),
    /// Find sessions by a value of which only the pseudonym is stored
    Find(find::Find),
    /// Follow requests of all sessions as they arrive
    Tail(tail::Tail),
    /// Write all sessions or requests as CSV or NDJSON
    Export(export::Export),
    /// Send a request through NGINX and say where on its way here it stops
    Check(check::Check),
    /// Write generated traffic into the log of a stopped server, for benches and demos
    Generate(generate::Generate),
}

/// How a command finds the server.
#[derive(Clone, Debug, Default, Args)]
struct Where {
    /// Configuration file [default: /etc/api-sessions/api-sessions.toml, where there is one]
    #[arg(long, value_name = "FILE")]
    config: Option<std::path::PathBuf>,
    /// Unix socket of the server [default: api.sock in its run-time directory]
    #[arg(long, value_name = "PATH")]
    socket: Option<String>,
}

impl Where {
    fn flags(&self) -> Flags {
        Flags { config: self.config.clone(), socket: self.socket.clone(), ..Flags::default() }
    }

    async fn client(&self) -> Result<Client, CliError> {
        let sockets = Config::sockets(&self.flags(), &Surroundings::of_this_process())?;
        Ok(Client::connect(&sockets).await?)
    }
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
enum CliError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Ask(#[from] AskError),
    #[error("not only one session begins with {0}, or too much else holds it: the whole id would be right")]
    Beginning(String),
    #[error("cannot start: {0}")]
    Start(io::Error),
    #[error(transparent)]
    Serve(#[from] ServeError),
    #[error(transparent)]
    Generate(#[from] GenerateError),
    /// The reader of our output went away; nobody is left to tell.
    #[error("{0}")]
    Output(#[from] io::Error),
}

impl CliError {
    /// The exit status: 2 for wrong usage, which does not become right by trying again.
    fn status(&self) -> u8 {
        match self {
            // There may be a directory later.
            Self::Config(ConfigError::NoRuntimeDir(_)) => 1,
            Self::Config(_) | Self::Generate(GenerateError::Plan(_)) => 2,
            Self::Ask(error) if error.is_wrong_usage() => 2,
            Self::Beginning(_) => 2,
            _ => 1,
        }
    }
}

/// Runs the command that the process was started with.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.command {
        Command::Serve(serve) => serve.run().map(|()| ExitCode::SUCCESS),
        Command::Sessions(sessions) => asking(sessions.run()),
        Command::Session(session) => asking(session.run()),
        Command::Find(find) => asking(find.run()),
        Command::Tail(tail) => asking(tail.run()),
        Command::Export(export) => asking(export.run()),
        Command::Check(check) => asking(check.run()),
        Command::Generate(generate) => generate.run(),
    };
    match done {
        Ok(code) => code,
        Err(CliError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            let text: Vec<_> = error.to_string().lines().map(table::escape).collect();
            let _ = writeln!(io::stderr(), "api-sessions: {}", text.join("\n"));
            ExitCode::from(error.status())
        }
    }
}

/// Runs a command that asks the server: little work, one thread.
fn asking(command: impl Future<Output = Result<ExitCode, CliError>>) -> Result<ExitCode, CliError> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(CliError::Start)?.block_on(command)
}

fn print(text: &str) -> Result<(), CliError> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(())
}

/// Prints an answer of the API as JSON, indented.
fn print_json(value: &serde_json::Value) -> Result<(), CliError> {
    print(&table::escape_json(&format!("{value:#}\n")))
}

#[cfg(test)]
mod tests;
