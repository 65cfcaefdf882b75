//! The engine: how it is started, what its errors mean, and what happens when it gives up.
//!
//! Readers and writer share one engine with one limit of memory. What fails within a checkpoint, and a fault of
//! the engine's own in any statement, makes it refuse everything from then on. The files are as at the last
//! commit then: so the engine is started anew with all of them, and what was being done is done again while
//! no query takes memory or runs into the fault. After several times without a checkpoint between the
//! server ends, as it would go on like this for ever.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{PoisonError, RwLockWriteGuard};
use std::time::Duration;

use duckdb::{Config, Connection};

use super::positions::DayPosition;
use super::{DayState, DuckStore, Limits, glob, network};
use crate::model::Day;
use crate::store::StoreError;

/// Disk that queries may use for what does not fit into memory.
const MAX_TEMP: &str = "1GB";
/// Times that it is started anew without a checkpoint between, and without use: what it gave up in failed again.
const STARTS: u64 = 5;
/// How long queries may run on when their files are to be closed. Everybody waits meanwhile: who asks,
/// and what came.
const PATIENCE: Duration = Duration::from_secs(1);

/// An engine without files, with its limits set.
pub(super) fn start(temp: &Path, limits: Limits) -> Result<Connection, StoreError> {
    let start = || -> duckdb::Result<Connection> {
        let config = Config::default()
            .max_memory(&format!("{}B", limits.memory))?
            .threads(i64::from(limits.threads))?
            .enable_autoload_extension(false)?
            .with("autoinstall_known_extensions", "false")?
            .with("temp_directory", temp.display().to_string())?
            // Queries may not fill the disk that the log needs.
            .with("max_temp_directory_size", MAX_TEMP)?
            .with("preserve_insertion_order", "false")?
            // Checkpoints happen when `checkpoint` is called, not within a batch.
            .with("checkpoint_threshold", "1GB")?;
        let connection = Connection::open_in_memory_with_flags(config)?;
        network::register(&connection)?;
        glob::register(&connection)?;
        Ok(connection)
    };
    start().map_err(failed("starting the engine"))
}

/// Another connection to an engine.
pub(super) fn connect(to: &Connection) -> Result<Connection, StoreError> {
    to.try_clone().map_err(failed("connecting to the engine"))
}

/// Fails when the engine has given up, as it may have in a query.
pub(super) fn probe(connection: &Connection) -> Result<(), StoreError> {
    connection.execute_batch("SELECT 1").map_err(failed("looking whether the engine works"))
}

/// What the engine's error means for the server.
pub(super) fn failed(doing: &str) -> impl FnOnce(duckdb::Error) -> StoreError {
    let doing = doing.to_owned();
    move |error| {
        let reason = error.to_string();
        if reason.contains("FATAL Error") || reason.contains("has been invalidated") {
            return StoreError::Fatal { doing, reason };
        }
        StoreError::Failed { doing, reason }
    }
}

impl DuckStore {
    /// Runs what changes files, nothing else beside it. It is run again when the engine gave up in it.
    pub(super) fn change<T>(&self, work: impl Fn(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let mut writer = self.writer();
        match work(&writer) {
            Err(StoreError::Fatal { doing, reason }) => {
                let _alone = self.alone();
                self.start_anew(&mut writer, &doing, &reason)?;
                match work(&writer) {
                    Err(StoreError::Fatal { doing, reason }) => {
                        self.start_anew(&mut writer, &doing, &reason)?;
                        Err(StoreError::Failed { doing, reason })
                    }
                    done => {
                        // A query's fault, or one that a start has mended: asked again and again it ends no server.
                        self.starts_in_a_row.store(0, Ordering::Relaxed);
                        done
                    }
                }
            }
            done => done,
        }
    }

    /// Waits until no query reads from any file; those that take long are interrupted, and asked again.
    pub(super) fn alone(&self) -> RwLockWriteGuard<'_, ()> {
        let _clearing = self.readers.clear(PATIENCE);
        self.attached.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts the engine anew, with all files; nobody reads from them.
    fn start_anew(&self, writer: &mut Connection, doing: &str, reason: &str) -> Result<(), StoreError> {
        tracing::error!(doing, reason, "the engine gave up and is started anew");
        if self.starts_in_a_row.fetch_add(1, Ordering::Relaxed) >= STARTS {
            return Err(StoreError::Fatal { doing: doing.to_owned(), reason: reason.to_owned() });
        }
        self.starts.fetch_add(1, Ordering::Relaxed);
        self.open_anew(writer).map_err(|error| match error {
            // Half of the files would be there for ever.
            StoreError::Failed { doing, reason } => StoreError::Fatal { doing, reason },
            error => error,
        })
    }

    fn open_anew(&self, writer: &mut Connection) -> Result<(), StoreError> {
        let fresh = start(&self.temp, self.limits)?;
        *self.checker.lock().unwrap_or_else(PoisonError::into_inner) = connect(&fresh)?;
        self.readers.replace(connect(&fresh)?);
        // With its last connection the old engine ends, and lets go of the files.
        drop(std::mem::replace(writer, fresh));
        let days: Vec<(Day, DayState)> = self.days().iter().map(|(&day, &state)| (day, state)).collect();
        for (day, before) in days {
            let found = self.attach(writer, day)?;
            self.compare(day, found, DayPosition { applied: before.applied, rows: before.rows })?;
            self.days().insert(day, found);
        }
        Ok(())
    }
}
