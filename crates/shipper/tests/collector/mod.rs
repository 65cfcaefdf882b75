//! A collector on the simulated network, and what a test wants to know from it.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::collections::{BTreeMap, VecDeque};
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use shipper::simulation::{SimNet, SimPeer};
use shipper::{Address, Batch, Clock, Options, Pushed, Shipper, SpoolOptions, SpoolStatus, Step, Until};
use spool::simulation::SimDisk;
use wire::{EventTime, FrameReader, TAG_NODE, write_ack};

pub fn address(port: u16) -> Address {
    Address::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
}

/// A frame that arrived.
#[derive(Clone, Debug, PartialEq)]
pub struct Arrival {
    pub tag: String,
    pub chunk: String,
    pub events: Vec<u64>,
    pub stream: Vec<u8>,
    /// On which connection, counted from 0.
    pub connection: usize,
}

struct Peer {
    peer: SimPeer,
    reader: FrameReader,
    number: usize,
    /// Chunks whose acks were written to it, not seen as read yet.
    acks: Vec<String>,
}

/// Takes chunks, and acknowledges them when told to.
pub struct Collector {
    net: SimNet,
    address: Address,
    peers: Vec<Peer>,
    pub connections: usize,
    pub arrivals: Vec<Arrival>,
    /// Chunks whose acks the shipper has read, and how many connections there were by then.
    pub processed: BTreeMap<String, usize>,
}

impl Collector {
    pub fn new(net: &SimNet, address: &Address) -> Self {
        net.listen(address);
        let (net, address) = (net.clone(), address.clone());
        Self { net, address, peers: Vec::new(), connections: 0, arrivals: Vec::new(), processed: BTreeMap::new() }
    }

    /// Notes which acks were read, accepts, and reads. Gives what arrived now.
    pub fn receive(&mut self) -> Vec<Arrival> {
        for peer in &mut self.peers {
            if peer.peer.all_read() {
                self.processed.extend(peer.acks.drain(..).map(|chunk| (chunk, self.connections)));
            }
        }
        while let Some(peer) = self.net.accept(&self.address) {
            let number = self.connections;
            self.peers.push(Peer { peer, reader: FrameReader::new(), number, acks: Vec::new() });
            self.connections += 1;
        }
        let mut arrived = Vec::new();
        self.peers.retain_mut(|peer| {
            loop {
                match peer.peer.read() {
                    Ok(bytes) if bytes.is_empty() => return false,
                    Ok(bytes) => peer.reader.push(&bytes),
                    Err(error) => {
                        assert_eq!(error.kind(), ErrorKind::WouldBlock);
                        return true;
                    }
                }
                while let Some(frame) = peer.reader.next_frame().expect("the shipper writes sound frames") {
                    let events = frame.entries().map(|entry| number(entry.unwrap().record)).collect();
                    let chunk = frame.chunk.clone().unwrap();
                    let connection = peer.number;
                    arrived.push(Arrival { tag: frame.tag, chunk, events, stream: frame.stream, connection });
                }
            }
        });
        self.arrivals.extend(arrived.iter().cloned());
        arrived
    }

    /// Acknowledges `chunk` on the connection it came on, if that is still there.
    pub fn ack(&mut self, connection: usize, chunk: &str) {
        let mut bytes = Vec::new();
        write_ack(&mut bytes, chunk);
        if let Some(peer) = self.peers.iter_mut().find(|peer| peer.number == connection) {
            peer.peer.write(&bytes);
            peer.acks.push(chunk.to_owned());
        }
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.peers.iter_mut().for_each(|peer| peer.peer.write(bytes));
    }

    /// Receives and acknowledges at once.
    pub fn serve(&mut self) {
        for arrival in self.receive() {
            self.ack(arrival.connection, &arrival.chunk);
        }
    }

    /// Closes all connections in order.
    pub fn hang_up(&mut self) {
        self.peers.clear();
    }

    /// Dies: connections are cut, nobody listens.
    pub fn die(&mut self) {
        self.peers.clear();
        self.net.shut(&self.address);
    }

    pub fn come_back(&mut self) {
        self.net.listen(&self.address);
    }

    /// All events that arrived, each as often as it did.
    pub fn events(&self) -> Vec<u64> {
        self.session_arrivals().flat_map(|arrival| arrival.events.iter().copied()).collect()
    }

