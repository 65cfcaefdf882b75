//! Day files that lost what they held: they are set aside and made anew from the log, and what the log does not
//! have any more is counted and told.
//!
//! Invariant: from a loss until the log was read past it, `positions.json` knows of the file what it held: under
//! `days`, where the next start misses it, then under `rebuilding`.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{MutexGuard, PoisonError};

use super::positions::DayPosition;
use super::{DuckStore, read};
use crate::model::Day;
use crate::store::{Position, StoreError};

impl DuckStore {
    /// Begins to make a day's file anew, which held something.
    pub(super) fn make_anew(&self, day: Day, held: DayPosition, reason: &str) -> Result<(), StoreError> {
        self.set_aside(day, reason)?;
        let file = self.file(day);
        tracing::error!(
            "{} is made anew from the log; it held {} requests up to log record {}; {reason}",
            file.display(),
            held.rows,
            held.applied
        );
        self.made_anew.fetch_add(1, Ordering::Relaxed);
        // One that is lost once more held less, but is to have all of it.
        self.rebuilding().entry(day).or_insert(held);
        // The log is read from its beginning; the other days have what they have.
        self.complete.store(0, Ordering::Release);
        Ok(())
    }

    /// Tells of each file that is made anew whether the log had all of it, once it was read that far.
    pub(super) fn tell_made_anew(&self, complete: Position) -> Result<(), StoreError> {
        let done: Vec<_> = self
            .rebuilding()
            .iter()
            .filter(|(_, held)| held.applied <= complete)
            .map(|(&day, &held)| (day, held))
            .collect();
        for (day, held) in done {
            let there = self.days().contains_key(&day);
            let found =
                if there { self.ask(|connection| read::rows_before(connection, day, held.applied))? } else { 0 };
            let lost = held.rows.saturating_sub(found);
            if lost == 0 {
                tracing::info!(%day, requests = found, "the day was made anew from the log: nothing of it is lost");
            } else {
                tracing::error!(%day, held = held.rows, lost, "the log no longer had all of the day that was made anew");
            }
            self.lost_requests.fetch_add(lost, Ordering::Relaxed);
            self.rebuilding().remove(&day);
        }
        Ok(())
    }

    /// The files that are being made anew, and what each held.
    pub(super) fn rebuilding(&self) -> MutexGuard<'_, BTreeMap<Day, DayPosition>> {
        self.rebuilding.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
