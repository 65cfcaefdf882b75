//! Fluent Forward v1 framing, both directions, without I/O: the caller moves the bytes.
//!
//! Reading: [`FrameReader`] takes bytes as they come from a connection and gives [`Frame`]s;
//! [`Frame::entries`] walks the events in one. Writing: [`begin_packed`] and [`Packed::finish`] (or
//! [`write_packed`]) make a PackedForward frame out of what [`write_entry`] wrote. [`write_ack`] and
//! [`read_ack`] are the way back. HELO, PING and PONG come before all that where a [`SharedKey`] is asked for.
//!
//! Invariants:
//! - A frame costs memory for the bytes that came, never for those that were announced, and at most
//!   [`MAX_FRAME`]; what it inflates to is at most [`MAX_INFLATED`], in at most [`MAX_ENTRIES`] entries.
//! - No byte is looked at twice while a frame is incomplete, and nesting costs a counter, no stack.
//! - A framing error ends the connection; a bad entry in a sound frame ends nothing ([`BadEntry`]).
//!
//! Source: <https://github.com/fluent/fluentd/wiki/Forward-Protocol-Specification-v1> and v1.5.

mod ack;
mod compressor;
mod frame;
mod handshake;
mod reader;
mod scan;

pub use ack::{read_ack, write_ack};
pub use compressor::Compressor;
pub use frame::{BadEntry, Entries, Entry, Frame};
pub use handshake::{
    Helo, NONCE, Ping, Pong, SharedKey, read_helo, read_ping, read_pong, write_helo, write_ping, write_pong,
    write_refusal,
};
pub use reader::FrameReader;
pub use scan::Broken;

/// Largest frame that is read, in bytes.
pub const MAX_FRAME: usize = 8 * 1024 * 1024;
/// Largest size that the entries of a compressed frame may inflate to, in bytes.
pub const MAX_INFLATED: usize = 32 * 1024 * 1024;
/// Most entries of a frame: what is small on the wire costs much more where it is looked at.
pub const MAX_ENTRIES: usize = 100_000;
/// Largest entry, in bytes.
pub const MAX_ENTRY: usize = 4 * 1024 * 1024;
/// Most MessagePack values of an entry, those within others counted.
pub const MAX_ENTRY_VALUES: u64 = 16_384;

/// Why bytes are not Fluent Forward. The connection they came from cannot be read on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The frame is, or announces to be, too large.
    #[error("a frame of at least {size} bytes is over the limit of {MAX_FRAME}")]
    Oversized {
        /// What is known of its size.
        size: u64,
    },
    /// Not MessagePack.
    #[error("byte {at} of the stream is not MessagePack: {reason}")]
    Malformed {
        /// Offset in all that was read.
        at: u64,
        /// What is wrong there.
        reason: Broken,
    },
    /// MessagePack, but no Forward message.
    #[error("{place} is {found}, expected {expected}")]
    UnexpectedShape {
        /// Which part of the message.
        place: &'static str,
        /// What it is.
        found: String,
        /// What it should be.
        expected: &'static str,
    },
    /// The entries do not decompress.
    #[error("{method} entries do not inflate: {reason}")]
    Inflate {
        /// Compression method as announced.
        method: &'static str,
        /// What the decoder said.
        reason: String,
    },
    /// The entries decompress to too much.
    #[error("entries inflate to more than the limit of {MAX_INFLATED} bytes")]
    Inflated,
    /// The frame holds too many entries.
    #[error("a frame of more than {MAX_ENTRIES} entries is over the limit; smaller chunks would be right")]
    TooManyEntries,
}

/// A moment as Forward writes it: ext type 0, seconds and nanoseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventTime {
    /// Seconds since the Unix epoch.
    pub secs: u32,
    /// Nanoseconds within the second.
    pub nanos: u32,
}

impl EventTime {
    /// The moment so many microseconds after the epoch; the last one there is for what lies behind it.
    pub fn from_micros(micros: u64) -> Self {
        u32::try_from(micros / 1_000_000).map_or(Self { secs: u32::MAX, nanos: 999_999_999 }, |secs| Self {
            secs,
            nanos: (micros % 1_000_000) as u32 * 1000,
        })
    }

