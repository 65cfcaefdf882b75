//! `api-sessions tail`: requests of all sessions as they arrive.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde_json::Value;

use super::filter::Filtered;
use super::sessions::{key, limit};
use super::table::{self, cut, escape, escape_json, millis, time};
use super::{CliError, Where, print};

/// How long between looks when nothing new is there.
const PAUSE: Duration = Duration::from_millis(500);

/// Follows requests.
#[derive(Debug, Args)]
pub(super) struct Tail {
    #[command(flatten)]
    server: Where,
    #[command(flatten)]
    filtered: Filtered,
    /// How many of the newest to begin with
    #[arg(long, short = 'n', value_name = "NUMBER", default_value_t = 10, value_parser = limit)]
    lines: usize,
    /// End after so many requests
    #[arg(long, value_name = "NUMBER", value_parser = limit)]
    limit: Option<usize>,
    /// Print each request as the API tells it, one JSON object a line
    #[arg(long)]
    json: bool,
}

impl Tail {
    pub(super) async fn run(self) -> Result<ExitCode, CliError> {
        let client = self.server.client().await?;
        let width = table::terminal_width();
        let filtered = self.filtered.parameters();
        let mut left = self.limit.unwrap_or(usize::MAX);
        let mut token: Option<String> = None;
        let mut size = self.lines.min(1000);
        loop {
            let mut parameters = vec![("order_by", "arrival".to_owned()), ("page_size", size.to_string())];
            parameters.extend(filtered.clone());
            parameters.extend(token.clone().map(|token| ("page_token", token)));
            let page = match client.get("/requests", &parameters).await {
                Ok(page) => page,
                // This process was stopped for longer than a token is good for.
                Err(error) if token.is_some() && error.is_about("page_token") => {
                    eprintln!("api-sessions: some requests were not followed in time; going on with the newest");
                    token = None;
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            let requests = page["requests"].as_array().map(Vec::as_slice).unwrap_or_default();
            let mut text = String::new();
            for request in requests.iter().take(left) {
                text.push_str(&if self.json { escape_json(&request.to_string()) } else { line(request, width) });
                text.push('\n');
            }
            print(&text)?;
            left -= requests.len().min(left);
            if left == 0 {
                return Ok(ExitCode::SUCCESS);
            }
            token = page["next_page_token"].as_str().map(str::to_owned).or(token);
            if requests.len() < size || token.is_none() {
                tokio::time::sleep(PAUSE).await;
            }
            size = 1000;
        }
    }
}

/// A request as a line of columns that need no knowledge of the lines to come.
pub(super) fn line(request: &Value, width: Option<usize>) -> String {
    let text = |name: &str| escape(request[name].as_str().unwrap_or_default());
    let line = format!(
        "{} {:>3} {:>9} {:<7} {}{}  {}  {}",
        time(&text("ts")),
        request["status"].as_u64().unwrap_or_default(),
        format!("{}ms", millis(request["duration_us"].as_u64().unwrap_or_default())),
        text("method"),
        text("host"),
        text("path"),
        text("session_id"),
        escape(&key(&request["key"])),
    );
    width.map_or(line.clone(), |width| cut(&line, width))
}
