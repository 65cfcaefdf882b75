//! What the collector asks of a store, and the stores there are. No SQL about sessions
//! outside this room.
//!
//! A store takes [`Batch`]es in the order of the log and answers queries about them. A batch counts
//! as a whole: no query sees a part of it. After a crash a part of it may be there, as each day is
//! kept apart: [`Store::resume`] tells from where the log must be applied again, and which `seq`
//! numbers are there already, so that nothing is lost or there twice.

mod batch;
mod interest;
mod query;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

mod parts;
mod stats;
mod story;

pub mod duckdb;
pub mod memory;

pub use batch::{Arrival, Batch, DayBatch, Holes, Row, SeqRange, SeqSet};
pub use interest::{Interest, Progress};
pub use query::{
    CommonQuery, PAGE_BYTES, Place, RequestPlace, RequestsPage, RequestsQuery, SessionsBy, SessionsCount,
    SessionsOrder, SessionsPage, SessionsQuery, TailQuery, Tailed, Window,
};
pub use stats::{Dimension, Group, Metric, Stats, StatsQuery};
pub use story::{RelatedQuery, Stories, Story, StoryQuery};

use crate::endpoints::{Endpoints, Figures, ShapeId};
use crate::model::{CommonValue, Day, Id, Micros, Related, Request, SessionPart};

/// Position in the collector's log: the bytes before it, since the log began.
pub type Position = u64;

/// Why a store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// One statement failed; the next may work.
    #[error("{doing}: {reason}")]
    Failed {
        /// What was being done, with the file's name.
        doing: String,
        /// What the engine said.
        reason: String,
    },
    /// The engine gave up, again and again: nothing works until the server starts anew.
    #[error("{doing}: the engine cannot go on with this file: {reason}")]
    Fatal {
        /// What was being done, with the file's name.
        doing: String,
        /// What the engine said.
        reason: String,
    },
    /// Nobody waits for the answer any more, so it was not looked for to the end.
    #[error("{doing}: given up, as nobody waits for the answer any more")]
    GivenUp {
        /// What was being done.
        doing: String,
    },
    /// A file says something that cannot be.
    #[error("{file} is damaged: {reason}")]
    Damaged {
        /// Which file.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// From where to go on after a start.
#[derive(Clone, Debug, Default)]
pub struct Resume {
    /// Everything before it is in the store.
    pub complete: Position,
    /// How far each day got, beyond `complete` or not.
    pub days: BTreeMap<Day, Position>,
    /// The `seq` numbers taken, of all days that are kept.
    pub seqs: SeqSet,
}

/// What a store mended by itself since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mended {
    /// Times that its engine gave up and was started anew.
    pub engine_starts: u64,
    /// Times that session rows could not be made.
    pub pieces_unmade: u64,
    /// Damaged files that were set aside and made anew from the log.
    pub files_made_anew: u64,
    /// Requests of them that the log no longer had.
    pub lost_requests: u64,
}

/// What was counted in some rows of a day, which stand one behind the other.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stretch {
    /// Of each shape.
    pub shapes: HashMap<ShapeId, Figures>,
    /// Where the next rows stand.
    pub to: Position,
    /// Whether there are any.
    pub more: bool,
}

/// Keeps requests and answers questions about them. Its methods block.
pub trait Store: Send + Sync + 'static {
    /// From where to go on after a start.
    fn resume(&self) -> Result<Resume, StoreError>;

    /// Takes a batch. When it returns, queries see it; it may be lost in a crash, then `resume` says so.
    fn apply(&self, batch: &Batch) -> Result<(), StoreError>;

    /// Makes all that was applied safe from crashes, looks whether it is really there, and returns
    /// the position up to which the log is no longer needed.
    fn checkpoint(&self) -> Result<Position, StoreError>;

    /// What a new query may look at: the `as_of` for it.
    fn position(&self) -> Position;

    /// Drops the days before `day` and says which they were.
    fn forget_before(&self, day: Day) -> Result<Vec<Day>, StoreError>;

    /// Start of the newest request.
    fn newest(&self) -> Option<Micros>;

    /// Requests kept.
    fn rows(&self) -> u64;

    /// A page of the list of sessions.
    fn sessions(&self, query: &SessionsQuery) -> Result<SessionsPage, StoreError>;

    /// Parts of a whole list: neither its places nor its limit matter.
    fn count_sessions(&self, query: &SessionsQuery) -> Result<SessionsCount, StoreError>;

    /// All parts of one session, the newest first.
    fn parts(&self, session: Id, as_of: Position) -> Result<Vec<SessionPart>, StoreError>;

    /// A page of requests, of one session or of all.
    fn requests(&self, query: &RequestsQuery) -> Result<RequestsPage, StoreError>;

    /// Requests of a list between `after` and `until`; the limit does not matter.
    fn count_requests(&self, query: &RequestsQuery) -> Result<u64, StoreError>;

    /// Which of these requests are there, of those told by their id.
    fn known(&self, ids: &[Id]) -> Result<HashSet<Id>, StoreError>;

    /// One request.
    fn request(&self, id: Id) -> Result<Option<Request>, StoreError>;

    /// The commonest values of a field. Of values that are rare on each day some may be missing.
    fn common_values(&self, query: &CommonQuery) -> Result<Vec<CommonValue>, StoreError>;

    /// Requests in the order in which they arrived.
    fn tail(&self, query: &TailQuery) -> Result<Tailed, StoreError>;

    /// How many requests there are behind the place where a query goes on, at most its limit.
    fn behind(&self, query: &TailQuery) -> Result<usize, StoreError>;

    /// Requests kept of each day.
    fn rows_by_day(&self) -> BTreeMap<Day, u64>;

    /// What was counted of the shapes that most requests have in a stretch of a day's rows, from a position on. How
    /// many shapes that are is bounded, and how long a stretch is.
    fn figures(&self, day: Day, from: Position) -> Result<Stretch, StoreError>;

    /// What the shapes of its rows are called. Whoever makes rows learns them here first.
    fn endpoints(&self) -> Arc<Endpoints>;

    /// Statistics over requests.
    fn stats(&self, query: &StatsQuery) -> Result<Stats, StoreError>;

    /// What happened in the parts of a session.
    fn stories(&self, query: &StoryQuery) -> Result<Stories, StoreError>;

    /// Sessions that share a user or an address with one.
    fn related(&self, query: &RelatedQuery) -> Result<Vec<Related>, StoreError>;

    /// What it had to mend.
    fn mended(&self) -> Mended {
        Mended::default()
    }

    /// Runs a query on every file that new data goes to.
    fn check(&self) -> Result<(), StoreError>;
}

#[cfg(test)]
mod tests;
