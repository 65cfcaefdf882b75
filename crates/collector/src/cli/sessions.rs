//! `api-sessions sessions`: the list.

use std::process::ExitCode;

use clap::Args;
use serde_json::Value;

use super::filter::{Filtered, hidden, nothing};
use super::table::{self, Side, Table};
use super::{CliError, Where, print, print_json};
use crate::model::Micros;

/// Sessions, the last seen first.
#[derive(Debug, Args)]
pub(super) struct Sessions {
    #[command(flatten)]
    server: Where,
    /// Only sessions with requests from this time on (RFC 3339)
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Only sessions with requests before this time (RFC 3339)
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// Only sessions with requests in the last so many seconds, minutes, hours or days: 30s, 15m, 1h, 2d
    #[arg(long, value_name = "TIME", conflicts_with_all = ["from", "to"], value_parser = duration)]
    last: Option<i64>,
    #[command(flatten)]
    filtered: Filtered,
    /// Only sessions with calls of AI agents (MCP)
    #[arg(long)]
    mcp: bool,
    /// How many at most
    #[arg(long, value_name = "NUMBER", default_value_t = 50, value_parser = limit)]
    limit: usize,
    /// Print the API's answer
    #[arg(long)]
    json: bool,
}

impl Sessions {
    pub(super) async fn run(self) -> Result<ExitCode, CliError> {
        let client = self.server.client().await?;
        let now = jiff::Timestamp::now();
        let from = match self.last {
            Some(seconds) => {
                let from = now.checked_sub(jiff::SignedDuration::from_secs(seconds)).unwrap_or(jiff::Timestamp::MIN);
                Some(from.to_string())
            }
            None => self.from,
        };
        let mut parameters: Vec<(&str, String)> = Vec::new();
        parameters.extend(from.map(|from| ("from", from)));
        parameters.extend(self.to.map(|to| ("to", to)));
        parameters.extend(self.filtered.parameters());
        parameters.extend(self.mcp.then(|| ("mcp", true.to_string())));
        let list = client.list("/sessions", "sessions", &parameters, self.limit).await?;
        if self.json {
            print_json(&list)?
        } else {
            let none = nothing("sessions", &parameters, Micros(now.as_microsecond()).day());
            print(&shown(&list, &none, table::terminal_width()))?
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The list as a table, or `none` where nothing is in it.
pub(super) fn shown(list: &Value, none: &str, width: Option<usize>) -> String {
    let rows = list["sessions"].as_array().map(Vec::as_slice).unwrap_or_default();
    if rows.is_empty() {
        return none.to_owned() + &hidden(list);
    }
    let mut table = Table::new(&[
        ("LAST SEEN (UTC)", Side::Whole),
        ("SESSION", Side::Whole),
        ("REQUESTS", Side::Right),
        ("LASTED", Side::Right),
        ("STATUSES", Side::Left),
        ("MCP", Side::Whole),
        ("USER", Side::Left),
        ("KEY", Side::Left),
        ("ADDRESS", Side::Left),
        ("USER AGENT", Side::Left),
    ]);
    for row in rows {
        let requests = match row["matched"].as_u64() {
            Some(matched) => format!("{matched}/{}", row["requests"]),
            None => row["requests"].to_string(),
        };
        table.row([
            table::time(row["last_seen"].as_str().unwrap_or_default()),
            row["id"].as_str().unwrap_or_default().to_owned(),
            requests,
            table::span(row["duration_ms"].as_u64().unwrap_or_default()),
            counts(&row["statuses"]),
            if row["mcp"] == true { "yes".to_owned() } else { String::new() },
            who(&row["user"]),
            key(&row["keys"][0]),
            first_of(&row["ips"], row["ip_count"].as_u64()),
            first_of(&row["user_agents"], None),
        ]);
    }
    let mut text = table.render(width);
    if list["next_page_token"].is_string() {
        text.push_str(&format!("the first {}; --limit shows more\n", rows.len()));
    }
    text + &hidden(list)
}

/// `{"2xx":3,"4xx":1}` as `2xx 3, 4xx 1`.
pub(super) fn counts(map: &Value) -> String {
    let each = map.as_object().into_iter().flatten().map(|(name, count)| format!("{name} {count}"));
    each.collect::<Vec<_>>().join(", ")
}

/// A user or a role. Pseudonyms are told by a `#`, and their first 8 of 32 digits tell them apart
/// well enough for a table.
pub(super) fn who(who: &Value) -> String {
    match (who["value"].as_str(), who["hashed"] == true) {
        (Some(value), true) if value.len() > 8 => format!("#{}…", value.chars().take(8).collect::<String>()),
        (Some(value), true) => format!("#{value}"),
        (Some(value), false) => value.to_owned(),
        (None, _) => "-".to_owned(),
    }
}

/// A grouping key as `name=value`; the fallback by address has no value to show.
pub(super) fn key(key: &Value) -> String {
    let name = key["name"].as_str().filter(|name| !name.is_empty()).or(key["source"].as_str()).unwrap_or("-");
    match key["value"].as_str() {
        Some(value) if !value.is_empty() => format!("{name}={}", who(key)),
        _ => name.to_owned(),
    }
}

fn first_of(list: &Value, count: Option<u64>) -> String {
    let all = list.as_array().map_or(0, Vec::len) as u64;
    let first = list[0].as_str().unwrap_or("-");
    match count.unwrap_or(all) {
        0 | 1 => first.to_owned(),
        count => format!("{first} +{}", count - 1),
    }
}

pub(super) fn limit(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(limit @ 1..=100_000) => Ok(limit),
        _ => Err("a number from 1 to 100000 would be right".to_owned()),
    }
}

/// Seconds of a text like `15m`.
pub(super) fn duration(text: &str) -> Result<i64, String> {
    let wrong = || "a number with s, m, h or d would be right, such as 15m".to_owned();
    let unit = text.chars().last().ok_or_else(wrong)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return Err(wrong()),
    };
    let number: u32 = text.strip_suffix(unit).unwrap_or_default().parse().map_err(|_| wrong())?;
    let seconds = i64::from(number) * seconds;
    if seconds == 0 { Err(wrong()) } else { Ok(seconds) }
}
