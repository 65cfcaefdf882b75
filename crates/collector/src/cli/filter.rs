//! What a command shows: `--filter`, of which a bad one is shown with its place before anything is asked, and `--noise`.

use clap::ValueEnum;
use unicode_width::UnicodeWidthStr;

use super::table::escape;
use crate::filter::Filter;

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

/// The text, if it is a filter.
fn sound(text: &str) -> Result<String, String> {
    let Err(bad) = Filter::parse(text) else { return Ok(text.to_owned()) };
    let (before, rest) = text.split_at_checked(bad.offset).unwrap_or((text, ""));
    let wrong = rest.get(..bad.length).unwrap_or_default();
    let (indent, marks) = (escape(before).width(), escape(wrong).width().max(1));
    Err(format!("{}\n  {}\n  {}{}", escape(&bad.to_string()), escape(text), " ".repeat(indent), "^".repeat(marks)))
}
