//! Finding whole records after whatever ended the process before.

use std::io;

use crate::record::{HEAD, Head, segment_name};
use crate::{DiskFile, Error, Position};

/// How the last segment ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct End {
    /// Bytes of whole records.
    pub valid: u64,
    /// Bytes after them, of a record that was never completed.
    pub torn: u64,
}

/// Reads the segment from its start to the first record that is not whole. Bytes behind that are
/// torn only when no whole record is among them; else the segment is damaged.
pub(crate) fn find_end(file: &impl DiskFile, first: Position, max_record: usize) -> Result<End, Error> {
    let name = segment_name(first);
    let length = file.len().map_err(Error::io("read the length of", &name))?;
    let mut valid = 0;
    let mut payload = Vec::new();
    while let Some(span) =
        whole_record(file, first, valid, length, max_record, &mut payload).map_err(Error::io("read", &name))?
    {
        valid += span;
    }
    let later = |at| next_whole_record(file, first, at, length, max_record).map_err(Error::io("read", &name));
    if valid < length && later(valid)?.is_some() {
        let reason = "this record is not whole, but a later one is".to_owned();
        return Err(Error::Damaged { file: name, offset: valid, reason });
    }
    Ok(End { valid, torn: length - valid })
}

/// The span of the record at `offset`, when it is whole; its payload is left in `payload`.
pub(crate) fn whole_record(
    file: &impl DiskFile,
    first: Position,
    offset: u64,
    length: u64,
    max_record: usize,
    payload: &mut Vec<u8>,
) -> io::Result<Option<u64>> {
    let mut head = [0; HEAD];
    if offset + HEAD as u64 > length {
        return Ok(None);
    }
    file.read_exact_at(&mut head, offset)?;
    let head = Head::from_bytes(head);
    if head.position != first + offset || head.length as usize > max_record || offset + head.span() > length {
        return Ok(None);
    }
    payload.resize(head.length as usize, 0);
    file.read_exact_at(payload, offset + HEAD as u64)?;
    Ok(head.covers(payload).then_some(head.span()))
}

/// Where a whole record starts behind the first byte of the damaged one at `from`, if one does.
pub(crate) fn next_whole_record(
    file: &impl DiskFile,
    first: Position,
    from: u64,
    length: u64,
    max_record: usize,
) -> io::Result<Option<u64>> {
    let mut tail = vec![0; (length - from) as usize];
    file.read_exact_at(&mut tail, from)?;
    for (at, window) in tail.windows(HEAD).enumerate().skip(1) {
        let Ok(head) = window.try_into().map(Head::from_bytes) else { continue };
        let offset = from + at as u64;
        if head.position != first + offset || head.length as usize > max_record {
            continue;
        }
        let payload = tail.get(at + HEAD..).and_then(|rest| rest.get(..head.length as usize));
        if payload.is_some_and(|payload| head.covers(payload)) {
            return Ok(Some(offset));
        }
    }
    Ok(None)
}
