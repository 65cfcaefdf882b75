//! `api-sessions generate`: traffic for benches and demos.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Args;

use super::{CliError, print, table};
use crate::KEPT_DAYS;
use crate::config::{Config, Flags, Surroundings};
use crate::generate::{Plan, generate};
use crate::model::Micros;

/// Writes the traffic of an imagined site into the log of a server that is stopped; its next start shows it.
#[derive(Debug, Args)]
pub(super) struct Generate {
    /// Configuration file [default: /etc/api-sessions/api-sessions.toml, where there is one]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Data directory of the server [default: as `serve` has it]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<String>,
    /// Requests in all
    #[arg(long, value_name = "NUMBER", default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    requests: u64,
    /// Sessions that they belong to [default: one for 20 requests]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    sessions: Option<u64>,
    /// UTC days, the last that of --until
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = clap::value_parser!(i32).range(1..=i64::from(KEPT_DAYS)))]
    days: i32,
    /// Equal seeds, with equal other flags, make equal traffic
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    /// All of it is before this time (RFC 3339) [default: now]
    #[arg(long, value_name = "TIME")]
    until: Option<jiff::Timestamp>,
    /// Give each session its own cookie, and each request its own host and path
    #[arg(long)]
    strangers: bool,
}

impl Generate {
    pub(super) fn run(self) -> Result<ExitCode, CliError> {
        let flags = Flags { config: self.config.clone(), data_dir: self.data_dir.clone(), ..Flags::default() };
        let (data_dir, create) = Config::data_dir(&flags, &Surroundings::of_this_process())?;
        let plan = Plan {
            requests: self.requests,
            sessions: self.sessions.unwrap_or(self.requests.div_ceil(20)),
            days: self.days,
            seed: self.seed,
            until: Micros(self.until.unwrap_or_else(jiff::Timestamp::now).as_microsecond()),
            strangers: self.strangers,
        };
        let began = Instant::now();
        let mut told = 0;
        let done = generate(&data_dir, create, &plan, |written| {
            let percent = written.saturating_mul(100) / plan.requests;
            if percent >= told + 10 || written == plan.requests {
                told = percent;
                // Nobody has to read it.
                let _ = writeln!(std::io::stderr(), "{percent:>3}% {}", table::counted(written, "request"));
            }
        })?;
        print(&format!(
            "{} in {} before {}, {} of log, in {}; start the server to see them\n",
            table::counted(done.requests, "request"),
            table::counted(plan.sessions, "session"),
            plan.until,
            table::bytes(done.bytes),
            table::span(u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX)),
        ))?;
        Ok(ExitCode::SUCCESS)
    }
}
