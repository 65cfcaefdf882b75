//! gzip, deflate, Brotli and Zstandard, inflated up to a limit.
//!
//! What was inflated before damage, before the cut of a body or before the limit is handed on as a
//! input that is cut: what lies whole in it can still be read.

use std::borrow::Cow;
use std::io::{self, Read};

use super::input::{Found, Input};
use super::undecoded::{Format, Reason};

/// Most bytes that one input is inflated to, all its codings together. A byte of Brotli may cost 70 instructions.
pub(crate) const MAX_INFLATED: usize = 512 << 10;
/// Largest window of Zstandard, as a power of two: what RFC 9659 allows in HTTP.
const ZSTD_WINDOW: u32 = 23;

/// What Brotli reads at a time.
const BUFFER: usize = 4096;

/// How a body was compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    Gzip,
    Deflate,
    Brotli,
    Zstd,
}

impl Coding {
    /// By its name in `Content-Encoding`.
    pub(crate) fn of(name: &[u8]) -> Option<Self> {
        let known: [(&str, Self); 5] = [
            ("gzip", Self::Gzip),
            ("x-gzip", Self::Gzip),
            ("deflate", Self::Deflate),
            ("br", Self::Brotli),
            ("zstd", Self::Zstd),
        ];
        known.into_iter().find(|(text, _)| name.eq_ignore_ascii_case(text.as_bytes())).map(|(_, coding)| coding)
    }

    pub(crate) fn format(self) -> Format {
        match self {
            Self::Gzip => Format::Gzip,
            Self::Deflate => Format::Deflate,
            Self::Brotli => Format::Brotli,
            Self::Zstd => Format::Zstd,
        }
    }
}

/// Inflates an input to at most so many bytes. A value and a failure together: the value is what was inflated before.
pub(crate) fn inflate(input: Input, coding: Coding, most: usize) -> Found<'static> {
    let bytes = input.bytes;
    match coding {
        Coding::Gzip => read(input, flate2::bufread::MultiGzDecoder::new(bytes), most),
        Coding::Deflate if is_zlib(bytes) => read(input, flate2::bufread::ZlibDecoder::new(bytes), most),
        Coding::Deflate => read(input, flate2::bufread::DeflateDecoder::new(bytes), most),
        Coding::Brotli if !is_modest_brotli(bytes) => Found::failed(1, Reason::TooLarge),
        Coding::Brotli => read(input, brotli_decompressor::Decompressor::new(bytes, BUFFER), most),
        Coding::Zstd => {
            let decoder = zstd::stream::read::Decoder::with_buffer(bytes)
                .and_then(|mut decoder| decoder.window_log_max(ZSTD_WINDOW).map(|()| decoder));
            decoder.map_or_else(|_| Found::failed(1, Reason::TooLarge), |decoder| read(input, decoder, most))
        }
    }
}

/// Reads up to the limit.
fn read(input: Input, mut decoder: impl Read, most: usize) -> Found<'static> {
    let mut bytes = Vec::new();
    // One more than the limit tells whether there is more.
    let ended = decoder.by_ref().take(most as u64 + 1).read_to_end(&mut bytes);
    let failure = match ended {
        Ok(_) if bytes.len() > most => Some(Reason::TooLarge),
        Ok(_) => input.cut.then_some(Reason::Cut),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Some(input.end()),
        Err(_) => Some(Reason::Malformed),
    };
    if bytes.is_empty() {
        return Found { values: vec![failure.is_none().then_some(Cow::Owned(bytes))], failure, cut: false };
    }
    bytes.truncate(most);
    Found { values: vec![Some(Cow::Owned(bytes))], failure, cut: failure.is_some() }
}

/// Many send `deflate` without the zlib header that RFC 9110, section 8.4.1.2, asks for.
fn is_zlib(input: &[u8]) -> bool {
    match input {
        [method, flags, ..] => {
            method & 0x0f == 8 && method >> 4 <= 7 && (u16::from(*method) << 8 | u16::from(*flags)) % 31 == 0
        }
        _ => false,
    }
}

/// Whether a Brotli stream asks for a window of at most 4 MiB (RFC 7932, section 9.1): larger ones,
/// and those of the "large window" dialect, would let a few bytes claim a lot of memory.
fn is_modest_brotli(input: &[u8]) -> bool {
    let first = input.first().copied().unwrap_or_default();
    let large_dialect = first & 0x7f == 0x11;
    let bits = if first & 1 == 0 { 16 } else { 17 + (first >> 1 & 7) };
    !large_dialect && bits <= 22
}
