//! One schedule: workers of a node that end, are killed, or lose their machine, a collector that crashes and comes
//! back, and what must hold all the time.
//!
//! - A worker counts an event as safe only when the collector has promised it.
//! - In the end, when everything works again, every event that was not dropped is in the store
//!   exactly once, and those that are missing are as many as the workers counted: what they held in memory
//!   when they went, and what the spool had no room for.
//! - The spool stays within its limit, and is empty in the end.
//! - What the collector promised is in the store, whatever became of the worker.
//! - Work goes on after every fault.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use collector::metrics::AsideReason;
use collector::model::{Id, Micros};
use fastrand::Rng;
use shipper::simulation::{Faults, SimNet};
use shipper::{Address, Clock};
use spool::simulation::SimDisk;

use crate::node_disk::NodeDisk;
use crate::server::{Died, Server};
use crate::store::SimStore;
use crate::worker::{Counts, Kind, NodeSpool, Past, Worker};

/// A bug put in on purpose, to see that the schedules find it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plant {
    Nothing,
    AckBeforeSync,
    AckRefused,
    ReleaseBeforeCheckpoint,
    ForgetSeqs,
    /// The memory of a batch is given back before its bytes are on the node's disk.
    StoreWithoutSync,
    /// The same for the name of its file.
    ForgetNames,
    /// A part is read while another worker writes or reads it.
    TakeWhatOthersHave,
    /// A part is removed when it is read, not when it is acknowledged.
    RemoveBeforeAck,
    /// Who takes a part over stops before its end.
    SkipLastRecord,
}

/// What a schedule met.
#[derive(Clone, Debug, Default)]
pub struct Report {
    pub served: u64,
    pub stored: u64,
    pub crashes: u64,
    pub power_cuts: u64,
    pub cut_logs: u64,
    pub resent: u64,
    pub duplicates: u64,
    pub dropped: u64,
    pub left: u64,
    pub discarded: u64,
    pub aside: u64,
    pub kills: u64,
    pub node_crashes: u64,
    pub spooled: u64,
    pub fetched: u64,
    pub spool_full: u64,
}

impl Report {
    pub fn add(&mut self, other: &Self) {
        self.served += other.served;
        self.stored += other.stored;
        self.crashes += other.crashes;
        self.power_cuts += other.power_cuts;
        self.cut_logs += other.cut_logs;
        self.resent += other.resent;
        self.duplicates += other.duplicates;
        self.dropped += other.dropped;
        self.left += other.left;
        self.discarded += other.discarded;
        self.aside += other.aside;
        self.kills += other.kills;
        self.node_crashes += other.node_crashes;
        self.spooled += other.spooled;
        self.fetched += other.fetched;
        self.spool_full += other.spool_full;
    }
}

pub struct World {
    rng: Rng,
    net: SimNet,
    begin: Instant,
    /// Wall clock at `begin`.
    wall: Micros,
    address: Address,
    disk: SimDisk,
    store: Arc<SimStore>,
    server: Option<Server>,
    /// The workers' disk; `None` in schedules without a spool.
    spool: Option<NodeSpool>,
    /// Bytes in it after the last power cut, in which parts that were removed may have come back.
    revived: u64,
    workers: Vec<Worker>,
    ended: Vec<Past>,
    /// What the collector acknowledged.
    promised: BTreeSet<Id>,
    plant: Plant,
    report: Report,
}

