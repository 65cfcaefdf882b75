//! zstd, for entries that leave.

use std::fmt;

/// The fastest of zstd's usual levels. Records of one chunk are much alike: a higher one costs twice the
/// instructions for a tenth of the bytes.
const LEVEL: i32 = 1;

/// Compresses one frame's entries after the other, and keeps its memory between them.
pub struct Compressor {
    context: zstd::bulk::Compressor<'static>,
    compressed: Vec<u8>,
}

impl Compressor {
    /// One that takes its memory with the first frame. `None` when zstd refuses, for want of memory.
    pub fn new() -> Option<Self> {
        let context = zstd::bulk::Compressor::new(LEVEL).ok()?;
        Some(Self { context, compressed: Vec::new() })
    }

    /// `None` when that does not make them smaller.
    pub(super) fn compress(&mut self, entries: &[u8]) -> Option<&[u8]> {
        self.compressed.clear();
        // What does not fit has not become smaller.
        self.compressed.reserve_exact(entries.len());
        self.context.compress_to_buffer(entries, &mut self.compressed).ok()?;
        Some(self.compressed.as_slice()).filter(|compressed| compressed.len() < entries.len())
    }
}

impl fmt::Debug for Compressor {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.debug_struct("Compressor").field("level", &LEVEL).finish_non_exhaustive()
    }
}
