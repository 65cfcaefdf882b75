//! The questions.

use super::{Arrival, Position};
use crate::model::{Day, Id, Micros, Request};

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

/// A page of the list of sessions: ordered by `last_seen`, the latest first, then by id.
///
/// Only rows applied before `as_of` count, so that all pages of one walk see one state.
#[derive(Clone, Debug)]
pub struct SessionsQuery {
    /// Parts with at least one request in it.
    pub window: Window,
    /// Those with calls of AI agents, or those without; `None` for all.
    pub mcp: Option<bool>,
    /// Whether the caller narrowed the list (then `matched` is filled).
    pub narrowed: bool,
    /// The state to look at.
    pub as_of: Position,
    /// Where the page before ended: `last_seen` and id of its last row.
    pub after: Option<(Micros, Id)>,
    /// Rows wanted.
    pub limit: usize,
}

/// A page of a session's requests, ordered by (ts, conn, n, id).
#[derive(Clone, Debug)]
pub struct RequestsQuery {
    /// Whose requests.
    pub session: Id,
    /// Requests that started in it.
    pub window: Window,
    /// The state to look at.
    pub as_of: Position,
    /// Where the page before ended: ts, conn, n, id of its last row.
    pub after: Option<(Micros, u64, u64, Id)>,
    /// Rows wanted.
    pub limit: usize,
}

/// Requests in the order of their arrival.
#[derive(Clone, Debug)]
pub struct TailQuery {
    /// Those after this one; `None` for the newest that there are.
    pub after: Option<Arrival>,
    /// Rows wanted.
    pub limit: usize,
}

/// What a [`TailQuery`] found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tailed {
    /// In the order of their arrival.
    pub requests: Vec<Request>,
    /// Where to go on; `None` when nothing has ever arrived.
    pub last: Option<Arrival>,
}
