//! The thread that applies the log: reads what is durable, flushes, checkpoints, forgets.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use spool::{Damage, OsDisk, Reader, Record};
use tokio::sync::mpsc;

use super::{Applier, ApplyError, AsideFiles, ClockGuard, DamagedSegments, LogDays};
use crate::clock::Clock;
use crate::data_dir;
use crate::ingest::{Job, Progress};
use crate::metrics::Metrics;
use crate::readiness::Readiness;
use crate::store::{Position, Store, StoreError};

/// Rows of a batch.
const BATCH_ROWS: usize = 50_000;
/// The longest that a row waits for its batch.
const BATCH_AGE: Duration = Duration::from_millis(500);
/// Bytes of the log that are read at a time.
const READ_BYTES: usize = 8 << 20;
/// How often the files are made safe and the clock is looked at.
const MAINTENANCE: Duration = Duration::from_secs(30);
/// How long to wait after a failure of the store; doubled until the longest.
const RETRY: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(30);
/// How long the log is read again where the disk does not read it, before that is taken for lost: disks behind a
/// network come back after minutes.
pub const READ_PATIENCE: Duration = Duration::from_secs(600);
/// Under these names the thread reports to `/readyz`.
const LOG: &str = "log";
const STORE: &str = "store";
const CHECKPOINT: &str = "checkpoint";
const RETENTION: &str = "retention";
const CLOCK: &str = "clock";

/// All that the thread works with.
pub struct ApplyThread {
    /// The state machine.
    pub applier: Applier<AsideFiles>,
    /// What is durable.
    pub reader: Reader<OsDisk>,
    /// How long it is asked for what the disk does not read: [`READ_PATIENCE`].
    pub read_patience: Duration,
    /// Where damaged segments of it are kept.
    pub damaged: DamagedSegments,
    /// Where batches go.
    pub store: Arc<dyn Store>,
    /// Everything before it is in the store.
    pub applied: Position,
    /// Everything before it was safe in the store at the last checkpoint.
    pub safe: Position,
    /// What the threads tell each other.
    pub progress: Arc<Progress>,
    /// To the journal thread, for what it may remove; `None` once it is to end.
    pub journal: mpsc::WeakSender<Job>,
    /// Bytes of applied log that are kept.
    pub log_retain: u64,
    /// Where in the log days begin.
    pub log_days: LogDays,
    /// Which day it is.
    pub guard: ClockGuard,
    /// Where the guard's memory is kept.
    pub guard_file: PathBuf,
    /// Wall clock and monotonic clock.
    pub clock: Arc<dyn Clock>,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// Where to say what is wrong.
    pub readiness: Arc<Readiness>,
}

