//! Opening the files of the days: whether each still holds what it held, and what to do with one that cannot
//! be opened.

use std::fs;
use std::path::PathBuf;

use duckdb::Connection;

use super::engine::failed;
use super::positions::{DayPosition, Positions};
use super::{DayState, DuckStore, files, pieces, read, refused, sql};
use crate::model::{Day, Micros};
use crate::store::StoreError;

/// Bytes of a day file's heads: a shorter one holds nothing.
const EMPTY_FILE: u64 = 3 * 4096;

impl DuckStore {
    pub(super) fn file(&self, day: Day) -> PathBuf {
        files::path(&self.dir, day)
    }

    /// Makes a day's file known to the engine, which creates it when it is not there. After a
    /// failure the engine does not know it.
    pub(super) fn attach(&self, writer: &Connection, day: Day) -> Result<DayState, StoreError> {
        let file = self.file(day).display().to_string();
        let detach = format!("DETACH DATABASE IF EXISTS {}", sql::schema(day));
        // One that is left from a failure before may have lost its file.
        let attach = format!("{detach}; ATTACH '{}' AS {}", file.replace('\'', "''"), sql::schema(day));
        let attached = || {
            writer.execute_batch(&attach).map_err(failed(&format!("opening {file}")))?;
            writer.execute_batch(&sql::on(day, sql::TABLES)).map_err(failed(&format!("preparing {file}")))?;
            let chunks = pieces::load(writer, day)?;
            self.chunks().insert(day, chunks);
            let state = self.look(writer, day)?;
            self.shapes.restore(day, read::shapes(writer, day)?);
            Ok(state)
        };
        attached().inspect_err(|_| {
            // If this fails too, the next attempt does it again and says why not.
            let _ = writer.execute_batch(&detach);
        })
    }

    /// Begins the file of a day that has none. After a failure there is none again: on a full disk
    /// a part of one would be left, which could not be opened ever after.
    pub(super) fn begin(&self, writer: &Connection, day: Day) -> Result<DayState, StoreError> {
        self.set_aside(day, "it was never opened")?;
        self.attach(writer, day).inspect_err(|_| {
            // What stays is set aside by the next attempt.
            let _ = files::remove(&self.dir, day);
        })
    }

    /// Opens the file of a day, which held something at the last checkpoint or is newer.
    pub(super) fn open_day(&self, day: Day, before: Option<DayPosition>) -> Result<(), StoreError> {
        let attached = self.attach(&self.writer(), day);
        let state = match attached {
            Ok(state) => state,
            Err(error) => return self.give_up(day, before, error),
        };
        match before.zip(lacks(state, before)) {
            None => drop(self.days().insert(day, state)),
            Some((held, reason)) => {
                let detach = format!("DETACH DATABASE {}", sql::schema(day));
                self.writer()
                    .execute_batch(&detach)
                    .map_err(failed(&format!("closing {}", self.file(day).display())))?;
                self.shapes.forget(day);
                self.chunks().remove(&day);
                self.make_anew(day, held, &reason)?;
            }
        }
        Ok(())
    }

    /// Decides what to do with a file that cannot be opened, as power loss, a full disk or damage may leave it:
    /// it is made anew from the log. Not so where that may pass, or nothing tells what the file held.
    fn give_up(&self, day: Day, before: Option<DayPosition>, error: StoreError) -> Result<(), StoreError> {
        let file = self.file(day);
        let usable = fs::OpenOptions::new().read(true).write(true).open(&file).and_then(|file| file.metadata());
        let Ok(meta) = usable.map_err(|e| tracing::error!("{} cannot be opened: {e}", file.display())) else {
            return Err(error);
        };
        let reason = error.to_string();
        // Another process has it, there was no memory or no room for opening it, the system could not read it now,
        // or a newer engine wrote it.
        let sound = [
            "Could not set lock",
            "Out of Memory",
            "No space left",
            "Cannot allocate memory",
            "Too many open files",
            "Input/output error",
            "version number",
        ];
        if sound.iter().any(|word| reason.contains(word)) {
            return Err(error);
        }
        if let Some(held) = before.filter(|before| before.applied > 0) {
            return self.make_anew(day, held, &reason);
        }
        let checkpointed = Positions::path(&self.dir).exists();
        if checkpointed || meta.len() < EMPTY_FILE {
            return self.set_aside(day, &reason);
        }
        let reason = format!("{reason}; if it stays so, {}", self.remedy(day));
        Err(StoreError::Damaged { file: file.display().to_string(), reason })
    }

    pub(super) fn set_aside(&self, day: Day, reason: &str) -> Result<(), StoreError> {
        let file = self.file(day).display().to_string();
        if let Some(aside) = files::set_aside(&self.dir, day).map_err(refused(&format!("renaming {file}")))? {
            let aside = aside.display();
            tracing::error!(
                "{file} is unusable and now {aside}; what it held is applied anew from the log; it was: {reason}"
            );
        }
        Ok(())
    }

    /// Counts what is in a day's file.
    pub(super) fn look(&self, connection: &Connection, day: Day) -> Result<DayState, StoreError> {
        let doing = format!("counting what is in {}", self.file(day).display());
        connection
            .query_row(&sql::on(day, sql::STATE), [], |row| {
                let rows: u64 = row.get(0)?;
                let newest = Some(Micros(row.get(1)?)).filter(|_| rows > 0);
                Ok(DayState { rows, newest, applied: row.get(2)?, shapeless: row.get(3)?, dirty: true })
            })
            .map_err(failed(&doing))
    }

    /// Whether a file that is opened again still holds what it held. If not, the next start makes it anew.
    pub(super) fn compare(&self, day: Day, found: DayState, before: DayPosition) -> Result<(), StoreError> {
        match lacks(found, Some(before)) {
            None => Ok(()),
            Some(reason) => Err(StoreError::Damaged { file: self.file(day).display().to_string(), reason }),
        }
    }

    fn remedy(&self, day: Day) -> String {
        format!(
            "move {} and {day}.duckdb* away and start again: what the log still holds is applied anew",
            Positions::path(&self.dir).display()
        )
    }
}

/// What a file no longer has of what it held, if it lacks anything.
fn lacks(found: DayState, before: Option<DayPosition>) -> Option<String> {
    let before = before.filter(|before| found.rows < before.rows || found.applied < before.applied)?;
    Some(format!(
        "it holds {} requests up to log record {}, but held {} up to {}",
        found.rows, found.applied, before.rows, before.applied
    ))
}
