//! Chunks without ack, in the order in which they leave.
//!
//! The first `sent` of them went out whole on the current connection and wait for their acks; the
//! next one may be half written. A lost connection makes all of them unsent again.

use std::collections::VecDeque;
use std::time::Instant;

/// A frame that waits for its ack.
#[derive(Debug)]
pub(crate) struct Chunk {
    pub id: String,
    pub frame: Vec<u8>,
    pub events: usize,
    pub kind: Kind,
    /// When it was ready to be sent.
    pub ready: Instant,
    sent_at: Option<Instant>,
    sent_before: bool,
}

/// What a chunk is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Events that are nowhere else.
    Live,
    /// Events that are on disk until the ack comes.
    Stored,
    /// A node report: only the newest is worth sending.
    Report,
}

impl Chunk {
    pub(crate) fn new(id: String, frame: Vec<u8>, events: usize, kind: Kind, ready: Instant) -> Self {
        Self { id, frame, events, kind, ready, sent_at: None, sent_before: false }
    }

    fn is_report(&self) -> bool {
        self.kind == Kind::Report
    }
}

/// What leaving a chunk behind means for the counters.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    pub events: usize,
    pub report: bool,
    pub again: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Outbox {
    chunks: VecDeque<Chunk>,
    /// How many of `chunks` were written whole on this connection.
    sent: usize,
    /// Bytes of the next one that were written.
    offset: usize,
    bytes: usize,
    /// Bytes of those that were sent.
    sent_bytes: usize,
    /// Live chunks, and events in them.
    live: usize,
    events: usize,
    reports: usize,
}

impl Outbox {
    pub(crate) fn push(&mut self, chunk: Chunk) {
        self.count(&chunk);
        self.chunks.push_back(chunk);
    }

    /// A node report goes before the events that wait, and in place of older reports that wait.
    pub(crate) fn push_report(&mut self, chunk: Chunk) {
        let next = self.untouched();
        self.remove_reports(next, self.chunks.len());
        self.count(&chunk);
        self.chunks.insert(next.min(self.chunks.len()), chunk);
    }

    /// What is to be written next.
    pub(crate) fn unwritten(&self) -> Option<&[u8]> {
        self.chunks.get(self.sent)?.frame.get(self.offset..)
    }

    /// `written` more bytes went out. Tells when that ended a chunk.
    pub(crate) fn advance(&mut self, written: usize, now: Instant) -> Option<Sent> {
        self.offset += written;
        let chunk = self.chunks.get_mut(self.sent)?;
        if self.offset < chunk.frame.len() {
            return None;
        }
        self.offset = 0;
        self.sent += 1;
        self.sent_bytes += chunk.frame.len();
        chunk.sent_at = Some(now);
        let again = std::mem::replace(&mut chunk.sent_before, true);
        Some(Sent { events: chunk.events, report: chunk.is_report(), again })
    }

    /// Whether the next chunk was not begun.
    pub(crate) fn is_between_chunks(&self) -> bool {
        self.offset == 0
    }

    /// Whether no byte went out on this connection that waits for an ack.
    pub(crate) fn is_settled(&self) -> bool {
        self.untouched() == 0
    }

    /// Bytes of chunks that wait for their acks.
    pub(crate) fn sent_bytes(&self) -> usize {
        self.sent_bytes
    }

    /// Whether a chunk from the disk is among them.
    pub(crate) fn has_stored(&self) -> bool {
        self.chunks.len() > self.live + self.reports
    }

