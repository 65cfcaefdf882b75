//! Seeded schedules of everything that goes wrong between a node and a collector.

mod collector;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::time::Duration;

use collector::{Arrival, Collector, Node, address};
use fastrand::Rng;
use shipper::Clock;
use shipper::simulation::Faults;
use wire::{EventTime, TAG_NODE};

struct Schedule {
    rng: Rng,
    node: Node,
    collector: Collector,
    /// Acks that the collector owes.
    owed: Vec<Arrival>,
    acks_given: f64,
    wrong_acks: f64,
    chunks: BTreeMap<String, Vec<u8>>,
    down: bool,
}

const MAX_HELD: usize = 8000;

impl Schedule {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let (batch, zstd) = (rng.usize(1..40), rng.u32(0..8) == 0);
        let node = Node::new(seed, |options| {
            options.batch_size = batch;
            options.zstd = zstd;
            options.max_held = MAX_HELD;
            options.addresses = vec![address(1)];
        });
        let collector = Collector::new(&node.net, &address(1));
        let (owed, chunks) = (Vec::new(), BTreeMap::new());
        Self { rng, node, collector, owed, acks_given: 1.0, wrong_acks: 0.0, chunks, down: false }
    }

    fn change_weather(&mut self) {
        let rng = &mut self.rng;
        let mut rarely = |chance: f64| if rng.f64() < 0.3 { rng.f64() * chance } else { 0.0 };
        let faults = Faults {
            refuse: rarely(1.0),
            hang: rarely(0.5),
            cut: rarely(0.2),
            swallow: rarely(0.5),
            latency: Duration::from_millis((rarely(1.0) * 500.0) as u64),
            ..Faults::default()
        };
        self.acks_given = 1.0 - rarely(1.0);
        self.wrong_acks = rarely(0.3);
        let window = if self.rng.bool() { 0 } else { self.rng.usize(1..3000) };
        self.node.net.set_faults(Faults { window, ..faults });
        if self.rng.f64() < 0.2 && !self.down {
            self.collector.die();
            self.owed.clear();
            self.down = true;
        } else if self.down && self.rng.bool() {
            self.clear_up();
        }
    }

    fn clear_up(&mut self) {
        if self.down {
            self.collector.come_back();
            self.down = false;
        }
    }

    fn tick(&mut self) {
        let events = if self.rng.f64() < 0.2 { self.rng.u64(0..60) } else { 0 };
        self.node.add(events);
        if self.rng.f64() < 0.02 {
            let mut report = Vec::new();
            collector::record(&mut report, 0, 100);
            self.node.shipper.report(TAG_NODE, EventTime::default(), &report);
        }
        self.node.step();
        self.check_nothing_is_lost();
        for arrival in self.collector.receive() {
            self.check_arrival(&arrival);
            if self.rng.f64() < self.acks_given {
                self.owed.push(arrival);
            }
        }
        // Acks leave late and in any order.
        while !self.owed.is_empty() && self.rng.f64() < 0.7 {
            let arrival = self.owed.swap_remove(self.rng.usize(0..self.owed.len()));
            self.collector.ack(arrival.connection, &arrival.chunk);
        }
        if self.rng.f64() < self.wrong_acks {
            let mut wrong = Vec::new();
            wire::write_ack(&mut wrong, "no chunk of yours");
            self.collector.send(if self.rng.f64() < 0.1 { b"HTTP/1.1 400 Bad Request\r\n" } else { &wrong });
        }
        let pause = self.rng.u64(1..120);
        self.node.net.advance(Duration::from_millis(pause));
    }

    fn check_nothing_is_lost(&self) {
        let acked = self.node.shipper.counters().acked_events.load(Ordering::Relaxed);
        let held = self.node.shipper.left().events as u64;
        assert_eq!(acked + held, self.node.pulled, "each pulled event is acknowledged or held");
        let bytes = self.node.shipper.held_bytes();
        assert!(bytes <= MAX_HELD + 4000, "{bytes} bytes are held");
    }

    fn check_arrival(&mut self, arrival: &Arrival) {
        let known = self.chunks.entry(arrival.chunk.clone()).or_insert_with(|| arrival.stream.clone());
        assert_eq!(*known, arrival.stream, "a chunk id stands for the same bytes for ever");
        if let Some(&connections) = self.collector.processed.get(&arrival.chunk) {
            assert!(arrival.connection < connections, "{} came again after its ack was read", arrival.chunk);
        }
    }

    fn run(&mut self) {
        for _ in 0..self.rng.usize(3..12) {
            self.change_weather();
            for _ in 0..self.rng.usize(10..150) {
                self.tick();
            }
        }
        // The weather clears up: everything must come through.
        self.clear_up();
        self.node.net.set_faults(Faults::default());
        (self.acks_given, self.wrong_acks) = (1.0, 0.0);
        let end = self.node.net.now() + Duration::from_secs(30);
        while self.node.net.now() < end {
            self.tick();
        }
        let rest = self.node.added();
        while self.node.shipper.left().events > 0 || !self.node.queue.is_empty() {
            self.node.step();
            self.check_nothing_is_lost();
            self.collector.serve();
            self.node.net.advance(Duration::from_millis(50));
            assert!(
                self.node.net.now() < end + Duration::from_secs(60),
                "no progress after the faults ended: {:?}",
                self.node.shipper.counters()
            );
        }
        let arrived: BTreeSet<u64> = self.collector.events().into_iter().collect();
        assert_eq!(arrived, (0..rest).collect(), "each event arrived");
    }
}

#[test]
fn every_pulled_event_arrives_whatever_the_network_does() {
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse().ok());
    let from: u64 = number("SEED_FROM").unwrap_or(0);
    let count: u64 = number("SEED_COUNT").unwrap_or(100);
    for seed in from..from + count {
        let run = std::panic::catch_unwind(|| Schedule::new(seed).run());
        if run.is_err() {
            panic!("schedule {seed} failed; repeat it with SEED_FROM={seed} SEED_COUNT=1 cargo test -p shipper");
        }
    }
}
