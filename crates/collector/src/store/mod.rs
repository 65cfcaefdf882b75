//! What the collector asks of a store, and the stores there are. No SQL outside this room.

use crate::model::{Day, Id, Micros, Request, SessionPart};

/// Position in the collector's log up to which something holds.
pub type Position = u64;

/// A window of time, `from` included, `to` excluded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// First moment that belongs to it.
    pub from: Micros,
    /// First moment that no longer does.
    pub to: Micros,
}

/// A page of the list of sessions, the last seen first, ties by id.
///
/// Only rows applied up to `as_of` count, so that all pages of one walk see one state.
#[derive(Clone, Debug)]
pub struct SessionsQuery {
    /// Parts with at least one request in it.
    pub window: Window,
    /// Whether the caller gave the window (then `matched` is filled).
    pub windowed: bool,
    /// The state to look at.
    pub as_of: Position,
    /// Where the page before ended: last_seen, id and day of its last row.
    pub after: Option<(Micros, Id, Day)>,
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
    /// Where the page before ended.
    pub after: Option<(Micros, u64, u64, Id)>,
    /// Rows wanted.
    pub limit: usize,
}
