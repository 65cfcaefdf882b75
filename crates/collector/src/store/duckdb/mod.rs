//! The store on disk: one DuckDB file for each UTC day, so that forgetting a day is deleting a file.
//!
//! One engine holds all files attached, so that one limit of memory and threads serves all. A batch
//! is one transaction for each day that it touches; `applied` in each file says how far it got, in
//! the same transaction as the rows. Nothing in a file is ever changed. At a checkpoint session rows are
//! made of what came (see `pieces`), from which lists of sessions are answered.
//!
//! Invariants:
//! - Queries look at rows before `position`, which moves only when all days of a batch are written.
//! - A batch given again, whole or in part, adds nothing to the days that have it.
//! - `positions.json` never says more than what was counted in the files after a checkpoint.
//! - A file that it does not know was begun after that checkpoint: the log still holds all of it.
//! - A file that lost what it held is made anew from the log, and what the log does not have is told (see
//!   `rebuilding`).

mod checkpoint;
mod columns;
mod engine;
mod facts;
mod files;
mod filter;
mod found;
mod glob;
mod latest;
mod list;
mod network;
mod opening;
mod parts;
mod pieces;
mod positions;
mod read;
mod readers;
mod rebuilding;
mod shapes;
mod sql;
mod statement;
mod stats;
mod story;
mod values;

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use duckdb::Connection;

use self::checkpoint::Unmade;
use self::columns::Columns;
use self::engine::{connect, failed};
use self::filter::Compiled;
use self::found::Found;
use self::pieces::{Chunk, Extent};
use self::positions::{DayPosition, Positions};
use self::readers::Readers;
use self::shapes::DayShapes;
use super::parts::name_by_other_days;
use super::{
    Batch, CommonQuery, DayBatch, Interest, Mended, Position, RelatedQuery, RequestPlace, RequestsPage, RequestsQuery,
    Resume, SeqSet, SessionsCount, SessionsPage, SessionsQuery, Stats, StatsQuery, Store, StoreError, Stories,
    StoryQuery, Stretch, TailQuery, Tailed,
};
use crate::endpoints::Endpoints;
use crate::model::{CommonValue, Day, Id, Micros, Related, Request, SessionPart};

/// Times that a query is run that is interrupted so that files can be closed.
const RUNS: usize = 3;

/// What the engine may use.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of memory.
    pub memory: u64,
    /// Threads.
    pub threads: u32,
    /// Rows of a day that wait until session rows are made of them.
    pub chunk_rows: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { memory: 512 << 20, threads: 2, chunk_rows: 250_000 }
    }
}

/// Day files in a folder.
pub struct DuckStore {
    dir: PathBuf,
    temp: PathBuf,
    limits: Limits,
    writer: Mutex<Connection>,
    readers: Readers,
    /// For the one that applies: it never waits for queries, and nothing interrupts it.
    checker: Mutex<Connection>,
    days: Mutex<BTreeMap<Day, DayState>>,
    shapes: DayShapes,
    /// Of which rows of the days there are pieces.
    chunks: Mutex<BTreeMap<Day, Vec<Chunk>>>,
    /// The days of which none can be made, and how often that was so.
    unmade: Mutex<BTreeMap<Day, Unmade>>,
    unmade_times: AtomicU64,
    /// Times that the engine was started anew, and how many of them since the last checkpoint.
    starts: AtomicU64,
    starts_in_a_row: AtomicU64,
    /// Files that are being made anew, and what each held.
    rebuilding: Mutex<BTreeMap<Day, DayPosition>>,
    /// Files that were, and requests that the log no longer had.
    made_anew: AtomicU64,
    lost_requests: AtomicU64,
    /// Held by queries, so that no file goes away under them.
    attached: RwLock<()>,
    /// Everything in the log before it is in the files.
    complete: AtomicU64,
    /// What queries look at. Ahead of `complete` only while the log is read again from its beginning.
    position: AtomicU64,
}

/// What a day file holds.
#[derive(Clone, Copy, Debug, Default)]
struct DayState {
    applied: Position,
    rows: u64,
    newest: Option<Micros>,
    /// Whether rows without a shape are there, as of an earlier version.
    shapeless: bool,
    /// Whether it changed since the last checkpoint.
    dirty: bool,
}

