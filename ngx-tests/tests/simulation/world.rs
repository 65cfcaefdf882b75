//! One schedule: workers, a collector that crashes and comes back, and what must hold all the time.
//!
//! - A worker counts an event as safe only when the collector has promised it.
//! - In the end, when everything works again, every event that was not dropped is in the store
//!   exactly once, and those that are missing are as many as the workers counted.
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

use crate::server::{Died, Server};
use crate::store::SimStore;
use crate::worker::{Kind, Worker};

/// A bug put in on purpose, to see that the schedules find it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plant {
    Nothing,
    AckBeforeSync,
    AckRefused,
    ReleaseBeforeCheckpoint,
    ForgetSeqs,
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
    workers: Vec<Worker>,
    ended: Vec<Worker>,
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
        let workers = (0..rng.usize(1..4)).map(|_| Worker::new(&net, &mut rng, &address)).collect();
        let disk = SimDisk::new(rng.u64(..));
        let store = Arc::new(SimStore::new(plant == Plant::ForgetSeqs));
        let (ended, promised, report) = (Vec::new(), BTreeSet::new(), Report::default());
        Self { rng, net, begin, wall, address, disk, store, server: None, workers, ended, promised, plant, report }
    }

    pub fn run(mut self) -> Result<Report, String> {
        for _ in 0..self.rng.usize(3..10) {
            self.change_weather();
            for _ in 0..self.rng.usize(10..80) {
                self.tick()?;
            }
        }
        self.heal();
        let deadline = self.net.now() + Duration::from_secs(120);
        while !self.workers.iter().all(Worker::is_done) {
            self.advance()?;
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
    }

    fn heal(&mut self) {
        self.net.set_faults(Faults::default());
        self.disk.set_capacity(u64::MAX);
        self.disk.fail_syncs(0);
        self.disk.fail_writes(0);
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
            if rng.f64() < 0.005 {
                self.replace_worker(at);
            }
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
        let fresh = Worker::new(&self.net, &mut self.rng, &self.address);
        if let Some(place) = self.workers.get_mut(at) {
            let mut worker = std::mem::replace(place, fresh);
            let time = Duration::from_millis(self.rng.u64(0..900));
            self.report.left += worker.end(&self.net, time);
            self.ended.push(worker);
        }
    }

    fn all_workers(&self) -> impl Iterator<Item = &Worker> {
        self.workers.iter().chain(&self.ended)
    }

    /// What workers count as safe was promised.
    fn check_promises(&self) -> Result<(), String> {
        for worker in &self.workers {
            let from = Id([worker.instance, [0; 8]].concat().try_into().unwrap_or_default());
            let to = Id([worker.instance, [0xff; 8]].concat().try_into().unwrap_or_default());
            let promised = self.promised.range(from..=to).count() as u64;
            let broken = worker.requests.iter().filter(|request| request.kind == Kind::Broken).count() as u64;
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
        for worker in self.all_workers() {
            let dropped: BTreeSet<Id> = worker.dropped.iter().copied().collect();
            let ended = !self.workers.iter().any(|running| running.instance == worker.instance);
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
        if missing > self.report.left {
            return Err(format!("{missing} events are missing, the workers counted {}", self.report.left));
        }
        self.report.served = self.all_workers().map(|worker| worker.requests.len() as u64).sum();
        self.report.dropped = self.all_workers().map(|worker| worker.dropped.len() as u64).sum();
        self.report.resent = self.all_workers().map(Worker::resent).sum();
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
