//! A worker of NGINX: a bounded queue of numbered requests in front of the shipper.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::time::Duration;

use collector::model::{Id, Micros};
use fastrand::Rng;
use shipper::simulation::SimNet;
use shipper::{Batch, Clock, Options, Pushed, Shipper};
use wire::{Event, EventTime, NodeReport, Seq, TAG_NODE};

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
    pub instance: [u8; 8],
    pub shipper: Shipper<SimNet>,
    queue: VecDeque<Request>,
    capacity: usize,
    /// Every request that got a number.
    pub requests: Vec<Request>,
    /// Of them, those that found the queue full.
    pub dropped: Vec<Id>,
    pulled: u64,
}

const DAY: i64 = 86_400_000_000;

impl Worker {
    pub fn new(net: &SimNet, rng: &mut Rng, address: &shipper::Address) -> Self {
        let instance = rng.u64(..).to_be_bytes();
        let mut options = Options::new(vec![address.clone()], instance);
        options.batch_size = rng.usize(1..60);
        options.batch_interval = Duration::from_millis(rng.u64(1..2000));
        options.batch_bytes = rng.usize(500..20_000);
        options.max_held = rng.usize(2000..100_000);
        let shipper = Shipper::new(net.clone(), options, rng.u64(..), net.now());
        let capacity = rng.usize(20..400);
        let (queue, requests, dropped) = (VecDeque::new(), Vec::new(), Vec::new());
        Self { instance, shipper, queue, capacity, requests, dropped, pulled: 0 }
    }

    /// So many requests end now.
    pub fn serve(&mut self, count: u64, now: Micros, rng: &mut Rng) {
        for _ in 0..count {
            let number = self.requests.len() as u64;
            let mut id = [0; 16];
            id[..8].copy_from_slice(&self.instance);
            id[8..].copy_from_slice(&number.to_be_bytes());
            let (kind, age) = match rng.u32(0..100) {
                0 => (Kind::TooOld, 30 * DAY),
                1 => (Kind::Broken, 0),
                2..20 => (Kind::Kept, DAY),
                20..25 => (Kind::Kept, 2 * DAY),
                _ => (Kind::Kept, rng.i64(0..1_000_000)),
            };
            let request = Request { id: Id(id), number, kind, start: Micros(now.0 - age) };
            self.requests.push(request);
            if self.queue.len() < self.capacity {
                self.queue.push_back(request);
            } else {
                self.dropped.push(request.id);
            }
        }
    }

    /// One step of the flusher.
    pub fn step(&mut self, net: &SimNet) {
        let Self { shipper, queue, pulled, instance, .. } = self;
        shipper.step(net.now(), &mut |batch| pull(batch, queue, pulled, *instance));
    }

    /// The worker tells of itself.
    pub fn report(&mut self, now: Micros) {
        let report = NodeReport { v: 1, instance: self.instance, ..NodeReport::default() };
        let mut record = Vec::new();
        report.encode(&mut record).expect("a report can be encoded");
        self.shipper.report(TAG_NODE, EventTime::from_micros(now.0 as u64), &record);
    }

    /// Ends in order, within `time`. How many events it gives up, by its own count.
    pub fn end(&mut self, net: &SimNet, time: Duration) -> u64 {
        let Self { shipper, queue, pulled, instance, .. } = self;
        let deadline = net.now() + time;
        let left = shipper.finish(net, deadline, &mut |batch| pull(batch, queue, pulled, *instance));
        (left.events + self.queue.len()) as u64
    }

    /// Whether everything is acknowledged.
    pub fn is_done(&self) -> bool {
        self.queue.is_empty() && self.shipper.left().events == 0
    }

    /// How many events it believes to be safe.
    pub fn acked(&self) -> u64 {
        self.shipper.counters().acked_events.load(Ordering::Relaxed)
    }

    pub fn resent(&self) -> u64 {
        self.shipper.counters().resent_chunks.load(Ordering::Relaxed)
    }

    /// Each pulled event is acknowledged or held, and counted so.
    pub fn check(&self) -> Result<(), String> {
        let (acked, held) = (self.acked(), self.shipper.left().events as u64);
        if acked + held == self.pulled {
            return Ok(());
        }
        Err(format!("of {} events taken from the queue {acked} are acknowledged and {held} held", self.pulled))
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
