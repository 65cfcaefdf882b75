//! The writing side: open, append, sync, release.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::reader::Reader;
use crate::record::{encode, segment_name, segment_position};
use crate::recover::{Records, is_lost};
use crate::{Disk, DiskFile, Error, Position};

/// Capacity of the write buffer that outlives a large record.
const KEEP: usize = 1024 * 1024;

/// How a log is kept.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// A segment that reached this size is followed by a new one.
    pub segment_bytes: u64,
    /// [`Log::release`] leaves at least so many of the newest bytes.
    pub retain_bytes: u64,
    /// Largest payload.
    pub max_record: usize,
    /// The highest position that the caller remembers. A log in an empty directory begins there, so that none is
    /// used twice; and a last segment that reached it, and has no whole record there any more, was damaged: what
    /// no crash explains is not cut.
    pub start: Position,
}

impl Default for Options {
    fn default() -> Self {
        Self { segment_bytes: 64 << 20, retain_bytes: 0, max_record: 40 << 20, start: 0 }
    }
}

/// What opening a log found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Bytes of an incomplete last record that were cut off.
    pub cut_bytes: u64,
    /// The file they were cut from, when there were any.
    pub cut_from: Option<String>,
    /// Where the log begins.
    pub first: Position,
    /// Where it ends: the position of the next record.
    pub end: Position,
}

/// A log open for writing. One at a time for each directory.
///
/// Dropping it does not sync.
#[derive(Debug)]
pub struct Log<D: Disk> {
    disk: D,
    _lock: D::Lock,
    options: Options,
    shared: Arc<Shared>,
    /// The last segment.
    active: Segment<D::File>,
    buffer: Vec<u8>,
    failed: bool,
}

#[derive(Debug)]
struct Segment<F> {
    file: F,
    first: Position,
    length: u64,
    /// Bytes of it that are durable.
    synced: u64,
}

/// What the log tells its readers.
#[derive(Debug)]
pub(crate) struct Shared {
    synced: AtomicU64,
    end: AtomicU64,
    /// First positions of all segments.
    segments: Mutex<BTreeSet<Position>>,
}

impl Shared {
    pub(crate) fn synced(&self) -> Position {
        self.synced.load(Ordering::Acquire)
    }

    pub(crate) fn end(&self) -> Position {
        self.end.load(Ordering::Acquire)
    }

    pub(crate) fn segments(&self) -> MutexGuard<'_, BTreeSet<Position>> {
        self.segments.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The oldest position there is.
    pub(crate) fn first(&self) -> Position {
        self.segments().first().copied().unwrap_or_default()
    }
}

impl<D: Disk> Log<D> {
    /// Opens the log in `disk`, or begins one when there is none, and says what state it was in.
    ///
    /// Only the last segment is read, for its end. Damage elsewhere is met by who reads it.
    pub fn open(disk: D, options: Options) -> Result<(Self, Recovery), Error> {
        let directory = disk.name();
        let lock = disk.lock().map_err(Error::io("lock", &directory))?;
        let lock = lock.ok_or_else(|| Error::InUse { directory: directory.clone() })?;
        let names = disk.list().map_err(Error::io("list", &directory))?;
        let mut firsts: Vec<Position> = names.iter().filter_map(|name| segment_position(name)).collect();
        firsts.sort_unstable();

        let mut recovery = Recovery::default();
        let active = match firsts.last() {
            None => {
                let (first, name) = (options.start, segment_name(options.start));
                firsts.push(first);
                let file = disk.create(&name).map_err(Error::io("create", &name))?;
                disk.sync_directory().map_err(Error::io("sync", &directory))?;
                Segment { file, first, length: 0, synced: 0 }
            }
            Some(&last) => {
                let active = open_last(&disk, last, &options, &mut recovery)?;
                disk.sync_directory().map_err(Error::io("sync", &directory))?;
                // The same again when it goes on.
                firsts.push(active.first);
                active
            }
        };
        recovery.first = firsts.first().copied().unwrap_or_default();
        recovery.end = active.first + active.length;
        let shared = Arc::new(Shared {
            synced: AtomicU64::new(recovery.end),
            end: AtomicU64::new(recovery.end),
            segments: Mutex::new(firsts.into_iter().collect()),
        });
        Ok((Self { disk, _lock: lock, options, shared, active, buffer: Vec::new(), failed: false }, recovery))
    }

    /// Appends a record; it is durable and readable after the next [`sync`](Self::sync).
    ///
    /// When the disk is full the log stays as it was and may be asked again.
    pub fn append(&mut self, payload: &[u8]) -> Result<Position, Error> {
        self.check_usable()?;
        let position = self.end();
        encode(&mut self.buffer, position, payload, self.options.max_record)?;
        if self.active.length >= self.options.segment_bytes {
            self.roll()?;
        }
        let written = self.active.file.write_at(&self.buffer, self.active.length);
        let span = self.buffer.len() as u64;
        self.buffer.shrink_to(KEEP);
        if let Err(error) = written {
            // Part of it may be there; take it back, so that the next record follows the last whole one.
            self.failed = self.active.file.truncate(self.active.length).is_err();
            return Err(Error::io("write", &segment_name(self.active.first))(error));
        }
        self.active.length += span;
        self.shared.end.store(self.end(), Ordering::Release);
        Ok(position)
    }

