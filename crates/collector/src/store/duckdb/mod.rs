//! The store on disk: one DuckDB file for each UTC day, so that forgetting a day is deleting a file.
//!
//! One engine holds all files attached, so that one limit of memory and threads serves all. A batch
//! is one transaction for each day that it touches; `applied` in each file says how far it got, in
//! the same transaction as the rows. Nothing in a file is ever changed.
//!
//! Invariants:
//! - Queries look at rows before `position`, which moves only when all days of a batch are written.
//! - A batch given again, whole or in part, adds nothing to the days that have it.
//! - `positions.json` never says more than what was counted in the files after a checkpoint.

mod columns;
mod positions;
mod read;
mod readers;
mod sql;

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};

use duckdb::{Config, Connection};

use self::columns::Columns;
use self::positions::{DayPosition, Positions};
use self::readers::Readers;
use super::{
    Batch, DayBatch, Position, RequestsQuery, Resume, SeqSet, SessionsQuery, Store, StoreError, TailQuery, Tailed,
};
use crate::model::{Day, Id, Micros, Request, SessionPart};

/// What the engine may use.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of memory.
    pub memory: u64,
    /// Threads.
    pub threads: u32,
}

/// Day files in a folder.
pub struct DuckStore {
    dir: PathBuf,
    writer: Mutex<Connection>,
    readers: Readers,
    days: Mutex<BTreeMap<Day, DayState>>,
    /// Held by queries, so that no file goes away under them.
    attached: RwLock<()>,
    position: AtomicU64,
}

/// What a day file holds.
#[derive(Clone, Copy, Debug, Default)]
struct DayState {
    applied: Position,
    rows: u64,
    newest: Option<Micros>,
    /// Whether it changed since the last checkpoint.
    dirty: bool,
}

impl DuckStore {
    /// Opens the day files in `dir`, which exists; `temp` is where the engine may put what does not
    /// fit into its memory.
    pub fn open(dir: &Path, temp: &Path, limits: Limits) -> Result<Self, StoreError> {
        let positions = Positions::load(dir).map_err(|e| StoreError::Damaged {
            file: Positions::path(dir).display().to_string(),
            reason: e.to_string(),
        })?;
        let writer = engine(temp, limits).map_err(failed("starting the engine"))?;
        let clone = || writer.try_clone().map_err(failed("connecting to the engine"));
        let readers = Readers::new(clone()?)
            .map_err(|e| StoreError::Failed { doing: "starting a thread".into(), reason: e.to_string() })?;
        let store = Self {
            dir: dir.to_owned(),
            writer: Mutex::new(writer),
            readers,
            days: Mutex::default(),
            attached: RwLock::default(),
            position: AtomicU64::new(positions.complete),
        };
        for day in store.days_on_disk()? {
            let state = store.attach(&store.writer(), day)?;
            store.compare(day, state, positions.day(day))?;
            store.days().insert(day, state);
        }
        for &day in positions.days.keys() {
            store.compare_present(Day(day))?;
        }
        Ok(store)
    }

    fn file(&self, day: Day) -> PathBuf {
        self.dir.join(format!("{day}.duckdb"))
    }

    fn days_on_disk(&self) -> Result<Vec<Day>, StoreError> {
        let listing = |e: std::io::Error| StoreError::Failed {
            doing: format!("listing {}", self.dir.display()),
            reason: e.to_string(),
        };
        let mut days = Vec::new();
        for entry in fs::read_dir(&self.dir).map_err(listing)? {
            let name = entry.map_err(listing)?.file_name();
            days.extend(name.to_str().and_then(|name| name.strip_suffix(".duckdb")).and_then(Day::parse));
        }
        days.sort();
        Ok(days)
    }

    /// Makes a day's file known to the engine; creates it when it is not there.
    fn attach(&self, writer: &Connection, day: Day) -> Result<DayState, StoreError> {
        let file = self.file(day).display().to_string();
        let attach = format!("ATTACH '{}' AS {}", file.replace('\'', "''"), sql::schema(day));
        writer.execute_batch(&attach).map_err(failed(&format!("opening {file}")))?;
        writer.execute_batch(&sql::on(day, sql::TABLES)).map_err(failed(&format!("preparing {file}")))?;
        self.look(writer, day)
    }