/// Why the log is not applied any more.
#[derive(Debug, thiserror::Error)]
pub enum ApplyStopped {
    /// The log cannot be read.
    #[error(transparent)]
    Log(#[from] spool::Error),
    /// A record or the store cannot be used.
    #[error(transparent)]
    Apply(#[from] ApplyError),
}

impl ApplyThread {
    /// Works until [`Progress::stop`], then applies the rest of the log and makes it safe.
    pub fn run(mut self) -> Result<(), ApplyStopped> {
        self.maintain()?;
        let mut maintained = Instant::now();
        self.show_unapplied();
        let mut batch_began = None;
        loop {
            let stopping = self.progress.is_stopped();
            let records = self.read()?;
            let nothing_new = records.is_empty();
            for record in &records {
                self.applier.take(record)?;
                if self.applier.pending_rows() >= BATCH_ROWS {
                    self.flush()?;
                    batch_began = None;
                }
            }
            if self.applier.is_pending() {
                batch_began.get_or_insert_with(Instant::now);
            }
            self.show_unapplied();
            let due = batch_began.is_some_and(|began| stopping || began.elapsed() >= BATCH_AGE);
            if due {
                self.flush()?;
                batch_began = None;
            }
            if stopping && nothing_new {
                return self.checkpoint();
            }
            if maintained.elapsed() >= MAINTENANCE {
                self.maintain()?;
                maintained = Instant::now();
            }
            if nothing_new {
                let wait = batch_began.map_or(BATCH_AGE, |began| BATCH_AGE.saturating_sub(began.elapsed()));
                self.progress.wait_synced_behind(self.applier.position(), wait);
            }
        }
    }

    /// What comes next in the log. Damage is passed over and told. What the disk does not read is asked for again first,
    /// for long: a disk that is away for a while has lost nothing.
    fn read(&mut self) -> Result<Vec<Record>, spool::Error> {
        let mut failing: Option<(Position, Instant)> = None;
        let mut wait = RETRY;
        loop {
            let position = self.applier.position();
            let error = match self.reader.read_from(position, READ_BYTES) {
                Err(error) if error.is_damage() => error,
                read => {
                    if failing.is_some() {
                        self.readiness.clear(LOG);
                    }
                    return read;
                }
            };
            let since = match failing {
                Some((at, since)) if at == position => since,
                _ => {
                    wait = RETRY;
                    Instant::now()
                }
            };
            failing = Some((position, since));
            if !matches!(error, spool::Error::Io { .. }) || since.elapsed() >= self.read_patience {
                let damage = self.reader.damage_at(position)?;
                if damage.bytes > 0 {
                    self.tell(&error, &damage);
                    self.applier.pass_over(damage.bytes);
                    continue;
                }
            }
            if self.progress.is_stopped() {
                return Err(error);
            }
            tracing::warn!(%error, "the log cannot be read here, trying again");
            self.readiness.fail(LOG, error.to_string());
            // Nothing lies behind the last position: only a stop ends it early.
            self.progress.wait_synced_behind(Position::MAX, wait);
            wait = (wait * 2).min(RETRY_MAX);
        }
    }

    fn tell(&self, error: &spool::Error, damage: &Damage) {
        let Damage { file, offset, bytes, given_up } = damage;
        let searched = if *given_up { "; the disk took too long, and whole records may be among it" } else { "" };
        match self.damaged.keep(file, self.guard.today()) {
            Ok(kept) => {
                tracing::error!(%error, offset, bytes, "passed over what is damaged of the log{searched}; kept as {}", kept.display());
            }
            Err(failure) => {
                tracing::error!(%error, offset, bytes, %failure, "passed over what is damaged of the log{searched}; it could not be kept");
            }
        }
    }

    /// Hands the batch to the store, again and again while that may help.
    fn flush(&mut self) -> Result<(), ApplyStopped> {
        let mut wait = RETRY;
        loop {
            match self.applier.flush() {
                Ok(()) => {
                    self.readiness.clear(STORE);
                    self.applied = self.applier.position();
                    self.progress.set_applied(self.applied);
                    return Ok(());
                }
                Err(ApplyError::Store(error @ StoreError::Failed { .. })) if !self.progress.is_stopped() => {
                    self.failed(STORE, &error);
                    // On a full disk this makes room as days pass.
                    self.forget()?;
                    self.release();
                    // Nothing lies behind the last position: only a stop ends it early.
                    self.progress.wait_synced_behind(Position::MAX, wait);
                    wait = (wait * 2).min(RETRY_MAX);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn failed(&self, part: &'static str, error: &StoreError) {
        tracing::error!(%error, part, "the store failed, trying again");
        self.metrics.store_errors.add(1);
        self.readiness.fail(part, error.to_string());
    }

    fn show_unapplied(&self) {
        self.metrics.log_unapplied_bytes.set(self.reader.synced().saturating_sub(self.applied));
    }

    fn maintain(&mut self) -> Result<(), ApplyStopped> {
        self.forget()?;
        self.checkpoint()?;
        let mended = self.store.mended();
        self.metrics.store_engine_starts.set(mended.engine_starts);
        self.metrics.store_pieces_unmade.set(mended.pieces_unmade);
        self.metrics.store_files_made_anew.set(mended.files_made_anew);
        self.metrics.store_lost_requests.set(mended.lost_requests);
        Ok(())
    }

    /// Looks at the clock, and removes the days that are too old by it.
    fn forget(&mut self) -> Result<(), ApplyStopped> {
        let now = self.clock.now();
        self.guard.look(now, self.clock.monotonic());
        match self.guard.stopped() {
            Some(reason) => {
                tracing::error!("nothing is forgotten: {reason}");
                self.readiness.fail(CLOCK, reason);
            }
            None => {
                self.readiness.clear(CLOCK);
            }
        }
        if let Err(error) = data_dir::save_json(&self.guard_file, self.guard.seen()) {
            tracing::error!(%error, "the time could not be noted in {}", self.guard_file.display());
        }
        match self.applier.forget_old(self.guard.today()) {
            Ok(days) => {
                self.readiness.clear(RETENTION);
                days.iter().for_each(|day| tracing::info!(%day, "a day was forgotten: it is over a week old"));
            }
            Err(ApplyError::Store(error @ StoreError::Failed { .. })) => self.failed(RETENTION, &error),
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    fn checkpoint(&mut self) -> Result<(), ApplyStopped> {
        match self.store.checkpoint() {
            Ok(complete) => {
                self.readiness.clear(CHECKPOINT);
                self.safe = complete;
                self.release();
                Ok(())
            }
            Err(error @ StoreError::Failed { .. }) => {
                self.failed(CHECKPOINT, &error);
                Ok(())
            }
            Err(error) => Err(ApplyError::Store(error).into()),
        }
    }

    /// Lets the journal remove what is in the store and either beyond what is kept in bytes, or
    /// over a week old.
    fn release(&mut self) {
        let end = self.reader.synced();
        let mut forgotten = 0;
        // A clock that is not believed says nothing about days.
        if self.guard.stopped().is_none() {
            let today = self.guard.today();
            match self.log_days.see(today, end, |position| self.reader.next_segment(position)) {
                Ok(true) => self.ask_journal(Job::EndSegment),
                Ok(false) => {}
                Err(error) => tracing::error!(%error, "the beginning of the day in the log could not be noted"),
            }
            forgotten = self.log_days.forgotten(today);
        }
        self.ask_journal(Job::Release(self.safe.min(forgotten.max(end.saturating_sub(self.log_retain)))));
    }

    fn ask_journal(&self, job: Job) {
        if let Some(journal) = self.journal.upgrade() {
            // A full queue is no harm: the next checkpoint asks again.
            let _ = journal.try_send(job);
        }
    }
}

#[cfg(test)]
mod tests;