    /// Returns once everything appended before is durable: the position up to which that holds.
    pub fn sync(&mut self) -> Result<Position, Error> {
        self.check_usable()?;
        if self.active.synced < self.active.length {
            if let Err(error) = self.active.file.sync() {
                self.take_back_unsynced();
                return Err(Error::io("sync", &segment_name(self.active.first))(error));
            }
            self.active.synced = self.active.length;
            self.shared.synced.store(self.end(), Ordering::Release);
        }
        Ok(self.end())
    }

    /// Everything before this position is durable.
    pub fn synced(&self) -> Position {
        self.shared.synced()
    }

    /// The position that the next record will have.
    pub fn end(&self) -> Position {
        self.active.first + self.active.length
    }

    /// The oldest position there is.
    pub fn first(&self) -> Position {
        self.shared.first()
    }

    /// Bytes on disk.
    pub fn bytes(&self) -> u64 {
        self.end() - self.first()
    }

    /// Bytes that the disk still has room for.
    pub fn free(&self) -> Result<u64, Error> {
        self.disk.free().map_err(Error::io("ask for free space on", &self.disk.name()))
    }

    /// Whether a failure made the log refuse work until it is opened again.
    pub fn has_failed(&self) -> bool {
        self.failed
    }

    /// A reader of the synced records, for any thread.
    pub fn reader(&self) -> Reader<D> {
        Reader::new(self.disk.clone(), Arc::clone(&self.shared), self.options.max_record)
    }

    /// Removes the segments that lie whole below `upto`, oldest first, while at least
    /// [`Options::retain_bytes`] stay. Returns the bytes freed.
    pub fn release(&mut self, upto: Position) -> Result<u64, Error> {
        self.check_usable()?;
        let mut freed = 0;
        loop {
            let (first, next) = {
                let segments = self.shared.segments();
                let mut firsts = segments.iter().copied();
                match (firsts.next(), firsts.next()) {
                    (Some(first), Some(next)) => (first, next),
                    _ => return Ok(freed),
                }
            };
            if next > upto || self.end() - next < self.options.retain_bytes {
                return Ok(freed);
            }
            // Readers are told first; they would find no file.
            self.shared.segments().remove(&first);
            let name = segment_name(first);
            if let Err(error) = self.disk.remove(&name) {
                self.shared.segments().insert(first);
                return Err(Error::io("remove", &name)(error));
            }
            // One at a time: two removals may reach the disk in either order, and leave a gap.
            if let Err(error) = self.disk.sync_directory() {
                self.failed = true;
                return Err(Error::io("sync", &self.disk.name())(error));
            }
            freed += next - first;
        }
    }

    /// Begins a new segment, unless the last one is empty, so that what was written until now can
    /// be released apart from what follows. The old one is durable before the new one exists.
    pub fn roll(&mut self) -> Result<(), Error> {
        self.sync()?;
        if self.active.length == 0 {
            return Ok(());
        }
        let first = self.end();
        let name = segment_name(first);
        // Nothing is changed when this fails; a full disk may be asked again.
        let file = self.disk.create(&name).map_err(Error::io("create", &name))?;
        if let Err(error) = self.disk.sync_directory() {
            // The file may be there after a crash or not: nothing may be appended before the next
            // open has seen which.
            self.failed = true;
            return Err(Error::io("sync", &self.disk.name())(error));
        }
        self.active = Segment { file, first, length: 0, synced: 0 };
        self.shared.segments().insert(first);
        Ok(())
    }

    /// After a failed sync the kernel may have dropped what it could not write and still show it.
    /// Such records must not be found by the next open, as they would not survive a crash then.
    fn take_back_unsynced(&mut self) {
        self.failed = true;
        if self.active.file.truncate(self.active.synced).is_ok() {
            // If this fails too, the next open finds a torn end at worst.
            let _ = self.active.file.sync();
        }
    }

    fn check_usable(&self) -> Result<(), Error> {
        if self.failed { Err(Error::Failed) } else { Ok(()) }
    }
}

/// The segment to go on with: the last one, without what a crash left of a record that was never completed. Behind
/// one that the disk does not read, or that lost its end, a new one begins: all positions stay what they were.
fn open_last<D: Disk>(
    disk: &D,
    first: Position,
    options: &Options,
    recovery: &mut Recovery,
) -> Result<Segment<D::File>, Error> {
    let name = segment_name(first);
    let file = disk.open(&name).map_err(Error::io("open", &name))?;
    let length = file.len().map_err(Error::io("read the length of", &name))?;
    let read = |buffer: &mut [u8], offset| file.read_exact_at(buffer, offset);
    let end = Records { read, first, length, max_record: options.max_record }.end();
    match end {
        // The caller knows of records where there are none.
        Ok(end) if (first + end + 1..=first + length).contains(&options.start) => {}
        Ok(end) => {
            if end < length {
                file.truncate(end).map_err(Error::io("cut", &name))?;
                recovery.cut_bytes = length - end;
                recovery.cut_from = Some(name.clone());
            }
            // Whole records that the process before had not synced count from now on.
            file.sync().map_err(Error::io("sync", &name))?;
            return Ok(Segment { file, first, length: end, synced: end });
        }
        Err(error) if is_lost(&error) => {}
        Err(error) => return Err(Error::io("read", &name)(error)),
    }
    let (first, name) = (first + length, segment_name(first + length));
    let file = disk.create(&name).map_err(Error::io("create", &name))?;
    Ok(Segment { file, first, length: 0, synced: 0 })
}