impl DuckStore {
    /// Opens the day files in `dir`, which exists; `temp` is where the engine may put what does not
    /// fit into its memory.
    pub fn open(dir: &Path, temp: &Path, limits: Limits) -> Result<Self, StoreError> {
        let positions = load(dir)?;
        let writer = engine::start(temp, limits)?;
        let checker = Mutex::new(connect(&writer)?);
        let readers = Readers::new(connect(&writer)?)
            .map_err(|e| StoreError::Failed { doing: "starting a thread".into(), reason: e.to_string() })?;
        let store = Self {
            dir: dir.to_owned(),
            temp: temp.to_owned(),
            limits,
            writer: Mutex::new(writer),
            readers,
            checker,
            days: Mutex::default(),
            shapes: DayShapes::default(),
            chunks: Mutex::default(),
            unmade: Mutex::default(),
            unmade_times: AtomicU64::default(),
            starts: AtomicU64::default(),
            starts_in_a_row: AtomicU64::default(),
            rebuilding: Mutex::new(positions.rebuilding.iter().map(|(&day, &held)| (Day(day), held)).collect()),
            made_anew: AtomicU64::default(),
            lost_requests: AtomicU64::default(),
            attached: RwLock::default(),
            complete: AtomicU64::new(positions.complete),
            position: AtomicU64::new(positions.complete),
        };
        let found = files::days(dir).map_err(refused(&format!("listing {}", dir.display())))?;
        for &day in &found {
            store.open_day(day, positions.day(day))?;
        }
        let missing = positions.days.iter().filter(|(day, held)| held.applied > 0 && !found.contains(&Day(**day)));
        for (&day, &held) in missing {
            store.make_anew(Day(day), held, "it is missing")?;
        }
        if store.made_anew.load(Ordering::Relaxed) > 0 {
            save(dir, &store.positions(0))?;
        }
        if store.complete.load(Ordering::Acquire) == 0 {
            // Nothing says from where to go on, but what is there can be shown.
            let applied = store.days().values().map(|state| state.applied).max();
            store.position.store(applied.unwrap_or_default(), Ordering::Release);
        }
        Ok(store)
    }

    /// Removes the files of days before `day` while no store is open in `dir`: on a full disk that
    /// may be the room that opening one needs.
    pub fn forget_closed(dir: &Path, day: Day) -> Result<(), StoreError> {
        let doing = format!("removing what is too old from {}", dir.display());
        let days = files::days(dir).map_err(refused(&doing))?;
        if days.iter().any(|&known| known < day) {
            match forget_positions(dir, day) {
                // A full disk has no room for saying it first.
                Err(StoreError::Failed { .. }) => {
                    files::remove_before(dir, day).map_err(refused(&doing))?;
                    forget_positions(dir, day)?;
                }
                saved => saved?,
            }
        }
        files::remove_before(dir, day).map_err(refused(&doing))
    }

    /// Writes one day's share of a batch, all of it or nothing.
    fn write(&self, writer: &Connection, day: Day, batch: &DayBatch, to: Position) -> Result<(), StoreError> {
        let doing = format!("writing to {}", self.file(day).display());
        let shapes = self.shapes.new_to(day, batch);
        let columns = Columns::of(batch, &shapes)
            .map_err(|e| StoreError::Failed { doing: doing.clone(), reason: e.to_string() })?;
        let write = || -> duckdb::Result<()> {
            // Rolled back when dropped before `commit`.
            let transaction = writer.unchecked_transaction()?;
            for (table, rows) in [
                ("requests", columns.requests),
                ("params", columns.params),
                ("attacks", columns.attacks),
                ("seqs", columns.seqs),
                ("shapes", columns.shapes),
            ] {
                if rows.num_rows() > 0 {
                    let mut appender = transaction.appender_to_catalog_and_db(table, &day.to_string(), "main")?;
                    appender.append_record_batch(rows)?;
                    // An appender that is only dropped keeps its errors for itself.
                    appender.flush()?;
                }
            }
            transaction.execute(&sql::on(day, sql::APPLIED), [to])?;
            transaction.commit()
        };
        write().map_err(failed(&doing))?;
        self.shapes.note(day, &shapes);
        Ok(())
    }

