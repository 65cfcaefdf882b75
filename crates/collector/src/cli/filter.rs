//! `--filter` of commands: a bad one is shown with its place before anything is asked.

use unicode_width::UnicodeWidthStr;

use super::table::escape;
use crate::filter::Filter;

/// Only what meets a filter.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct Filtered {
    /// Only what meets this, such as 'status>=500 AND NOT path="/health*"' (docs/api.md tells all of it)
    #[arg(long, value_name = "FILTER", value_parser = sound)]
    filter: Option<String>,
}

impl Filtered {
    /// It as a parameter of the API.
    pub(super) fn parameter(self) -> Option<(&'static str, String)> {
        self.filter.map(|filter| ("filter", filter))
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
