//! The thread that writes the log: takes frames of all connections from a bounded queue, syncs as
//! many as came together, and tells their connections.

use std::sync::Arc;
use std::time::{Duration, Instant};

use spool::OsDisk;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use wire::Frame;

use super::{Journal, Progress};
use crate::clock::Clock;
use crate::readiness::Readiness;
use crate::store::Position;

/// The longest that frames are gathered before a sync.
const GATHER: Duration = Duration::from_millis(20);
/// Bytes that are gathered at most.
const GATHER_BYTES: usize = 16 << 20;
/// Under this name the thread reports to `/readyz`.
const PART: &str = "log";

/// What the thread is asked to do.
pub enum Job {
    /// Append a frame.
    Append(Append),
    /// Make what was appended until now removable apart from what follows.
    EndSegment,
    /// Remove what lies before a position, as far as whole files allow.
    Release(Position),
}

/// A frame on its way to the log.
pub struct Append {
    /// The frame.
    pub frame: Frame,
    /// Gets one message for each frame, in order: it is durable, or why it is not.
    pub done: mpsc::Sender<Result<(), Arc<str>>>,
    /// Held while the frame takes memory.
    pub room: OwnedSemaphorePermit,
}

/// The log took a failure that only opening it again can mend.
#[derive(Debug, thiserror::Error)]
#[error("the log cannot be written any more: {0}; what was not acknowledged will be sent again")]
pub struct JournalStopped(#[from] spool::Error);

/// All that the thread works with.
pub struct JournalThread {
    /// The log.
    pub journal: Journal<OsDisk>,
    /// What to do; ends when all senders are gone.
    pub jobs: mpsc::Receiver<Job>,
    /// What the threads tell each other.
    pub progress: Arc<Progress>,
    /// Bytes that may wait to be applied.
    pub unapplied_max: u64,
    /// Where to say that the disk is full.
    pub readiness: Arc<Readiness>,
    /// When frames are received.
    pub clock: Arc<dyn Clock>,
}

impl JournalThread {
    /// Works until all senders of jobs are gone and everything is durable.
    pub fn run(mut self) -> Result<(), JournalStopped> {
        while let Some(job) = self.jobs.blocking_recv() {
            let mut group = Group::default();
            let taken = self.gather(job, &mut group);
            let synced = taken.and_then(|()| self.journal.sync().map(drop));
            group.tell(&synced);
            synced?;
            self.progress.set_synced(self.journal.end());
            self.progress.wait_applied(self.journal.end().saturating_sub(self.unapplied_max));
        }
        Ok(())
    }

    /// Does `job` and those that follow at once. Fails only when the log cannot go on.
    fn gather(&mut self, job: Job, group: &mut Group) -> Result<(), spool::Error> {
        let started = Instant::now();
        let mut next = Some(job);
        while let Some(job) = next {
            match job {
                Job::Append(append) => self.append(append, group)?,
                Job::EndSegment => self.journal.end_segment()?,
                Job::Release(upto) => self.journal.release(upto)?,
            }
            let more = group.bytes < GATHER_BYTES && started.elapsed() < GATHER;
            next = if more { self.jobs.try_recv().ok() } else { None };
        }
        Ok(())
    }

    fn append(&mut self, append: Append, group: &mut Group) -> Result<(), spool::Error> {
        match self.journal.append(&append.frame, self.clock.now(), 0) {
            Ok(()) => {
                self.readiness.clear(PART);
                group.bytes += append.frame.stream.len();
                group.appends.push(append);
                Ok(())
            }
            Err(error) if self.journal.has_failed() => {
                group.appends.push(append);
                Err(error)
            }
            Err(error) => {
                tracing::error!(%error, "a chunk could not be written to the log and is refused");
                self.readiness.fail(PART, error.to_string());
                append.tell(Err(error.to_string().into()));
                Ok(())
            }
        }
    }
}

/// Frames that wait for the same sync.
#[derive(Default)]
struct Group {
    appends: Vec<Append>,
    bytes: usize,
}

impl Group {
    fn tell(self, synced: &Result<(), spool::Error>) {
        let failure: Option<Arc<str>> = synced.as_ref().err().map(|error| error.to_string().into());
        for append in self.appends {
            append.tell(failure.clone().map_or(Ok(()), Err));
        }
    }
}

impl Append {
    /// There is always room: a connection has no more frames under way than its channel holds.
    /// When the connection is gone, nobody waits.
    fn tell(self, result: Result<(), Arc<str>>) {
        let _ = self.done.try_send(result);
    }
}
