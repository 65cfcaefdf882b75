//! Query parameters: each known, each at most once, each checked.

use std::str::FromStr;
use std::time::Duration;

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;

use super::problem::Problem;
use super::queries::Query;
use crate::filter::Filter;
use crate::model::{Day, Id, Micros};
use crate::store::Window;

const PAGE_SIZE: usize = 50;
const MAX_PAGE_SIZE: usize = 1000;
/// Seconds that an answer may take.
const MAX_TIMEOUT: u64 = 30;

/// The parameters of a request, as they came.
pub(super) struct Params {
    pairs: Vec<(String, String)>,
    /// The address that they came with.
    address: String,
    /// The question that this one is part of.
    query: Option<Query>,
}

impl<S: Send + Sync> FromRequestParts<S> for Params {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let text = parts.uri.query().unwrap_or_default();
        let pairs = text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decoded(name, name)?;
            let value = decoded(value, &name)?;
            Ok((name, value))
        });
        let pairs = pairs.collect::<Result<_, Problem>>()?;
        let address = parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
        Ok(Self { pairs, address, query: parts.extensions.get().cloned() })
    }
}

/// A name or a value of a query string (application/x-www-form-urlencoded), of the parameter `name`.
fn decoded(text: &str, name: &str) -> Result<String, Problem> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = after.get(..2).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
                let byte = digits.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
                rest = after.get(2..).unwrap_or_default();
                byte.ok_or_else(|| {
                    let place = text.len() - after.len() - 1;
                    let detail = "a `%` stands before two hex digits; a `%` itself is written %25";
                    Problem::parameter(name, format!("at byte {place} of what was given: {detail}"))
                })?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).map_err(|error| {
        let place = error.utf8_error().valid_up_to();
        Problem::parameter(name, format!("what was given is no UTF-8 from byte {place} on, its escapes decoded"))
    })
}

/// The window that was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) from: Option<Micros>,
    pub(super) to: Option<Micros>,
    pub(super) day: Option<Day>,
}

impl Asked {
    /// The window that is looked at: what was asked for, as far as it is kept.
    pub(super) fn window(&self, oldest: Micros) -> Window {
        let mut window = Window { from: oldest, to: Micros(i64::MAX) };
        let mut narrow = |from: Option<Micros>, to: Option<Micros>| {
            window.from = window.from.max(from.unwrap_or(window.from));
            window.to = window.to.min(to.unwrap_or(window.to));
        };
        narrow(self.from, self.to);
        if let Some(day) = self.day {
            narrow(Some(day.start()), Some(Day(day.0.saturating_add(1)).start()));
        }
        window
    }
}

impl Params {
    /// Refuses parameters that are none of `known`, and those given twice.
    pub(super) fn only(self, known: &[&str]) -> Result<Self, Problem> {
        for (index, (name, _)) in self.pairs.iter().enumerate() {
            if !known.contains(&name.as_str()) {
                let right = match known {
                    [] => "there are none here".to_owned(),
                    _ => format!("those here are {}", known.join(", ")),
                };
                return Err(Problem::parameter(name, format!("no parameter is called `{name}`; {right}")));
            }
            if self.pairs.iter().take(index).any(|(before, _)| before == name) {
                return Err(Problem::parameter(name, format!("`{name}` is given more than once")));
            }
        }
        Ok(self)
    }

