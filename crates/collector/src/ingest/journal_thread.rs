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
/// Under these names the thread reports to `/readyz`.
const PART: &str = "log";
const FILES: &str = "log files";

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
                Job::EndSegment => {
                    let ended = self.journal.end_segment();
                    self.unless_broken("begin a new file of the log", ended)?;
                }
                Job::Release(upto) => {
                    let released = self.journal.release(upto);
                    self.unless_broken("remove old files of the log", released)?;
                }
            }
            let more = group.bytes < GATHER_BYTES && started.elapsed() < GATHER;
            next = if more { self.jobs.try_recv().ok() } else { None };
        }
        Ok(())
    }

    /// What only keeps the log tidy may fail, on a full disk for example: it is asked again. Fails
    /// only when the log cannot go on.
    fn unless_broken(&self, doing: &str, done: Result<(), spool::Error>) -> Result<(), spool::Error> {
        match done {
            Ok(()) => self.readiness.clear(FILES),
            Err(error) if self.journal.has_failed() => return Err(error),
            Err(error) => {
                tracing::error!(%error, "cannot {doing}; going on without");
                self.readiness.fail(FILES, format!("cannot {doing}: {error}"));
            }
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

#[cfg(test)]
mod tests {
    use spool::{Log, Options};

    use super::*;
    use crate::clock::SystemClock;

    #[test]
    fn a_log_that_cannot_begin_a_new_file_goes_on_in_the_old_one_and_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let (log, _) = Log::open(OsDisk::new(dir.path()).unwrap(), Options::default()).unwrap();
        let mut journal = Journal::new(log, Arc::default());
        let frame = Frame { tag: wire::TAG_SESSIONS.into(), chunk: None, stream: vec![0x07] };
        journal.append(&frame, SystemClock::default().now(), 0).unwrap();
        journal.sync().unwrap();
        // Something stands where the new file would be.
        std::fs::create_dir(dir.path().join(format!("{:020}.seg", journal.end()))).unwrap();

        let (jobs, queue) = mpsc::channel(2);
        let (done, mut told) = mpsc::channel(1);
        let room = Arc::new(tokio::sync::Semaphore::new(1)).try_acquire_owned().unwrap();
        jobs.try_send(Job::EndSegment).ok().unwrap();
        jobs.try_send(Job::Append(Append { frame, done, room })).ok().unwrap();
        drop(jobs);
        let readiness = Arc::new(Readiness::default());
        let thread = JournalThread {
            journal,
            jobs: queue,
            progress: Arc::default(),
            unapplied_max: u64::MAX,
            readiness: Arc::clone(&readiness),
            clock: Arc::new(SystemClock::default()),
        };
        thread.run().unwrap();
        assert!(told.try_recv().unwrap().is_ok());
        assert!(readiness.reasons()[FILES].contains("begin a new file"), "{:?}", readiness.reasons());
    }
}
