//! One connection of a node, without its socket: bytes in, frames out, answers back.

use std::collections::VecDeque;

use wire::{Frame, FrameError, FrameReader};

use crate::metrics::CloseReason;

/// State of a connection.
///
/// The caller gives it bytes ([`receive`](Self::receive)), takes frames
/// ([`next_frame`](Self::next_frame)), says in the same order which of them are durable
/// ([`durable`](Self::durable)), and sends what is to be sent ([`take_answers`](Self::take_answers)).
#[derive(Debug, Default)]
pub struct Connection {
    reader: FrameReader,
    /// Chunk ids of the frames taken that are not durable yet.
    waiting: VecDeque<Option<String>>,
    answers: Vec<u8>,
    acked: u64,
}

/// Why a connection has to end.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Closed {
    /// The reason as it is counted.
    pub reason: CloseReason,
    /// The reason as it is told.
    pub message: String,
}

impl Connection {
    /// Takes bytes in as they came.
    pub fn receive(&mut self, bytes: &[u8]) {
        self.reader.push(bytes);
    }

    /// How many bytes the next whole frame may take once it is unpacked, when there is one.
    pub fn next_size(&mut self) -> Result<Option<usize>, Closed> {
        self.reader.next_size().map_err(unreadable)
    }

    /// The next whole frame, when there is one.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, Closed> {
        let frame = self.reader.next_frame().map_err(unreadable)?;
        if let Some(frame) = &frame {
            self.waiting.push_back(frame.chunk.clone());
        }
        Ok(frame)
    }

    /// The oldest frame taken is durable, or needs not be kept: it may be acknowledged.
    pub fn durable(&mut self) {
        if let Some(Some(chunk)) = self.waiting.pop_front() {
            wire::write_ack(&mut self.answers, &chunk);
            self.acked += 1;
        }
    }

    /// Bytes to send, and how many acks they hold.
    pub fn take_answers(&mut self) -> (Vec<u8>, u64) {
        (std::mem::take(&mut self.answers), std::mem::take(&mut self.acked))
    }

    /// Frames taken that are not durable yet.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Bytes that are kept because their frame is not whole.
    pub fn buffered(&self) -> usize {
        self.reader.buffered()
    }

    /// The sender will send nothing more.
    pub fn end(&self) -> Result<(), Closed> {
        match self.reader.buffered() {
            0 => Ok(()),
            bytes => Err(Closed {
                reason: CloseReason::Truncated,
                message: format!("the connection ended within a frame, after {bytes} bytes of it"),
            }),
        }
    }
}

fn unreadable(error: FrameError) -> Closed {
    let reason = match error {
        FrameError::Oversized { .. } | FrameError::Inflated => CloseReason::TooLarge,
        FrameError::TooManyEntries => CloseReason::TooManyEntries,
        _ => CloseReason::Malformed,
    };
    Closed { reason, message: error.to_string() }
}

#[cfg(test)]
mod tests {
    use wire::{EventTime, MAX_FRAME, write_entry, write_packed};

    use super::*;

    fn frame(chunk: &str) -> Vec<u8> {
        let mut entries = Vec::new();
        write_entry(&mut entries, EventTime::default(), &[0x80]);
        let mut frame = Vec::new();
        write_packed(&mut frame, "wallarm.sessions", &entries, chunk, 1);
        frame
    }

    #[test]
    fn a_chunk_is_answered_after_it_is_durable_and_in_order() {
        let mut connection = Connection::default();
        connection.receive(&[frame("a"), frame("b")].concat());
        assert!(connection.next_frame().unwrap().is_some());
        assert!(connection.next_frame().unwrap().is_some());
        assert!(connection.next_frame().unwrap().is_none());
        assert_eq!(connection.take_answers(), (Vec::new(), 0));
        connection.durable();
        let (answers, acks) = connection.take_answers();
        assert_eq!(wire::read_ack(&answers).unwrap(), Some(("a", answers.len())));
        assert_eq!((acks, connection.waiting()), (1, 1));
        connection.durable();
        assert_eq!(wire::read_ack(&connection.take_answers().0).unwrap().unwrap().0, "b");
    }

    #[test]
    fn a_frame_without_chunk_is_taken_and_not_answered() {
        let mut connection = Connection::default();
        connection.receive(&[0x93, 0xa1, b't', 0x00, 0x80]);
        assert_eq!(connection.next_frame().unwrap().unwrap().tag, "t");
        connection.durable();
        assert_eq!(connection.take_answers(), (Vec::new(), 0));
    }

    #[test]
    fn what_cannot_be_read_on_closes_with_a_reason() {
        for (bytes, reason) in [
            (&b"GET / HTTP/1.1\r\n\r\n"[..], CloseReason::Malformed),
            (b"\xc1", CloseReason::Malformed),
            (b"\x93\xa1t\xc6\xff\xff\xff\xff", CloseReason::TooLarge),
            (&[&b"\x92\xa1t\xc6\x00\x02\x00\x00"[..], &[0; 0x2_0000]].concat(), CloseReason::TooManyEntries),
        ] {
            let mut connection = Connection::default();
            connection.receive(bytes);
            assert_eq!(connection.next_frame().unwrap_err().reason, reason);
        }
        let mut connection = Connection::default();
        connection.receive(&frame("a")[..20]);
        assert!(connection.next_frame().unwrap().is_none());
        assert_eq!(connection.end().unwrap_err().reason, CloseReason::Truncated);
        assert!(Connection::default().end().is_ok());
        assert!(connection.buffered() < MAX_FRAME);
    }
}
