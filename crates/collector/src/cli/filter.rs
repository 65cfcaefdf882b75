//! What a command shows: `--filter`, of which a bad one is shown with its place before anything is asked, and `--noise`.

use clap::ValueEnum;
use unicode_width::UnicodeWidthStr;

use super::table::escape;
use crate::KEPT_DAYS;
use crate::filter::{Expr, Field, Filter, Test, Value};
use crate::model::{Day, Id, Micros};

/// Only what meets a filter.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct Filtered {
    /// Only what meets this, such as 'status>=500 AND NOT path="/health*"' (docs/api.md tells all of it)
    #[arg(long, value_name = "FILTER", value_parser = sound)]
    filter: Option<String>,
    #[command(flatten)]
    noise: NoiseShown,
}

/// What becomes of requests that rules call noise.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub(super) struct NoiseShown {
    /// Static files, health checks and what else rules call noise [default: hide, unless the filter names `noise`]
    #[arg(long, value_enum, value_name = "HOW")]
    noise: Option<Noise>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Noise {
    /// Leave it out and tell how much it was
    Hide,
    /// Show it like the rest
    Show,
    /// Show nothing else
    Only,
}

impl Filtered {
    /// The same of one session only.
    pub(super) fn of_session(self, id: Id) -> Self {
        let of_session = Filter { root: Expr::Term(Field::SessionId, Test::OneOf(vec![Value::Id(id)])) };
        let filter = match self.filter.as_deref().map(Filter::parse) {
            Some(Ok(filter)) => filter.and(of_session),
            // Others than sound ones are not taken.
            _ => of_session,
        };
        Self { filter: Some(filter.to_string()), ..self }
    }

    /// It as parameters of the API.
    pub(super) fn parameters(self) -> Vec<(&'static str, String)> {
        self.filter.map(|filter| ("filter", filter)).into_iter().chain(self.noise.parameter()).collect()
    }
}

impl NoiseShown {
    /// It as a parameter of the API.
    pub(super) fn parameter(self) -> Option<(&'static str, String)> {
        let value = self.noise.and_then(|noise| Some(noise.to_possible_value()?.get_name().to_owned()));
        value.map(|value| ("noise", value))
    }
}

/// What stands below a list that left something out.
pub(super) fn hidden(list: &serde_json::Value) -> String {
    match list["hidden"].as_u64() {
        None | Some(0) => String::new(),
        Some(hidden) => format!("{hidden} hidden as noise; --noise show shows them\n"),
    }
}

/// What is said of an empty list that was asked for with these parameters of the API, on the day `today`.
pub(super) fn nothing(what: &str, parameters: &[(&str, String)], today: Day) -> String {
    let value = |wanted: &str| parameters.iter().find(|(name, _)| *name == wanted).map(|(_, value)| value.as_str());
    let shows_all = |(name, value): &(&str, String)| *name == "noise" && value != "only";
    if parameters.iter().all(shows_all) {
        return format!(
            "no {what}; requests appear here when they end (`api-sessions check URL` tells what is missing)\n"
        );
    }
    let mut text = format!("no {what} match what was asked for");
    let oldest = Day(today.0.saturating_sub(KEPT_DAYS - 1));
    let is_before =
        |time: &str| time.parse::<jiff::Timestamp>().is_ok_and(|time| Micros(time.as_microsecond()) < oldest.start());
    if value("from").or(value("to")).is_some_and(is_before) {
        text.push_str(&format!("; requests are kept from {oldest} on"));
    }
    text.push('\n');
    // Double quotes and what is between them aside.
    if value("filter").is_some_and(|filter| filter.split('"').step_by(2).any(|bare| bare.contains('\''))) {
        text.push_str("the ' in the filter was taken as a part of the value: values are quoted with double quotes, user=\"ada\"\n");
    }
    text
}

/// The text, if it is a filter.
fn sound(text: &str) -> Result<String, String> {
    let Err(bad) = Filter::parse(text) else { return Ok(text.to_owned()) };
    let (before, rest) = text.split_at_checked(bad.offset).unwrap_or((text, ""));
    let wrong = rest.get(..bad.length).unwrap_or_default();
    let (indent, marks) = (escape(before).width(), escape(wrong).width().max(1));
    Err(format!("{}\n  {}\n  {}{}", escape(&bad.to_string()), escape(text), " ".repeat(indent), "^".repeat(marks)))
}
