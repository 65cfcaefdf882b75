//! `api-sessions session ID`: what is known of one session, and its requests in order.

use std::collections::BTreeSet;
use std::io;
use std::process::ExitCode;

use clap::Args;
use clap::builder::{PathBufValueParser, TypedValueParser};
use serde_json::Value;

use super::bundle::Target;
use super::client::Client;
use super::filter::{NoiseShown, hidden};
use super::sessions::{counts, key, limit, who};
use super::table::{self, Side, Table, bytes, counted, escape, millis, span, time};
use super::{CliError, Where, print, print_json};
use crate::model::Id;

/// Parts of sessions that are looked through for an id of which only the beginning is given.
const LOOKED_AT: usize = 1000;

/// One session.
#[derive(Debug, Args)]
pub(super) struct Session {
    #[command(flatten)]
    server: Where,
    /// The session's id: 32 hex digits, or the first of them, 8 at least, where no other kept session begins so
    #[arg(value_parser = beginning)]
    id: String,
    /// Only the part of this UTC day, such as 2026-01-31
    #[arg(long, value_name = "DAY")]
    day: Option<String>,
    #[command(flatten)]
    noise: NoiseShown,
    /// How many requests at most
    #[arg(long, value_name = "NUMBER", default_value_t = 1000, value_parser = limit)]
    limit: usize,
    /// Print the API's answers: the session, with its notes and requests in it
    #[arg(long)]
    json: bool,
    /// Make an evidence bundle of the session and write it: .html to read and print, .ndjson for programs
    #[arg(long, value_name = "FILE", conflicts_with_all = ["day", "noise", "limit", "json"],
        value_parser = PathBufValueParser::new().try_map(Target::of))]
    bundle: Option<Target>,
}

