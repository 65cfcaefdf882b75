//! The state machine: pull, close, send, take acks, store what does not go, and again.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fastrand::Rng;
use spool::{Disk, OsDisk};
use wire::{Compressor, EventTime, read_ack, write_packed};

use crate::batch::Batch;
use crate::link::Link;
use crate::outbox::{Chunk, Kind, Outbox};
use crate::spooled::{Spool, SpoolOptions, SpoolStatus};
use crate::{Address, Clock, Conn, Counters, Net, Options};

/// How often to look at the connection while something is under way.
const POLL: Duration = Duration::from_millis(5);
/// How often to look at the connection when nothing is, to see that it was closed.
const IDLE_POLL: Duration = Duration::from_secs(1);
/// Batches that one step closes at most, so that it ends.
const BATCHES_A_STEP: usize = 4;
/// Acks are small; what comes is read in pieces of this size.
const READ_SIZE: usize = 256;
/// A chunk of which nothing could be sent for so long goes to the spool.
const STORE_AFTER: Duration = Duration::from_secs(1);
/// Chunks that one step stores at most, so that it ends.
const STORED_A_STEP: usize = 8;

/// How the way to the collector changed. To be logged, once for each change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// The collector there takes chunks.
    Connected {
        /// Where it is.
        address: Address,
        /// One before it, which does not; `None` when it is the first.
        instead_of: Option<Failure>,
    },
    /// No address works, the last one tried for this reason. It goes on being tried.
    Unreachable(Failure),
}

/// An address that does not work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Which one.
    pub address: String,
    /// Why not.
    pub reason: String,
}

/// What a step leaves to the caller.
#[derive(Clone, Debug)]
pub struct Step {
    /// When to call again at the latest; earlier when there are events.
    pub wake: Instant,
    /// What to log.
    pub change: Option<Status>,
    /// What to log of the spool.
    pub spool: Option<SpoolStatus>,
}

/// What a shipper that had to end could neither deliver nor store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Left {
    /// Chunks without ack.
    pub chunks: usize,
    /// Events in them and in the open batch.
    pub events: usize,
}

/// How long an orderly end may take.
#[derive(Clone, Copy, Debug)]
pub struct Until {
    /// Sending is given up then.
    pub sending: Instant,
    /// Storing is given up then: at once when a disk works, and a disk that hangs holds up no end.
    pub storing: Instant,
}

/// Ships events to a collector. One thread owns it.
pub struct Shipper<N: Net, D: Disk = OsDisk> {
    options: Options,
    link: Link<N>,
    batch: Batch,
    outbox: Outbox,
    /// `None` without one: what the collector does not take waits in memory alone.
    spool: Option<Spool<D>>,
    /// Bytes of an ack that is not complete.
    inbox: Vec<u8>,
    /// When the connection last took a byte, or had none to take.
    moved: Instant,
    /// Number of the next chunk.
    chunk: u64,
    rng: Rng,
    draining: bool,
    counters: Arc<Counters>,
}

impl<N: Net, D: Disk> Shipper<N, D> {
    /// A shipper that begins to connect at its first step. Chunk ids and pauses follow from `seed`:
    /// a random one in each process, a known one in a simulation.
    pub fn new(net: N, options: Options, seed: u64, now: Instant) -> Self {
        let mut rng = Rng::with_seed(seed);
        let counters = Arc::new(Counters::default());
        let compressor = options.zstd.then(Compressor::new).flatten();
        Self {
            link: Link::new(net, &options, rng.fork(), Arc::clone(&counters), now),
            options,
            batch: Batch::new(compressor, now),
            outbox: Outbox::default(),
            spool: None,
            inbox: Vec::new(),
            moved: now,
            chunk: 0,
            rng,
            draining: false,
            counters,
        }
    }

    /// Lets it keep on `disk` what the collector does not take.
    pub fn with_spool(mut self, disk: D, options: SpoolOptions, now: Instant) -> Self {
        let owner = u64::from_be_bytes(self.options.instance);
        self.spool = Some(Spool::new(disk, options, owner, now, self.counters()));
        self
    }

