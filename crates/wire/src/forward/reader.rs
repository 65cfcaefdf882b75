//! Cutting a connection's bytes into frames.

use super::frame::Outline;
use super::scan::{Head, Scanner};
use super::{Frame, FrameError, MAX_FRAME};

/// Capacity that an idle connection may keep.
const KEEP: usize = 256 * 1024;

/// Takes bytes in whatever pieces they come and gives whole frames.
///
/// Call [`next_frame`](Self::next_frame) until it gives `None` after each [`push`](Self::push): then the
/// reader holds less than [`MAX_FRAME`] and the last piece.
#[derive(Debug)]
pub struct FrameReader {
    buffer: Vec<u8>,
    /// Where the current frame starts in `buffer`.
    start: usize,
    /// Bytes of the stream before `buffer`.
    passed: u64,
    scanner: Scanner,
    /// Size of the current frame, once it is whole.
    whole: Option<usize>,
    failed: Option<FrameError>,
}

impl Default for FrameReader {
    fn default() -> Self {
        Self::new()
    }
}

impl FrameReader {
    /// A reader at the start of a connection.
    pub fn new() -> Self {
        Self { buffer: Vec::new(), start: 0, passed: 0, scanner: Scanner::new(), whole: None, failed: None }
    }

    /// Adds what was read from the connection.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.failed.is_none() {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// Bytes held: of a frame that is not complete, or not asked for yet.
    pub fn buffered(&self) -> usize {
        self.buffer.len().saturating_sub(self.start)
    }

    /// The next whole frame; `None` when more bytes are needed. Heartbeats are passed over.
    ///
    /// After an error the stream cannot be read on: each later call gives the same error.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, FrameError> {
        self.unless_failed(|reader| {
            let Some(bytes) = reader.find()? else { return Ok(None) };
            let size = bytes.len();
            let frame = Frame::parse(bytes)?;
            reader.pass(size);
            Ok(Some(frame))
        })
    }

    /// How many bytes the entries of the next whole frame may take once they are unpacked, before
    /// they are; `None` when more bytes are needed. Errors are those of [`next_frame`](Self::next_frame).
    pub fn next_size(&mut self) -> Result<Option<usize>, FrameError> {
        self.unless_failed(|reader| match reader.find()? {
            Some(bytes) => Ok(Some(Outline::read(bytes)?.size())),
            None => Ok(None),
        })
    }

    fn unless_failed<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, FrameError>) -> Result<T, FrameError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let result = read(self);
        if let Err(error) = &result {
            self.failed = Some(error.clone());
            self.buffer = Vec::new();
            self.start = 0;
        }
        result
    }

    /// The bytes of the next whole frame.
    fn find(&mut self) -> Result<Option<&[u8]>, FrameError> {
        while self.whole.is_none() {
            let bytes = self.buffer.get(self.start..).unwrap_or_default();
            let Some(&first) = bytes.first() else {
                self.compact();
                return Ok(None);
            };
            if let Ok(Some((head, _))) = Head::read(bytes) {
                check_start(head, bytes)?;
            }
            let end = self.scanner.scan(bytes, MAX_FRAME).map_err(|reason| FrameError::Malformed {
                at: self.passed + (self.start + self.scanner.at()) as u64,
                reason,
            })?;
            if self.scanner.needs() > MAX_FRAME as u64 {
                return Err(FrameError::Oversized { size: self.scanner.needs() });
            }
            let Some(end) = end else {
                self.compact();
                return Ok(None);
            };
            if first == rmp::Marker::Null.to_u8() {
                self.pass(end);
            } else {
                self.whole = Some(end);
            }
        }
        let end = self.start + self.whole.unwrap_or_default();
        Ok(self.buffer.get(self.start..end))
    }

    /// Goes on behind a frame.
    fn pass(&mut self, size: usize) {
        self.start += size;
        self.scanner = Scanner::new();
        self.whole = None;
    }

    /// Forgets the frames that were given out.
    fn compact(&mut self) {
        self.passed += self.start as u64;
        self.buffer.drain(..self.start);
        self.start = 0;
        if self.buffer.is_empty() {
            self.buffer.shrink_to(KEEP);
        }
    }
}

/// Tells a foreign protocol by its first byte, before megabytes of it are waited for.
fn check_start(head: Head, bytes: &[u8]) -> Result<(), FrameError> {
    match head {
        Head::Nil | Head::Array(2..=4) => Ok(()),
        _ => Err(FrameError::UnexpectedShape {
            place: "the message",
            found: Head::found(bytes),
            expected: "an array of 2 to 4 that starts with a tag (Fluent Forward)",
        }),
    }
}