    /// Runs `query` on all days while no file can go away.
    fn read<T>(&self, query: impl Fn(&Connection, &[Day]) -> Result<T, StoreError>) -> Result<T, StoreError> {
        for _ in 0..RUNS {
            // Whoever waits for the files gets them first.
            self.readers.wait_cleared();
            let _attached = self.attached.read().unwrap_or_else(PoisonError::into_inner);
            let days: Vec<_> = self.days().keys().copied().collect();
            if let Some(answer) = self.readers.with(|connection| query(connection, &days))? {
                return Ok(answer);
            }
        }
        let reason = format!("it was interrupted {RUNS} times so that files could be closed; try again later");
        Err(StoreError::Failed { doing: "running a query".into(), reason })
    }

    /// Runs `query` for the one that applies, on a connection that no query of a reader takes.
    fn ask<T>(&self, query: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let checker = self.checker.lock().unwrap_or_else(PoisonError::into_inner);
        query(&checker).inspect_err(|_| {
            // Fails when the failure left no transaction, which is as well.
            let _ = checker.execute_batch("ROLLBACK");
        })
    }

    fn positions(&self, complete: Position) -> Positions {
        let days = self.days();
        let position = |state: &DayState| DayPosition { applied: state.applied, rows: state.rows };
        Positions {
            complete,
            days: days.iter().map(|(day, state)| (day.0, position(state))).collect(),
            rebuilding: self.rebuilding().iter().map(|(day, &held)| (day.0, held)).collect(),
        }
    }

    /// Writes what the days do not have yet of a batch.
    fn take(&self, writer: &Connection, batch: &Batch) -> Result<(), StoreError> {
        for (&day, new) in &batch.days {
            let known = self.days().get(&day).copied();
            let state = match known {
                Some(state) => state,
                None => self.begin(writer, day)?,
            };
            self.days().entry(day).or_insert(state);
            if state.applied >= batch.to {
                continue;
            }
            let part;
            let new = if state.applied <= batch.from {
                new
            } else {
                part = new.after(state.applied);
                &part
            };
            self.write(writer, day, new, batch.to)?;
            let newest = new.rows.iter().map(|row| row.request.ts).max();
            self.days().insert(
                day,
                DayState {
                    applied: batch.to,
                    rows: state.rows + new.rows.len() as u64,
                    newest: newest.max(state.newest),
                    shapeless: state.shapeless || new.rows.iter().any(|row| row.shape.is_none()),
                    dirty: true,
                },
            );
        }
        Ok(())
    }

    fn newest_start(&self) -> Option<Micros> {
        self.days().values().filter_map(|state| state.newest).max()
    }

    /// What a query at `as_of` reads of a day.
    fn extent(&self, day: Day, as_of: Position) -> Extent {
        // Nothing of the day stands behind what was applied to it.
        let state = self.days().get(&day).copied();
        let (applied, shapeless) = state.map_or((as_of, true), |state| (state.applied, state.shapeless));
        Extent::new(self.chunks().get(&day).map(Vec::as_slice).unwrap_or_default(), as_of.min(applied), shapeless)
    }

