//! One schedule: workers of a node that end, are killed, or lose their machine; collectors that crash and come back;
//! and in the end, when nothing goes wrong any more, time to make good.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use collector::metrics::AsideReason;
use collector::model::{Id, Micros};
use fastrand::Rng;
use shipper::simulation::SimNet;
use shipper::{Address, Clock};

use crate::collector::{Died, Machine, Now};
use crate::damage::Damage;
use crate::disk::PlantedDisk;
use crate::plant::Plant;
use crate::promises::Promises;
use crate::report::{Least, Report};
use crate::worker::{Birth, NodeSpool, Past, Worker};

/// How long nothing may move on after the last fault. A worker leaves a part that it could not read alone for a
/// minute.
const PATIENCE: Duration = Duration::from_secs(120);

pub struct World {
    pub rng: Rng,
    pub net: SimNet,
    begin: Instant,
    /// Wall clock at `begin`, and how far that of the node is off, in microseconds.
    wall: Micros,
    pub node_clock_error: i64,
    pub machines: Vec<Machine>,
    /// The workers' disk; `None` in schedules without a spool.
    pub spool: Option<NodeSpool>,
    /// Bytes in it after the last power cut, in which parts that were removed may have come back.
    pub revived: u64,
    pub workers: Vec<Worker>,
    pub ended: Vec<Past>,
    /// Of the newest worker.
    serial: u64,
    pub promises: Promises,
    pub damage: Damage,
    /// Workers live on and their disk keeps what it has: all that they count can be told exactly.
    pub calm: bool,
    plant: Plant,
    pub report: Report,
    pub least: Least,
}

