//! The open batch: entries are encoded straight into the frame that will be sent.

use std::time::{Duration, Instant};

use wire::{Compressor, ENTRY_HEAD, EventTime, MAX_FRAME, Packed, begin_packed, write_entry_head};

/// Room that a frame needs beside its entries: tag, chunk id, option map.
const AROUND: usize = 1024;
/// Largest capacity of a buffer that is used again.
const RECYCLED_CAPACITY: usize = 4 << 20;
/// Buffers that wait to be used again.
const RECYCLED: usize = 4;

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// It is in the batch.
    Kept,
    /// Its encoder refused; nothing is in the batch.
    Refused,
    /// No frame could hold it; nothing is in the batch, and it is counted.
    TooLarge,
}

/// A batch that takes events.
#[derive(Debug)]
pub struct Batch {
    buffer: Vec<u8>,
    /// Bytes of the buffer up to which it holds whole entries.
    whole: usize,
    packed: Option<Packed>,
    events: usize,
    /// When it must go.
    due: Instant,
    oversized: usize,
    spare: Vec<Vec<u8>>,
    /// `None` to send entries as they are.
    compressor: Option<Compressor>,
}

impl Batch {
    pub(crate) fn new(compressor: Option<Compressor>, now: Instant) -> Self {
        let (buffer, spare) = (Vec::new(), Vec::new());
        Self { buffer, whole: 0, packed: None, events: 0, due: now, oversized: 0, spare, compressor }
    }

    /// Adds one event: `encode` appends its record, one MessagePack map, and tells whether it is
    /// to be kept.
    pub fn push(&mut self, time: EventTime, encode: impl FnOnce(&mut Vec<u8>) -> bool) -> Pushed {
        // An encoder that panicked may have left half an entry.
        self.buffer.truncate(self.whole);
        write_entry_head(&mut self.buffer, time);
        let kept = encode(&mut self.buffer);
        let fits = self.buffer.len() + AROUND <= MAX_FRAME;
        if kept && fits && self.buffer.len() > self.whole + ENTRY_HEAD {
            self.whole = self.buffer.len();
            self.events += 1;
            return Pushed::Kept;
        }
        self.buffer.truncate(self.whole);
        if !kept {
            return Pushed::Refused;
        }
        self.oversized += 1;
        Pushed::TooLarge
    }

    /// Events in it.
    pub fn events(&self) -> usize {
        self.events
    }

    /// Bytes in it.
    pub fn bytes(&self) -> usize {
        self.buffer.len()
    }

    /// Makes it ready for the first event.
    pub(crate) fn begin(&mut self, tag: &str, now: Instant, interval: Duration) {
        if self.packed.is_none() {
            self.buffer = self.spare.pop().unwrap_or_default();
            self.packed = Some(begin_packed(&mut self.buffer, tag));
            self.whole = self.buffer.len();
        }
        if self.events == 0 {
            self.due = now + interval;
        }
    }

    /// When it must go; `None` while it is empty.
    pub(crate) fn due(&self) -> Option<Instant> {
        (self.events > 0).then_some(self.due)
    }

    /// Ends it: the frame and its number of events. `None` when it is empty.
    pub(crate) fn close(&mut self, chunk: &str) -> Option<(Vec<u8>, usize)> {
        if self.events == 0 {
            return None;
        }
        let mut frame = std::mem::take(&mut self.buffer);
        frame.truncate(self.whole);
        let events = std::mem::take(&mut self.events);
        let packed = self.packed.take()?;
        if let Some(compressor) = &mut self.compressor {
            let mut smaller = Vec::new();
            if packed.compress(&frame, compressor, &mut smaller, chunk, events) {
                self.recycle(frame);
                return Some((smaller, events));
            }
        }
        packed.finish(&mut frame, chunk, events);
        Some((frame, events))
    }

    /// Takes back the buffer of a frame that is no longer needed.
    pub(crate) fn recycle(&mut self, mut frame: Vec<u8>) {
        if self.spare.len() < RECYCLED && frame.capacity() <= RECYCLED_CAPACITY {
            frame.clear();
            self.spare.push(frame);
        }
    }

    /// Events refused for their size since the last call.
    pub(crate) fn take_oversized(&mut self) -> usize {
        std::mem::take(&mut self.oversized)
    }
}
