//! Parts: files that processes leave for one another.
//!
//! A process writes a part, and whoever takes it next reads it from its beginning and removes it: the
//! process itself, or another one when that has ended in whatever way. Who has a part is told by a lock that
//! goes with its process. Parts are named by their age, so that the oldest are found without reading any.
//!
//! Invariants:
//! - A record that [`PartWriter::sync`] returned for is there after any crash, and readable.
//! - A part that somebody writes or reads is given to nobody else.
//! - Damage costs the records that it met; what is whole behind them is read.

use std::io::ErrorKind;

use crate::record::{encode, part_age, part_name};
use crate::recover::Records;
use crate::{Disk, DiskFile, Error, Position};

/// A directory of parts.
#[derive(Clone, Debug)]
pub struct Parts<D: Disk> {
    disk: D,
    max_record: usize,
}

/// What all parts of a directory take, whoever has them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Their number.
    pub parts: u64,
    /// Bytes in them.
    pub bytes: u64,
}

impl<D: Disk> Parts<D> {
    /// The parts in `disk`, of records whose payload is at most `max_record` bytes.
    pub fn new(disk: D, max_record: usize) -> Self {
        Self { disk, max_record }
    }

    /// How much there is.
    pub fn usage(&self) -> Result<Usage, Error> {
        let mut usage = Usage::default();
        for name in self.names()? {
            match self.disk.size(&name) {
                Ok(bytes) => usage = Usage { parts: usage.parts + 1, bytes: usage.bytes + bytes },
                // Sent and removed by another meanwhile.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(Error::io("read the length of", &name)(error)),
            }
        }
        Ok(usage)
    }

    /// Begins a part. `age` orders it among the others, `owner` tells parts of one age apart; no two parts
    /// may have both in common.
    pub fn begin(&self, age: u64, owner: u64) -> Result<PartWriter<D>, Error> {
        let name = part_name(age, owner);
        let file = self.disk.create_taken(&name).map_err(Error::io("create", &self.path(&name)))?;
        let (parts, first) = (self.clone(), age);
        Ok(PartWriter { parts, file, name, first, length: 0, synced: 0, buffer: Vec::new(), failed: false })
    }

    /// The oldest part that nobody has, of those that can be opened and are behind the one of that
    /// [name](PartReader::name); an error when only others are there.
    pub fn take_oldest(&self, behind: Option<&str>) -> Result<Option<PartReader<D>>, Error> {
        let mut closed = None;
        for name in self.names()? {
            if behind.is_some_and(|behind| name.as_str() <= behind) {
                continue;
            }
            let file = match self.disk.open_taken(&name) {
                Ok(Some(file)) => file,
                Ok(None) => continue,
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                // What is behind it goes on.
                Err(error) => {
                    closed.get_or_insert(Error::io("open", &self.path(&name))(error));
                    continue;
                }
            };
            let length = file.len().map_err(Error::io("read the length of", &self.path(&name)))?;
            let first = part_age(&name).unwrap_or_default();
            return Ok(Some(PartReader { parts: self.clone(), file, name, first, length, offset: 0 }));
        }
        closed.map_or(Ok(None), Err)
    }

    /// The names of all parts, the oldest first.
    fn names(&self) -> Result<Vec<String>, Error> {
        let mut names = self.disk.list().map_err(Error::io("list", &self.disk.name()))?;
        names.retain(|name| part_age(name).is_some());
        names.sort_unstable();
        Ok(names)
    }

    fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.disk.name())
    }
}

/// A part being written. Dropping it leaves the part to whoever takes it.
///
/// After an error it is to be [given up](Self::give_up): what [`sync`](Self::sync) did not return for may be
/// in the part or not.
#[derive(Debug)]
pub struct PartWriter<D: Disk> {
    parts: Parts<D>,
    file: D::File,
    name: String,
    /// Position of the first record: no record is taken for one of another part.
    first: Position,
    length: u64,
    /// Bytes that are durable.
    synced: u64,
    buffer: Vec<u8>,
    failed: bool,
}

