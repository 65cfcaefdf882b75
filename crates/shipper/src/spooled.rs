//! Chunks on disk, while the collector does not take them.
//!
//! What is stored goes into a part of its own; what is sent again comes out of the oldest part that nobody has,
//! whoever wrote it. So one way serves a collector that is back, a reload, a restart and a worker that was killed.
//! A part is removed when the last of its chunks is acknowledged. A worker that dies before that leaves it to
//! another, which sends it whole: under the same chunk ids, with the same events, so that the collector tells.
//!
//! A record is: events in the part before it u32, its events u32, length of the chunk id u8 (big-endian), chunk id,
//! frame. The first number tells how many events damage has cost.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use spool::{Disk, Error, Met, PartReader, PartWriter, Parts, Usage};

use crate::Counters;
use crate::outbox::{Chunk, Kind};

/// How often to look at what is there, and how long to leave a disk alone that has failed.
const LOOK: Duration = Duration::from_secs(1);
/// Bytes of a record beside its frame: three numbers and a chunk id.
const AROUND: usize = 9 + 255;
/// A part that reached this share of all bytes is followed by a new one: what goes when room is needed.
const PARTS: u64 = 64;
/// Largest part; a record that is larger has one for itself.
const MAX_PART: u64 = 8 << 20;
/// Most parts, however small: each reload leaves some while the collector is away.
const MAX_PARTS: u64 = 10_000;
/// How long parts that cannot be read are left alone.
const READ_AGAIN: Duration = Duration::from_secs(60);
/// Parts looked into, or removed for their room, in one step, so that it ends.
const PARTS_A_STEP: usize = 16;
/// Changes that wait to be logged. More of them at once tell nothing new.
const UNTOLD: usize = 8;

/// How chunks are kept on disk.
#[derive(Clone, Copy, Debug)]
pub struct SpoolOptions {
    /// Bytes of all parts together, those of other workers included. A chunk that is larger is never stored:
    /// with [`MIN_SPOOL`] there is none.
    pub max_bytes: u64,
    /// Microseconds since the Unix epoch now: parts are ordered by it.
    pub wall: u64,
}

/// Least room for a spool, in bytes: one chunk of any size fits.
pub const MIN_SPOOL: u64 = 16 << 20;

/// What a spool wants logged, once for each change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SpoolStatus {
    /// It cannot be used. Events wait in memory, and it is tried again.
    Fails {
        /// What failed, and where.
        reason: String,
    },
    /// It can be used again.
    Works,
    /// A part was not whole.
    Damaged {
        /// Which one.
        part: String,
        /// Where in it, in bytes.
        offset: u64,
        /// How many bytes were left out.
        bytes: u64,
    },
}

pub(crate) struct Spool<D: Disk> {
    parts: Parts<D>,
    max_bytes: u64,
    /// Random for each life of a worker.
    owner: u64,
    begun: (Instant, u64),
    /// Age of the newest part.
    newest: u64,
    writing: Option<Writing<D>>,
    reading: Option<Reading<D>>,
    /// Name of the last part that could not be read: what is behind it goes on, or goes for its room, and the first
    /// are tried again then.
    passed_over: Option<(String, Instant)>,
    /// When to look how much there is.
    look: Instant,
    /// Nothing was found to be sent; looked for again then.
    nothing: Instant,
    /// A disk that failed is left alone until then.
    rest: Instant,
    failing: bool,
    untold: VecDeque<SpoolStatus>,
    counters: Arc<Counters>,
}

struct Writing<D: Disk> {
    part: PartWriter<D>,
    events: u32,
}

struct Reading<D: Disk> {
    part: PartReader<D>,
    /// Events in all that was read or found missing.
    events: u32,
    /// Those found missing: counted with the end of the part, as it may be read again until then.
    missing: usize,
}

impl<D: Disk> Spool<D> {
    pub(crate) fn new(disk: D, options: SpoolOptions, owner: u64, now: Instant, counters: Arc<Counters>) -> Self {
        Self {
            parts: Parts::new(disk, wire::MAX_FRAME + AROUND),
            max_bytes: options.max_bytes,
            owner,
            begun: (now, options.wall),
            newest: 0,
            writing: None,
            reading: None,
            passed_over: None,
            look: now,
            nothing: now,
            rest: now,
            failing: false,
            untold: VecDeque::new(),
            counters,
        }
    }

    /// Notes how much there is, once in a while.
    pub(crate) fn look(&mut self, now: Instant) {
        if now < self.look {
            return;
        }
        self.look = now + LOOK;
        match self.parts.usage() {
            Ok(Usage { bytes, parts }) => {
                self.counters.spool_bytes.store(bytes, Ordering::Relaxed);
                self.counters.spool_parts.store(parts, Ordering::Relaxed);
            }
            Err(error) => self.fails(&error, now),
        }
    }

    /// Whether it may be used now.
    pub(crate) fn is_ready(&self, now: Instant) -> bool {
        now >= self.rest
    }

