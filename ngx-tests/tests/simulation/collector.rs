//! A machine with a collector, and the collector's way from a connection to the store, as its threads go it, in one
//! thread.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::{Duration, Instant};

use collector::apply::{Applier, ClockGuard, MemoryAside, Seen};
use collector::ingest::{Connection, Journal};
use collector::metrics::Metrics;
use collector::model::{Id, Micros};
use collector::nodes::Nodes;
use collector::store::{Position, Store};
use fastrand::Rng;
use shipper::Address;
use shipper::simulation::{SimNet, SimPeer};
use spool::{Log, Options, Reader, Record};
use wire::{Entries, Frame, TAG_SESSIONS, write_ack};

use crate::damage::Damage;
use crate::disk::PlantedDisk;
use crate::plant::Plant;
use crate::promises::Promises;
use crate::store::SimStore;

/// Small, so that segments come and go within a schedule.
const LOG: Options = Options { segment_bytes: 4000, retain_bytes: 0, max_record: 1 << 20, start: 0 };
/// Nothing more is taken while so many bytes wait for the store.
const UNAPPLIED: u64 = 20_000;
/// Bytes of the log at most, when all of it is in the store.
pub const LOG_AT_REST: u64 = LOG.segment_bytes + 12_000;

/// What outlives the process.
pub struct Machine {
    pub address: Address,
    pub disk: PlantedDisk,
    pub store: Arc<SimStore>,
    /// How far the wall clock is off, in microseconds.
    pub clock_error: i64,
    /// What the guard of the clock left.
    seen: Seen,
    pub process: Option<Process>,
    /// It does nothing until then.
    pub stalled: Instant,
    /// The store takes nothing until then.
    pub store_stalled: Instant,
    /// How often a wrong ack goes out, as a chance.
    pub wrong_acks: f64,
    /// What was damaged of its log.
    pub damage: Damage,
    plant: Plant,
}

/// Now, by its clocks.
#[derive(Clone, Copy)]
pub struct Now {
    pub wall: Micros,
    pub monotonic: Duration,
}

pub struct Process {
    journal: Journal<PlantedDisk>,
    reader: Reader<PlantedDisk>,
    applier: Applier<MemoryAside>,
    store: Arc<SimStore>,
    guard: ClockGuard,
    applied: Position,
    pub metrics: Arc<Metrics>,
    open: Vec<Open>,
    next: u64,
    plant: Plant,
}

/// A connection of a worker.
struct Open {
    ticket: u64,
    peer: SimPeer,
    connection: Connection,
    /// The frames that were not answered yet.
    waiting: VecDeque<Waiting>,
    last_acked: String,
}

struct Waiting {
    chunk: String,
    ids: Vec<Id>,
}

/// Why the process ended.
pub struct Died(pub String);

impl<E: std::error::Error> From<E> for Died {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

impl Machine {
    pub fn new(address: Address, disk_seed: u64, now: Instant, plant: Plant) -> Self {
        Self {
            address,
            disk: PlantedDisk::of_collector(disk_seed, plant),
            store: Arc::new(SimStore::new(plant)),
            clock_error: 0,
            seen: Seen::default(),
            process: None,
            stalled: now,
            store_stalled: now,
            wrong_acks: 0.0,
            damage: Damage::default(),
            plant,
        }
    }

    /// Starts the process on what disk and store hold. Tells how many bytes of the log's end were cut.
    pub fn start(&mut self, now: Now) -> Result<u64, Died> {
        let (process, cut) = Process::start(self, now)?;
        self.seen = process.guard.seen().clone();
        self.process = Some(process);
        self.damage.told += u64::from(cut > 0);
        Ok(cut)
    }

    /// Its process is gone.
    pub fn bury(&mut self) {
        self.damage.told += self.process.take().map_or(0, |process| process.metrics.log_damages.get());
    }

    /// Whether it was ever said that its log is damaged, or its end torn.
    pub fn has_told_damage(&self) -> bool {
        let now = self.process.as_ref().map_or(0, |process| process.metrics.log_damages.get());
        self.damage.told + now > 0
    }

