//! The collector's way from a connection to the store, as its threads go it, in one thread.

use std::collections::{BTreeSet, VecDeque};
use std::io::ErrorKind;
use std::sync::Arc;

use collector::apply::{Applier, MemoryAside};
use collector::ingest::{Connection, Journal};
use collector::metrics::Metrics;
use collector::model::{Id, Micros};
use collector::nodes::Nodes;
use collector::store::Store;
use fastrand::Rng;
use shipper::Address;
use shipper::simulation::{SimNet, SimPeer};
use spool::simulation::SimDisk;
use spool::{Log, Options, Reader};
use wire::{Event, Frame};

use crate::store::SimStore;
use crate::world::Plant;

/// Small, so that segments come and go within a schedule.
const LOG: Options = Options { segment_bytes: 4000, retain_bytes: 0, max_record: 1 << 20, start: 0 };

pub struct Server {
    journal: Journal<SimDisk>,
    reader: Reader<SimDisk>,
    applier: Applier<MemoryAside>,
    store: Arc<SimStore>,
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
    /// The ids in each frame that was not answered yet.
    waiting: VecDeque<Vec<Id>>,
}

/// Why the process ended.
pub struct Died(pub String);

impl<E: std::error::Error> From<E> for Died {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

impl Server {
    /// Starts on what disk and store hold. Also tells how many bytes of the log's end were cut.
    pub fn start(disk: &SimDisk, store: Arc<SimStore>, now: Micros, plant: Plant) -> Result<(Self, u64), Died> {
        let metrics = Arc::new(Metrics::default());
        let (log, recovery) = Log::open(disk.clone(), LOG)?;
        let journal = Journal::new(log, Arc::clone(&metrics));
        let reader = journal.reader();
        let (shared, nodes) = (Arc::clone(&store), Arc::new(Nodes::default()));
        let aside = MemoryAside::default();
        let applier = Applier::new(shared, store.resume()?, nodes, Arc::clone(&metrics), aside, now.day());
        let server = Self { journal, reader, applier, store, metrics, open: Vec::new(), next: 0, plant };
        Ok((server, recovery.cut_bytes))
    }

    /// Accepts, reads, and appends the frames that are whole.
    pub fn receive(&mut self, net: &SimNet, address: &Address, now: Micros) -> Result<(), Died> {
        while let Some(peer) = net.accept(address) {
            let ticket = self.next;
            self.next += 1;
            self.open.push(Open { ticket, peer, connection: Connection::default(), waiting: VecDeque::new() });
        }
        let journal = &mut self.journal;
        let mut died = None;
        self.open.retain_mut(|open| match open.receive(journal, now, self.plant) {
            Ok(stays) => stays,
            Err(death) => {
                died = Some(death);
                false
            }
        });
        died.map_or(Ok(()), Err)
    }

    /// Syncs the log and answers. The ids that are promised to be safe by that go to `promised`.
    pub fn sync(&mut self, promised: &mut BTreeSet<Id>) -> Result<(), Died> {
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

    /// Applies some of what is durable.
    pub fn apply(&mut self, rng: &mut Rng) -> Result<(), Died> {
        for record in self.reader.read_from(self.applier.position(), rng.usize(0..5000))? {
            self.applier.take(&record)?;
        }
        if rng.bool() {
            self.applier.flush()?;
        }
        Ok(())
    }

    /// Makes the store safe and removes what the log need not keep.
    pub fn checkpoint(&mut self) -> Result<(), Died> {
        let complete = match self.plant {
            Plant::ReleaseBeforeCheckpoint => self.store.position(),
            _ => self.store.checkpoint()?,
        };
        Ok(self.journal.release(complete)?)
    }

    /// Applies everything that is durable.
    pub fn apply_all(&mut self) -> Result<(), Died> {
        loop {
            let records = self.reader.read_from(self.applier.position(), 100_000)?;
            if records.is_empty() {
                return Ok(self.applier.flush()?);
            }
            for record in &records {
                self.applier.take(record)?;
            }
        }
    }
}

impl Open {
    /// Whether the connection stays open.
    fn receive(&mut self, journal: &mut Journal<SimDisk>, now: Micros, plant: Plant) -> Result<bool, Died> {
        loop {
            match self.peer.read() {
                Ok(bytes) if bytes.is_empty() => return Ok(false),
                Ok(bytes) => self.connection.receive(&bytes),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
                Err(error) => return Err(error.into()),
            }
            while let Some(frame) = self.connection.next_frame()? {
                let ids = ids(&frame);
                match journal.append(&frame, now, self.ticket) {
                    Ok(()) => self.waiting.push_back(ids),
                    Err(error) if journal.has_failed() => return Err(error.into()),
                    Err(_) if plant == Plant::AckRefused => {
                        self.waiting.push_back(ids);
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

    fn answer(&mut self, promised: &mut BTreeSet<Id>) {
        let (answers, _) = self.connection.take_answers();
        while self.waiting.len() > self.connection.waiting() {
            promised.extend(self.waiting.pop_front().into_iter().flatten());
        }
        if !answers.is_empty() {
            self.peer.write(&answers);
        }
    }
}

/// The requests in a frame, as far as they can be read.
fn ids(frame: &Frame) -> Vec<Id> {
    let events = frame.entries().filter_map(Result::ok);
    events.filter_map(|entry| Event::decode(entry.record).ok().map(|event| Id(event.id))).collect()
}
