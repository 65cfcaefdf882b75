//! `api-sessions serve`: the server.

use std::io::IsTerminal;

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt;

use super::CliError;
use crate::config::{Config, Flags, LogFormat, Surroundings};

/// Runs the server until SIGINT or SIGTERM.
#[derive(Debug, Args)]
pub(super) struct Serve {
    #[command(flatten)]
    flags: Flags,
    /// Say that the wall clock is right, after retention stopped over it
    #[arg(long)]
    clock_confirmed: bool,
}

impl Serve {
    pub(super) fn run(self) -> Result<(), CliError> {
        let mut config = Config::load(&self.flags, &Surroundings::of_this_process())?;
        config.settings.clock_confirmed = self.clock_confirmed;
        log(&config);
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(CliError::Start)?;
        runtime.block_on(async {
            let mut interrupt = signal(SignalKind::interrupt()).map_err(CliError::Start)?;
            let mut terminate = signal(SignalKind::terminate()).map_err(CliError::Start)?;
            let stop = async move {
                tokio::select! {
                    _ = interrupt.recv() => tracing::info!("stopping on SIGINT"),
                    _ = terminate.recv() => tracing::info!("stopping on SIGTERM"),
                }
            };
            Ok(crate::serve::serve(config.settings, stop).await?)
        })
    }
}

/// Messages go to standard error: systemd and containers collect them there.
fn log(config: &Config) {
    let level = LevelFilter::from_level(config.log_level);
    let messages = fmt().with_max_level(level).with_writer(std::io::stderr);
    match config.log_format {
        LogFormat::Text => messages.with_ansi(std::io::stderr().is_terminal()).init(),
        LogFormat::Json => messages.json().init(),
    }
}
