//! One Forward message, and the walk over its entries.

use std::borrow::Cow;
use std::io::Read;

use super::scan::{Broken, Head, take, take_counted, take_head};
use super::{EventTime, FrameError, MAX_ENTRIES, MAX_ENTRY, MAX_ENTRY_VALUES, MAX_INFLATED};

/// One message of any mode. Its entries are kept as they travelled, inflated, and are looked at
/// only by [`entries`](Self::entries).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// What kind of records it holds.
    pub tag: String,
    /// The id to acknowledge it by; without one the sender wants no answer.
    pub chunk: Option<String>,
    /// Concatenated entries, as [`entries`](Self::entries) and [`Entries::new`] read them.
    pub stream: Vec<u8>,
}

/// A record and its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The event's time.
    pub time: EventTime,
    /// One MessagePack map.
    pub record: &'a [u8],
}

/// Part of a frame's entries that is no entry. It is to be set aside; the walk goes on behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadEntry<'a> {
    /// The bytes in question; all that is left of the frame when they are not MessagePack.
    pub bytes: &'a [u8],
    /// What is wrong with them.
    pub reason: &'static str,
}

/// Walks over concatenated entries. Ends after all bytes are told, as entries or as bad ones.
#[derive(Clone, Debug)]
pub struct Entries<'a> {
    rest: &'a [u8],
}

impl Frame {
    /// Walks over the entries.
    pub fn entries(&self) -> Entries<'_> {
        Entries::new(&self.stream)
    }

    /// Reads a whole message; `bytes` hold one sound MessagePack value.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, FrameError> {
        let Outline { tag, chunk, stream, compressed } = Outline::read(bytes)?;
        let stream = match compressed {
            Compression::None => stream.into_owned(),
            method => method.inflate(&stream)?,
        };
        if Entries::new(&stream).take(MAX_ENTRIES + 1).count() > MAX_ENTRIES {
            return Err(FrameError::TooManyEntries);
        }
        Ok(Self { tag, chunk, stream })
    }
}

/// A message whose entries are not inflated yet.
pub(super) struct Outline<'a> {
    tag: String,
    chunk: Option<String>,
    stream: Cow<'a, [u8]>,
    compressed: Compression,
}

impl<'a> Outline<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, FrameError> {
        let mut rest = bytes;
        let parts = match take_head(&mut rest).map_err(broken)? {
            Head::Array(parts @ 2..=4) => parts,
            other => return Err(shape("the message", other, "an array of 2 to 4")),
        };
        let tag = text(&mut rest, "the tag")?;
        let second = take(&mut rest).map_err(broken)?;
        let mut content = second;
        let head = take_head(&mut content).map_err(broken)?;
        let (stream, read) = match head {
            // PackedForward, Forward: the entries follow each other either way.
            Head::Str(_) | Head::Bin(_) | Head::Array(_) => (Cow::Borrowed(content), 2),
            // Message: one entry, its parts spread over the message.
            _ if parts > 2 => {
                let record = take(&mut rest).map_err(broken)?;
                (Cow::Owned([&[0x92], second, record].concat()), 3)
            }
            other => return Err(shape("the message's second part", other, "entries, or a time and a record")),
        };
        let options = if parts > read { Options::read(&mut rest)? } else { Options::default() };
        match options.compressed {
            Compression::None => {}
            _ if matches!(head, Head::Str(_) | Head::Bin(_)) => {}
            _ => return Err(shape("a compressed message's second part", head, "binary")),
        }
        Ok(Self { tag, chunk: options.chunk, stream, compressed: options.compressed })
    }

    /// The most that its entries take once they are inflated.
    pub(super) fn size(&self) -> usize {
        match self.compressed {
            Compression::None => self.stream.len(),
            Compression::Gzip | Compression::Zstd => MAX_INFLATED,
        }
    }
}

impl<'a> Entries<'a> {
    /// A walk over `stream`, entries written one behind the other.
    pub fn new(stream: &'a [u8]) -> Self {
        Self { rest: stream }
    }

    /// The bytes that were not walked over yet.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<Entry<'a>, BadEntry<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let Ok((bytes, values)) = take_counted(&mut self.rest) else {
            let bytes = std::mem::take(&mut self.rest);
            return Some(Err(BadEntry { bytes, reason: "the rest of the chunk is not MessagePack" }));
        };
        let read = match () {
            () if bytes.len() > MAX_ENTRY => Err("an entry has at most 4 MiB"),
            () if values > MAX_ENTRY_VALUES => Err("an entry holds at most 16384 values"),
            () => entry(bytes),
        };
        Some(read.map_err(|reason| BadEntry { bytes, reason }))
    }
}

