//! `api-sessions check URL`: sends a request through the user's NGINX and says where on its way
//! to the store it stops.
//!
//! Three rooms: [`probe`] sends the request and looks for its record, [`local`] looks at this
//! machine (workers, their maps, rights on the socket), and [`steps`] judges what both saw, without
//! looking itself. What could not be seen is said to be so, never guessed.

mod local;
mod probe;
mod steps;

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::table::escape;
use super::{CliError, Where, print, print_json};
use crate::config::{Config, Surroundings};
use local::Machine;
use steps::{Observed, Outcome, Step};

/// Checks the way of a request.
#[derive(Debug, Args)]
pub(super) struct Check {
    #[command(flatten)]
    server: Where,
    /// An address that NGINX serves, such as http://127.0.0.1/
    #[arg(value_parser = probe::url)]
    url: reqwest::Url,
    /// How many seconds to wait for the request to appear
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    wait: u64,
    /// Socket that NGINX ships to, when it is none of this server's configuration
    #[arg(long, value_name = "PATH")]
    collector_socket: Option<std::path::PathBuf>,
    /// Print the steps as JSON
    #[arg(long)]
    json: bool,
}

impl Check {
    pub(super) async fn run(self) -> Result<ExitCode, CliError> {
        let observed = self.observe().await?;
        let steps = steps::judge(&observed);
        if self.json {
            print_json(&as_json(&steps))?
        } else {
            print(&as_text(&steps))?
        }
        Ok(if steps::passed(&steps) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    async fn observe(&self) -> Result<Observed, CliError> {
        let around = Surroundings::of_this_process();
        let sockets = Config::sockets(&self.server.flags(), &around)?;
        let wait = Duration::from_secs(self.wait);
        let probed = probe::run(&sockets, &self.url, wait).await;
        let collector_socket = match &self.collector_socket {
            Some(path) => Some(path.clone()),
            None => {
                let api = probed.socket.as_deref().or(sockets.first().map(std::path::PathBuf::as_path));
                Config::collector_socket(&self.server.flags(), &around, api)?
            }
        };
        let machine = Machine::this();
        Ok(Observed {
            server: probed.server,
            ready: probed.ready,
            url: self.url.to_string(),
            answer: probed.answer,
            record: probed.record,
            waited: wait,
            workers: probed.workers,
            refused: probed.refused,
            processes: machine.nginx_workers(),
            socket: collector_socket.map(|path| machine.look_at_socket(&path)),
        })
    }
}

fn as_json(steps: &[Step]) -> serde_json::Value {
    let stops_at = steps.iter().find(|step| step.outcome == Outcome::Failed).map(|step| step.name);
    let rows: Vec<_> = steps
        .iter()
        .map(|step| {
            json!({ "step": step.name, "outcome": step.outcome.word(), "found": step.found, "advice": step.advice })
        })
        .collect();
    json!({ "passed": steps::passed(steps), "stops_at": stops_at, "steps": rows })
}

fn as_text(steps: &[Step]) -> String {
    let mut text = String::new();
    for (number, step) in steps.iter().enumerate() {
        text.push_str(&format!(
            "{}. {:<10} {:<9} {}\n",
            number + 1,
            step.name,
            step.outcome.word(),
            escape(&step.found)
        ));
        if let Some(advice) = &step.advice {
            text.push_str(&format!("{:24}what to do: {}\n", "", escape(advice)));
        }
    }
    let end = match steps.iter().find(|step| step.outcome == Outcome::Failed) {
        Some(step) => format!("it stops at: {}\n", step.name),
        None if steps::passed(steps) => "the whole way works\n".to_owned(),
        None => "no step failed, but the request did not appear; see what could not be seen\n".to_owned(),
    };
    text + "\n" + &end
}

#[cfg(test)]
mod tests;