    /// Counts what is in a day's file.
    fn look(&self, connection: &Connection, day: Day) -> Result<DayState, StoreError> {
        let doing = format!("counting what is in {}", self.file(day).display());
        connection
            .query_row(&sql::on(day, sql::STATE), [], |row| {
                let rows: u64 = row.get(0)?;
                let newest = Some(Micros(row.get(1)?)).filter(|_| rows > 0);
                Ok(DayState { rows, newest, applied: row.get(2)?, dirty: true })
            })
            .map_err(failed(&doing))
    }

    /// Whether a file still holds what it held at the last checkpoint.
    fn compare(&self, day: Day, found: DayState, before: Option<DayPosition>) -> Result<(), StoreError> {
        let Some(before) = before else { return Ok(()) };
        if found.rows >= before.rows && found.applied >= before.applied {
            return Ok(());
        }
        let reason = format!(
            "it holds {} requests up to log record {}, but held {} up to {}; {}",
            found.rows,
            found.applied,
            before.rows,
            before.applied,
            self.remedy(day)
        );
        Err(StoreError::Damaged { file: self.file(day).display().to_string(), reason })
    }

    fn compare_present(&self, day: Day) -> Result<(), StoreError> {
        if self.days().contains_key(&day) {
            return Ok(());
        }
        let reason = format!("it is missing; {}", self.remedy(day));
        Err(StoreError::Damaged { file: self.file(day).display().to_string(), reason })
    }

    fn remedy(&self, day: Day) -> String {
        format!(
            "move {} and {day}.duckdb* away and start again: what the log still holds is applied anew",
            Positions::path(&self.dir).display()
        )
    }

