//! Frames of many connections into one log, synced together.

use std::sync::Arc;

use spool::{Disk, Error, Log, Reader};
use wire::{Frame, TAG_NODE, TAG_SESSIONS};

use super::LogEntry;
use crate::metrics::Metrics;
use crate::model::Micros;
use crate::store::Position;

/// What the caller wants back when a frame is durable: whose it is.
pub type Ticket = u64;

/// The log and the tickets that wait for its next sync.
pub struct Journal<D: Disk> {
    log: Log<D>,
    metrics: Arc<Metrics>,
    waiting: Vec<Ticket>,
    record: Vec<u8>,
    /// Free bytes below which nothing more is taken.
    reserve: u64,
    /// Whether that is so.
    short: bool,
}

/// Why no frame is taken for now.
#[derive(Debug, thiserror::Error)]
#[error("the disk has {free} bytes free, and disk_reserve is {reserve}; it goes on when there is room")]
pub struct NoRoom {
    free: u64,
    reserve: u64,
}

impl<D: Disk> Journal<D> {
    /// A journal that writes to `log`.
    pub fn new(log: Log<D>, metrics: Arc<Metrics>) -> Self {
        metrics.log_bytes.set(log.bytes());
        Self { log, metrics, waiting: Vec::new(), record: Vec::new(), reserve: 0, short: false }
    }

    /// The same, which finds [no room](Self::room) with fewer bytes free.
    pub fn with_reserve(self, bytes: u64) -> Self {
        self.metrics.disk_reserve_bytes.set(bytes);
        Self { reserve: bytes, ..self }
    }

    /// Whether the disk has room for more than what follows from what was taken. When it had not, it takes an
    /// eighth more, so that work goes on for good.
    ///
    /// A disk that does not tell is asked by writing to it.
    pub fn room(&mut self) -> Result<(), NoRoom> {
        let Ok(free) = self.log.free() else { return Ok(()) };
        self.metrics.disk_free_bytes.set(free);
        let more = if self.short { self.reserve / 8 } else { 0 };
        self.short = free < self.reserve.saturating_add(more);
        if self.short { Err(NoRoom { free, reserve: self.reserve }) } else { Ok(()) }
    }

    /// Appends a frame. Its ticket comes back from the next [`sync`](Self::sync), unless this fails.
    ///
    /// A frame under a tag that nothing here reads is counted and not kept.
    pub fn append(&mut self, frame: &Frame, received: Micros, ticket: Ticket) -> Result<(), Error> {
        if frame.tag == TAG_SESSIONS || frame.tag == TAG_NODE {
            let entry = LogEntry { received, tag: &frame.tag, stream: &frame.stream };
            entry.encode(&mut self.record);
            self.log.append(&self.record)?;
            self.metrics.log_records.add(1);
        } else {
            self.metrics.unknown_tags.add(1);
        }
        self.waiting.push(ticket);
        Ok(())
    }

    /// Returns, once all that was appended is durable, the tickets of it.
    pub fn sync(&mut self) -> Result<Vec<Ticket>, Error> {
        if self.log.synced() < self.log.end() {
            self.log.sync()?;
            self.metrics.fsyncs.add(1);
            self.metrics.log_bytes.set(self.log.bytes());
        }
        Ok(std::mem::take(&mut self.waiting))
    }

    /// Makes what was appended until now removable apart from what follows.
    pub fn end_segment(&mut self) -> Result<(), Error> {
        self.log.roll()
    }

    /// Removes what lies before `upto`, as far as whole files allow.
    pub fn release(&mut self, upto: Position) -> Result<(), Error> {
        self.log.release(upto)?;
        self.metrics.log_bytes.set(self.log.bytes());
        Ok(())
    }

    /// Where the next record will be.
    pub fn end(&self) -> Position {
        self.log.end()
    }

    /// Whether the log refuses work until it is opened again.
    pub fn has_failed(&self) -> bool {
        self.log.has_failed()
    }

    /// A reader of what is durable.
    pub fn reader(&self) -> Reader<D> {
        self.log.reader()
    }
}
