//! A store that keeps what tells requests apart and nothing else, and loses in a crash what was not checkpointed,
//! each day for itself, as day files do.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use collector::endpoints::Endpoints;
use collector::model::{CommonValue, Day, Id, Micros, Related, Request, SessionPart};
use collector::store::{
    Batch, CommonQuery, Position, RelatedQuery, RequestsPage, RequestsQuery, Resume, SeqRange, SeqSet, SessionsCount,
    SessionsPage, SessionsQuery, Stats, StatsQuery, Store, StoreError, Stories, StoryQuery, Stretch, TailQuery, Tailed,
};
use fastrand::Rng;

use crate::plant::Plant;

pub struct SimStore {
    state: Mutex<State>,
    endpoints: Arc<Endpoints>,
    plant: Plant,
}

#[derive(Default)]
struct State {
    days: BTreeMap<Day, DayFile>,
    /// Applied in this life.
    position: Position,
    /// What the last checkpoint said: a restart goes on there.
    complete: Position,
    /// Days of the next batch after which the process dies.
    interrupt_after: Option<usize>,
}

/// One day: what a power cut leaves, and what was applied since, of which it leaves the first so many.
#[derive(Default)]
struct DayFile {
    safe: Content,
    later: Vec<Content>,
}

#[derive(Default)]
struct Content {
    ids: Vec<Id>,
    seqs: Vec<SeqRange>,
    applied: Position,
    newest: Option<Micros>,
}

impl DayFile {
    fn contents(&self) -> impl Iterator<Item = &Content> {
        std::iter::once(&self.safe).chain(&self.later)
    }

    fn applied(&self) -> Position {
        self.later.last().unwrap_or(&self.safe).applied
    }

    fn make_safe(&mut self) {
        for later in self.later.drain(..) {
            self.safe.ids.extend(later.ids);
            self.safe.seqs.extend(later.seqs);
            self.safe.applied = later.applied;
            self.safe.newest = self.safe.newest.max(later.newest);
        }
    }
}

impl SimStore {
    pub fn new(plant: Plant) -> Self {
        Self { state: Mutex::default(), endpoints: Arc::default(), plant }
    }

    /// Makes it the store that the next process finds. After a power cut each day kept a part of what was
    /// not checkpointed; after a kill all of it.
    pub fn crash(&self, rng: &mut Rng, power_cut: bool) {
        let mut state = self.state();
        state.position = state.complete;
        state.interrupt_after = None;
        if power_cut {
            for day in state.days.values_mut().filter(|day| !day.later.is_empty()) {
                day.later.truncate(rng.usize(0..=day.later.len()));
                day.make_safe();
            }
        }
    }

    /// Lets the process die in the middle of the next batch.
    pub fn interrupt_after(&self, days: usize) {
        self.state().interrupt_after = Some(days);
    }

    /// The ids of all rows, each as often as it is there.
    pub fn ids(&self) -> Vec<Id> {
        let state = self.state();
        let contents = state.days.values().flat_map(DayFile::contents);
        contents.flat_map(|content| content.ids.iter().copied()).collect()
    }

