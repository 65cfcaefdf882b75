//! The collector's answer to a chunk: `{"ack": chunk}`.

use super::scan::{Broken, Head, Scanner, take, take_head};
use super::{FrameError, write_str};

/// Largest answer that is read, in bytes.
const MAX_ACK: usize = 16 * 1024;

/// Appends the answer that acknowledges `chunk`.
pub fn write_ack(out: &mut Vec<u8>, chunk: &str) {
    out.push(0x81);
    write_str(out, "ack");
    write_str(out, chunk);
}

/// Reads one answer from the front of `bytes`: the chunk it acknowledges, and how many bytes it
/// took. `None` when it is not all there yet.
pub fn read_ack(bytes: &[u8]) -> Result<Option<(&str, usize)>, FrameError> {
    let Some(end) = whole(bytes)? else { return Ok(None) };
    let mut rest = bytes.get(..end).unwrap_or_default();
    let broken = |reason| malformed(0, reason);
    let Head::Map(pairs) = take_head(&mut rest).map_err(broken)? else {
        return Err(unexpected(bytes));
    };
    for _ in 0..pairs {
        let key = text(take(&mut rest).map_err(broken)?);
        let value = take(&mut rest).map_err(broken)?;
        if key == Some("ack") {
            let chunk = text(value).ok_or_else(|| unexpected(value))?;
            return Ok(Some((chunk, end)));
        }
    }
    Err(unexpected(bytes))
}

/// How many bytes the first value takes; `None` when it is not all there yet.
pub(super) fn whole(bytes: &[u8]) -> Result<Option<usize>, FrameError> {
    let mut scanner = Scanner::new();
    match scanner.scan(bytes, MAX_ACK) {
        Ok(_) if scanner.needs() > MAX_ACK as u64 => Err(FrameError::Oversized { size: scanner.needs() }),
        Ok(end) => Ok(end),
        Err(reason) => Err(malformed(scanner.at(), reason)),
    }
}

/// The content of a str or bin value, when it is UTF-8.
fn text(mut value: &[u8]) -> Option<&str> {
    match take_head(&mut value).ok()? {
        Head::Str(_) | Head::Bin(_) => std::str::from_utf8(value).ok(),
        _ => None,
    }
}

fn malformed(at: usize, reason: Broken) -> FrameError {
    FrameError::Malformed { at: at as u64, reason }
}

fn unexpected(bytes: &[u8]) -> FrameError {
    let found = Head::found(bytes);
    FrameError::UnexpectedShape { place: "the answer", found, expected: "a map with the chunk under \"ack\"" }
}
