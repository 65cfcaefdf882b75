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
    /// Whether parts are counted of which the last term of the filter, `noise=false`, leaves nothing.
    pub count_hidden: bool,
}

impl SessionsQuery {
    /// Whether parts of a day may stand behind `after`: in an order by time those of a day stand together.
    pub(super) fn has_parts_of(&self, day: Day) -> bool {
        !self.order.is_by_time() || lies_between(day, self.after.map(|after| after.day), None, self.order.ascending)
    }
}

/// What a [`SessionsQuery`] found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SessionsPage {
    /// In the order asked for.
    pub parts: Vec<SessionPart>,
    /// Whether there are more behind them.
    pub more: bool,
    /// Parts that are left out between these and the page before because they are noise, where they are counted.
    pub hidden: u64,
}

/// How many parts a list has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionsCount {
    /// Those that it shows.
    pub shown: u64,
    /// Those that it leaves out because they are noise, where they are counted.
    pub hidden: u64,
}

fn lies_between(day: Day, after: Option<Day>, until: Option<Day>, ascending: bool) -> bool {
    let (first, last) = if ascending { (after, until) } else { (until, after) };
    first.is_none_or(|first| first <= day) && last.is_none_or(|last| day <= last)
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

/// Bytes of the texts of a page of requests: it ends early when they are used up. The parameters of its requests
/// have as many of their own, and so have their attacks.
pub const PAGE_BYTES: u64 = 8 << 20;
/// Longest value of a field that is counted among the commonest, in bytes.
pub(super) const VALUE_BYTES: usize = 1 << 10;

/// Where a request stands in lists by time. No two stand at one place: of equals the one that arrived first
/// comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequestPlace {
    /// When it began.
    pub ts: Micros,
    /// Its connection.
    pub conn: u64,
    /// Its number on the connection.
    pub n: u64,
    /// Its id.
    pub id: Id,
    /// Its place in the log.
    pub arrival: Arrival,
}

impl RequestPlace {
    /// Where a request stands that arrived there.
    pub fn of(request: &Request, arrival: Arrival) -> Self {
        let Request { ts, conn, n, id, .. } = *request;
        Self { ts, conn, n, id, arrival }
    }
}

/// A page of requests, ordered by [`RequestPlace`].
#[derive(Clone, Debug)]
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
    /// Where the page before ended.
    pub after: Option<RequestPlace>,
    /// The first place that counts no more, where requests are counted.
    pub until: Option<RequestPlace>,
    /// Rows wanted.
    pub limit: usize,
    /// Bytes that the texts of a page may have, but for those of its last request.
    pub bytes: u64,
}

impl Default for RequestsQuery {
    /// All requests, in no state.
    fn default() -> Self {
        let (session, window, filter, descending, as_of, after, until, limit) = Default::default();
        Self { session, window, filter, descending, as_of, after, until, limit, bytes: PAGE_BYTES }
    }
}

impl RequestsQuery {
    /// Whether requests of a day may stand between `after` and `until`.
    pub(super) fn has_requests_of(&self, day: Day) -> bool {
        let day_of = |place: RequestPlace| place.ts.day();
        lies_between(day, self.after.map(day_of), self.until.map(day_of), !self.descending)
    }
}

/// What a [`RequestsQuery`] found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RequestsPage {
    /// In the order asked for, at least one if there is one.
    pub requests: Vec<Request>,
    /// Where the page ended, if anything follows.
    pub next: Option<RequestPlace>,
}

/// The commonest values of a field, the commonest first, then by value; those of over a KiB are left out.
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
#[derive(Clone, Debug)]
pub struct TailQuery {
    /// Those after this one; `None` for the newest that there are.
    pub after: Option<Arrival>,
    /// Those that meet it; what it says of sessions is false here.
    pub filter: Option<Filter>,
    /// Rows wanted.
    pub limit: usize,
    /// Bytes that the texts of a page may have, but for those of its last request.
    pub bytes: u64,
}

impl Default for TailQuery {
    /// The newest, of all.
    fn default() -> Self {
        Self { after: None, filter: None, limit: 0, bytes: PAGE_BYTES }
    }
}

/// What a [`TailQuery`] found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tailed {
    /// In the order of their arrival, at least one if there is one.
    pub requests: Vec<Request>,
    /// When each of them arrived.
    pub arrivals: Vec<Arrival>,
    /// Where to go on; `None` when nothing has arrived yet that the query wants.
    pub last: Option<Arrival>,
    /// Whether there is more than fits into the page.
    pub more: bool,
}

impl TailQuery {
    /// Where to go on after a page of which `last` is the last, in a store at `position`: one that holds all
    /// there is has seen all that arrived, so that what the filter refused is not looked at again.
    pub(super) fn last(&self, position: Position, more: bool, last: Option<Arrival>) -> Option<Arrival> {
        let all_seen = self.filter.is_some() && (!more || self.after.is_none());
        match position.checked_sub(1) {
            Some(pos) if all_seen => Some(Arrival { pos, ordinal: u32::MAX }).max(self.after),
            _ => last.or(self.after),
        }
    }

    /// Whether it has seen all that a store at `position` can tell.
    pub(super) fn is_done(&self, position: Position) -> bool {
        let end = position.checked_sub(1).map(|pos| Arrival { pos, ordinal: u32::MAX });
        self.after.is_some() && self.after >= end
    }
}