impl<D: Disk> PartWriter<D> {
    /// Appends a record; it is durable after the next [`sync`](Self::sync). The records before it are not
    /// touched by a failure.
    pub fn append(&mut self, payload: &[u8]) -> Result<(), Error> {
        encode(&mut self.buffer, self.first + self.length, payload, self.parts.max_record)?;
        if let Err(error) = self.file.write_at(&self.buffer, self.length) {
            // Part of it may be there; take it back.
            self.failed = self.file.truncate(self.length).is_err();
            return Err(Error::io("write", &self.parts.path(&self.name))(error));
        }
        self.length += self.buffer.len() as u64;
        Ok(())
    }

    /// Returns once everything appended before is durable.
    pub fn sync(&mut self) -> Result<(), Error> {
        if self.failed {
            return Err(Error::Failed);
        }
        if self.synced < self.length {
            let named = self.synced > 0;
            let synced = self.file.sync().and_then(|()| if named { Ok(()) } else { self.parts.disk.sync_directory() });
            if let Err(error) = synced {
                self.failed = true;
                // The system may have dropped what it could not write, and still show it. If it cannot be
                // taken back, a reader meets what a crash leaves.
                let _ = self.file.truncate(self.synced);
                return Err(Error::io("sync", &self.parts.path(&self.name))(error));
            }
            self.synced = self.length;
        }
        Ok(())
    }

    /// Gives it up after an error. A part in which nothing is durable goes, so that a disk that stays full
    /// does not fill with empty ones.
    pub fn give_up(self) {
        if self.synced == 0 {
            // If this fails too, a reader finds it empty.
            let _ = self.parts.disk.remove(&self.name);
        }
    }

    /// Bytes in it.
    pub fn bytes(&self) -> u64 {
        self.length
    }
}

/// What a reader meets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Met {
    /// A record as it was appended.
    Record(Vec<u8>),
    /// Bytes that are no whole record.
    Damage {
        /// Where they begin.
        offset: u64,
        /// How many there are.
        bytes: u64,
        /// Nothing whole is behind them: what a crash leaves.
        torn: bool,
    },
}

/// A part being read. Dropping it leaves the part to whoever takes it next, from its beginning.
#[derive(Debug)]
pub struct PartReader<D: Disk> {
    parts: Parts<D>,
    file: D::File,
    name: String,
    first: Position,
    length: u64,
    offset: u64,
}

impl<D: Disk> PartReader<D> {
    /// What comes next; `None` at the end.
    pub fn read_next(&mut self) -> Result<Option<Met>, Error> {
        self.read().map_err(Error::io("read", &self.parts.path(&self.name)))
    }

    fn read(&mut self) -> std::io::Result<Option<Met>> {
        let Self { file, first, length, offset: at, parts, .. } = self;
        if *at >= *length {
            return Ok(None);
        }
        let read = |buffer: &mut [u8], offset| file.read_exact_at(buffer, offset);
        let mut records = Records { read, first: *first, length: *length, max_record: parts.max_record };
        let (offset, mut payload) = (*at, Vec::new());
        if let Some(span) = records.whole(offset, &mut payload)? {
            *at += span;
            return Ok(Some(Met::Record(payload)));
        }
        let next = records.next_whole(offset)?;
        *at = next.unwrap_or(*length);
        Ok(Some(Met::Damage { offset, bytes: *at - offset, torn: next.is_none() }))
    }

    /// Removes it: it is done with.
    pub fn remove(&self) -> Result<(), Error> {
        match self.parts.disk.remove(&self.name) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(Error::io("remove", &self.parts.path(&self.name))(error))
            }
            _ => Ok(()),
        }
    }

    /// Bytes in it.
    pub fn bytes(&self) -> u64 {
        self.length
    }

    /// Its name: parts are ordered by it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What to call it in messages.
    pub fn path(&self) -> String {
        self.parts.path(&self.name)
    }
}
