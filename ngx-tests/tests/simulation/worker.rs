//! A worker of NGINX: a bounded queue of numbered requests in front of the shipper.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::time::Duration;

use collector::model::{Id, Micros};
use fastrand::Rng;
use shipper::simulation::SimNet;
use shipper::{Batch, Clock, Options, Pushed, Shipper, SpoolOptions, Until};
use wire::{Event, EventTime, NodeReport, Seq, TAG_NODE};

use crate::node_disk::NodeDisk;

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
    pub number: u64,
    pub kind: Kind,
    start: Micros,
}

pub struct Worker {
    pub shipper: Shipper<SimNet, NodeDisk>,
    queue: VecDeque<Request>,
    capacity: usize,
    pub past: Past,
    pulled: u64,
}

/// What is known of a worker, also when it has gone.
#[derive(Clone, Debug, Default)]
pub struct Past {
    pub instance: [u8; 8],
    /// Every request that got a number.
    pub requests: Vec<Request>,
    /// Of them, those that found the queue full.
    pub dropped: Vec<Id>,
    pub counts: Counts,
}

/// What its shipper counted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    pub resent: u64,
    pub spooled: u64,
    pub fetched: u64,
    /// Removed from the spool, unsent.
    pub spool_full: u64,
    pub spool_damaged: u64,
}

/// Where workers keep what the collector does not take, and how much of it.
#[derive(Clone)]
pub struct NodeSpool {
    pub disk: NodeDisk,
    pub max_bytes: u64,
}

const DAY: i64 = 86_400_000_000;

impl Worker {
    pub fn new(
        net: &SimNet,
        rng: &mut Rng,
        address: &shipper::Address,
        spool: Option<&NodeSpool>,
        now: Micros,
    ) -> Self {
        let instance = rng.u64(..).to_be_bytes();
        let mut options = Options::new(vec![address.clone()], instance);
        options.batch_size = rng.usize(1..60);
        options.batch_interval = Duration::from_millis(rng.u64(1..2000));
        options.batch_bytes = rng.usize(500..20_000);
        options.max_held = rng.usize(2000..100_000);
        options.zstd = rng.u32(0..8) == 0;
        let mut shipper = Shipper::new(net.clone(), options, rng.u64(..), net.now());
        if let Some(NodeSpool { disk, max_bytes }) = spool {
            let options = SpoolOptions { max_bytes: *max_bytes, wall: now.0 as u64 };
            shipper = shipper.with_spool(disk.clone(), options, net.now());
        }
        let capacity = rng.usize(20..400);
        let past = Past { instance, ..Past::default() };
        Self { shipper, queue: VecDeque::new(), capacity, past, pulled: 0 }
    }

    /// So many requests end now.
    pub fn serve(&mut self, count: u64, now: Micros, rng: &mut Rng) {
        for _ in 0..count {
            let number = self.past.requests.len() as u64;
            let mut id = [0; 16];
            id[..8].copy_from_slice(&self.past.instance);
            id[8..].copy_from_slice(&number.to_be_bytes());
            let (kind, age) = match rng.u32(0..100) {
                0 => (Kind::TooOld, 30 * DAY),
                1 => (Kind::Broken, 0),
                2..20 => (Kind::Kept, DAY),
                20..25 => (Kind::Kept, 2 * DAY),
                _ => (Kind::Kept, rng.i64(0..1_000_000)),
            };
            let request = Request { id: Id(id), number, kind, start: Micros(now.0 - age) };
            self.past.requests.push(request);
            if self.queue.len() < self.capacity {
                self.queue.push_back(request);
            } else {
                self.past.dropped.push(request.id);
            }
        }
    }

    /// One step of the flusher.
    pub fn step(&mut self, net: &SimNet) {
        let Self { shipper, queue, pulled, past, .. } = self;
        shipper.step(net.now(), &mut |batch| pull(batch, queue, pulled, past.instance));
    }

    /// The worker tells of itself.
    pub fn report(&mut self, now: Micros) {
        let report = NodeReport { v: 1, instance: self.past.instance, ..NodeReport::default() };
        let mut record = Vec::new();
        report.encode(&mut record).expect("a report can be encoded");
        self.shipper.report(TAG_NODE, EventTime::from_micros(now.0 as u64), &record);
    }

    /// Ends in order, within `time`. How many events it gives up, by its own count.
    pub fn end(&mut self, net: &SimNet, time: Duration) -> u64 {
        let Self { shipper, queue, pulled, past, .. } = self;
        let sending = net.now() + time;
        let until = Until { sending, storing: sending + time };
        shipper.finish(net, until, &mut |batch| pull(batch, queue, pulled, past.instance));
        self.in_memory()
    }

    /// Events that are nowhere else, as far as it knows.
    pub fn in_memory(&self) -> u64 {
        (self.shipper.left().events + self.queue.len()) as u64
    }

    /// Ends it, in whatever way: what is in memory and the locks are gone.
    pub fn bury(self) -> Past {
        Past { counts: self.counts(), ..self.past }
    }

    /// How many events of its own it believes to be safe in the collector, not by way of the disk.
    pub fn acked(&self) -> u64 {
        let counters = self.shipper.counters();
        counters.acked_events.load(Ordering::Relaxed) - counters.fetched_events.load(Ordering::Relaxed)
    }

    pub fn counts(&self) -> Counts {
        let counters = self.shipper.counters();
        Counts {
            resent: counters.resent_chunks.load(Ordering::Relaxed),
            spooled: counters.spooled_events.load(Ordering::Relaxed),
            fetched: counters.fetched_events.load(Ordering::Relaxed),
            spool_full: counters.spool_full_events.load(Ordering::Relaxed),
            spool_damaged: counters.spool_damaged_events.load(Ordering::Relaxed),
        }
    }

    /// Each pulled event is acknowledged, held or on disk, and counted so.
    pub fn check(&self) -> Result<(), String> {
        let (acked, held) = (self.acked(), self.shipper.left().events as u64);
        let spooled = self.counts().spooled;
        if acked + held + spooled == self.pulled {
            return Ok(());
        }
        let pulled = self.pulled;
        Err(format!(
            "of {pulled} events taken from the queue {acked} are acknowledged, {held} held and {spooled} on disk"
        ))
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