    /// Microseconds since the epoch, rounded down.
    pub fn as_micros(self) -> u64 {
        u64::from(self.secs) * 1_000_000 + u64::from(self.nanos / 1000)
    }
}

/// Appends `[time, record]`; `record` is one encoded MessagePack map.
pub fn write_entry(out: &mut Vec<u8>, time: EventTime, record: &[u8]) {
    out.reserve(ENTRY_HEAD + record.len());
    write_entry_head(out, time);
    out.extend_from_slice(record);
}

/// Bytes that [`write_entry_head`] appends.
pub const ENTRY_HEAD: usize = 11;

/// Appends what comes before an entry's record, for callers that encode the record in place.
pub fn write_entry_head(out: &mut Vec<u8>, time: EventTime) {
    let [a, b, c, d] = time.secs.to_be_bytes();
    let [e, f, g, h] = time.nanos.to_be_bytes();
    // fixarray of 2, fixext 8, type 0
    out.extend_from_slice(&[0x92, 0xd7, 0, a, b, c, d, e, f, g, h]);
}

/// Appends a whole PackedForward frame: `size` entries under one chunk id.
pub fn write_packed(out: &mut Vec<u8>, tag: &str, entries: &[u8], chunk: &str, size: usize) {
    let packed = begin_packed(out, tag);
    out.extend_from_slice(entries);
    packed.finish(out, chunk, size);
}

/// A PackedForward frame being written: entries are appended to the same buffer until
/// [`finish`](Packed::finish).
#[derive(Debug)]
pub struct Packed {
    entries: usize,
}

/// Begins a PackedForward frame at the end of `out`, so that its entries need no second copy.
pub fn begin_packed(out: &mut Vec<u8>, tag: &str) -> Packed {
    out.push(0x93);
    write_str(out, tag);
    out.extend_from_slice(&[0xc6, 0, 0, 0, 0]);
    Packed { entries: out.len() }
}

impl Packed {
    /// Ends the frame that `out` was begun with. The caller keeps it under [`MAX_FRAME`].
    pub fn finish(self, out: &mut Vec<u8>, chunk: &str, size: usize) {
        self.end(out, chunk, size, None);
    }

    /// Writes the frame that was begun in `plain` to `out`, its entries compressed. False, with nothing in
    /// `out`, when that would not make it smaller.
    pub fn compress(&self, plain: &[u8], by: &mut Compressor, out: &mut Vec<u8>, chunk: &str, size: usize) -> bool {
        let Some((head, entries)) = plain.split_at_checked(self.entries) else { return false };
        let Some(compressed) = by.compress(entries) else { return false };
        out.clear();
        out.reserve(head.len() + compressed.len() + 128);
        out.extend_from_slice(head);
        out.extend_from_slice(compressed);
        self.end(out, chunk, size, Some("zstd"));
        true
    }

    fn end(&self, out: &mut Vec<u8>, chunk: &str, size: usize, compressed: Option<&str>) {
        let length = u32::try_from(out.len().saturating_sub(self.entries)).unwrap_or(u32::MAX);
        if let Some(place) = self.entries.checked_sub(4).and_then(|at| out.get_mut(at..self.entries)) {
            place.copy_from_slice(&length.to_be_bytes());
        }
        // fixmap
        out.push(0x82 + u8::from(compressed.is_some()));
        write_str(out, "chunk");
        write_str(out, chunk);
        write_str(out, "size");
        // Writing to a Vec cannot fail.
        let _ = rmp::encode::write_uint(out, size as u64);
        if let Some(method) = compressed {
            write_str(out, "compressed");
            write_str(out, method);
        }
    }
}

fn write_str(out: &mut Vec<u8>, text: &str) {
    // Writing to a Vec cannot fail.
    let _ = rmp::encode::write_str(out, text);
}

#[cfg(test)]
mod tests;