    /// Live chunks of which no byte went out on this connection, the oldest first.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = &Chunk> {
        self.chunks.iter().skip(self.untouched()).filter(|chunk| chunk.kind == Kind::Live)
    }

    /// Gives out the first of them.
    pub(crate) fn take_waiting(&mut self) -> Option<Chunk> {
        let from = self.untouched();
        let at = self.chunks.iter().skip(from).position(|chunk| chunk.kind == Kind::Live)?;
        let chunk = self.chunks.remove(from + at)?;
        self.uncount(&chunk);
        Some(chunk)
    }

    /// The first chunk of which no byte was written.
    fn untouched(&self) -> usize {
        self.sent + usize::from(self.offset > 0)
    }

    /// Gives out the chunk that an ack names, if it was sent on this connection.
    pub(crate) fn take_acked(&mut self, id: &str) -> Option<Chunk> {
        let at = self.chunks.iter().take(self.sent).position(|chunk| chunk.id == id)?;
        self.sent -= 1;
        let chunk = self.chunks.remove(at)?;
        self.sent_bytes -= chunk.frame.len();
        self.uncount(&chunk);
        Some(chunk)
    }

    /// The connection is gone: everything is to be sent again, of the reports only the newest.
    pub(crate) fn restart(&mut self) {
        self.sent = 0;
        self.sent_bytes = 0;
        self.offset = 0;
        if let Some(newest) = self.chunks.iter().rposition(Chunk::is_report) {
            self.remove_reports(0, newest);
        }
    }

    /// When the chunk that waits longest for its ack was sent.
    pub(crate) fn waiting_since(&self) -> Option<Instant> {
        // Chunks are sent in order, so the first is the oldest.
        self.chunks.front().filter(|_| self.sent > 0)?.sent_at
    }

    /// Whether nothing waits, reports aside.
    pub(crate) fn has_no_events(&self) -> bool {
        self.chunks.len() == self.reports
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// Live chunks.
    pub(crate) fn chunks(&self) -> usize {
        self.live
    }

    /// Events in them.
    pub(crate) fn events(&self) -> usize {
        self.events
    }

    /// Bytes of all frames.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Removes the reports at `from..to`, none of which may be written or half written.
    fn remove_reports(&mut self, from: usize, to: usize) {
        for at in (from..to).rev() {
            if self.chunks.get(at).is_some_and(Chunk::is_report)
                && let Some(chunk) = self.chunks.remove(at)
            {
                self.uncount(&chunk);
            }
        }
    }

    fn count(&mut self, chunk: &Chunk) {
        self.bytes += chunk.frame.len();
        match chunk.kind {
            Kind::Report => self.reports += 1,
            Kind::Stored => {}
            Kind::Live => {
                self.live += 1;
                self.events += chunk.events;
            }
        }
    }

    fn uncount(&mut self, chunk: &Chunk) {
        self.bytes -= chunk.frame.len();
        match chunk.kind {
            Kind::Report => self.reports -= 1,
            Kind::Stored => {}
            Kind::Live => {
                self.live -= 1;
                self.events -= chunk.events;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(id: &str, kind: Kind) -> Chunk {
        Chunk::new(id.into(), vec![0; 10], usize::from(kind != Kind::Report), kind, Instant::now())
    }

    fn send_one(outbox: &mut Outbox) {
        assert_eq!(outbox.advance(4, Instant::now()), None);
        assert!(outbox.advance(6, Instant::now()).is_some());
    }

    fn ids(outbox: &Outbox) -> Vec<&str> {
        outbox.chunks.iter().map(|chunk| chunk.id.as_str()).collect()
    }

    #[test]
    fn acks_count_only_for_what_this_connection_sent() {
        let mut outbox = Outbox::default();
        outbox.push(chunk("a", Kind::Live));
        outbox.push(chunk("b", Kind::Live));
        assert!(outbox.take_acked("a").is_none());
        send_one(&mut outbox);
        assert!(outbox.take_acked("b").is_none());
        outbox.restart();
        assert!(outbox.take_acked("a").is_none());
        send_one(&mut outbox);
        send_one(&mut outbox);
        assert!(outbox.take_acked("b").is_some());
        assert!(outbox.take_acked("a").is_some());
        assert!(outbox.take_acked("a").is_none());
        assert!(outbox.is_empty());
        assert_eq!((outbox.bytes(), outbox.sent_bytes(), outbox.events()), (0, 0, 0));
    }

    #[test]
    fn only_live_chunks_of_which_nothing_went_out_may_go_to_the_disk() {
        let mut outbox = Outbox::default();
        for (id, kind) in [("a", Kind::Live), ("b", Kind::Live), ("s", Kind::Stored), ("c", Kind::Live)] {
            outbox.push(chunk(id, kind));
        }
        outbox.push_report(chunk("r", Kind::Report));
        let waiting = |outbox: &Outbox| outbox.waiting().map(|chunk| chunk.id.clone()).collect::<Vec<_>>();
        assert_eq!(ids(&outbox), ["r", "a", "b", "s", "c"]);
        assert_eq!(waiting(&outbox), ["a", "b", "c"]);
        send_one(&mut outbox);
        send_one(&mut outbox);
        outbox.advance(1, Instant::now());
        assert_eq!((waiting(&outbox), outbox.sent_bytes()), (vec!["c".to_owned()], 20));
        assert!(outbox.has_stored() && !outbox.is_between_chunks());
        assert_eq!(outbox.take_waiting().map(|chunk| chunk.id).as_deref(), Some("c"));
        assert!(outbox.take_waiting().is_none());
        outbox.restart();
        assert_eq!((waiting(&outbox), outbox.sent_bytes()), (vec!["a".to_owned(), "b".to_owned()], 0));
        assert_eq!((outbox.chunks(), outbox.events(), outbox.bytes()), (2, 2, 40));
    }

    #[test]
    fn a_report_passes_the_events_that_wait_and_replaces_older_ones() {
        let mut outbox = Outbox::default();
        outbox.push(chunk("a", Kind::Live));
        outbox.push(chunk("b", Kind::Live));
        outbox.push_report(chunk("r1", Kind::Report));
        outbox.push_report(chunk("r2", Kind::Report));
        assert_eq!(ids(&outbox), ["r2", "a", "b"]);
        send_one(&mut outbox);
        outbox.advance(1, Instant::now());
        outbox.push_report(chunk("r3", Kind::Report));
        // The half-written chunk is ended first; the report that was sent waits for its ack.
        assert_eq!(ids(&outbox), ["r2", "a", "r3", "b"]);
        outbox.restart();
        assert_eq!(ids(&outbox), ["a", "r3", "b"]);
        assert_eq!((outbox.chunks(), outbox.events(), outbox.bytes()), (2, 2, 30));
    }
}
