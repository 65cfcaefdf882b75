//! What one record of the log holds: a frame's entries, and all that is needed to apply them.

use crate::model::Micros;

/// First byte of a record; another one is another form.
const FORM: u8 = 1;

/// One frame as it is kept in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogEntry<'a> {
    /// When it was received.
    pub received: Micros,
    /// What kind of records it holds.
    pub tag: &'a str,
    /// Concatenated Forward entries.
    pub stream: &'a [u8],
}

/// A record of the log that this version did not write.
#[derive(Debug, thiserror::Error)]
#[error("the log record at {position} is of an unknown form, written by another version")]
pub struct NotAnEntry {
    /// Where it is.
    pub position: u64,
}

impl<'a> LogEntry<'a> {
    /// Writes it into `out`, which is emptied first. A tag is cut at 64 KiB.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let tag = self.tag.get(..usize::from(u16::MAX)).unwrap_or(self.tag);
        let length = u16::try_from(tag.len()).unwrap_or(0);
        let tag = if length == 0 { "" } else { tag };
        out.clear();
        out.reserve(11 + tag.len() + self.stream.len());
        out.push(FORM);
        out.extend_from_slice(&self.received.0.to_be_bytes());
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(tag.as_bytes());
        out.extend_from_slice(self.stream);
    }

    /// Reads what [`encode`](Self::encode) wrote; `position` is only told in the error.
    pub fn decode(bytes: &'a [u8], position: u64) -> Result<Self, NotAnEntry> {
        let read = || {
            let (&form, rest) = bytes.split_first()?;
            let (received, rest) = rest.split_first_chunk()?;
            let (length, rest) = rest.split_first_chunk()?;
            let (tag, stream) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
            let entry =
                Self { received: Micros(i64::from_be_bytes(*received)), tag: std::str::from_utf8(tag).ok()?, stream };
            (form == FORM).then_some(entry)
        };
        read().ok_or(NotAnEntry { position })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_back() {
        for tag in ["", "wallarm.sessions"] {
            let entry = LogEntry { received: Micros(-5), tag, stream: b"\x92\x00\x80" };
            let mut bytes = vec![7];
            entry.encode(&mut bytes);
            assert_eq!(LogEntry::decode(&bytes, 0).unwrap(), entry);
        }
    }

    #[test]
    fn another_form_is_an_error_that_names_the_place() {
        for bytes in [&b""[..], b"\x01", b"\x02\0\0\0\0\0\0\0\0\0\0", b"\x01\0\0\0\0\0\0\0\0\0\x05abc"] {
            assert!(LogEntry::decode(bytes, 42).unwrap_err().to_string().contains("42"));
        }
    }
}
