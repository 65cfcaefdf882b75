//! A worker of NGINX: a bounded queue of numbered requests in front of the shipper.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use collector::model::{Id, Micros};
use fastrand::Rng;
use shipper::simulation::SimNet;
use shipper::{Address, Batch, Clock, Options, Pushed, Shipper, SpoolOptions, SpoolStatus, Until};
use wire::{Event, EventTime, NodeReport, Seq, TAG_NODE};

use crate::disk::PlantedDisk;
use crate::plant::Plant;

/// What a request is, to the collector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// To be stored.
    Kept,
    /// From before the days that are kept: acknowledged, counted, not stored.
    TooOld,
    /// A record that cannot be read: set aside.
    Broken,
}

/// A request that was numbered.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    pub id: Id,
    pub kind: Kind,
    pub number: u64,
    start: Micros,
}

pub struct Worker {
    shipper: Shipper<SimNet, PlantedDisk>,
    queue: VecDeque<Request>,
    capacity: usize,
    pub past: Past,
    pulled: u64,
    max_held: usize,
    plant: Plant,
    /// It does nothing until then.
    pub stalled: Instant,
}

/// What is known of a worker, also when it has gone.
#[derive(Clone, Debug, Default)]
pub struct Past {
    /// The same in the ids of all its requests, and in those of no other.
    pub serial: u64,
    pub instance: [u8; 8],
    /// Every request that got a number.
    pub requests: Vec<Request>,
    /// Whether each of them found the queue full.
    pub dropped: Vec<bool>,
    pub counts: Counts,
    /// Events that it took along.
    pub left: u64,
}

/// What its shipper counted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    pub resent: u64,
    pub unknown_acks: u64,
    pub spooled: u64,
    pub fetched: u64,
    /// Removed from the spool, unsent.
    pub spool_full: u64,
    pub spool_damaged: u64,
    /// How often damage was told.
    pub damage_told: u64,
}

/// Where workers keep what the collector does not take, and how much of it.
#[derive(Clone)]
pub struct NodeSpool {
    pub disk: PlantedDisk,
    pub max_bytes: u64,
}

/// Where and when a worker begins.
pub struct Birth<'a> {
    pub net: &'a SimNet,
    pub collectors: Vec<Address>,
    pub spool: Option<&'a NodeSpool>,
    /// By the node's clock.
    pub wall: Micros,
    pub serial: u64,
    /// Who had its place before.
    pub before: Option<[u8; 8]>,
    pub plant: Plant,
}

const DAY: i64 = 86_400_000_000;
/// Bytes of a batch at most, and of what may be held beside the bound: one event, one chunk that came from the
/// disk, some reports.
const BATCH_BYTES: usize = 8_000;
const BESIDE: usize = 2 * BATCH_BYTES;

impl Worker {
    pub fn new(rng: &mut Rng, birth: Birth) -> Self {
        let Birth { net, collectors, spool, wall, serial, before, plant } = birth;
        let drawn = rng.u64(..).to_be_bytes();
        let instance = if plant == Plant::SameInstance { before.unwrap_or(drawn) } else { drawn };
        let mut options = Options::new(collectors, instance);
        options.batch_size = rng.usize(1..40);
        options.batch_interval = Duration::from_millis(rng.u64(1..2000));
        options.batch_bytes = rng.usize(500..BATCH_BYTES);
        let max_held = rng.usize(2000..50_000);
        options.max_held = max_held;
        options.zstd = rng.u32(0..32) == 0;
        options.ack_timeout = Duration::from_millis(rng.u64(1000..10_000));
        options.connect_timeout = Duration::from_millis(rng.u64(500..5000));
        options.return_interval = Duration::from_millis(rng.u64(500..10_000));
        match plant {
            Plant::HoldTooMuch => options.max_held = 1 << 24,
            Plant::WaitForever => options.ack_timeout = Duration::from_secs(1_000_000),
            _ => {}
        }
        let mut shipper = Shipper::new(net.clone(), options, rng.u64(..), net.now());
        if let Some(NodeSpool { disk, max_bytes }) = spool {
            let options = SpoolOptions { max_bytes: *max_bytes, wall: wall.0 as u64 };
            shipper = shipper.with_spool(disk.clone(), options, net.now());
        }
        let (queue, capacity, stalled) = (VecDeque::new(), rng.usize(20..200), net.now());
        let past = Past { serial, instance, ..Past::default() };
        Self { shipper, queue, capacity, past, pulled: 0, max_held, plant, stalled }
    }

    /// So many requests end now, by the node's clock.
    pub fn serve(&mut self, count: u64, wall: Micros, rng: &mut Rng) {
        for _ in 0..count {
            let number = self.past.requests.len() as u64;
            let mut id = [0; 16];
            id[..8].copy_from_slice(&self.past.serial.to_be_bytes());
            id[8..].copy_from_slice(&number.to_be_bytes());
            let (kind, age) = match rng.u32(0..100) {
                0 => (Kind::TooOld, 90 * DAY),
                1 => (Kind::Broken, 0),
                2..20 => (Kind::Kept, DAY),
                20..25 => (Kind::Kept, 2 * DAY),
                _ => (Kind::Kept, rng.i64(0..1_000_000)),
            };
            let request = Request { id: Id(id), number, kind, start: Micros(wall.0 - age) };
            let full = self.queue.len() >= self.capacity;
            self.past.requests.push(request);
            self.past.dropped.push(full);
            if !full {
                self.queue.push_back(request);
            }
        }
    }

