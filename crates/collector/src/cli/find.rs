//! `api-sessions find VALUE`: sessions by a value of which only the pseudonym is stored.

use std::io::Read;
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use super::table::{Side, Table, escape, terminal_width, time};
use super::{CliError, Where, print, print_json};
use crate::filter::{Expr, Filter, MAX_TEXT, Pattern, Test, Value as Wanted};

/// The largest value that is taken.
const LONGEST: u64 = 64 << 10;

/// Whom to look for.
#[derive(Debug, Args)]
pub(super) struct Find {
    #[command(flatten)]
    server: Where,
    /// A token, cookie, e-mail or line of `Authorization`; `-` reads it from the standard input, where other users of
    /// this machine do not see it
    value: String,
    /// A group of keys to try besides those that nodes tell, such as the host that `group=$host` stands for
    #[arg(long, value_name = "GROUP")]
    group: Option<String>,
    /// Print the API's answer
    #[arg(long)]
    json: bool,
}

impl Find {
    pub(super) async fn run(self) -> Result<ExitCode, CliError> {
        // What was kept from the eyes of others is not shown either.
        let (value, shown_as) =
            if self.value == "-" { (read()?, "VALUE".to_owned()) } else { (self.value.clone(), self.value) };
        let client = self.server.client().await?;
        let answer = client.post("/pseudonym", &json!({ "value": value, "group": self.group })).await?;
        if self.json {
            print_json(&answer)?
        } else {
            print(&shown(&answer, &shown_as, terminal_width()))?
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The value on the standard input, without the end of its line.
fn read() -> Result<String, CliError> {
    let mut value = String::new();
    std::io::stdin().take(LONGEST + 1).read_to_string(&mut value)?;
    Ok(value.trim_end_matches(['\r', '\n']).to_owned())
}

/// The answer as text; the value shows as `value`.
pub(super) fn shown(answer: &Value, value: &str, width: Option<usize>) -> String {
    let texts = |name: &str| -> Vec<String> {
        answer[name].as_array().into_iter().flatten().filter_map(Value::as_str).map(escape).collect()
    };
    let mut text = format!("pseudonym {}\n", texts("pseudonyms").join(", "));
    let found = answer["found"].as_array().map(Vec::as_slice).unwrap_or_default();
    if found.is_empty() {
        text.push_str("no session of the days kept has this value as its key\n");
    } else {
        let mut table = Table::new(&[
            ("SESSION", Side::Whole),
            ("DAY", Side::Whole),
            ("REQUESTS", Side::Right),
            ("LAST SEEN (UTC)", Side::Whole),
        ]);
        for part in found {
            let cell = |name: &str| part[name].as_str().unwrap_or_default().to_owned();
            let requests = part["requests"].as_u64().unwrap_or_default().to_string();
            table.row([cell("session_id"), cell("day"), requests, time(&cell("last_seen"))]);
        }
        text.push_str(&table.render(width));
    }
    let filters = texts("filters");
    if !filters.is_empty() {
        text.push_str("where the value left hashed these filters find it:\n");
        filters.iter().for_each(|filter| text.push_str(&format!("  {filter}\n")));
    }
    let plain = plain_filters(answer, value);
    if !plain.is_empty() {
        text.push_str("where the value is shown as it is, these find it:\n");
        plain.iter().for_each(|filter| text.push_str(&format!("  {}\n", escape(filter))));
    }
    for (name, meaning) in [
        ("other_nodes", "nodes with another secret, whose sessions cannot be found"),
        ("groups_left_out", "groups with variables, to be tried with --group"),
    ] {
        let list = texts(name);
        if !list.is_empty() {
            text.push_str(&format!("{meaning}: {}\n", list.join(", ")));
        }
    }
    text
}

/// The answer's filters with the value itself in the place of its pseudonyms.
fn plain_filters(answer: &Value, value: &str) -> Vec<String> {
    let filters = answer["filters"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let plain = filters.filter_map(|filter| match Filter::parse(filter).ok()?.root {
        Expr::Term(field, Test::OneOf(_)) => {
            let is_value = Test::OneOf(vec![Wanted::Text(Pattern::literal(value))]);
            Some(Filter { root: Expr::Term(field, is_value) }.to_string())
        }
        _ => None,
    });
    plain.filter(|filter| filter.len() <= MAX_TEXT).collect()
}