impl Session {
    pub(super) async fn run(self) -> Result<ExitCode, CliError> {
        let client = self.server.client().await?;
        let id = whole(&client, &self.id).await?;
        if let Some(target) = &self.bundle {
            return super::bundle::run(&client, id, target).await;
        }
        let day: Vec<(&str, String)> = self.day.into_iter().map(|day| ("day", day)).collect();
        let mut session = client.get(&format!("/sessions/{id}"), &day).await?;
        let notes = client.get(&format!("/sessions/{id}/notes"), &[]).await?;
        session["notes"] = notes["notes"].clone();
        let shown_requests: Vec<_> = day.into_iter().chain(self.noise.parameter()).collect();
        let list = client.list(&format!("/sessions/{id}/requests"), "requests", &shown_requests, self.limit).await?;
        if let (Value::Object(session), Value::Object(list)) = (&mut session, list) {
            session.extend(list);
        }
        if self.json {
            print_json(&session)?
        } else {
            print(&shown(&session, table::terminal_width()))?
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The beginning of an id, or all of it.
pub(super) fn beginning(text: &str) -> Result<String, String> {
    match text.len() {
        8..=32 if text.bytes().all(|byte| byte.is_ascii_hexdigit()) => Ok(text.to_ascii_lowercase()),
        _ => Err("32 hex digits would be right, or the first of them, 8 at least".to_owned()),
    }
}

/// The one id among those of kept sessions that begins so.
pub(super) async fn whole(client: &Client, beginning: &str) -> Result<Id, CliError> {
    if let Ok(id) = beginning.parse() {
        return Ok(id);
    }
    // A word of a filter finds ids that begin with it, and what else holds it.
    let asked = [("filter", format!("\"{beginning}\"")), ("noise", "show".to_owned())];
    let list = client.list("/sessions", "sessions", &asked, LOOKED_AT).await?;
    let ids = list["sessions"].as_array().into_iter().flatten().filter_map(|part| part["id"].as_str());
    let found: BTreeSet<Id> = ids.filter(|id| id.starts_with(beginning)).filter_map(|id| id.parse().ok()).collect();
    let all = list["next_page_token"].is_null();
    match (found.first(), found.len()) {
        (Some(id), 1) if all => Ok(*id),
        (None, _) if all => {
            Err(io::Error::new(io::ErrorKind::NotFound, format!("no session of the days kept begins with {beginning}"))
                .into())
        }
        _ => Err(CliError::Beginning(beginning.to_owned())),
    }
}

/// The session as text.
pub(super) fn shown(session: &Value, width: Option<usize>) -> String {
    let mut text = format!("session {}\n", escape(session["id"].as_str().unwrap_or_default()));
    for part in session["parts"].as_array().into_iter().flatten() {
        text.push_str(&facts(part, width));
    }
    text.push_str(&notes(session, width));
    let requests = session["requests"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut table = Table::new(&[
        ("TIME (UTC)", Side::Whole),
        ("METHOD", Side::Whole),
        ("HOST AND PATH", Side::Left),
        ("STATUS", Side::Right),
        ("MS", Side::Right),
        ("BYTES", Side::Right),
        ("CALL", Side::Left),
        ("KEY", Side::Left),
        ("PARAMETERS", Side::Left),
    ]);
    for request in requests {
        table.row(row(request));
    }
    text.push('\n');
    text.push_str(&table.render(width));
    if session["next_page_token"].is_string() {
        text.push_str(&format!("the first {}; --limit shows more\n", counted(requests.len() as u64, "request")));
    }
    text + &hidden(session)
}

/// The cells of a request.
fn row(request: &Value) -> [String; 9] {
    let text = |name: &str| request[name].as_str().unwrap_or_default().to_owned();
    let number = |name: &str| request[name].as_u64().unwrap_or_default();
    let parameters = request["params"].as_array().into_iter().flatten().map(key).collect::<Vec<_>>().join(" ");
    [
        time(&text("ts")),
        text("method"),
        format!("{}{}", text("host"), text("path")),
        number("status").to_string(),
        millis(number("duration_us")),
        bytes(number("bytes_out")),
        call(request),
        key(&request["key"]),
        parameters,
    ]
}

/// What a request asked for behind its one path: the call of an AI agent, with why it failed, or the
/// GraphQL operation.
fn call(request: &Value) -> String {
    let words = |value: &Value, names: &[&str]| {
        let all = names.iter().filter_map(|name| value[*name].as_str()).filter(|word| !word.is_empty());
        all.collect::<Vec<_>>().join(" ")
    };
    let mcp = &request["mcp"];
    match mcp["error"].as_str() {
        Some(error) => format!("{} ({error})", words(mcp, &["method", "primitive", "arguments"])),
        None if mcp.is_object() => words(mcp, &["method", "primitive", "arguments"]),
        None => words(&request["gql"], &["type", "operation"]),
    }
}

/// What is known of one part.
fn facts(part: &Value, width: Option<usize>) -> String {
    let list = |name: &str, count: Option<&str>| {
        let mut shown: Vec<_> = part[name].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let all = count.and_then(|count| part[count].as_u64()).unwrap_or_default();
        let more = all.saturating_sub(shown.len() as u64);
        let rest = format!("and {more} more");
        if more > 0 {
            shown.push(&rest);
        }
        shown.join(", ")
    };
    let each = |name: &str, show: fn(&Value) -> String| {
        part[name].as_array().into_iter().flatten().map(show).collect::<Vec<_>>().join(", ")
    };
    // A part that names nobody has its name from another day.
    let named = |all: &str, last: &str| match &part[last] {
        one if one.is_object() && part[all].as_array().is_none_or(Vec::is_empty) => {
            format!("{} (of another day)", who(one))
        }
        _ => each(all, who),
    };
    let number = |name: &str| part[name].as_u64().unwrap_or_default();
    let text = |name: &str| part[name].as_str().unwrap_or_default();
    let lines = [
        (
            "seen",
            format!("{} to {} ({})", time(text("first_seen")), time(text("last_seen")), span(number("duration_ms"))),
        ),
        (
            "requests",
            format!(
                "{}; {}; {}; {} in, {} out",
                number("requests"),
                counts(&part["statuses"]),
                counts(&part["methods"]),
                bytes(number("bytes_in")),
                bytes(number("bytes_out"))
            ),
        ),
        ("users", named("users", "user")),
        ("roles", named("roles", "role")),
        ("keys", each("keys", |k| format!("{} ({})", key(k), k["requests"]))),
        ("addresses", list("ips", Some("ip_count"))),
        ("user agents", list("user_agents", None)),
        ("hosts", list("hosts", None)),
        ("applications", list("applications", None)),
        (
            "endpoints",
            each("top_endpoints", |e| format!("{} ({})", e["endpoint"].as_str().unwrap_or_default(), e["requests"])),
        ),
        ("attacks", counts(&part["attacks"])),
        ("labels", list("labels", None)),
        ("visits", visits(part)),
    ];
    let mut shown = format!("\npart of {}\n", escape(text("day")));
    for (name, value) in lines.into_iter().filter(|(_, value)| !value.is_empty()) {
        let line = format!("  {name:<13} {}", escape(&value));
        shown.push_str(&width.map_or(line.clone(), |width| table::cut(&line, width)));
        shown.push('\n');
    }
    shown
}

/// How often the session came in a part, and when.
fn visits(part: &Value) -> String {
    const SHOWN: usize = 5;
    let visits = part["visits"].as_array().map(Vec::as_slice).unwrap_or_default();
    let count = part["visit_count"].as_u64().unwrap_or_default();
    let visit = |visit: &Value| {
        let began = time(visit["first_seen"].as_str().unwrap_or_default());
        match (visit["reason"].as_str(), visit["idle_ms"].as_u64()) {
            (Some("idle"), Some(idle)) => format!("{began} after {}", span(idle)),
            (Some("midnight"), _) => format!("{began} over midnight"),
            _ => began,
        }
    };
    let shown: Vec<_> = visits.iter().take(SHOWN).map(visit).collect();
    let more = count.saturating_sub(shown.len() as u64);
    match (count, more) {
        (0 | 1, _) => String::new(),
        (count, 0) => format!("{count}: {}", shown.join(", ")),
        (count, more) => format!("{count}: {}, and {more} more", shown.join(", ")),
    }
}

/// What people wrote on the session and its requests.
fn notes(session: &Value, width: Option<usize>) -> String {
    let mut shown = String::new();
    for note in session["notes"].as_array().into_iter().flatten() {
        let text = |name: &str| note[name].as_str().unwrap_or_default();
        let on = note["request_id"].as_str().map(|id| format!(" on request {id}")).unwrap_or_default();
        let words = text("text").split_whitespace().collect::<Vec<_>>().join(" ");
        let line = escape(&format!("note of {} by {}{on}: {words}", time(text("at")), text("author")));
        shown.push_str(&width.map_or(line.clone(), |width| table::cut(&line, width)));
        shown.push('\n');
    }
    if shown.is_empty() { shown } else { format!("\n{shown}") }
}