    /// Stores chunks, in order, and tells how many are durable: the first so many.
    pub(crate) fn store<'a>(&mut self, chunks: impl Iterator<Item = &'a Chunk>, now: Instant) -> usize {
        let (mut written, mut durable) = (0, 0);
        let outcome = self.write_all(chunks, now, &mut written, &mut durable);
        let synced = self.sync();
        if synced.is_ok() {
            durable = written;
        }
        match outcome.and(synced) {
            Ok(()) if written > 0 => self.works(),
            Ok(()) => {}
            Err(error) => {
                if let Some(Writing { part, .. }) = self.writing.take() {
                    part.give_up();
                }
                self.fails(&error, now);
            }
        }
        durable
    }

    fn write_all<'a>(
        &mut self,
        chunks: impl Iterator<Item = &'a Chunk>,
        now: Instant,
        written: &mut usize,
        durable: &mut usize,
    ) -> Result<(), Error> {
        let part_bytes = (self.max_bytes / PARTS).min(MAX_PART);
        for chunk in chunks {
            if !self.make_room((chunk.frame.len() + AROUND) as u64, now)? {
                break;
            }
            if self.writing.is_none() {
                *durable = *written;
            }
            let writing = self.writing(now)?;
            let events = u32::try_from(chunk.events).unwrap_or(u32::MAX);
            let stored = Stored { before: writing.events, events, id: &chunk.id, frame: &chunk.frame };
            writing.part.append(&stored.encode())?;
            writing.events = writing.events.saturating_add(events);
            *written += 1;
            if writing.part.bytes() >= part_bytes {
                self.sync()?;
                self.writing = None;
            }
        }
        Ok(())
    }

    fn sync(&mut self) -> Result<(), Error> {
        self.writing.as_mut().map_or(Ok(()), |writing| writing.part.sync())
    }

    /// Gives what it has to whoever takes it. A chunk that was not acknowledged is sent again then.
    pub(crate) fn leave(&mut self) {
        self.writing = None;
        self.reading = None;
    }

    /// The part being written.
    fn writing(&mut self, now: Instant) -> Result<&mut Writing<D>, Error> {
        let writing = match self.writing.take() {
            Some(writing) => writing,
            None => {
                let (begun, wall) = self.begun;
                let passed = now.saturating_duration_since(begun).as_micros();
                let age = wall.saturating_add(u64::try_from(passed).unwrap_or(u64::MAX));
                self.newest = age.max(self.newest + 1);
                Writing { part: self.parts.begin(self.newest, self.owner)?, events: 0 }
            }
        };
        Ok(self.writing.insert(writing))
    }

    /// Removes the oldest parts until so many bytes more fit. False when they do not, or not yet: parts that
    /// others write, or send, stay, and of many only some go in one step.
    fn make_room(&mut self, bytes: u64, now: Instant) -> Result<bool, Error> {
        for _ in 0..PARTS_A_STEP {
            let usage = self.parts.usage()?;
            if usage.bytes + bytes <= self.max_bytes && usage.parts < MAX_PARTS {
                return Ok(true);
            }
            match self.take_oldest(now)? {
                Some(part) => self.drop_part(part, now)?,
                None if self.writing.is_some() => {
                    self.sync()?;
                    self.writing = None;
                }
                None => return Ok(false),
            }
        }
        Ok(false)
    }

    /// Removes a part that was not sent, and counts its events.
    fn drop_part(&mut self, part: PartReader<D>, now: Instant) -> Result<(), Error> {
        let mut reading = Reading::new(part);
        loop {
            match reading.part.read_next() {
                Ok(Some(Met::Record(record))) => {
                    if let Some(stored) = Stored::decode(&record) {
                        reading.pass(&stored);
                    }
                }
                Ok(Some(Met::Damage { offset, bytes, .. })) => {
                    self.tell(SpoolStatus::Damaged { part: reading.part.path(), offset, bytes });
                }
                Ok(None) => break,
                // What cannot be read cannot be counted either: the next one goes. It is told when it is to be sent.
                Err(_) => {
                    self.pass_over(&reading.part, now);
                    return Ok(());
                }
            }
        }
        reading.part.remove()?;
        Counters::add(&self.counters.spool_full_events, reading.events as usize);
        Ok(())
    }

    /// The next chunk to send, oldest first. To be asked when the one before is acknowledged: a part that was
    /// read to its end is removed.
    pub(crate) fn next(&mut self, now: Instant) -> Option<Chunk> {
        if now < self.nothing {
            return None;
        }
        for _ in 0..PARTS_A_STEP {
            match self.try_next(now) {
                Ok(Next::Chunk(chunk)) => return Some(chunk),
                Ok(Next::Part) => {}
                Ok(Next::Nothing) => {
                    self.nothing = now + LOOK;
                    return None;
                }
                Err(error) => {
                    self.fails(&error, now);
                    return None;
                }
            }
        }
        None
    }

    fn try_next(&mut self, now: Instant) -> Result<Next, Error> {
        let Some(reading) = self.reading.as_mut() else { return self.take_part(now) };
        match reading.part.read_next() {
            Ok(Some(Met::Record(record))) => {
                let Some(stored) = Stored::decode(&record) else {
                    let (part, bytes) = (reading.part.path(), record.len() as u64);
                    self.tell(SpoolStatus::Damaged { part, offset: 0, bytes });
                    return Ok(Next::Part);
                };
                reading.pass(&stored);
                let Stored { id, frame, events, .. } = stored;
                Ok(Next::Chunk(Chunk::new(id.to_owned(), frame.to_vec(), events as usize, Kind::Stored, now)))
            }
            Ok(Some(Met::Damage { offset, bytes, .. })) => {
                let part = reading.part.path();
                self.tell(SpoolStatus::Damaged { part, offset, bytes });
                Ok(Next::Part)
            }
            Ok(None) => {
                // Held until this works, so that it is not sent again meanwhile.
                reading.part.remove()?;
                Counters::add(&self.counters.spool_damaged_events, reading.missing);
                self.reading = None;
                self.works();
                Ok(Next::Part)
            }
            Err(error) => {
                if let Some(Reading { part, .. }) = self.reading.take() {
                    self.pass_over(&part, now);
                }
                Err(error)
            }
        }
    }

    /// What a disk does not read now it may read later, from the beginning.
    fn pass_over(&mut self, part: &PartReader<D>, now: Instant) {
        self.passed_over = Some((part.name().to_owned(), now + READ_AGAIN));
    }

    /// The oldest part that nobody has, but for those that were passed over.
    fn take_oldest(&mut self, now: Instant) -> Result<Option<PartReader<D>>, Error> {
        self.passed_over.take_if(|(_, until)| now >= *until);
        self.parts.take_oldest(self.passed_over.as_ref().map(|(name, _)| name.as_str()))
    }

    fn take_part(&mut self, now: Instant) -> Result<Next, Error> {
        match self.take_oldest(now)? {
            Some(part) => self.reading = Some(Reading::new(part)),
            // Its own is the last, so that all the others come first.
            None if self.writing.is_some() => self.writing = None,
            None => return Ok(Next::Nothing),
        }
        Ok(Next::Part)
    }

    /// The next of what changed, to be logged.
    pub(crate) fn take_change(&mut self) -> Option<SpoolStatus> {
        self.untold.pop_front()
    }

    fn fails(&mut self, error: &Error, now: Instant) {
        self.rest = now + LOOK;
        if !std::mem::replace(&mut self.failing, true) {
            self.tell(SpoolStatus::Fails { reason: error.to_string() });
        }
    }

    fn works(&mut self) {
        if std::mem::take(&mut self.failing) {
            self.tell(SpoolStatus::Works);
        }
    }

    fn tell(&mut self, change: SpoolStatus) {
        if self.untold.len() < UNTOLD {
            self.untold.push_back(change);
        }
    }
}