impl World {
    pub fn new(seed: u64, plant: Plant) -> Self {
        let mut rng = Rng::with_seed(seed);
        let begin = Instant::now();
        let net = SimNet::new(rng.u64(..), begin);
        let wall = Micros(20_000 * 86_400_000_000 + rng.i64(0..86_400_000_000));
        let collectors = [1, 1, 1, 2, 2, 3][rng.usize(0..6)];
        let address = |at| Address::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, at)));
        let machines = (1..=collectors).map(|at| Machine::new(address(at), rng.u64(..), begin, plant)).collect();
        let spool = (rng.u32(0..4) > 0).then(|| NodeSpool {
            disk: PlantedDisk::of_node(rng.u64(..), plant),
            max_bytes: if rng.bool() { rng.u64(5_000..50_000) } else { 1 << 22 },
        });
        let calm = rng.u32(0..4) == 0;
        let mut world = Self {
            rng,
            net,
            begin,
            wall,
            node_clock_error: 0,
            machines,
            spool,
            revived: 0,
            workers: Vec::new(),
            ended: Vec::new(),
            serial: 0,
            promises: Promises::of(collectors.into()),
            damage: Damage::default(),
            calm,
            plant,
            report: Report::default(),
            least: Least { steps: 0, faults: 0 },
        };
        for _ in 0..world.rng.usize(1..4) {
            let worker = world.new_worker(None);
            world.workers.push(worker);
        }
        world
    }

    pub fn run(&mut self) -> Result<(), String> {
        // By clocks that are right, before anything is stored.
        (0..self.machines.len()).for_each(|at| self.start(at));
        for _ in 0..self.rng.usize(4..6) {
            self.change_weather();
            for _ in 0..self.rng.usize(50..60) {
                self.live();
                self.step(false)?;
            }
        }
        self.heal();
        self.wait_for_all()?;
        self.settle()?;
        self.check_end()?;
        let fingerprint = self.fingerprint();
        self.report.end(self.least, fingerprint);
        Ok(())
    }

    /// The wall clock of the node.
    pub fn node_wall(&self) -> Micros {
        self.now(self.node_clock_error).wall
    }

    /// The clocks of a machine whose wall clock is off by `error`.
    fn now(&self, error: i64) -> Now {
        let monotonic = self.net.now().duration_since(self.begin);
        let passed = i64::try_from(monotonic.as_micros()).unwrap_or(i64::MAX);
        Now { wall: Micros(self.wall.0 + passed + error), monotonic }
    }

    /// A worker, in the place of one with that instance.
    pub fn new_worker(&mut self, before: Option<[u8; 8]>) -> Worker {
        // From 1: a request whose id is all zeros counts as one without.
        self.serial += 1;
        let birth = Birth {
            net: &self.net,
            collectors: self.machines.iter().map(|machine| machine.address.clone()).collect(),
            spool: self.spool.as_ref(),
            wall: self.node_wall(),
            serial: self.serial,
            before,
            plant: self.plant,
        };
        Worker::new(&mut self.rng, birth)
    }

    /// What happens by itself while time goes on: requests, and ends of processes and machines.
    fn live(&mut self) {
        let wall = self.node_wall();
        for at in 0..self.workers.len() {
            let (rng, worker) = (&mut self.rng, &mut self.workers[at]);
            if rng.f64() < 0.1 {
                let count = if rng.f64() < 0.05 { rng.u64(0..150) } else { rng.u64(0..8) };
                worker.serve(count, wall, rng);
            }
            if rng.f64() < 0.01 {
                worker.report(wall);
            }
            match self.rng.u32(0..1000) {
                _ if self.calm => {}
                0..4 => self.replace_worker(at),
                4..7 => self.kill_worker(at),
                _ => {}
            }
        }
        if self.rng.u32(0..1000) < 3 && !self.calm {
            self.crash_node();
        }
        let at = self.rng.usize(0..self.machines.len());
        match self.rng.u32(0..1000) {
            0..7 => self.crash(at, true),
            7..14 => self.crash(at, false),
            _ => {}
        }
    }

    /// Everything that runs takes a step, and time goes on. After the last fault collectors work at once, and time
    /// goes faster.
    fn step(&mut self, well: bool) -> Result<(), String> {
        self.least.steps += 1;
        let now = self.net.now();
        for worker in self.workers.iter_mut().filter(|worker| worker.stalled <= now) {
            worker.step(&self.net);
        }
        for at in 0..self.machines.len() {
            self.run_machine(at, well);
        }
        self.check_always()?;
        let pause = self.rng.u64(1..if well { 400 } else { 150 });
        self.net.advance(Duration::from_millis(pause));
        Ok(())
    }

    fn run_machine(&mut self, at: usize, well: bool) {
        let machine = &self.machines[at];
        if machine.stalled > self.net.now() {
            return;
        }
        if machine.process.is_none() {
            if well || self.rng.f64() < 0.1 {
                self.start(at);
            }
        } else if self.work(at, well).is_err() {
            // A dying machine takes the disk's cache along, a dying process does not.
            let power_cut = self.rng.bool();
            self.crash(at, power_cut);
        }
    }

    /// A collector's threads, each at its own pace.
    fn work(&mut self, at: usize, well: bool) -> Result<(), Died> {
        let (now, time) = (self.now(self.machines[at].clock_error), self.net.now());
        let Self { rng, net, machines, promises, .. } = self;
        let machine = &mut machines[at];
        let store_stalls = machine.store_stalled > time;
        let mut promised = Vec::new();
        let turns = if well { 4 } else { rng.usize(1..5) };
        for turn in 0..turns {
            let job = if well { [0, 8, 13, 19][turn] } else { rng.u32(0..20) };
            let Some(process) = &mut machine.process else { break };
            let done = match job {
                0..8 => {
                    if machine.wrong_acks > 0.0 && rng.f64() < machine.wrong_acks {
                        process.mislead(rng);
                    }
                    process.receive(net, &machine.address, now.wall, promises)
                }
                8..13 => process.sync(&mut promised),
                13..19 if store_stalls => Ok(()),
                13..19 => process.apply(rng),
                _ => machine.maintain(now),
            };
            // Said is said, even if it dies of the next thing.
            promises.give(at, &promised);
            promised.clear();
            done?;
        }
        Ok(())
    }

    pub fn start(&mut self, at: usize) {
        let now = self.now(self.machines[at].clock_error);
        let machine = &mut self.machines[at];
        match machine.start(now) {
            Ok(cut) => {
                self.report.count("log ends cut", u64::from(cut > 0));
                self.net.listen(&machine.address);
            }
            // Still without power or room: the next start may do better.
            Err(Died(_)) => self.crash(at, true),
        }
    }

    /// Until nothing waits in memory or on the node's disk.
    fn wait_for_all(&mut self) -> Result<(), String> {
        let mut least = u64::MAX;
        let mut deadline = self.net.now();
        while self.waiting() > 0 {
            self.step(true)?;
            // What waits on the disk comes one chunk after the other.
            if self.waiting() < least {
                least = self.waiting();
                deadline = self.net.now() + PATIENCE;
            }
            if self.net.now() > deadline {
                return Err("nothing moves on after all faults have ended".into());
            }
        }
        Ok(())
    }

    /// Events in memory and files on the node's disk.
    fn waiting(&self) -> u64 {
        let files = self.spool.as_ref().map_or(0, |spool| spool.disk.disk.files().len() as u64);
        self.workers.iter().map(Worker::in_memory).sum::<u64>() + files
    }

    /// Whatever only seemed to be safe is gone after this; what is left is applied.
    fn settle(&mut self) -> Result<(), String> {
        for at in 0..self.machines.len() {
            self.crash(at, true);
            self.start(at);
            let now = self.now(self.machines[at].clock_error);
            let machine = &mut self.machines[at];
            let process = machine.process.as_mut().ok_or("a collector does not start when all is well")?;
            process.apply_all().map_err(|Died(reason)| format!("the log is not applied: {reason}"))?;
            machine.maintain(now).map_err(|Died(reason)| format!("the log is not released: {reason}"))?;
        }
        Ok(())
    }

    /// Adds up what a collector counted in this life.
    pub fn count_process(&mut self, at: usize) {
        if let Some(process) = &self.machines[at].process {
            let metrics = &process.metrics;
            self.report.count("duplicates left out", metrics.duplicates.get());
            self.report.count("damages of the log told", metrics.log_damages.get());
            self.report.count("events too old", metrics.discarded_old.get());
            let aside = AsideReason::ALL.iter().map(|&reason| metrics.set_aside.of(reason).get()).sum();
            self.report.count("records set aside", aside);
        }
    }

    /// The ids in each store.
    pub fn stored(&self) -> Vec<Vec<Id>> {
        self.machines.iter().map(|machine| machine.store.ids()).collect()
    }
}