    fn chunks(&self) -> MutexGuard<'_, BTreeMap<Day, Vec<Chunk>>> {
        self.chunks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn writer(&self) -> MutexGuard<'_, Connection> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn days(&self) -> MutexGuard<'_, BTreeMap<Day, DayState>> {
        self.days.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for DuckStore {
    fn resume(&self) -> Result<Resume, StoreError> {
        self.change(|_| {
            let mut seqs = SeqSet::default();
            let days: BTreeMap<_, _> = self.days().iter().map(|(&day, state)| (day, state.applied)).collect();
            for &day in days.keys() {
                seqs.union(self.ask(|connection| read::seqs(connection, day))?);
            }
            Ok(Resume { complete: self.complete.load(Ordering::Acquire), days, seqs })
        })
    }

    fn apply(&self, batch: &Batch) -> Result<(), StoreError> {
        self.change(|writer| self.take(writer, batch))?;
        self.complete.store(batch.to, Ordering::Release);
        self.position.fetch_max(batch.to, Ordering::AcqRel);
        Ok(())
    }

    fn checkpoint(&self) -> Result<Position, StoreError> {
        self.change(|writer| self.make_safe(writer))
    }

    fn position(&self) -> Position {
        self.position.load(Ordering::Acquire)
    }

    fn forget_before(&self, day: Day) -> Result<Vec<Day>, StoreError> {
        let old: Vec<_> = self.days().range(..day).map(|(&day, _)| day).collect();
        if !old.is_empty() {
            // First what is known about the files, then the files: a crash between leaves files that
            // the next start forgets, not files that it misses.
            forget_positions(&self.dir, day)?;
            self.change(engine::probe)?;
            let writer = self.writer();
            let _alone = self.alone();
            for &day in &old {
                let detach = format!("DETACH DATABASE IF EXISTS {}", sql::schema(day));
                writer.execute_batch(&detach).map_err(failed(&format!("closing {}", self.file(day).display())))?;
                self.days().remove(&day);
                self.shapes.forget(day);
                self.chunks().remove(&day);
                self.unmade.lock().unwrap_or_else(PoisonError::into_inner).remove(&day);
            }
        }
        self.rebuilding().retain(|&known, _| known >= day);
        // As the folder has it: so what could not be removed is tried again.
        files::remove_before(&self.dir, day)
            .map_err(refused(&format!("removing what is too old from {}", self.dir.display())))?;
        Ok(old)
    }

    fn newest(&self) -> Option<Micros> {
        self.newest_start()
    }

    fn rows(&self) -> u64 {
        self.days().values().map(|state| state.rows).sum()
    }

    fn sessions(&self, query: &SessionsQuery) -> Result<SessionsPage, StoreError> {
        self.read(|connection, days| {
            let mut days_in_order = days.to_vec();
            if !query.order.ascending {
                days_in_order.reverse();
            }
            let compiled = list::ordered(query, &self.shapes.endpoints);
            let mut found = Found::new(connection);
            let wanted = |&day: &Day| query.window.touches(day) && query.has_parts_of(day);
            for day in Interest::through(days_in_order.into_iter().filter(wanted)) {
                if query.order.is_by_time() && found.shown() > query.limit {
                    break;
                }
                list::find(connection, day, query, &self.extent(day, query.as_of), &compiled, &mut found)?;
            }
            let page = found.page(query)?;
            let extent = |day| self.extent(day, query.as_of);
            let mut parts = parts::listed(connection, query, &page.places, extent, &self.shapes.endpoints)?;
            name_by_other_days(&mut parts, days, |day, ids| read::named(connection, day, ids, &extent(day)))?;
            Ok(SessionsPage { parts, more: page.more, hidden: page.hidden })
        })
    }

    fn count_sessions(&self, query: &SessionsQuery) -> Result<SessionsCount, StoreError> {
        self.read(|connection, days| {
            let compiled = list::narrowed(query, &self.shapes.endpoints);
            let mut all = SessionsCount::default();
            for day in Interest::through(days.iter().copied().filter(|&day| query.window.touches(day))) {
                let of_day = list::count(connection, day, query, &self.extent(day, query.as_of), &compiled)?;
                all.shown += of_day.shown;
                all.hidden += of_day.hidden;
            }
            Ok(all)
        })
    }

    fn parts(&self, session: Id, as_of: Position) -> Result<Vec<SessionPart>, StoreError> {
        self.read(|connection, days| {
            let wanted = days.iter().map(|&day| (day, vec![session])).collect();
            let extent = |day| self.extent(day, as_of);
            let mut found = parts::parts(connection, &wanted, extent, &self.shapes.endpoints)?;
            found.reverse();
            name_by_other_days(&mut found, days, |day, ids| read::named(connection, day, ids, &extent(day)))?;
            Ok(found)
        })
    }

    fn requests(&self, query: &RequestsQuery) -> Result<RequestsPage, StoreError> {
        self.read(|connection, days| {
            let mut days = days.to_vec();
            if query.descending {
                days.reverse();
            }
            let compiled = Compiled::of(query.filter.as_ref(), &self.shapes.endpoints);
            let (mut found, mut more) = (Vec::new(), false);
            let wanted = |&day: &Day| query.window.touches(day) && query.has_requests_of(day);
            for day in Interest::through(days.into_iter().filter(wanted)) {
                let (extent, limit) = (self.extent(day, query.as_of), query.limit.saturating_sub(found.len()));
                let rows = read::requests_in_order(connection, day, query, &extent, limit, &compiled)?;
                found.extend(rows.found);
                more = rows.more;
                if more {
                    break;
                }
            }
            let next = found.last().filter(|_| more).map(|(arrival, request)| RequestPlace::of(request, *arrival));
            Ok(RequestsPage { requests: found.into_iter().map(|(_, request)| request).collect(), next })
        })
    }

    fn count_requests(&self, query: &RequestsQuery) -> Result<u64, StoreError> {
        self.read(|connection, days| {
            let compiled = Compiled::of(query.filter.as_ref(), &self.shapes.endpoints);
            let wanted = |&day: &Day| query.window.touches(day) && query.has_requests_of(day);
            Interest::through(days.iter().copied().filter(wanted))
                .map(|day| read::count_requests(connection, day, query, &self.extent(day, query.as_of), &compiled))
                .sum()
        })
    }

    fn known(&self, ids: &[Id]) -> Result<HashSet<Id>, StoreError> {
        self.change(|_| {
            let days: Vec<_> = self.days().keys().copied().collect();
            let mut known = HashSet::new();
            for &day in &days {
                // Placeholders of one statement are limited by what planning them costs.
                for ids in ids.chunks(1000) {
                    known.extend(self.ask(|connection| read::known(connection, day, ids))?);
                }
            }
            Ok(known)
        })
    }

    fn request(&self, id: Id) -> Result<Option<Request>, StoreError> {
        let as_of = self.position();
        self.read(|connection, days| {
            for &day in days.iter().rev() {
                if let Some(request) = read::request(connection, day, id, as_of, &self.shapes.endpoints)? {
                    return Ok(Some(request));
                }
            }
            Ok(None)
        })
    }

    fn common_values(&self, query: &CommonQuery) -> Result<Vec<CommonValue>, StoreError> {
        self.read(|connection, days| {
            let mut counts = Vec::new();
            for day in Interest::through(days.iter().copied().filter(|&day| query.window.touches(day))) {
                counts.extend(values::of_day(connection, day, query, &self.shapes.endpoints)?);
            }
            Ok(query.commonest(counts))
        })
    }

    fn tail(&self, query: &TailQuery) -> Result<Tailed, StoreError> {
        let as_of = self.position();
        if query.is_done(as_of) {
            return Ok(Tailed { last: query.after, ..Tailed::default() });
        }
        self.read(|connection, days| {
            let endpoints = &self.shapes.endpoints;
            let wanted = read::arrived(query, as_of, endpoints);
            let (mut found, mut ends, mut more) = (Vec::new(), Vec::new(), false);
            for &day in days {
                let rows = read::tail(connection, day, query, &wanted, endpoints)?;
                if rows.more {
                    more = true;
                    ends.extend(rows.found.last().map(|(arrival, _)| *arrival));
                }
                found.extend(rows.found);
            }
            found.sort_by_key(|(arrival, _)| *arrival);
            // What lies beyond the end of a day's rows would leave some out that lie between.
            match query.after {
                Some(_) => found.retain(|(arrival, _)| ends.iter().all(|end| arrival <= end)),
                None => found.retain(|(arrival, _)| ends.iter().all(|end| arrival >= end)),
            }
            more |= found.len() > query.limit;
            match query.after {
                Some(_) => found.truncate(query.limit),
                None => drop(found.drain(..found.len().saturating_sub(query.limit))),
            }
            let last = query.last(as_of, more, found.last().map(|(arrival, _)| *arrival));
            let (arrivals, requests) = found.into_iter().unzip();
            Ok(Tailed { requests, arrivals, last, more })
        })
    }

    fn behind(&self, query: &TailQuery) -> Result<usize, StoreError> {
        let as_of = self.position();
        self.read(|connection, days| {
            let wanted = read::arrived(query, as_of, &self.shapes.endpoints);
            let mut count = 0;
            for &day in days {
                count += read::behind(connection, day, &wanted, query.limit.saturating_sub(count))?;
            }
            Ok(count)
        })
    }

    fn rows_by_day(&self) -> BTreeMap<Day, u64> {
        self.days().iter().map(|(&day, state)| (day, state.rows)).collect()
    }

    fn figures(&self, day: Day, from: Position) -> Result<Stretch, StoreError> {
        self.read(|connection, _| {
            let applied = self.days().get(&day).map_or(0, |state| state.applied);
            if from >= applied {
                return Ok(Stretch { to: from, ..Stretch::default() });
            }
            let to = self.extent(day, applied).end_of_stretch(from);
            Ok(Stretch { shapes: read::figures(connection, day, from, to)?, to, more: to < applied })
        })
    }

    fn endpoints(&self) -> Arc<Endpoints> {
        Arc::clone(&self.shapes.endpoints)
    }

    fn stats(&self, query: &StatsQuery) -> Result<Stats, StoreError> {
        self.read(|connection, days| {
            let days: Vec<_> = days.iter().copied().filter(|&day| query.window.touches(day)).collect();
            let rows: u64 = days.iter().filter_map(|day| self.days().get(day).map(|state| state.rows)).sum();
            let extent = |day| self.extent(day, query.as_of);
            // One statement counts all of them: they are done together.
            let _together = Interest::through(days.iter());
            stats::stats(connection, &days, query, extent, &self.shapes.endpoints, rows <= stats::EXACT)
        })
    }

    fn stories(&self, query: &StoryQuery) -> Result<Stories, StoreError> {
        self.read(|connection, days| story::stories(connection, days, query))
    }

    fn related(&self, query: &RelatedQuery) -> Result<Vec<Related>, StoreError> {
        self.read(|connection, days| story::related(connection, days, query))
    }

    fn mended(&self) -> Mended {
        Mended {
            engine_starts: self.starts.load(Ordering::Relaxed),
            pieces_unmade: self.unmade_times.load(Ordering::Relaxed),
            files_made_anew: self.made_anew.load(Ordering::Relaxed),
            lost_requests: self.lost_requests.load(Ordering::Relaxed),
        }
    }

    fn check(&self) -> Result<(), StoreError> {
        self.read(|connection, days| match days.last() {
            Some(&day) => self.look(connection, day).map(drop),
            None => connection.execute_batch("SELECT 1").map_err(failed("running a query")),
        })
    }
}

/// What the system's error means for the server.
fn refused(doing: &str) -> impl FnOnce(std::io::Error) -> StoreError {
    let doing = doing.to_owned();
    move |error| StoreError::Failed { doing, reason: error.to_string() }
}

fn load(dir: &Path) -> Result<Positions, StoreError> {
    Positions::load(dir)
        .map_err(|e| StoreError::Damaged { file: Positions::path(dir).display().to_string(), reason: e.to_string() })
}

fn save(dir: &Path, positions: &Positions) -> Result<(), StoreError> {
    positions.save(dir).map_err(refused(&format!("writing {}", Positions::path(dir).display())))
}

/// No longer expects files of days before `day`.
fn forget_positions(dir: &Path, day: Day) -> Result<(), StoreError> {
    let mut positions = load(dir)?;
    positions.days.retain(|&known, _| known >= day.0);
    positions.rebuilding.retain(|&known, _| known >= day.0);
    save(dir, &positions)
}

/// An id as the two numbers that the files hold; they sort like the id.
fn halves(id: Id) -> (u64, u64) {
    let all = u128::from_be_bytes(id.0);
    ((all >> 64) as u64, all as u64)
}

/// The id of two numbers.
fn joined(hi: u64, lo: u64) -> Id {
    Id((u128::from(hi) << 64 | u128::from(lo)).to_be_bytes())
}

#[cfg(test)]
mod tests;