    /// Looks at the clock, and lets go of what need not be kept.
    pub fn maintain(&mut self, now: Now) -> Result<(), Died> {
        let Some(process) = &mut self.process else { return Ok(()) };
        process.guard.look(now.wall, now.monotonic);
        self.seen = process.guard.seen().clone();
        process.maintain()
    }
}

impl Process {
    fn start(machine: &Machine, now: Now) -> Result<(Self, u64), Died> {
        let metrics = Arc::new(Metrics::default());
        let store = Arc::clone(&machine.store);
        let resume = store.resume()?;
        let start = resume.days.values().copied().fold(resume.complete, Position::max);
        let (log, recovery) = Log::open(machine.disk.clone(), Options { start, ..LOG })?;
        let journal = Journal::new(log, Arc::clone(&metrics));
        let reader = journal.reader();
        let guard = ClockGuard::new(machine.seen.clone(), store.newest(), false, now.wall, now.monotonic);
        let today = guard.today();
        let (nodes, aside) = (Arc::new(Nodes::default()), MemoryAside::default());
        let applied = resume.complete;
        let applier = Applier::new(Arc::<SimStore>::clone(&store), resume, nodes, Arc::clone(&metrics), aside, today);
        let (open, next, plant) = (Vec::new(), 0, machine.plant);
        let process = Self { journal, reader, applier, store, guard, applied, metrics, open, next, plant };
        Ok((process, recovery.cut_bytes))
    }

    /// Accepts, reads, and appends the frames that are whole.
    pub fn receive(
        &mut self,
        net: &SimNet,
        address: &Address,
        wall: Micros,
        promises: &mut Promises,
    ) -> Result<(), Died> {
        while let Some(peer) = net.accept(address) {
            let (connection, waiting, last_acked) = Default::default();
            self.open.push(Open { ticket: self.next, peer, connection, waiting, last_acked });
            self.next += 1;
        }
        if self.journal.end().saturating_sub(self.applied) > UNAPPLIED {
            return Ok(());
        }
        let (journal, plant) = (&mut self.journal, self.plant);
        let mut died = None;
        self.open.retain_mut(|open| match open.receive(journal, wall, plant, promises) {
            Ok(stays) => stays,
            Err(death) => {
                died = Some(death);
                false
            }
        });
        died.map_or(Ok(()), Err)
    }

    /// Syncs the log and answers. What is promised to be safe by that goes to `promised`.
    pub fn sync(&mut self, promised: &mut Vec<Id>) -> Result<(), Died> {
        if self.plant == Plant::AckBeforeSync {
            self.open.iter_mut().for_each(|open| while open.durable() {});
        } else {
            for ticket in self.journal.sync()? {
                if let Some(open) = self.open.iter_mut().find(|open| open.ticket == ticket) {
                    open.durable();
                }
            }
        }
        self.open.iter_mut().for_each(|open| open.answer(promised));
        if self.plant == Plant::AckBeforeSync {
            self.journal.sync()?;
        }
        Ok(())
    }

    /// Sends what no sound collector does: on one connection something that acknowledges nothing.
    pub fn mislead(&mut self, rng: &mut Rng) {
        if self.open.is_empty() {
            return;
        }
        let at = rng.usize(0..self.open.len());
        let ends = self.open[at].mislead(rng, self.plant);
        if ends {
            self.open.swap_remove(at);
        }
    }

    /// Applies some of what is durable.
    pub fn apply(&mut self, rng: &mut Rng) -> Result<(), Died> {
        for record in self.read(rng.usize(0..5000))? {
            self.applier.take(&record)?;
        }
        if rng.bool() {
            self.flush()?;
        }
        Ok(())
    }

    /// Applies everything that is durable.
    pub fn apply_all(&mut self) -> Result<(), Died> {
        loop {
            let records = self.read(100_000)?;
            if records.is_empty() {
                return self.flush();
            }
            for record in &records {
                self.applier.take(record)?;
            }
        }
    }

    /// What comes next in the log. Damage is passed over.
    fn read(&mut self, max_bytes: usize) -> Result<Vec<Record>, Died> {
        loop {
            let position = self.applier.position();
            match self.reader.read_from(position, max_bytes) {
                Err(error) if error.is_damage() => {
                    let damage = self.reader.damage_at(position)?;
                    self.applier.pass_over(damage.bytes);
                }
                read => return Ok(read?),
            }
        }
    }