    /// Counters and gauges, for any thread.
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.counters)
    }

    /// Bytes in the open batch and in chunks without ack.
    pub fn held_bytes(&self) -> usize {
        self.batch.bytes() + self.outbox.bytes()
    }

    /// Does all that can be done now.
    ///
    /// `pull` adds the next event to the batch; it gives false when there is none now. It may use up
    /// an event without adding one.
    pub fn step(&mut self, now: Instant, pull: &mut dyn FnMut(&mut Batch) -> bool) -> Step {
        let wake = self.advance(now, pull);
        let change = self.link.take_change(self.outbox.has_no_events(), now);
        Step { wake, change, spool: self.take_spool_change() }
    }

    /// The next of what changed of the spool, to be logged. A step gives one; an end may leave several.
    pub fn take_spool_change(&mut self) -> Option<SpoolStatus> {
        self.spool.as_mut().and_then(Spool::take_change)
    }

    /// Does all that can be done now, and says when to come again.
    fn advance(&mut self, now: Instant, pull: &mut dyn FnMut(&mut Batch) -> bool) -> Instant {
        let mut more = false;
        for _ in 0..BATCHES_A_STEP {
            more = self.collect(now, pull);
            self.exchange(now);
            self.store(now);
            if !more {
                break;
            }
        }
        if let Some(spool) = &mut self.spool {
            spool.look(now);
        }
        self.show_gauges();
        if more { now } else { self.next_wake(now) }
    }

    /// Hands over a report of this node: one encoded map, shipped under another tag before the events
    /// that wait. Only the newest one without ack is kept.
    pub fn report(&mut self, tag: &str, time: EventTime, record: &[u8]) {
        let id = self.next_chunk_id();
        let mut entry = Vec::new();
        wire::write_entry(&mut entry, time, record);
        let mut frame = Vec::with_capacity(entry.len() + 128);
        write_packed(&mut frame, tag, &entry, &id, 1);
        if frame.len() <= wire::MAX_FRAME {
            // Its time tells no more than that it is new.
            self.outbox.push_report(Chunk::new(id, frame, 0, Kind::Report, self.moved));
        }
    }

    /// From now on no batch waits for more events: the end is near, and little shall be left for it.
    pub fn hasten(&mut self) {
        self.draining = true;
    }

    /// Ends in order: pulls what there is, closes the batch at once, and goes on until everything is
    /// acknowledged, or it is time to give that up; with a spool, until the connection is lost. What is not
    /// acknowledged then goes to the spool. Returns what could be neither delivered nor stored in time; what changed
    /// of the spool meanwhile is there [to be taken](Self::take_spool_change).
    pub fn finish(&mut self, clock: &impl Clock, until: Until, pull: &mut dyn FnMut(&mut Batch) -> bool) -> Left {
        self.hasten();
        loop {
            let now = clock.now();
            let wake = self.advance(now, pull);
            let left = self.left();
            if left == Left::default() && wake > now {
                return left;
            }
            let can_store = self.spool.as_ref().is_some_and(|spool| spool.is_ready(now));
            if now >= until.sending || can_store && wake > now && !self.link.is_up() {
                return self.store_all(clock, until.storing, pull);
            }
            clock.sleep(wake.min(until.sending).saturating_duration_since(now));
        }
    }

    /// What would be lost now.
    pub fn left(&self) -> Left {
        Left { chunks: self.outbox.chunks(), events: self.outbox.events() + self.batch.events() }
    }

    /// The end, as far as the collector is concerned.
    fn store_all(&mut self, clock: &impl Clock, deadline: Instant, pull: &mut dyn FnMut(&mut Batch) -> bool) -> Left {
        // Whether it has what was sent is not known: it will tell by the chunk's id.
        self.outbox.restart();
        loop {
            let (before, now) = (self.left(), clock.now());
            self.collect(now, pull);
            self.store(now);
            if self.left() == before || now >= deadline {
                self.show_gauges();
                return self.left();
            }
        }
    }

    /// Moves to the spool what waits too long to be sent, or takes too much memory.
    fn store(&mut self, now: Instant) {
        let Some(spool) = self.spool.as_mut().filter(|spool| spool.is_ready(now)) else { return };
        // Half of it is for what is under way.
        let short = self.outbox.bytes() + self.batch.bytes() > self.options.max_held / 2;
        let must_go = |chunk: &&Chunk| short || self.draining || now >= chunk.ready + STORE_AFTER;
        let chunks = self.outbox.waiting().take_while(must_go).take(STORED_A_STEP);
        let stored = spool.store(chunks, now);
        for _ in 0..stored {
            let Some(chunk) = self.outbox.take_waiting() else { break };
            Counters::add(&self.counters.spooled_events, chunk.events);
            self.batch.recycle(chunk.frame);
        }
        if self.draining && stored == 0 {
            // For others: an old worker with a long request may go on for hours. Not at once: each time makes a part.
            spool.leave();
        }
    }

    /// Sends again what is on disk: one chunk at a time, and only when no other is to be written.
    fn fetch(&mut self, now: Instant) {
        let Some(spool) = self.spool.as_mut().filter(|spool| spool.is_ready(now)) else { return };
        let busy = self.outbox.has_stored() || self.outbox.unwritten().is_some();
        if !busy
            && !self.draining
            && self.link.is_up()
            && let Some(chunk) = spool.next(now)
        {
            self.outbox.push(chunk);
        }
    }

    /// Fills the batch, and closes it when it is due. Whether there may be more to pull at once.
    fn collect(&mut self, now: Instant, pull: &mut dyn FnMut(&mut Batch) -> bool) -> bool {
        let mut dry = false;
        self.batch.begin(&self.options.tag, now, self.options.batch_interval);
        let room = self.options.max_held.saturating_sub(self.outbox.bytes());
        while !dry && !self.is_full() && self.batch.bytes() < room {
            dry = !pull(&mut self.batch);
        }
        Counters::add(&self.counters.oversized_events, self.batch.take_oversized());
        let full = self.is_full();
        let due = self.batch.due().is_some_and(|due| now >= due || self.draining);
        if full || due {
            self.close_batch(now);
        }
        full && !dry && self.held_bytes() < self.options.max_held
    }

    fn is_full(&self) -> bool {
        self.batch.events() >= self.options.batch_size || self.batch.bytes() >= self.options.batch_bytes
    }

    fn close_batch(&mut self, now: Instant) {
        let id = self.next_chunk_id();
        if let Some((mut frame, events)) = self.batch.close(&id) {
            if self.outbox.chunks() > 1 {
                // It will wait: what was reserved for growing is not needed meanwhile.
                frame.shrink_to_fit();
            }
            self.outbox.push(Chunk::new(id, frame, events, Kind::Live, now));
        }
    }

    /// Instance, number, and chance on top: unique even if an instance came twice.
    fn next_chunk_id(&mut self) -> String {
        let instance = u64::from_be_bytes(self.options.instance);
        let number = self.chunk;
        self.chunk += 1;
        format!("{instance:016x}-{number:x}-{:08x}", self.rng.u32(..))
    }

    /// Takes acks, then sends. A connection that fails is left to the link.
    fn exchange(&mut self, now: Instant) {
        let acks = self.take_acks(now);
        if acks.is_ok() && self.link.may_return() && self.outbox.is_settled() {
            self.link.go_back(now);
            self.inbox.clear();
        }
        if acks.is_ok() {
            self.fetch(now);
        }
        if let Err(reason) = acks.and_then(|()| self.send(now)) {
            self.link.lost(&reason, now);
            self.outbox.restart();
            self.inbox.clear();
            self.moved = now;
        }
    }

    fn take_acks(&mut self, now: Instant) -> Result<(), String> {
        let mut piece = [0; READ_SIZE];
        loop {
            let Some(conn) = self.link.conn(now) else { return Ok(()) };
            match conn.read(&mut piece) {
                Ok(0) => return Err("the collector closed the connection".to_owned()),
                Ok(read) => self.inbox.extend_from_slice(piece.get(..read).unwrap_or_default()),
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => break,
                    ErrorKind::Interrupted => continue,
                    _ => return Err(error.to_string()),
                },
            }
            self.read_inbox()?;
        }
        let expired = |since: Instant| now >= since + self.options.ack_timeout;
        if self.outbox.waiting_since().is_some_and(expired) {
            Counters::add(&self.counters.ack_timeouts, 1);
            return Err(format!("no ack within {:?}", self.options.ack_timeout));
        }
        Ok(())
    }

    fn read_inbox(&mut self) -> Result<(), String> {
        let mut at = 0;
        while let Some(rest) = self.inbox.get(at..).filter(|rest| !rest.is_empty()) {
            let Some((id, size)) = read_ack(rest).map_err(|e| format!("cannot read the collector's answer: {e}"))?
            else {
                break;
            };
            at += size;
            match self.outbox.take_acked(id) {
                None => Counters::add(&self.counters.unknown_acks, 1),
                Some(chunk) => {
                    self.link.prove();
                    if chunk.kind == Kind::Report {
                        Counters::add(&self.counters.acked_reports, 1);
                        continue;
                    }
                    Counters::add(&self.counters.acked_chunks, 1);
                    Counters::add(&self.counters.acked_events, chunk.events);
                    if chunk.kind == Kind::Stored {
                        Counters::add(&self.counters.fetched_events, chunk.events);
                    }
                    self.batch.recycle(chunk.frame);
                }
            }
        }
        self.inbox.drain(..at);
        Ok(())
    }

    fn send(&mut self, now: Instant) -> Result<(), String> {
        while let Some(bytes) = self.outbox.unwritten() {
            // One that takes connections and no chunks costs one chunk that is sent elsewhere too.
            let most = if self.link.is_on_trial() { 1 } else { self.options.max_unacked() };
            let enough = self.outbox.sent_bytes() >= most || self.link.may_return();
            if self.outbox.is_between_chunks() && enough {
                break;
            }
            let Some(conn) = self.link.conn(now) else {
                self.moved = now;
                return Ok(());
            };
            match conn.write(bytes) {
                Ok(0) => return Err("the connection takes no bytes".to_owned()),
                Ok(written) => {
                    self.moved = now;
                    if let Some(sent) = self.outbox.advance(written, now) {
                        Counters::add(&self.counters.resent_chunks, usize::from(sent.again && !sent.report));
                        Counters::add(&self.counters.sent_chunks, usize::from(!sent.report));
                        Counters::add(&self.counters.sent_events, sent.events);
                    }
                }
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock if now >= self.moved + self.options.ack_timeout => {
                        Counters::add(&self.counters.ack_timeouts, 1);
                        return Err(format!("no byte taken within {:?}", self.options.ack_timeout));
                    }
                    ErrorKind::WouldBlock => return Ok(()),
                    ErrorKind::Interrupted => {}
                    _ => return Err(error.to_string()),
                },
            }
        }
        self.moved = now;
        Ok(())
    }

    /// Leaves aside when something is due for the spool: it is no sooner than the next look at the connection.
    fn next_wake(&self, now: Instant) -> Instant {
        let look = now + if self.outbox.is_empty() { IDLE_POLL } else { POLL };
        let link = self.link.next_event(POLL, look, now);
        self.batch.due().map_or(link, |due| link.min(due))
    }

    fn show_gauges(&self) {
        let counters = &self.counters;
        Counters::gauge(&counters.unacked_chunks, self.outbox.chunks());
        Counters::gauge(&counters.unacked_events, self.outbox.events());
        Counters::gauge(&counters.open_events, self.batch.events());
        Counters::gauge(&counters.held_bytes, self.held_bytes());
    }
}
