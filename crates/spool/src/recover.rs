//! Finding whole records after whatever ended the process before, and behind what a disk lost.

use std::io;
use std::time::{Duration, Instant};

use crate::record::{HEAD, Head};
use crate::{DiskFile, Position};

/// Bytes that are looked through at a time.
const WINDOW: usize = 256 << 10;
/// What a disk loses at a time.
const BLOCK: usize = 4 << 10;
/// Blocks that are tried one by one where a disk does not read many at once.
const UNREADABLE_BLOCKS: u32 = 256;
/// Time for reads that fail, as each may take a disk seconds. Then the rest of a file is taken for unreadable too.
const UNREADABLE_FOR: Duration = Duration::from_secs(20);

/// The records of a file, as `read` tells its bytes.
pub(crate) struct Records<R> {
    /// Fills a buffer from an offset.
    pub read: R,
    /// Position of the file's first byte.
    pub first: Position,
    /// Bytes that may hold records.
    pub length: u64,
    /// Largest payload.
    pub max_record: usize,
}

impl<R: FnMut(&mut [u8], u64) -> io::Result<()>> Records<R> {
    /// The span of the record at `offset`, when it is whole; its payload is left in `payload`.
    pub(crate) fn whole(&mut self, offset: u64, payload: &mut Vec<u8>) -> io::Result<Option<u64>> {
        let mut head = [0; HEAD];
        if offset + HEAD as u64 > self.length {
            return Ok(None);
        }
        (self.read)(&mut head, offset)?;
        let head = Head::from_bytes(head);
        let inside = head.length as usize <= self.max_record && offset + head.span() <= self.length;
        if head.position != self.first + offset || !inside {
            return Ok(None);
        }
        payload.resize(head.length as usize, 0);
        (self.read)(payload, offset + HEAD as u64)?;
        Ok(head.covers(payload).then_some(head.span()))
    }

    /// Where the first whole record starts that is at `from` or behind it, if one does.
    pub(crate) fn next_whole(&mut self, from: u64) -> io::Result<Option<u64>> {
        let mut bytes = vec![0; WINDOW];
        let mut payload = Vec::new();
        let mut at = from;
        while at + HEAD as u64 <= self.length {
            let size = usize::try_from(self.length - at).unwrap_or(WINDOW).min(WINDOW);
            let window = bytes.get_mut(..size).unwrap_or_default();
            (self.read)(window, at)?;
            for (offset, head) in (at..).zip(window.windows(HEAD)) {
                let Ok(head) = head.try_into().map(Head::from_bytes) else { continue };
                if head.position == self.first + offset && self.whole(offset, &mut payload)?.is_some() {
                    return Ok(Some(offset));
                }
            }
            // A head may begin in this window and end in the next.
            at += (size - (HEAD - 1)) as u64;
        }
        Ok(None)
    }

    /// The end of the last whole record. What is behind it was never completed; before it bytes may be damaged.
    pub(crate) fn end(&mut self) -> io::Result<u64> {
        let (mut end, mut payload) = (0, Vec::new());
        while let Some(next) = self.next_whole(end)? {
            end = next;
            while let Some(span) = self.whole(end, &mut payload)? {
                end += span;
            }
        }
        Ok(end)
    }
}

/// How much is still tried where a disk does not read.
pub(crate) struct Patience {
    blocks: u32,
    time: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { blocks: UNREADABLE_BLOCKS, time: UNREADABLE_FOR }
    }
}

impl Patience {
    /// Not everything is tried any more.
    pub(crate) fn is_over(&self) -> bool {
        self.blocks == 0 || self.time.is_zero()
    }
}

/// Reads what the disk still gives of a file, while there is patience. What it does not is zero, so that no record
/// there is whole.
pub(crate) fn salvage(file: &impl DiskFile, patience: &mut Patience) -> impl FnMut(&mut [u8], u64) -> io::Result<()> {
    move |buffer, mut offset| {
        if patience.time.is_zero() {
            buffer.fill(0);
            return Ok(());
        }
        let since = Instant::now();
        match file.read_exact_at(buffer, offset) {
            Err(error) if is_lost(&error) => patience.time = patience.time.saturating_sub(since.elapsed()),
            read => return read,
        }
        let mut rest = buffer;
        while !rest.is_empty() {
            let size = (BLOCK - (offset % BLOCK as u64) as usize).min(rest.len());
            let (block, behind) = rest.split_at_mut(size);
            block.fill(0);
            if !patience.is_over() {
                let since = Instant::now();
                match file.read_exact_at(block, offset) {
                    Err(error) if is_lost(&error) => {
                        patience.blocks -= 1;
                        patience.time = patience.time.saturating_sub(since.elapsed());
                        block.fill(0);
                    }
                    read => read?,
                }
            }
            offset += size as u64;
            rest = behind;
        }
        Ok(())
    }
}

/// Whether the disk says that it, or the file system, lost what was to be read. Other failures may pass.
pub(crate) fn is_lost(error: &io::Error) -> bool {
    use rustix::io::Errno;
    // The last four: what block layer and file systems say of bad media and wrong checksums.
    const LOST: [Errno; 5] = [Errno::IO, Errno::NODATA, Errno::ILSEQ, Errno::BADMSG, Errno::UCLEAN];
    let errno = error.raw_os_error();
    error.kind() == io::ErrorKind::UnexpectedEof || LOST.iter().any(|lost| errno == Some(lost.raw_os_error()))
}