    pub fn session_arrivals(&self) -> impl Iterator<Item = &Arrival> {
        self.arrivals.iter().filter(|arrival| arrival.tag != TAG_NODE)
    }
}

/// A record that holds `number` and some ballast.
pub fn record(out: &mut Vec<u8>, number: u64, ballast: usize) {
    rmp::encode::write_map_len(out, 2).unwrap();
    rmp::encode::write_str(out, "n").unwrap();
    rmp::encode::write_u64(out, number).unwrap();
    rmp::encode::write_str(out, "b").unwrap();
    rmp::encode::write_bin(out, &vec![0; ballast]).unwrap();
}

fn number(record: &[u8]) -> u64 {
    // Behind the map's head, the key and the marker of the number.
    u64::from_be_bytes(record[4..12].try_into().unwrap())
}

/// A queue of numbered events in front of a shipper, on a simulated network.
pub struct Node {
    pub net: SimNet,
    pub shipper: Shipper<SimNet, SimDisk>,
    pub queue: VecDeque<u64>,
    pub pulled: u64,
    pub ballast: usize,
    next: u64,
    /// What the shipper said of its spool.
    pub said: Vec<SpoolStatus>,
}

impl Node {
    pub fn new(seed: u64, change: impl FnOnce(&mut Options)) -> Self {
        let net = SimNet::new(seed, Instant::now());
        Self::on(net, seed, change)
    }

    pub fn on(net: SimNet, seed: u64, change: impl FnOnce(&mut Options)) -> Self {
        let mut options = Options::new(vec![address(1)], seed.to_be_bytes());
        change(&mut options);
        let shipper = Shipper::new(net.clone(), options, seed, net.now());
        Self { net, shipper, queue: VecDeque::new(), pulled: 0, ballast: 20, next: 0, said: Vec::new() }
    }

    /// Lets it keep on `disk` what the collector does not take.
    pub fn with_spool(mut self, disk: &SimDisk, max_bytes: u64) -> Self {
        // Nodes that share a disk begin one after the other, and tests number their events so.
        let options = SpoolOptions { max_bytes, wall: self.next };
        self.shipper = self.shipper.with_spool(disk.clone(), options, self.net.now());
        self
    }

    /// Events from this one on.
    pub fn numbered_from(mut self, first: u64) -> Self {
        self.next = first;
        self
    }

    pub fn add(&mut self, events: u64) {
        self.queue.extend(self.next..self.next + events);
        self.next += events;
    }

    pub fn added(&self) -> u64 {
        self.next
    }

    /// Steps until the shipper wants to be left alone for a while.
    pub fn step(&mut self) -> Step {
        let Self { shipper, queue, pulled, ballast, net, said, .. } = self;
        let mut change = None;
        loop {
            let step = shipper.step(net.now(), &mut |batch: &mut Batch| pull(batch, queue, pulled, *ballast));
            change = step.change.or(change);
            said.extend(step.spool.clone());
            if step.wake > net.now() {
                return Step { change, ..step };
            }
        }
    }

    pub fn finish(&mut self, within: Duration) -> shipper::Left {
        let sending = self.net.now() + within;
        self.finish_until(Until { sending, storing: sending + Duration::from_secs(1) })
    }

    pub fn finish_until(&mut self, until: Until) -> shipper::Left {
        let Self { shipper, queue, pulled, ballast, net, said, .. } = self;
        let left = shipper.finish(net, until, &mut |batch: &mut Batch| pull(batch, queue, pulled, *ballast));
        said.extend(std::iter::from_fn(|| shipper.take_spool_change()));
        left
    }

    /// Steps, and lets `collector` act, until the network's clock has gone on by `time`.
    pub fn run(&mut self, time: Duration, mut collector: impl FnMut()) -> Vec<shipper::Status> {
        let end = self.net.now() + time;
        let mut changes = Vec::new();
        while self.net.now() < end {
            changes.extend(self.step().change);
            collector();
            self.net.advance(Duration::from_millis(10));
        }
        changes
    }
}

fn pull(batch: &mut Batch, queue: &mut VecDeque<u64>, pulled: &mut u64, ballast: usize) -> bool {
    let Some(number) = queue.pop_front() else { return false };
    let time = EventTime { secs: number as u32, nanos: 0 };
    let pushed = batch.push(time, |out| {
        record(out, number, ballast);
        true
    });
    if pushed == Pushed::Kept {
        *pulled += 1;
    }
    true
}