    fn flush(&mut self) -> Result<(), Died> {
        self.applier.flush()?;
        self.applied = self.applier.position();
        Ok(())
    }

    /// Makes the store safe and removes what the log need not keep.
    fn maintain(&mut self) -> Result<(), Died> {
        self.applier.forget_old(self.guard.today())?;
        let complete = match self.plant {
            Plant::ReleaseBeforeCheckpoint => self.store.position(),
            _ => self.store.checkpoint()?,
        };
        Ok(self.journal.release(complete)?)
    }

    pub fn log_bytes(&self) -> u64 {
        self.metrics.log_bytes.get()
    }
}

impl Open {
    /// Whether the connection stays open.
    fn receive(
        &mut self,
        journal: &mut Journal<PlantedDisk>,
        wall: Micros,
        plant: Plant,
        promises: &mut Promises,
    ) -> Result<bool, Died> {
        loop {
            match self.peer.read() {
                Ok(bytes) if bytes.is_empty() => return Ok(false),
                Ok(bytes) => self.connection.receive(&bytes),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
                Err(error) => return Err(error.into()),
            }
            while let Some(frame) = self.connection.next_frame()? {
                let (mut chunk, ids) = (frame.chunk.clone().unwrap_or_default(), ids(&frame));
                if plant == Plant::AnotherChunkId {
                    chunk = format!("{chunk} on connection {}", self.ticket);
                }
                promises.came(&chunk, &ids);
                let waiting = Waiting { chunk, ids };
                match journal.append(&frame, wall, self.ticket) {
                    Ok(()) => self.waiting.push_back(waiting),
                    Err(error) if journal.has_failed() => return Err(error.into()),
                    Err(_) if plant == Plant::AckRefused => {
                        self.waiting.push_back(waiting);
                        self.connection.durable();
                    }
                    // The disk is full: the sender is sent away and comes again.
                    Err(_) => return Ok(false),
                }
            }
        }
    }

    fn durable(&mut self) -> bool {
        let waits = self.connection.waiting() > 0;
        self.connection.durable();
        waits
    }

    fn answer(&mut self, promised: &mut Vec<Id>) {
        let (answers, _) = self.connection.take_answers();
        while self.waiting.len() > self.connection.waiting()
            && let Some(Waiting { chunk, ids }) = self.waiting.pop_front()
        {
            promised.extend(ids);
            self.last_acked = chunk;
        }
        if !answers.is_empty() {
            self.peer.write(&answers);
        }
    }

    /// Whether the connection ends with it.
    fn mislead(&mut self, rng: &mut Rng, plant: Plant) -> bool {
        let mut answer = Vec::new();
        let kind = rng.u32(0..4);
        match kind {
            // A chunk that nobody sent.
            0 => match self.waiting.back() {
                Some(Waiting { chunk, .. }) if plant == Plant::BelieveWrongAcks => write_ack(&mut answer, chunk),
                _ => write_ack(&mut answer, "0000000000000000-0-00000000"),
            },
            // Once more what was acknowledged.
            1 => write_ack(&mut answer, &self.last_acked),
            // A part of an ack, and then the end.
            2 => {
                write_ack(&mut answer, &self.last_acked);
                answer.truncate(rng.usize(1..answer.len()));
            }
            // No ack at all.
            _ => answer.push(0xc1),
        }
        self.peer.write(&answer);
        kind == 2
    }
}

/// The requests in a frame, whether they can be read or not.
pub fn ids(frame: &Frame) -> Vec<Id> {
    if frame.tag == TAG_SESSIONS { ids_in(&frame.stream) } else { Vec::new() }
}

/// Those in a chunk's entries.
pub fn ids_in(stream: &[u8]) -> Vec<Id> {
    /// The name of the field and the head of its value, 16 bytes.
    const FIELD: [u8; 5] = [0xa2, b'i', b'd', 0xc4, 16];
    let id_of = |record: &[u8]| {
        let at = record.windows(FIELD.len()).position(|window| window == FIELD)?;
        record.get(at + FIELD.len()..)?.first_chunk().map(|id| Id(*id))
    };
    Entries::new(stream).filter_map(Result::ok).filter_map(|entry| id_of(entry.record)).collect()
}
