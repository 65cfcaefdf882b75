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
const DISK: &str = "disk";

/// What the thread is asked to do.
pub enum Job {
    /// Append a frame.
    Append(Append),
    /// Make what was appended until now removable apart from what follows.
    EndSegment,
    /// Remove what lies before a position, as far as whole files allow.
    Release(Position),
    /// Nothing but look at the disk, as before all others.
    Look,
}

/// How often the disk is looked at while nothing comes.
const LOOK: Duration = Duration::from_secs(1);

/// Has the disk looked at now and then, until the thread ends.
pub async fn keep_looking(jobs: mpsc::WeakSender<Job>) {
    while let Some(jobs) = jobs.upgrade() {
        // When the queue is full, the thread looks anyway.
        let _ = jobs.try_send(Job::Look);
        drop(jobs);
        tokio::time::sleep(LOOK).await;
    }
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
        let room = self.look();
        let mut next = Some(job);
        while let Some(job) = next {
            match job {
                Job::Append(append) => match &room {
                    Ok(()) => self.append(append, group)?,
                    Err(reason) => append.tell(Err(Arc::clone(reason))),
                },
                Job::Look => {}
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

    /// Whether the disk has room, which it also tells to `/readyz`, and once to the server's log.
    fn look(&mut self) -> Result<(), Arc<str>> {
        let Err(no_room) = self.journal.room() else {
            if self.readiness.clear(DISK) {
                tracing::info!("the disk has room again, chunks are taken");
            }
            return Ok(());
        };
        if self.readiness.fail(DISK, no_room.to_string()) {
            tracing::error!("chunks are refused: {no_room}");
        }
        Err(no_room.to_string().into())
    }

    /// What only keeps the log tidy may fail, on a full disk for example: it is asked again. Fails
    /// only when the log cannot go on.
    fn unless_broken(&self, doing: &str, done: Result<(), spool::Error>) -> Result<(), spool::Error> {
        match done {
            Ok(()) => {
                self.readiness.clear(FILES);
            }
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

    fn journal(dir: &std::path::Path, metrics: &Arc<crate::metrics::Metrics>) -> Journal<OsDisk> {
        let (log, _) = Log::open(OsDisk::new(dir).unwrap(), Options::default()).unwrap();
        Journal::new(log, Arc::clone(metrics))
    }

    /// What the thread answers to `jobs` and one frame more, and what it then says of its readiness.
    fn told(journal: Journal<OsDisk>, readiness: &Arc<Readiness>, before: Vec<Job>) -> Result<(), Arc<str>> {
        let (jobs, queue) = mpsc::channel(9);
        let (done, mut told) = mpsc::channel(1);
        let room = Arc::new(tokio::sync::Semaphore::new(1)).try_acquire_owned().unwrap();
        before.into_iter().for_each(|job| assert!(jobs.try_send(job).is_ok()));
        let frame = Frame { tag: wire::TAG_SESSIONS.into(), chunk: None, stream: vec![0x07] };
        jobs.try_send(Job::Append(Append { frame, done, room })).ok().unwrap();
        drop(jobs);
        let thread = JournalThread {
            journal,
            jobs: queue,
            progress: Arc::default(),
            unapplied_max: u64::MAX,
            readiness: Arc::clone(readiness),
            clock: Arc::new(SystemClock::default()),
        };
        thread.run().unwrap();
        told.try_recv().unwrap()
    }

    #[test]
    fn with_less_room_than_the_reserve_chunks_are_refused_and_taken_again_when_there_is_more() {
        let dir = tempfile::tempdir().unwrap();
        let (metrics, readiness) = (Arc::default(), Arc::default());
        let full = journal(dir.path(), &metrics).with_reserve(u64::MAX);
        let refused = told(full, &readiness, Vec::new()).unwrap_err();
        assert!(refused.contains("disk_reserve"), "{refused}");
        assert_eq!(readiness.reasons()[DISK], *refused);
        assert!(metrics.disk_free_bytes.get() > 0 && metrics.disk_reserve_bytes.get() == u64::MAX);
        assert_eq!(metrics.log_records.get(), 0);

        told(journal(dir.path(), &metrics).with_reserve(1), &readiness, Vec::new()).unwrap();
        assert!(readiness.reasons().is_empty(), "{:?}", readiness.reasons());
    }

    #[test]
    fn a_store_that_stands_still_stops_no_ack_before_the_limit_of_what_waits_and_all_past_it() {
        let dir = tempfile::tempdir().unwrap();
        let progress = Arc::new(Progress::default());
        let (jobs, queue) = mpsc::channel(9);
        let thread = JournalThread {
            journal: journal(dir.path(), &Arc::default()),
            jobs: queue,
            progress: Arc::clone(&progress),
            unapplied_max: 5_000,
            readiness: Arc::default(),
            clock: Arc::new(SystemClock::default()),
        };
        let running = std::thread::spawn(move || thread.run());
        let rooms = Arc::new(tokio::sync::Semaphore::new(9));
        let append = || {
            let (done, told) = mpsc::channel(1);
            let frame = Frame { tag: wire::TAG_SESSIONS.into(), chunk: None, stream: vec![0; 2_000] };
            let room = Arc::clone(&rooms).try_acquire_owned().unwrap();
            jobs.blocking_send(Job::Append(Append { frame, done, room })).ok().unwrap();
            told
        };
        for _ in 0..3 {
            append().blocking_recv().unwrap().unwrap();
        }
        // More than may wait for the store is durable now.
        let mut waiting = append();
        assert!(waiting.try_recv().is_err());
        progress.set_applied(5_000);
        waiting.blocking_recv().unwrap().unwrap();
        progress.stop();
        drop(jobs);
        running.join().unwrap().unwrap();
    }

    #[test]
    fn a_log_that_cannot_begin_a_new_file_goes_on_in_the_old_one_and_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = journal(dir.path(), &Arc::default());
        let frame = Frame { tag: wire::TAG_SESSIONS.into(), chunk: None, stream: vec![0x07] };
        journal.append(&frame, SystemClock::default().now(), 0).unwrap();
        journal.sync().unwrap();
        // Something stands where the new file would be.
        std::fs::create_dir(dir.path().join(format!("{:020}.seg", journal.end()))).unwrap();

        let readiness = Arc::default();
        told(journal, &readiness, vec![Job::EndSegment]).unwrap();
        assert!(readiness.reasons()[FILES].contains("begin a new file"), "{:?}", readiness.reasons());
    }
}