    /// The numbers that were taken.
    pub fn seqs(&self) -> SeqSet {
        let mut seqs = SeqSet::default();
        let state = self.state();
        let contents = state.days.values().flat_map(DayFile::contents);
        contents.for_each(|content| seqs.union(content.seqs.iter().copied()));
        seqs
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for SimStore {
    fn resume(&self) -> Result<Resume, StoreError> {
        let seqs = if self.plant == Plant::ForgetSeqs { SeqSet::default() } else { self.seqs() };
        let state = self.state();
        let days: BTreeMap<_, _> = state.days.iter().map(|(&day, file)| (day, file.applied())).collect();
        let complete = match self.plant {
            Plant::ResumeAtNewestDay => days.values().copied().fold(state.position, Position::max),
            _ => state.position,
        };
        Ok(Resume { complete, days, seqs })
    }

    fn apply(&self, batch: &Batch) -> Result<(), StoreError> {
        let mut state = self.state();
        let interrupt_after = state.interrupt_after.take();
        for (written, (&day, new)) in batch.days.iter().enumerate() {
            if interrupt_after == Some(written) {
                return Err(StoreError::Fatal { doing: "applying a batch".into(), reason: "interrupted".into() });
            }
            let file = state.days.entry(day).or_default();
            let applied = file.applied();
            let rows = new.rows.iter().filter(|row| row.arrival.pos >= applied);
            let (ids, times): (Vec<_>, Vec<_>) = rows.map(|row| (row.request.id, row.request.ts)).unzip();
            let (seqs, newest) = (new.seqs.clone(), times.into_iter().max());
            file.later.push(Content { ids, seqs, applied: applied.max(batch.to), newest });
        }
        state.position = batch.to;
        Ok(())
    }

    fn checkpoint(&self) -> Result<Position, StoreError> {
        let mut state = self.state();
        state.days.values_mut().for_each(DayFile::make_safe);
        state.complete = state.position;
        Ok(state.complete)
    }

    fn position(&self) -> Position {
        self.state().position
    }

    fn forget_before(&self, day: Day) -> Result<Vec<Day>, StoreError> {
        let mut state = self.state();
        let kept = state.days.split_off(&day);
        Ok(std::mem::replace(&mut state.days, kept).into_keys().collect())
    }

    fn newest(&self) -> Option<Micros> {
        self.state().days.values().flat_map(DayFile::contents).filter_map(|content| content.newest).max()
    }

    fn rows(&self) -> u64 {
        self.state().days.values().flat_map(DayFile::contents).map(|content| content.ids.len() as u64).sum()
    }

    fn endpoints(&self) -> Arc<Endpoints> {
        Arc::clone(&self.endpoints)
    }

    fn check(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn rows_by_day(&self) -> BTreeMap<Day, u64> {
        BTreeMap::new()
    }

    fn sessions(&self, _: &SessionsQuery) -> Result<SessionsPage, StoreError> {
        not_kept()
    }

    fn count_sessions(&self, _: &SessionsQuery) -> Result<SessionsCount, StoreError> {
        not_kept()
    }

    fn parts(&self, _: Id, _: Position) -> Result<Vec<SessionPart>, StoreError> {
        not_kept()
    }

    fn requests(&self, _: &RequestsQuery) -> Result<RequestsPage, StoreError> {
        not_kept()
    }

    fn count_requests(&self, _: &RequestsQuery) -> Result<u64, StoreError> {
        not_kept()
    }

    fn known(&self, _: &[Id]) -> Result<HashSet<Id>, StoreError> {
        not_kept()
    }

    fn request(&self, _: Id) -> Result<Option<Request>, StoreError> {
        not_kept()
    }

    fn common_values(&self, _: &CommonQuery) -> Result<Vec<CommonValue>, StoreError> {
        not_kept()
    }

    fn tail(&self, _: &TailQuery) -> Result<Tailed, StoreError> {
        not_kept()
    }

    fn behind(&self, _: &TailQuery) -> Result<usize, StoreError> {
        not_kept()
    }

    fn figures(&self, _: Day, _: u64) -> Result<Stretch, StoreError> {
        not_kept()
    }

    fn stats(&self, _: &StatsQuery) -> Result<Stats, StoreError> {
        not_kept()
    }

    fn stories(&self, _: &StoryQuery) -> Result<Stories, StoreError> {
        not_kept()
    }

    fn related(&self, _: &RelatedQuery) -> Result<Vec<Related>, StoreError> {
        not_kept()
    }
}

/// The answer to every question about requests.
fn not_kept<T>() -> Result<T, StoreError> {
    let doing = "looking for requests".to_owned();
    Err(StoreError::Failed { doing, reason: "the simulated store keeps only what tells them apart".into() })
}
