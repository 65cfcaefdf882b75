//! The questions.

use std::cmp::{Ordering, Reverse};
use std::collections::BTreeMap;

use super::{Arrival, Position};
use crate::filter::{Field, Filter};
use crate::model::{CommonValue, Day, Id, Micros, Request, SessionPart};

/// A window of time, `from` included, `to` excluded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// First moment that belongs to it.
    pub from: Micros,
    /// First moment that no longer does.
    pub to: Micros,
}

impl Window {
    /// All of time.
    pub const ALL: Self = Self { from: Micros(i64::MIN), to: Micros(i64::MAX) };

    /// Whether `moment` lies in it.
    pub fn contains(&self, moment: Micros) -> bool {
        self.from <= moment && moment < self.to
    }

    /// Whether it has a moment in common with `day`.
    pub fn touches(&self, day: Day) -> bool {
        self.from < Day(day.0.saturating_add(1)).start() && day.start() < self.to
    }
}

impl Default for Window {
    fn default() -> Self {
        Self::ALL
    }
}

/// A page of the list of sessions.
///
/// Only rows applied before `as_of` count, so that all pages of one walk see one state.
#[derive(Clone, Debug, Default)]
pub struct SessionsQuery {
    /// Parts with at least one request in it.
    pub window: Window,
    /// Those with calls of AI agents, or those without; `None` for all.
    pub mcp: Option<bool>,
    /// Parts with at least one request in the window that meets it.
    pub filter: Option<Filter>,
    /// Whether the caller narrowed the list (then `matched` is filled).
    pub narrowed: bool,
    /// How they are ordered.
    pub order: SessionsOrder,
    /// The state to look at.
    pub as_of: Position,
    /// Where the page before ended.
    pub after: Option<Place>,
    /// Rows wanted.
    pub limit: usize,
}

/// An order of the list of sessions; ties go by id, then by day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionsOrder {
    /// What decides.
    pub by: SessionsBy,
    /// Whether the lowest comes first.
    pub ascending: bool,
}

/// What decides the order of the list of sessions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SessionsBy {
    /// Start of the latest request.
    #[default]
    LastSeen,
    /// Start of the earliest request.
    FirstSeen,
    /// Number of requests.
    Requests,
    /// Time from the earliest request to the latest.
    Duration,
    /// Bytes sent.
    BytesOut,
}

/// Where a part stands in the list of sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// What decides: a number, or microseconds.
    pub key: i128,
    /// The part's session.
    pub id: Id,
    /// The part's day.
    pub day: Day,
}

impl SessionsOrder {
    /// Where a part stands.
    pub fn place(self, part: &SessionPart) -> Place {
        let key = match self.by {
            SessionsBy::LastSeen => part.last_seen.0.into(),
            SessionsBy::FirstSeen => part.first_seen.0.into(),
            SessionsBy::Requests => part.requests.into(),
            SessionsBy::Duration => i128::from(part.last_seen.0) - i128::from(part.first_seen.0),
            SessionsBy::BytesOut => part.bytes_out.into(),
        };
        Place { key, id: part.id, day: part.day }
    }

    /// Which of two places comes first.
    pub fn compare(self, one: &Place, other: &Place) -> Ordering {
        let keys = one.key.cmp(&other.key);
        let keys = if self.ascending { keys } else { keys.reverse() };
        keys.then(one.id.cmp(&other.id)).then(one.day.cmp(&other.day))
    }

    /// Whether all parts of one day come before all of the next, or after.
    pub fn is_by_time(self) -> bool {
        matches!(self.by, SessionsBy::LastSeen | SessionsBy::FirstSeen)
    }
}

/// A page of requests, ordered by (ts, conn, n, id).
#[derive(Clone, Debug, Default)]
pub struct RequestsQuery {
    /// Whose requests; `None` for those of all sessions.
    pub session: Option<Id>,
    /// Requests that started in it.
    pub window: Window,
    /// Requests that meet it.
    pub filter: Option<Filter>,
    /// Whether the last comes first.
    pub descending: bool,
    /// The state to look at.
    pub as_of: Position,
    /// Where the page before ended: ts, conn, n, id of its last row.
    pub after: Option<(Micros, u64, u64, Id)>,
    /// Rows wanted.
    pub limit: usize,
}

/// The commonest values of a field, the commonest first, then by value.
#[derive(Clone, Debug)]
pub struct CommonQuery {
    /// One that [has values](crate::filter::FieldInfo::has_values).
    pub field: Field,
    /// Of requests that started in it.
    pub window: Window,
    /// The state to look at.
    pub as_of: Position,
    /// Values wanted.
    pub limit: usize,
}

impl CommonQuery {
    /// The answer, of how many requests have which value.
    pub(super) fn commonest(&self, counts: impl IntoIterator<Item = (String, u64)>) -> Vec<CommonValue> {
        let mut all: BTreeMap<String, u64> = BTreeMap::new();
        counts.into_iter().for_each(|(value, requests)| *all.entry(value).or_default() += requests);
        let mut values: Vec<_> = all.into_iter().map(|(value, requests)| CommonValue { value, requests }).collect();
        // Stable, so that equally common ones stay in their order.
        values.sort_by_key(|value| Reverse(value.requests));
        values.truncate(self.limit);
        values
    }
}

/// Requests in the order of their arrival.
#[derive(Clone, Debug, Default)]
pub struct TailQuery {
    /// Those after this one; `None` for the newest that there are.
    pub after: Option<Arrival>,
    /// Those that meet it; what it says of sessions is false here.
    pub filter: Option<Filter>,
    /// Rows wanted.
    pub limit: usize,
}

/// What a [`TailQuery`] found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tailed {
    /// In the order of their arrival.
    pub requests: Vec<Request>,
    /// Where to go on; `None` when nothing has arrived yet that the query wants.
    pub last: Option<Arrival>,
}

impl TailQuery {
    /// Where to go on after `found` rows, of which `last` is the last, in a store at `position`: a page that
    /// is not full has seen all that arrived, so that what the filter refused is not looked at again.
    pub(super) fn last(&self, position: Position, found: usize, last: Option<Arrival>) -> Option<Arrival> {
        let all_seen = self.filter.is_some() && (found < self.limit || self.after.is_none());
        match position.checked_sub(1) {
            Some(pos) if all_seen => Some(Arrival { pos, ordinal: u32::MAX }).max(self.after),
            _ => last.or(self.after),
        }
    }
}