    /// Writes one day's share of a batch, all of it or nothing.
    fn write(&self, writer: &Connection, day: Day, batch: &DayBatch, to: Position) -> Result<(), StoreError> {
        let doing = format!("writing to {}", self.file(day).display());
        let columns =
            Columns::of(batch).map_err(|e| StoreError::Failed { doing: doing.clone(), reason: e.to_string() })?;
        let write = || -> duckdb::Result<()> {
            // Rolled back when dropped before `commit`.
            let transaction = writer.unchecked_transaction()?;
            for (table, rows) in [
                ("requests", columns.requests),
                ("params", columns.params),
                ("attacks", columns.attacks),
                ("seqs", columns.seqs),
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
        write().map_err(failed(&doing))
    }

    /// Runs `query` on the days in `days` while no file can go away.
    fn read<T>(&self, query: impl FnOnce(&Connection, &[Day]) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let _attached = self.attached.read().unwrap_or_else(PoisonError::into_inner);
        let days: Vec<_> = self.days().keys().copied().collect();
        self.readers.with(|connection| query(connection, &days))
    }

    fn positions(&self, complete: Position) -> Positions {
        let days = self.days();
        let position = |state: &DayState| DayPosition { applied: state.applied, rows: state.rows };
        Positions { complete, days: days.iter().map(|(day, state)| (day.0, position(state))).collect() }
    }

    fn save(&self, positions: &Positions) -> Result<(), StoreError> {
        positions.save(&self.dir).map_err(|e| StoreError::Failed {
            doing: format!("writing {}", Positions::path(&self.dir).display()),
            reason: e.to_string(),
        })
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
        let mut seqs = SeqSet::default();
        self.read(|connection, days| {
            for &day in days {
                seqs.union(read::seqs(connection, day)?);
            }
            Ok(())
        })?;
        let days = self.days().iter().map(|(&day, state)| (day, state.applied)).collect();
        Ok(Resume { complete: self.position(), days, seqs })
    }

    fn apply(&self, batch: &Batch) -> Result<(), StoreError> {
        let writer = self.writer();
        for (&day, new) in &batch.days {
            let known = self.days().get(&day).copied();
            let state = match known {
                Some(state) => state,
                None => self.attach(&writer, day)?,
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
            self.write(&writer, day, new, batch.to)?;
            let newest = new.rows.iter().map(|row| row.request.ts).max();
            self.days().insert(
                day,
                DayState {
                    applied: batch.to,
                    rows: state.rows + new.rows.len() as u64,
                    newest: newest.max(state.newest),
                    dirty: true,
                },
            );
        }
        self.position.store(batch.to, Ordering::Release);
        Ok(())
    }

    fn checkpoint(&self) -> Result<Position, StoreError> {
        let writer = self.writer();
        let complete = self.position();
        let dirty: Vec<_> = self.days().iter().filter(|(_, state)| state.dirty).map(|(&day, &s)| (day, s)).collect();
        for &(day, expected) in &dirty {
            let file = self.file(day).display().to_string();
            let checkpoint = format!("CHECKPOINT {}", sql::schema(day));
            writer.execute_batch(&checkpoint).map_err(failed(&format!("checkpointing {file}")))?;
            let found = self.readers.with(|connection| self.look(connection, day))?;
            if (found.rows, found.applied) != (expected.rows, expected.applied) {
                let reason = format!(
                    "after a checkpoint it holds {} requests up to log record {}, {} up to {} were written",
                    found.rows, found.applied, expected.rows, expected.applied
                );
                return Err(StoreError::Damaged { file, reason });
            }
        }
        self.save(&self.positions(complete))?;
        for (day, _) in dirty {
            if let Some(state) = self.days().get_mut(&day) {
                state.dirty = false;
            }
        }
        Ok(complete)
    }

    fn position(&self) -> Position {
        self.position.load(Ordering::Acquire)
    }

    fn forget_before(&self, day: Day) -> Result<Vec<Day>, StoreError> {
        let old: Vec<_> = self.days().range(..day).map(|(&day, _)| day).collect();
        if old.is_empty() {
            return Ok(old);
        }
        // First what is known about the files, then the files: a crash between leaves files that
        // the next start forgets, not files that it misses.
        let mut positions = Positions::load(&self.dir).map_err(|e| StoreError::Damaged {
            file: Positions::path(&self.dir).display().to_string(),
            reason: e.to_string(),
        })?;
        positions.days.retain(|&known, _| known >= day.0);
        self.save(&positions)?;
        let writer = self.writer();
        let _alone = self.attached.write().unwrap_or_else(PoisonError::into_inner);
        for &day in &old {
            let file = self.file(day);
            let doing = format!("removing {}", file.display());
            writer.execute_batch(&format!("DETACH {}", sql::schema(day))).map_err(failed(&doing))?;
            self.days().remove(&day);
            for path in [file.with_extension("duckdb.wal"), file] {
                match fs::remove_file(&path) {
                    Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                        return Err(StoreError::Failed { doing, reason: e.to_string() });
                    }
                    _ => {}
                }
            }
        }
        Ok(old)
    }

    fn newest(&self) -> Option<Micros> {
        self.days().values().filter_map(|state| state.newest).max()
    }

    fn rows(&self) -> u64 {
        self.days().values().map(|state| state.rows).sum()
    }

    fn sessions(&self, query: &SessionsQuery) -> Result<Vec<SessionPart>, StoreError> {
        self.read(|connection, days| {
            let mut found = Vec::new();
            for &day in days.iter().rev().filter(|&&day| query.window.touches(day)) {
                // A part's last request is on its day: no newer day can follow the page before.
                if query.after.is_some_and(|(last_seen, _)| day > last_seen.day()) {
                    continue;
                }
                let limit = query.limit.saturating_sub(found.len());
                if limit == 0 {
                    break;
                }
                found.extend(read::sessions(connection, day, query, limit)?);
            }
            Ok(found)
        })
    }

    fn parts(&self, session: Id, as_of: Position) -> Result<Vec<SessionPart>, StoreError> {
        self.read(|connection, days| {
            let parts = days.iter().rev().map(|&day| read::parts(connection, day, &[session], as_of));
            parts.collect::<Result<Vec<_>, _>>().map(|parts| parts.into_iter().flatten().collect())
        })
    }

    fn requests(&self, query: &RequestsQuery) -> Result<Vec<Request>, StoreError> {
        self.read(|connection, days| {
            let mut found = Vec::new();
            for &day in days.iter().filter(|&&day| query.window.touches(day)) {
                if query.after.is_some_and(|(ts, ..)| day < ts.day()) {
                    continue;
                }
                let limit = query.limit.saturating_sub(found.len());
                if limit == 0 {
                    break;
                }
                found.extend(read::requests_of(connection, day, query, limit)?);
            }
            Ok(found)
        })
    }

    fn known(&self, ids: &[Id]) -> Result<HashSet<Id>, StoreError> {
        self.read(|connection, days| {
            let mut known = HashSet::new();
            for &day in days {
                // Placeholders of one statement are limited by what planning them costs.
                for ids in ids.chunks(1000) {
                    known.extend(read::known(connection, day, ids)?);
                }
            }
            Ok(known)
        })
    }

    fn request(&self, id: Id) -> Result<Option<Request>, StoreError> {
        let as_of = self.position();
        self.read(|connection, days| {
            for &day in days.iter().rev() {
                if let Some(request) = read::request(connection, day, id, as_of)? {
                    return Ok(Some(request));
                }
            }
            Ok(None)
        })
    }

    fn tail(&self, query: &TailQuery) -> Result<Tailed, StoreError> {
        let as_of = self.position();
        self.read(|connection, days| {
            let mut found = Vec::new();
            for &day in days {
                found.extend(read::arrived(connection, day, query, as_of)?);
            }
            found.sort_by_key(|(arrival, _)| *arrival);
            match query.after {
                Some(_) => found.truncate(query.limit),
                None => drop(found.drain(..found.len().saturating_sub(query.limit))),
            }
            let last = found.last().map(|(arrival, _)| *arrival).or(query.after);
            Ok(Tailed { requests: found.into_iter().map(|(_, request)| request).collect(), last })
        })
    }

    fn check(&self) -> Result<(), StoreError> {
        self.read(|connection, days| match days.last() {
            Some(&day) => self.look(connection, day).map(drop),
            None => connection.execute_batch("SELECT 1").map_err(failed("running a query")),
        })
    }
}

/// An engine without files, with its limits set.
fn engine(temp: &Path, limits: Limits) -> duckdb::Result<Connection> {
    let config = Config::default()
        .max_memory(&format!("{}B", limits.memory))?
        .threads(i64::from(limits.threads))?
        .enable_autoload_extension(false)?
        .with("autoinstall_known_extensions", "false")?
        .with("temp_directory", temp.display().to_string())?
        .with("preserve_insertion_order", "false")?
        // Checkpoints happen when `checkpoint` is called, not within a batch.
        .with("checkpoint_threshold", "1GB")?;
    Connection::open_in_memory_with_flags(config)
}

/// What the engine's error means for the server.
fn failed(doing: &str) -> impl FnOnce(duckdb::Error) -> StoreError {
    let doing = doing.to_owned();
    move |error| {
        let reason = error.to_string();
        if reason.contains("FATAL Error") || reason.contains("database has been invalidated") {
            return StoreError::Fatal { doing, reason };
        }
        StoreError::Failed { doing, reason }
    }
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
mod tests {
    use super::*;
    use crate::store::{Row, SeqRange};

    #[test]
    fn a_query_under_way_stops_neither_batches_nor_checkpoints() {
        let dir = tempfile::tempdir().unwrap();
        let limits = Limits { memory: 128 << 20, threads: 1 };
        let store = DuckStore::open(dir.path(), &dir.path().join("temp"), limits).unwrap();
        let day = Day(20_000);
        let batch = |pos| {
            let mut row = Row::default();
            row.request.ts = day.start();
            row.arrival.pos = pos;
            let seqs = vec![SeqRange { instance: [1; 8], first: pos, last: pos }];
            let days = BTreeMap::from([(day, DayBatch { rows: vec![row], seqs })]);
            Batch { from: pos, to: pos + 1, days }
        };
        store.apply(&batch(0)).unwrap();
        store.checkpoint().unwrap();
        let during = store.readers.with(|connection| {
            let count = format!("BEGIN; SELECT count(*) FROM {}.requests", sql::schema(day));
            connection.execute_batch(&count).map_err(failed("beginning a query"))?;
            store.apply(&batch(1))?;
            let complete = store.checkpoint()?;
            connection.execute_batch("COMMIT").map_err(failed("ending a query"))?;
            Ok(complete)
        });
        assert_eq!(during.unwrap(), 2);
        assert_eq!(store.rows(), 2);
    }
}