impl World {
    pub fn new(seed: u64, plant: Plant) -> Self {
        let mut rng = Rng::with_seed(seed);
        let begin = Instant::now();
        let net = SimNet::new(rng.u64(..), begin);
        let address = Address::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, 1)));
        let wall = Micros(20_000 * 86_400_000_000 + rng.i64(0..86_400_000_000));
        let spool = (rng.u32(0..4) > 0).then(|| NodeSpool {
            disk: NodeDisk::new(rng.u64(..), plant),
            max_bytes: if rng.bool() { rng.u64(5_000..100_000) } else { 1 << 22 },
        });
        let mut workers = Vec::new();
        for _ in 0..rng.usize(1..4) {
            workers.push(Worker::new(&net, &mut rng, &address, spool.as_ref(), wall));
        }
        let disk = SimDisk::new(rng.u64(..));
        let store = Arc::new(SimStore::new(plant == Plant::ForgetSeqs));
        let (ended, promised, report) = (Vec::new(), BTreeSet::new(), Report::default());
        let (server, revived) = (None, 0);
        Self {
            rng,
            net,
            begin,
            wall,
            address,
            disk,
            store,
            server,
            spool,
            revived,
            workers,
            ended,
            promised,
            plant,
            report,
        }
    }

    pub fn run(mut self) -> Result<Report, String> {
        for _ in 0..self.rng.usize(3..10) {
            self.change_weather();
            for _ in 0..self.rng.usize(10..80) {
                self.tick()?;
            }
        }
        self.heal();
        let mut least = u64::MAX;
        let mut deadline = self.net.now();
        while self.waiting() > 0 {
            self.advance()?;
            // What waits on the disk comes one chunk after the other.
            if self.waiting() < least {
                least = self.waiting();
                deadline = self.net.now() + Duration::from_secs(120);
            }
            if self.net.now() > deadline {
                return Err("nothing moves on after all faults have ended".into());
            }
        }
        // Whatever only seemed to be safe is gone after this.
        self.crash(true);
        self.start();
        let server = self.server.as_mut().ok_or("the collector does not start when all is well")?;
        server.apply_all().map_err(|Died(reason)| format!("the log is not applied: {reason}"))?;
        self.check_end()?;
        self.count_server();
        Ok(self.report)
    }

    fn now(&self) -> Micros {
        let passed = self.net.now().duration_since(self.begin);
        Micros(self.wall.0 + i64::try_from(passed.as_micros()).unwrap_or(i64::MAX))
    }

    fn change_weather(&mut self) {
        let rng = &mut self.rng;
        let mut rarely = |chance: f64| if rng.f64() < 0.3 { rng.f64() * chance } else { 0.0 };
        let mut faults = Faults {
            refuse: rarely(1.0),
            hang: rarely(0.5),
            cut: rarely(0.2),
            swallow: rarely(0.5),
            latency: Duration::from_millis((rarely(1.0) * 500.0) as u64),
            window: 0,
        };
        if rng.bool() {
            faults.window = rng.usize(1..20_000);
        }
        self.net.set_faults(faults);
        match rng.u32(0..10) {
            0 => self.disk.fail_syncs(1),
            1 => self.disk.fail_writes(1),
            2 => self.disk.set_capacity(rng.u64(100..20_000)),
            3 => self.disk.power_off_after(rng.u64(0..200)),
            4 => self.store.interrupt_after(rng.usize(0..3)),
            _ => self.disk.set_capacity(u64::MAX),
        }
        let Some(NodeSpool { disk: NodeDisk { disk, .. }, .. }) = &self.spool else { return };
        match rng.u32(0..12) {
            0 => disk.fail_syncs(rng.u32(1..4)),
            1 => disk.fail_writes(rng.u32(1..4)),
            2 => disk.set_capacity(rng.u64(0..20_000)),
            3 => disk.fail_directory_after(rng.u32(0..6)),
            _ => disk.set_capacity(u64::MAX),
        }
    }

    /// Events in memory and files on the node's disk.
    fn waiting(&self) -> u64 {
        let files = self.spool.as_ref().map_or(0, |spool| spool.disk.disk.files().len() as u64);
        self.workers.iter().map(Worker::in_memory).sum::<u64>() + files
    }

    fn heal(&mut self) {
        self.net.set_faults(Faults::default());
        // Power that is off may have hurt nobody so far: it comes back.
        self.crash(true);
        self.disk.set_capacity(u64::MAX);
        self.disk.fail_syncs(0);
        self.disk.fail_writes(0);
        if let Some(NodeSpool { disk: NodeDisk { disk, .. }, .. }) = &self.spool {
            disk.set_capacity(u64::MAX);
            disk.fail_syncs(0);
            disk.fail_writes(0);
        }
    }

    fn tick(&mut self) -> Result<(), String> {
        let now = self.now();
        for at in 0..self.workers.len() {
            let rng = &mut self.rng;
            let Some(worker) = self.workers.get_mut(at) else { continue };
            if rng.f64() < 0.3 {
                let count = if rng.f64() < 0.1 { rng.u64(0..500) } else { rng.u64(0..30) };
                worker.serve(count, now, rng);
            }
            if rng.f64() < 0.02 {
                worker.report(now);
            }
            match rng.u32(0..1000) {
                0..5 => self.replace_worker(at),
                5..8 => self.kill_worker(at),
                _ => {}
            }
        }
        if self.rng.u32(0..1000) < 4 {
            self.crash_node();
        }
        match self.rng.u32(0..1000) {
            0..12 => self.crash(true),
            12..20 => self.crash(false),
            _ => {}
        }
        self.advance()
    }

    /// Everything that runs takes a step, and time goes on.
    fn advance(&mut self) -> Result<(), String> {
        for worker in &mut self.workers {
            worker.step(&self.net);
            worker.check()?;
        }
        if let Some(spool) = &self.spool
            && spool.disk.bytes() > spool.max_bytes.max(self.revived)
        {
            return Err(format!("the spool has {} bytes, its limit is {}", spool.disk.bytes(), spool.max_bytes));
        }
        match &self.server {
            Some(_) => {
                if let Err(Died(_)) = self.work() {
                    // A dying machine takes the disk's cache along, a dying process does not.
                    let power_cut = self.rng.bool();
                    self.crash(power_cut);
                }
            }
            None if self.rng.f64() < 0.1 => self.start(),
            None => {}
        }
        self.check_promises()?;
        let pause = self.rng.u64(1..150);
        self.net.advance(Duration::from_millis(pause));
        Ok(())
    }

    /// The collector's threads, each at its own pace.
    fn work(&mut self) -> Result<(), Died> {
        let now = self.now();
        let Self { server: Some(server), rng, net, address, promised, .. } = self else { return Ok(()) };
        for _ in 0..rng.usize(1..6) {
            match rng.u32(0..20) {
                0..8 => server.receive(net, address, now)?,
                8..13 => server.sync(promised)?,
                13..19 => server.apply(rng)?,
                _ => server.checkpoint()?,
            }
        }
        Ok(())
    }

    fn start(&mut self) {
        match Server::start(&self.disk, Arc::clone(&self.store), self.now(), self.plant) {
            Ok((server, cut)) => {
                self.report.cut_logs += u64::from(cut > 0);
                self.server = Some(server);
                self.net.listen(&self.address);
            }
            // Still without power or room: the next start may do better.
            Err(Died(_)) => self.crash(true),
        }
    }

    fn crash(&mut self, power_cut: bool) {
        self.count_server();
        self.server = None;
        self.net.shut(&self.address);
        self.store = Arc::new(self.store.after_crash(&mut self.rng, power_cut));
        if power_cut {
            self.disk.crash();
            self.disk.set_capacity(u64::MAX);
            self.report.power_cuts += 1;
        } else {
            self.disk.kill();
        }
        self.report.crashes += 1;
    }

    /// A worker ends, as on a reload, and another takes its place.
    fn replace_worker(&mut self, at: usize) {
        let fresh = self.fresh_worker();
        if let Some(place) = self.workers.get_mut(at) {
            let mut worker = std::mem::replace(place, fresh);
            let time = Duration::from_millis(self.rng.u64(0..900));
            self.report.left += worker.end(&self.net, time);
            self.ended.push(worker.bury());
        }
    }

    fn fresh_worker(&mut self) -> Worker {
        let now = self.now();
        Worker::new(&self.net, &mut self.rng, &self.address, self.spool.as_ref(), now)
    }

    /// `kill -9`, maybe in the middle of a write to the disk.
    fn kill_worker(&mut self, at: usize) {
        let fresh = self.fresh_worker();
        let Some(place) = self.workers.get_mut(at) else { return };
        let mut worker = std::mem::replace(place, fresh);
        if let Some(spool) = &self.spool
            && self.rng.bool()
        {
            spool.disk.disk.fail_writes(1);
            worker.step(&self.net);
            spool.disk.disk.fail_writes(0);
        }
        self.report.left += worker.in_memory();
        self.report.kills += 1;
        self.ended.push(worker.bury());
    }

    /// The node's machine loses its power and comes back.
    fn crash_node(&mut self) {
        for at in 0..self.workers.len() {
            self.kill_worker(at);
        }
        if let Some(spool) = &self.spool {
            spool.disk.disk.crash();
            self.revived = spool.disk.bytes();
        }
        self.report.node_crashes += 1;
    }

    /// Each worker there was, and whether it runs.
    fn all_workers(&self) -> impl Iterator<Item = (&Past, bool)> {
        self.workers.iter().map(|worker| (&worker.past, true)).chain(self.ended.iter().map(|past| (past, false)))
    }

    /// What all of them counted.
    fn counts(&self) -> Counts {
        let ended = self.ended.iter().map(|past| past.counts);
        self.workers.iter().map(Worker::counts).chain(ended).fold(Counts::default(), |sum, more| Counts {
            resent: sum.resent + more.resent,
            spooled: sum.spooled + more.spooled,
            fetched: sum.fetched + more.fetched,
            spool_full: sum.spool_full + more.spool_full,
            spool_damaged: sum.spool_damaged + more.spool_damaged,
        })
    }

    /// What workers count as safe was promised.
    fn check_promises(&self) -> Result<(), String> {
        for worker in &self.workers {
            let Past { instance, requests, .. } = &worker.past;
            let from = Id([*instance, [0; 8]].concat().try_into().unwrap_or_default());
            let to = Id([*instance, [0xff; 8]].concat().try_into().unwrap_or_default());
            let promised = self.promised.range(from..=to).count() as u64;
            let broken = requests.iter().filter(|request| request.kind == Kind::Broken).count() as u64;
            if worker.acked() > promised + broken {
                return Err(format!("{} events count as acknowledged, {promised} were", worker.acked()));
            }
        }
        Ok(())
    }

    fn check_end(&mut self) -> Result<(), String> {
        let mut stored: BTreeMap<Id, u32> = BTreeMap::new();
        self.store.ids().into_iter().for_each(|id| *stored.entry(id).or_default() += 1);
        if let Some((id, times)) = stored.iter().find(|(_, times)| **times > 1) {
            return Err(format!("{id} is stored {times} times"));
        }
        let mut expected = 0;
        let Counts { resent, spooled, fetched, spool_full, spool_damaged } = self.counts();
        let gone = spool_full + spool_damaged;
        for (worker, runs) in self.all_workers() {
            let dropped: BTreeSet<Id> = worker.dropped.iter().copied().collect();
            // Those of others, which events are gone, is not known.
            let ended = !runs || gone > 0;
            for request in &worker.requests {
                let there = stored.contains_key(&request.id);
                let must = request.kind == Kind::Kept
                    && !dropped.contains(&request.id)
                    && (!ended || self.promised.contains(&request.id));
                let may = must || request.kind == Kind::Kept && ended && !dropped.contains(&request.id);
                if must && !there {
                    let promised = if self.promised.contains(&request.id) { "acknowledged" } else { "sent" };
                    return Err(format!("{} was {promised} and is not stored", request.id));
                }
                if there && !may {
                    return Err(format!("{} is stored, and nothing says that it should", request.id));
                }
                expected += u64::from(may);
            }
        }
        let missing = expected - stored.len() as u64;
        if missing > self.report.left + gone {
            return Err(format!("{missing} events are missing, the workers counted {}", self.report.left + gone));
        }
        self.report.served = self.all_workers().map(|(worker, _)| worker.requests.len() as u64).sum();
        self.report.dropped = self.all_workers().map(|(worker, _)| worker.dropped.len() as u64).sum();
        (self.report.resent, self.report.spooled) = (resent, spooled);
        (self.report.fetched, self.report.spool_full) = (fetched, spool_full);
        self.report.stored = stored.len() as u64;
        Ok(())
    }

    /// Adds up what the collector counted in this life.
    fn count_server(&mut self) {
        if let Some(server) = &self.server {
            let metrics = &server.metrics;
            self.report.duplicates += metrics.duplicates.get();
            self.report.discarded += metrics.discarded_old.get();
            self.report.aside += AsideReason::ALL.iter().map(|&reason| metrics.set_aside.of(reason).get()).sum::<u64>();
        }
    }
}