/// What looking for the next chunk came to.
enum Next {
    Chunk(Chunk),
    /// One step further, in a part or to another.
    Part,
    Nothing,
}

impl<D: Disk> Reading<D> {
    fn new(part: PartReader<D>) -> Self {
        Self { part, events: 0, missing: 0 }
    }

    /// Notes a chunk, and how many events before it were never met.
    fn pass(&mut self, stored: &Stored) {
        self.missing += stored.before.saturating_sub(self.events) as usize;
        self.events = stored.before.saturating_add(stored.events);
    }
}

/// A chunk as it is on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stored<'a> {
    /// Events in the part before it.
    before: u32,
    events: u32,
    id: &'a str,
    frame: &'a [u8],
}

impl<'a> Stored<'a> {
    fn encode(&self) -> Vec<u8> {
        let mut record = Vec::with_capacity(AROUND + self.frame.len());
        record.extend_from_slice(&self.before.to_be_bytes());
        record.extend_from_slice(&self.events.to_be_bytes());
        record.push(u8::try_from(self.id.len()).unwrap_or(u8::MAX));
        record.extend_from_slice(self.id.as_bytes());
        record.extend_from_slice(self.frame);
        record
    }

    fn decode(record: &'a [u8]) -> Option<Self> {
        let (before, rest) = record.split_first_chunk()?;
        let (events, rest) = rest.split_first_chunk()?;
        let (&id_length, rest) = rest.split_first()?;
        let (id, frame) = rest.split_at_checked(id_length.into())?;
        let (before, events) = (u32::from_be_bytes(*before), u32::from_be_bytes(*events));
        Some(Self { before, events, id: str::from_utf8(id).ok()?, frame })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STORED: Stored = Stored { before: 5, events: 7, id: "0102-3-abc", frame: &[1, 2, 3] };

    #[test]
    fn a_chunk_comes_back_as_it_was_stored() {
        assert_eq!(Stored::decode(&STORED.encode()), Some(STORED));
    }

    #[test]
    fn what_is_no_chunk_is_told() {
        let mut record = STORED.encode();
        for length in 0..19 {
            assert_eq!(Stored::decode(&record[..length]), None, "{length} bytes");
        }
        record[9] = 0xff;
        assert_eq!(Stored::decode(&record), None);
    }
}