/// Reads `[time, record]`, or `[[time, metadata], record]` of v1.5.
fn entry(bytes: &[u8]) -> Result<Entry<'_>, &'static str> {
    const SHAPE: &str = "an entry is an array of time and record";
    let mut rest = bytes;
    let Ok(Head::Array(2..)) = take_head(&mut rest) else { return Err(SHAPE) };
    let first = take(&mut rest).map_err(|_| SHAPE)?;
    let mut inner = first;
    let time = match take_head(&mut inner) {
        Ok(Head::Array(1..)) => time(take(&mut inner).map_err(|_| SHAPE)?)?,
        _ => time(first)?,
    };
    let record = take(&mut rest).map_err(|_| SHAPE)?;
    match Head::read(record) {
        Ok(Some((Head::Map(_), _))) => Ok(Entry { time, record }),
        _ => Err("an entry's record is a map"),
    }
}

fn time(mut value: &[u8]) -> Result<EventTime, &'static str> {
    match take_head(&mut value) {
        Ok(Head::Uint(secs)) => match u32::try_from(secs) {
            Ok(secs) => Ok(EventTime { secs, nanos: 0 }),
            Err(_) => Err("an entry's time lies behind the year 2106"),
        },
        Ok(Head::Ext(0, 8)) => {
            let number = |at: usize| {
                value.get(at..at + 4).and_then(|be| be.try_into().ok()).map_or(u32::MAX, u32::from_be_bytes)
            };
            let time = EventTime { secs: number(0), nanos: number(4) };
            if time.nanos < 1_000_000_000 { Ok(time) } else { Err("an entry's time has over 999999999 nanoseconds") }
        }
        _ => Err("an entry's time is an EventTime or seconds"),
    }
}

/// What a message says about itself in its last part.
#[derive(Default)]
struct Options {
    chunk: Option<String>,
    compressed: Compression,
}

impl Options {
    fn read(rest: &mut &[u8]) -> Result<Self, FrameError> {
        let mut options = Self::default();
        let pairs = match take_head(rest).map_err(broken)? {
            Head::Nil => 0,
            Head::Map(pairs) => pairs,
            other => return Err(shape("the message's option", other, "a map")),
        };
        for _ in 0..pairs {
            let key = text(rest, "an option's name")?;
            match key.as_str() {
                "chunk" => options.chunk = Some(text(rest, "the option chunk")?),
                "compressed" => options.compressed = Compression::named(&text(rest, "the option compressed")?)?,
                _ => drop(take(rest).map_err(broken)?),
            }
        }
        Ok(options)
    }
}

#[derive(Clone, Copy, Default)]
enum Compression {
    #[default]
    None,
    Gzip,
    Zstd,
}

impl Compression {
    fn named(name: &str) -> Result<Self, FrameError> {
        match name {
            "text" => Ok(Self::None),
            "gzip" => Ok(Self::Gzip),
            "zstd" => Ok(Self::Zstd),
            other => Err(FrameError::UnexpectedShape {
                place: "the option compressed",
                found: format!("{:?}", other.chars().take(32).collect::<String>()),
                expected: "gzip, zstd or text",
            }),
        }
    }

    fn inflate(self, bytes: &[u8]) -> Result<Vec<u8>, FrameError> {
        match self {
            Self::None => Ok(bytes.to_vec()),
            // Fluentd concatenates compressed pieces: several members are one stream.
            Self::Gzip => read_bounded("gzip", flate2::read::MultiGzDecoder::new(bytes)),
            Self::Zstd => {
                let failed = |e: std::io::Error| FrameError::Inflate { method: "zstd", reason: e.to_string() };
                let mut decoder = zstd::stream::read::Decoder::with_buffer(bytes).map_err(failed)?;
                decoder.window_log_max(MAX_INFLATED.ilog2()).map_err(failed)?;
                read_bounded("zstd", decoder)
            }
        }
    }
}

fn read_bounded(method: &'static str, decoder: impl Read) -> Result<Vec<u8>, FrameError> {
    let mut inflated = Vec::new();
    decoder
        .take(MAX_INFLATED as u64 + 1)
        .read_to_end(&mut inflated)
        .map_err(|e| FrameError::Inflate { method, reason: e.to_string() })?;
    if inflated.len() > MAX_INFLATED { Err(FrameError::Inflated) } else { Ok(inflated) }
}

/// A str or bin value as text.
fn text(rest: &mut &[u8], place: &'static str) -> Result<String, FrameError> {
    let mut value = take(rest).map_err(broken)?;
    match take_head(&mut value).map_err(broken)? {
        Head::Str(_) | Head::Bin(_) => Ok(crate::escape(value).into_owned()),
        other => Err(shape(place, other, "a string")),
    }
}

fn shape(place: &'static str, found: Head, expected: &'static str) -> FrameError {
    FrameError::UnexpectedShape { place, found: found.name(), expected }
}

/// Not reached for a message that was scanned before.
fn broken(reason: Broken) -> FrameError {
    FrameError::Malformed { at: 0, reason }
}