    /// One step of the flusher.
    pub fn step(&mut self, net: &SimNet) {
        let Self { shipper, queue, pulled, past, .. } = self;
        let step = shipper.step(net.now(), &mut |batch| pull(batch, queue, pulled, past.instance));
        self.hear(step.spool.as_ref());
    }

    /// Counts what is told of damage.
    fn hear(&mut self, change: Option<&SpoolStatus>) {
        let told = matches!(change, Some(SpoolStatus::Damaged { .. })) && self.plant != Plant::HideDamage;
        self.past.counts.damage_told += u64::from(told);
    }

    /// The worker tells of itself.
    pub fn report(&mut self, wall: Micros) {
        let report = NodeReport { v: 1, instance: self.past.instance, ..NodeReport::default() };
        let mut record = Vec::new();
        report.encode(&mut record).expect("a report can be encoded");
        self.shipper.report(TAG_NODE, EventTime::from_micros(wall.0 as u64), &record);
    }

    /// Ends in order, within `time`.
    pub fn end(mut self, net: &SimNet, time: Duration) -> Past {
        let Self { shipper, queue, pulled, past, .. } = &mut self;
        let sending = net.now() + time;
        let until = Until { sending, storing: sending + time };
        shipper.finish(net, until, &mut |batch| pull(batch, queue, pulled, past.instance));
        while let Some(change) = self.shipper.take_spool_change() {
            self.hear(Some(&change));
        }
        self.bury()
    }

    /// Ends it, in whatever way: what is in memory and the locks are gone.
    pub fn bury(self) -> Past {
        let (counts, left) = (self.counts(), self.in_memory());
        Past { counts, left, ..self.past }
    }

    /// Events that are nowhere else, as far as it knows.
    pub fn in_memory(&self) -> u64 {
        (self.shipper.left().events + self.queue.len()) as u64
    }

    /// How many events of its own it believes to be safe in the collector, not by way of the disk.
    pub fn acked(&self) -> u64 {
        let counters = self.shipper.counters();
        counters.acked_events.load(Ordering::Relaxed) - counters.fetched_events.load(Ordering::Relaxed)
    }

    pub fn counts(&self) -> Counts {
        let counters = self.shipper.counters();
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let hides = self.plant == Plant::HideDamage;
        Counts {
            resent: of(&counters.resent_chunks),
            unknown_acks: of(&counters.unknown_acks),
            spooled: of(&counters.spooled_events),
            fetched: of(&counters.fetched_events),
            spool_full: of(&counters.spool_full_events)
                * match self.plant {
                    Plant::GapNotCounted => 0,
                    Plant::GapCountedTwice => 2,
                    _ => 1,
                },
            spool_damaged: if hides { 0 } else { of(&counters.spool_damaged_events) },
            ..self.past.counts
        }
    }

    /// What it must keep to at any time: each event that it took is acknowledged, held or on disk, and counted so;
    /// and it holds no more than it may.
    pub fn check(&self) -> Result<(), String> {
        let (acked, held) = (self.acked(), self.shipper.left().events as u64);
        let spooled = self.shipper.counters().spooled_events.load(Ordering::Relaxed);
        let (pulled, bytes) = (self.pulled, self.shipper.held_bytes());
        if acked + held + spooled != pulled {
            return Err(format!(
                "of {pulled} events taken from the queue {acked} are acknowledged, {held} held and {spooled} on disk"
            ));
        }
        if bytes > self.max_held + BESIDE {
            return Err(format!("a worker that may hold {} bytes holds {bytes}", self.max_held));
        }
        Ok(())
    }
}

fn pull(batch: &mut Batch, queue: &mut VecDeque<Request>, pulled: &mut u64, instance: [u8; 8]) -> bool {
    let Some(request) = queue.pop_front() else { return false };
    let time = EventTime::from_micros(request.start.0 as u64);
    let event = Event {
        id: request.id.0,
        seq: Some(Seq { instance, number: request.number }),
        node: "simulated".into(),
        sid: [request.number as u8 % 5; 16],
        method: "GET".into(),
        path: "/".into(),
        status: 200,
        ..Event::default()
    };
    let pushed = batch.push(time, |out| match request.kind {
        Kind::Broken => encode_broken(out, &event),
        _ => {
            event.encode(out);
            true
        }
    });
    assert_eq!(pushed, Pushed::Kept);
    *pulled += 1;
    true
}

/// The event with a status that is no number; its `seq` can still be read.
fn encode_broken(out: &mut Vec<u8>, event: &Event) -> bool {
    let mut sound = Vec::new();
    event.encode(&mut sound);
    let mut map = rmpv::decode::read_value(&mut sound.as_slice()).expect("an event is MessagePack");
    if let rmpv::Value::Map(fields) = &mut map {
        for (name, value) in fields {
            if name.as_str() == Some("status") {
                *value = "two hundred".into();
            }
        }
    }
    rmpv::encode::write_value(out, &map).is_ok()
}