    /// The address that was asked, with its parameters.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// The question that this one is part of, if it is.
    pub(super) fn query(&self) -> Option<&Query> {
        self.query.as_ref()
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Rows of a page.
    pub(super) fn page_size(&self) -> Result<usize, Problem> {
        let Some(text) = self.text("page_size") else { return Ok(PAGE_SIZE) };
        match usize::from_str(text) {
            Ok(size @ 1..=MAX_PAGE_SIZE) => Ok(size),
            _ => Err(Problem::parameter("page_size", format!("`{text}` is no number from 1 to {MAX_PAGE_SIZE}"))),
        }
    }

    /// One of the orders that there are, or the first when none is given.
    pub(super) fn order<'a, T: Copy>(&self, orders: &'a [(&'a str, T)]) -> Result<(&'a str, T), Problem> {
        let Some(asked) = self.text("order_by") else {
            // There is always one.
            return orders.first().copied().ok_or_else(Problem::internal);
        };
        orders.iter().find(|(name, _)| *name == asked).copied().ok_or_else(|| {
            let names: Vec<_> = orders.iter().map(|(name, _)| format!("`{name}`")).collect();
            Problem::parameter("order_by", format!("`{asked}` is no order here; those are {}", names.join(", ")))
        })
    }

    /// `timeout`: how long the answer may take.
    pub(super) fn timeout(&self) -> Result<Option<Duration>, Problem> {
        let Some(text) = self.text("timeout") else { return Ok(None) };
        match text.parse() {
            Ok(seconds @ 1..=MAX_TIMEOUT) => Ok(Some(Duration::from_secs(seconds))),
            _ => {
                Err(Problem::parameter("timeout", format!("`{text}` is no number of seconds from 1 to {MAX_TIMEOUT}")))
            }
        }
    }

    /// `filter`; an empty one is none.
    pub(super) fn filter(&self) -> Result<Option<Filter>, Problem> {
        let Some(text) = self.text("filter").filter(|text| !text.trim().is_empty()) else { return Ok(None) };
        Filter::parse(text).map(Some).map_err(|bad| Problem::filter(&bad))
    }

    /// A parameter that is `true` or `false`.
    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, Problem> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let wrong = |_| Problem::parameter(name, format!("`{text}` is neither `true` nor `false`"));
        text.parse().map(Some).map_err(wrong)
    }

    /// `from`, `to` and `day`.
    pub(super) fn asked(&self) -> Result<Asked, Problem> {
        let asked = Asked { from: self.time("from")?, to: self.time("to")?, day: self.day()? };
        match (asked.from, asked.to) {
            (Some(from), Some(to)) if from >= to => {
                Err(Problem::parameter("to", format!("`to` ({to}) must lie after `from` ({from})")))
            }
            _ => Ok(asked),
        }
    }

    fn time(&self, name: &'static str) -> Result<Option<Micros>, Problem> {
        let Some(text) = self.text(name) else { return Ok(None) };
        // The parser takes more than RFC 3339 does: time zones in brackets, blanks.
        let strict = !text.contains(['[', ' ']);
        match text.parse::<jiff::Timestamp>() {
            Ok(time) if strict => Ok(Some(Micros(time.as_microsecond()))),
            _ => {
                let mut detail = format!("`{text}` is no RFC 3339 time such as 2026-01-31T12:00:00Z");
                if text.contains(' ') {
                    detail.push_str("; a `+` in a query string is written %2B");
                }
                Err(Problem::parameter(name, detail))
            }
        }
    }

    /// `day`, a UTC day such as `2026-01-31`.
    pub(super) fn day(&self) -> Result<Option<Day>, Problem> {
        let Some(text) = self.text("day") else { return Ok(None) };
        let wrong = || Problem::parameter("day", format!("`{text}` is no UTC day such as 2026-01-31"));
        Day::parse(text).map(Some).ok_or_else(wrong)
    }
}

/// The id in an address.
pub(super) struct IdInPath(pub(super) Id);

impl<S: Send + Sync> FromRequestParts<S> for IdInPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Path::<String>::from_request_parts(parts, state).await {
            Ok(Path(text)) => id(&text).map(Self),
            // Escapes that are no UTF-8.
            Err(_) => id(parts.uri.path()).map(Self),
        }
    }
}

/// An id as an address has it.
pub(super) fn id(text: &str) -> Result<Id, Problem> {
    text.parse().map_err(|_| {
        let shown: String = text.chars().take(64).collect();
        Problem::parameter("id", format!("`{shown}` is no id: an id is 32 hex digits"))
    })
}
