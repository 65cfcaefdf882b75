//! Checkpoints: session rows are made of what came, then everything is made safe and looked at.

use std::collections::BTreeMap;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use duckdb::Connection;

use super::engine::{failed, probe};
use super::pieces::{self, Held};
use super::{DuckStore, save, sql};
use crate::model::{Day, Micros};
use crate::store::{Position, StoreError};

/// How long after its end a day's requests may still come in numbers, in microseconds.
const LATE: i64 = 7_200_000_000;
/// How long session rows are made of what came before: the log waits, and so does a stop.
const MAKING: Duration = Duration::from_secs(2);
/// Checkpoints between two tries at most, after session rows could not be made again and again: an hour.
const MOST_PASSED: u32 = 120;

/// A day of which session rows could not be made.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Unmade {
    failures: u32,
    /// Checkpoints until it is tried again.
    pass: u32,
}

impl DuckStore {
    /// What a checkpoint is. The position up to which the log is no longer needed.
    pub(super) fn make_safe(&self, writer: &Connection) -> Result<Position, StoreError> {
        // There may be nothing else to do.
        probe(writer)?;
        let complete = self.complete.load(Ordering::Acquire);
        self.make_pieces(writer)?;
        let dirty: Vec<_> = self.days().iter().filter(|(_, state)| state.dirty).map(|(&day, &s)| (day, s)).collect();
        for &(day, expected) in &dirty {
            let file = self.file(day).display().to_string();
            let checkpoint = format!("CHECKPOINT {}", sql::schema(day));
            writer.execute_batch(&checkpoint).map_err(failed(&format!("checkpointing {file}")))?;
            let found = self.ask(|connection| self.look(connection, day))?;
            if (found.rows, found.applied) != (expected.rows, expected.applied) {
                let reason = format!(
                    "after a checkpoint it holds {} requests up to log record {}, {} up to {} were written",
                    found.rows, found.applied, expected.rows, expected.applied
                );
                return Err(StoreError::Damaged { file, reason });
            }
        }
        self.tell_made_anew(complete)?;
        save(&self.dir, &self.positions(complete))?;
        for (day, _) in dirty {
            if let Some(state) = self.days().get_mut(&day) {
                state.dirty = false;
            }
        }
        self.starts_in_a_row.store(0, Ordering::Relaxed);
        Ok(complete)
    }

    /// Makes the pieces that are due, of the newest days first. They are not needed for anything but speed:
    /// there is an end to it, and a day where it fails is passed over ever longer.
    fn make_pieces(&self, writer: &Connection) -> Result<(), StoreError> {
        let expected = Micros(self.newest_start().map_or(0, |newest| newest.0.saturating_sub(LATE)));
        let until = Instant::now() + MAKING;
        let days: Vec<_> = self.days().iter().rev().map(|(&day, &state)| (day, state)).collect();
        let mut unmade = self.unmade.lock().unwrap_or_else(PoisonError::into_inner);
        for (day, state) in days {
            if let Some(unmade) = unmade.get_mut(&day).filter(|unmade| unmade.pass > 0) {
                unmade.pass -= 1;
                continue;
            }
            let mut chunks = self.chunks().get(&day).cloned().unwrap_or_default();
            let known = chunks.len();
            let held = Held { rows: state.rows, to: state.applied, over: day < expected.day() };
            let made = pieces::make(writer, day, &mut chunks, &held, self.limits.chunk_rows.max(1), until);
            if chunks.len() > known {
                self.days().entry(day).and_modify(|state| state.dirty = true);
                self.chunks().insert(day, chunks);
            }
            match made {
                Ok(()) => {
                    if unmade.remove(&day).is_some() {
                        tracing::info!(%day, "session rows are made again");
                    }
                }
                Err(error @ StoreError::Failed { .. }) => self.pass_over(&mut unmade, day, &error),
                Err(error) => return Err(error),
            }
            if Instant::now() >= until {
                break;
            }
        }
        Ok(())
    }

    fn pass_over(&self, unmade: &mut BTreeMap<Day, Unmade>, day: Day, error: &StoreError) {
        self.unmade_times.fetch_add(1, Ordering::Relaxed);
        let unmade = unmade.entry(day).or_default();
        if unmade.failures == 0 {
            tracing::error!(%error, %day, "session rows cannot be made: lists will be slower; it is tried again");
        }
        unmade.pass = 2u32.saturating_pow(unmade.failures).min(MOST_PASSED);
        unmade.failures = unmade.failures.saturating_add(1);
    }
}
