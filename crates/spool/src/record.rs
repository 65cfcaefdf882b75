//! How a record looks in a segment.

use crate::{Error, Position};

/// Bytes that each record takes beside its payload.
pub const HEAD: usize = 16;

/// What stands before a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub length: u32,
    crc: u32,
    pub position: Position,
}

impl Head {
    pub(crate) fn new(position: Position, length: u32, payload: &[u8]) -> Self {
        Self { length, crc: checksum(length, position, payload), position }
    }

    pub(crate) fn to_bytes(self) -> [u8; HEAD] {
        let mut bytes = [0; HEAD];
        let fields = self.length.to_be_bytes().into_iter().chain(self.crc.to_be_bytes());
        for (to, from) in bytes.iter_mut().zip(fields.chain(self.position.to_be_bytes())) {
            *to = from;
        }
        bytes
    }

    pub(crate) fn from_bytes(bytes: [u8; HEAD]) -> Self {
        let number = u128::from_be_bytes(bytes);
        Self { length: (number >> 96) as u32, crc: (number >> 64) as u32, position: number as u64 }
    }

    pub(crate) fn covers(&self, payload: &[u8]) -> bool {
        checksum(self.length, self.position, payload) == self.crc
    }

    /// Bytes that the whole record takes.
    pub(crate) fn span(&self) -> u64 {
        HEAD as u64 + u64::from(self.length)
    }
}

/// Puts a whole record into `buffer`, in the place of what it held.
pub(crate) fn encode(buffer: &mut Vec<u8>, position: Position, payload: &[u8], limit: usize) -> Result<(), Error> {
    let too_large = || Error::TooLarge { size: payload.len(), limit };
    let length = u32::try_from(payload.len()).map_err(|_| too_large())?;
    if payload.len() > limit {
        return Err(too_large());
    }
    buffer.clear();
    buffer.reserve(HEAD + payload.len());
    buffer.extend_from_slice(&Head::new(position, length, payload).to_bytes());
    buffer.extend_from_slice(payload);
    Ok(())
}

fn checksum(length: u32, position: Position, payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&length.to_be_bytes());
    hasher.update(&position.to_be_bytes());
    hasher.update(payload);
    hasher.finalize()
}

/// A part's file name: parts sort by age.
pub(crate) fn part_name(age: u64, owner: u64) -> String {
    format!("{age:020}-{owner:016x}.part")
}

/// The age that a part's file name tells; `None` for other files.
pub(crate) fn part_age(name: &str) -> Option<u64> {
    let (age, owner) = name.strip_suffix(".part")?.split_once('-')?;
    let (age, owner) = (age.parse().ok()?, u64::from_str_radix(owner, 16).ok()?);
    (part_name(age, owner) == name).then_some(age)
}

/// A segment's file name.
pub(crate) fn segment_name(first: Position) -> String {
    format!("{first:020}.seg")
}

/// The position that a segment's file name tells; `None` for other files.
pub(crate) fn segment_position(name: &str) -> Option<Position> {
    let first = name.strip_suffix(".seg")?.parse().ok()?;
    (segment_name(first) == name).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_comes_back_and_covers_only_its_own_record() {
        let head = Head::new(77, 5, b"hello");
        assert_eq!(Head::from_bytes(head.to_bytes()), head);
        assert!(head.covers(b"hello"));
        assert!(!head.covers(b"hellO"));
        assert!(!Head { position: 78, ..head }.covers(b"hello"));
        assert!(!Head::from_bytes([0; HEAD]).covers(b""));
    }

    #[test]
    fn only_segment_names_are_taken_for_segments() {
        assert_eq!(segment_position(&segment_name(1234)), Some(1234));
        for other in ["lock", "1.seg", "0000000000000000000x.seg", "00000000000000000001.seg.bak"] {
            assert_eq!(segment_position(other), None);
        }
    }

    #[test]
    fn only_part_names_are_taken_for_parts() {
        assert_eq!(part_age(&part_name(1234, u64::MAX)), Some(1234));
        for other in ["lock", "1-1.part", "00000000000000001234-000000000000000A.part", "x.part", ".part", "-.part"] {
            assert_eq!(part_age(other), None);
        }
    }
}
