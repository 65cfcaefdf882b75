//! A store that loses in a crash what was not checkpointed, each day for itself, as day files do.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use collector::endpoints::{Endpoints, Figures, ShapeId};
use collector::model::{CommonValue, Day, Id, Micros, Request, SessionPart};
use collector::store::memory::MemoryStore;
use collector::store::{
    Batch, CommonQuery, Position, RequestsPage, RequestsQuery, Resume, SeqSet, SessionsQuery, Store, StoreError,
    TailQuery, Tailed,
};
use fastrand::Rng;

#[derive(Default)]
pub struct SimStore {
    inner: MemoryStore,
    history: Mutex<History>,
    /// A bug put in on purpose: duplicates are not told after a restart.
    forgets_seqs: bool,
}

/// What was applied, to be applied again in part.
#[derive(Clone, Default)]
struct History {
    batches: Vec<Batch>,
    /// So many of them are checkpointed.
    safe: usize,
    /// What the last checkpoint said.
    complete: Position,
}

impl SimStore {
    pub fn new(forgets_seqs: bool) -> Self {
        Self { forgets_seqs, ..Self::default() }
    }

    /// The store as the next process finds it. After a power cut each day kept a part of what was
    /// not checkpointed; after a kill all of it.
    pub fn after_crash(&self, rng: &mut Rng, power_cut: bool) -> Self {
        let History { batches, safe, complete } = self.history().clone();
        let (safe_batches, later) = batches.split_at(safe);
        let inner = MemoryStore::default();
        let apply = |batch: &Batch| inner.apply(batch).expect("the memory store takes what it took before");
        safe_batches.iter().for_each(apply);
        // A store that was restarted has days that got beyond its checkpoint.
        apply(&Batch { from: complete, to: complete, ..Batch::default() });
        inner.checkpoint().expect("the memory store checkpoints");
        let mut kept: BTreeMap<Day, usize> = BTreeMap::new();
        for day in later.iter().flat_map(|batch| batch.days.keys()) {
            kept.entry(*day).or_insert_with(|| if power_cut { rng.usize(0..=later.len()) } else { later.len() });
        }
        let mut survived = safe_batches.to_vec();
        for (number, batch) in later.iter().enumerate() {
            let mut batch = batch.clone();
            batch.days.retain(|day, _| number < kept[day]);
            apply(&batch);
            survived.push(batch);
        }
        inner.restart();
        let history = Mutex::new(History { batches: survived, safe, complete });
        Self { inner, history, forgets_seqs: self.forgets_seqs }
    }

    /// Lets the process die in the middle of the next batch.
    pub fn interrupt_after(&self, days: usize) {
        self.inner.interrupt_after(days);
    }

    /// The ids of all rows, each as often as it is there.
    pub fn ids(&self) -> Vec<Id> {
        self.inner.all_rows().into_iter().map(|row| row.request.id).collect()
    }

    fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for SimStore {
    fn resume(&self) -> Result<Resume, StoreError> {
        let mut resume = self.inner.resume()?;
        if self.forgets_seqs {
            resume.seqs = SeqSet::default();
        }
        Ok(resume)
    }

    fn apply(&self, batch: &Batch) -> Result<(), StoreError> {
        let applied = self.inner.apply(batch);
        let mut batch = batch.clone();
        if applied.is_err() {
            // It broke off after some of the days: those whose position moved on.
            let days = self.inner.resume()?.days;
            batch.days.retain(|day, _| days.get(day) == Some(&batch.to));
        }
        self.history().batches.push(batch);
        applied
    }

    fn checkpoint(&self) -> Result<Position, StoreError> {
        let mut history = self.history();
        history.safe = history.batches.len();
        history.complete = self.inner.checkpoint()?;
        Ok(history.complete)
    }

    fn forget_before(&self, day: Day) -> Result<Vec<Day>, StoreError> {
        for batch in &mut self.history().batches {
            batch.days = batch.days.split_off(&day);
        }
        self.inner.forget_before(day)
    }

    fn rows_by_day(&self) -> BTreeMap<Day, u64> {
        self.inner.rows_by_day()
    }

    fn figures(&self, day: Day) -> Result<HashMap<ShapeId, Figures>, StoreError> {
        self.inner.figures(day)
    }

    fn endpoints(&self) -> Arc<Endpoints> {
        self.inner.endpoints()
    }

    fn position(&self) -> Position {
        self.inner.position()
    }

    fn newest(&self) -> Option<Micros> {
        self.inner.newest()
    }

    fn rows(&self) -> u64 {
        self.inner.rows()
    }

    fn sessions(&self, query: &SessionsQuery) -> Result<Vec<SessionPart>, StoreError> {
        self.inner.sessions(query)
    }

    fn common_values(&self, query: &CommonQuery) -> Result<Vec<CommonValue>, StoreError> {
        self.inner.common_values(query)
    }

    fn count_sessions(&self, query: &SessionsQuery) -> Result<u64, StoreError> {
        self.inner.count_sessions(query)
    }

    fn parts(&self, session: Id, as_of: Position) -> Result<Vec<SessionPart>, StoreError> {
        self.inner.parts(session, as_of)
    }

    fn requests(&self, query: &RequestsQuery) -> Result<RequestsPage, StoreError> {
        self.inner.requests(query)
    }

    fn count_requests(&self, query: &RequestsQuery) -> Result<u64, StoreError> {
        self.inner.count_requests(query)
    }

    fn known(&self, ids: &[Id]) -> Result<HashSet<Id>, StoreError> {
        self.inner.known(ids)
    }

    fn request(&self, id: Id) -> Result<Option<Request>, StoreError> {
        self.inner.request(id)
    }

    fn tail(&self, query: &TailQuery) -> Result<Tailed, StoreError> {
        self.inner.tail(query)
    }

    fn behind(&self, query: &TailQuery) -> Result<usize, StoreError> {
        self.inner.behind(query)
    }

    fn stats(&self, query: &collector::store::StatsQuery) -> Result<collector::store::Stats, StoreError> {
        self.inner.stats(query)
    }

    fn stories(&self, query: &collector::store::StoryQuery) -> Result<collector::store::Stories, StoreError> {
        self.inner.stories(query)
    }

    fn related(&self, query: &collector::store::RelatedQuery) -> Result<Vec<collector::model::Related>, StoreError> {
        self.inner.related(query)
    }

    fn check(&self) -> Result<(), StoreError> {
        self.inner.check()
    }
}
