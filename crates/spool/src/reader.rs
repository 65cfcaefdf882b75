//! The reading side, for any thread and any number of readers.

use std::fmt;
use std::io::ErrorKind;
use std::sync::Arc;

use crate::log::Shared;
use crate::record::{HEAD, Head, segment_name};
use crate::recover::{Patience, Records, salvage};
use crate::{Disk, DiskFile, Error, Position};

/// A record as it was appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Where it is.
    pub position: Position,
    /// What was appended.
    pub payload: Vec<u8>,
}

impl Record {
    /// The position behind it: where to read on.
    pub fn end(&self) -> Position {
        self.position + (HEAD + self.payload.len()) as u64
    }
}

/// Bytes of a log that hold no whole record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Which segment they are in.
    pub file: String,
    /// Where in it they begin.
    pub offset: u64,
    /// How many there are: behind them the log goes on.
    pub bytes: u64,
    /// Whether whole records may be among them: the disk took too long over what it does not read.
    pub given_up: bool,
}

/// Reads synced records by position. A clone is cheap and independent.
pub struct Reader<D: Disk> {
    disk: D,
    shared: Arc<Shared>,
    max_record: usize,
    /// The segment read last.
    open: Option<(Position, Arc<D::File>)>,
}

impl<D: Disk> Clone for Reader<D> {
    fn clone(&self) -> Self {
        let (disk, shared) = (self.disk.clone(), Arc::clone(&self.shared));
        Self { disk, shared, max_record: self.max_record, open: self.open.clone() }
    }
}

impl<D: Disk> fmt::Debug for Reader<D> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.debug_struct("Reader").field("disk", &self.disk.name()).field("synced", &self.synced()).finish()
    }
}

impl<D: Disk> Reader<D> {
    pub(crate) fn new(disk: D, shared: Arc<Shared>, max_record: usize) -> Self {
        Self { disk, shared, max_record, open: None }
    }

    /// Everything before this position is durable and can be read.
    pub fn synced(&self) -> Position {
        self.shared.synced()
    }

    /// The oldest position there is.
    pub fn first(&self) -> Position {
        self.shared.first()
    }

    /// The first segment that begins at `position` or behind it: what came before can be released
    /// apart from it.
    pub fn next_segment(&self, position: Position) -> Option<Position> {
        self.shared.segments().range(position..).next().copied()
    }

    /// Bytes on disk.
    pub fn bytes(&self) -> u64 {
        self.shared.end().saturating_sub(self.first())
    }

    /// The synced records from `position` on, in order: as many as fit `max_bytes` of payload, but
    /// one at least. Empty when there is nothing new. Damage behind the first of them ends them; it is an
    /// error when it is at `position`.
    ///
    /// `position` is one that [`Record::end`], [`Log::append`](crate::Log::append) or
    /// [`first`](Self::first) gave.
    pub fn read_from(&mut self, mut position: Position, max_bytes: usize) -> Result<Vec<Record>, Error> {
        let end = self.shared.end();
        if position > end {
            return Err(Error::Ahead { position, end });
        }
        let synced = self.synced();
        let mut records = Vec::new();
        let mut bytes = 0;
        while position < synced {
            let record = match self.read_one(position, synced) {
                Err(_) if !records.is_empty() => break,
                read => read?,
            };
            bytes += record.payload.len();
            if bytes > max_bytes && !records.is_empty() {
                break;
            }
            position = record.end();
            records.push(record);
        }
        Ok(records)
    }

    /// What is lost at `position`, where [`read_from`](Self::read_from) met [damage](Error::is_damage): all up to
    /// the next whole record, which is at `position` itself (no bytes) if the disk reads it by now.
    pub fn damage_at(&mut self, position: Position) -> Result<Damage, Error> {
        let segment = self.segment_at(position)?;
        let limit = self.next_segment(position + 1).unwrap_or(Position::MAX).min(self.synced());
        let mut from = position;
        let mut patience = Patience::default();
        let next = loop {
            match self.next_whole(from, segment, limit, &mut patience) {
                Ok(Some(next)) => match self.read_one(next, self.synced()) {
                    // Zeros in the place of what the disk does not read happened to make it whole.
                    Err(error) if error.is_damage() => from = next + 1,
                    read => break read.map(|_| next)?,
                },
                Err(error) if !error.is_damage() => return Err(error),
                // Of a file that does not even open nothing is there.
                Ok(None) | Err(_) => break limit,
            }
        };
        let given_up = patience.is_over();
        Ok(Damage { file: segment_name(segment), offset: position - segment, bytes: next - position, given_up })
    }

    fn next_whole(
        &mut self,
        from: Position,
        segment: Position,
        limit: Position,
        patience: &mut Patience,
    ) -> Result<Option<Position>, Error> {
        let (first, file) = self.segment_of(from)?;
        let name = segment_name(segment);
        let length = file.len().map_err(Error::io("read the length of", &name))?.min(limit - first);
        let read = salvage(file.as_ref(), patience);
        let next = Records { read, first, length, max_record: self.max_record }.next_whole(from - first);
        Ok(next.map_err(Error::io("read", &name))?.map(|offset| first + offset))
    }

    fn read_one(&mut self, position: Position, synced: Position) -> Result<Record, Error> {
        let (segment, file) = self.segment_of(position)?;
        let name = segment_name(segment);
        let offset = position - segment;
        let damaged = |reason: &str| Error::Damaged { file: name.clone(), offset, reason: reason.to_owned() };
        let read = |buffer: &mut [u8], offset: u64| {
            file.read_exact_at(buffer, offset).map_err(|error| match error.kind() {
                ErrorKind::UnexpectedEof => damaged("the file ends within this record"),
                _ => Error::io("read", &name)(error),
            })
        };
        let mut head = [0; HEAD];
        read(&mut head, offset)?;
        let head = Head::from_bytes(head);
        if head.position != position || head.length as usize > self.max_record || position + head.span() > synced {
            return Err(damaged("no record starts here"));
        }
        let mut payload = vec![0; head.length as usize];
        read(&mut payload, offset + HEAD as u64)?;
        if !head.covers(&payload) {
            return Err(damaged("the checksum does not match"));
        }
        Ok(Record { position, payload })
    }

    fn segment_of(&mut self, position: Position) -> Result<(Position, Arc<D::File>), Error> {
        let segment = self.segment_at(position)?;
        if let Some((first, file)) = &self.open
            && *first == segment
        {
            return Ok((segment, Arc::clone(file)));
        }
        let name = segment_name(segment);
        let file = match self.disk.open(&name) {
            Ok(file) => Arc::new(file),
            // Released between the look at the list and now.
            Err(error) if error.kind() == ErrorKind::NotFound && segment < self.first() => {
                return Err(Error::Released { position, first: self.first() });
            }
            Err(error) => return Err(Error::io("open", &name)(error)),
        };
        self.open = Some((segment, Arc::clone(&file)));
        Ok((segment, file))
    }

    /// The segment that holds a position.
    fn segment_at(&self, position: Position) -> Result<Position, Error> {
        let segments = self.shared.segments();
        let first = segments.first().copied().unwrap_or_default();
        segments.range(..=position).next_back().copied().ok_or(Error::Released { position, first })
    }
}
