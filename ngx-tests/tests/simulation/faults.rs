//! What goes wrong in a schedule.

use std::time::Duration;

use shipper::Clock;
use shipper::simulation::Faults;
use spool::simulation::SimDisk;

use crate::damage::{in_log, in_spool};
use crate::world::World;

const SECOND: i64 = 1_000_000;
const HOUR: i64 = 3600 * SECOND;
const DAY: i64 = 24 * HOUR;

impl World {
    /// Ends the faults that last, and begins others.
    pub fn change_weather(&mut self) {
        self.clear_up();
        for _ in 0..self.rng.usize(1..4) {
            match self.rng.u32(0..15) {
                0..4 => self.spoil_network(),
                4..6 => self.spoil_log_disk(),
                6 => self.interrupt_store(),
                7..9 => self.spoil_node_disk(),
                9 => self.set_clock(),
                10..12 => self.stall(),
                12 => self.give_wrong_acks(),
                _ => self.flip_bit(),
            }
        }
    }

    fn fault(&mut self, what: &'static str) {
        self.least.faults += 1;
        self.report.count(what, 1);
    }

    /// Ends all that lasts, but for what a disk has still to fail at.
    fn clear_up(&mut self) {
        for machine in &mut self.machines {
            self.net.set_faults_at(&machine.address, Faults::default());
            machine.disk.disk.set_capacity(u64::MAX);
            machine.wrong_acks = 0.0;
        }
        if let Some(spool) = &self.spool {
            spool.disk.disk.set_capacity(u64::MAX);
        }
    }

    /// Ends all of it.
    pub fn heal(&mut self) {
        self.clear_up();
        let now = self.net.now();
        for at in 0..self.machines.len() {
            // Power that is off may have hurt nobody so far: it comes back.
            self.crash(at, true);
            self.machines[at].store_stalled = now;
        }
        self.workers.iter_mut().for_each(|worker| worker.stalled = now);
        if let Some(spool) = &self.spool {
            forgive(&spool.disk.disk);
        }
    }

    /// Refused, hanging, half-open, cut, slow connections, on the way to one collector.
    fn spoil_network(&mut self) {
        let rng = &mut self.rng;
        let mut faults = Faults::default();
        for _ in 0..rng.usize(1..4) {
            match rng.u32(0..7) {
                0 => faults.refuse = rng.f64(),
                1 => faults.hang = rng.f64() / 2.0,
                2 => faults.cut = rng.f64() / 5.0,
                3 => faults.swallow = rng.f64() / 2.0,
                4 => faults.latency = Duration::from_millis(rng.u64(1..500)),
                // Later than anybody waits, now and then.
                5 => faults.answer_latency = Duration::from_millis(rng.u64(500..20_000)),
                _ => faults.window = rng.usize(1..20_000),
            }
        }
        let at = rng.usize(0..self.machines.len());
        self.net.set_faults_at(&self.machines[at].address, faults);
        self.fault("spells of bad network");
    }

    fn spoil_log_disk(&mut self) {
        let at = self.rng.usize(0..self.machines.len());
        let (rng, disk) = (&mut self.rng, &self.machines[at].disk.disk);
        let what = match rng.u32(0..6) {
            0 => {
                disk.fail_syncs(1);
                "syncs of the log that fail"
            }
            1 => {
                disk.fail_writes(1);
                "writes to the log that fail"
            }
            2 => {
                disk.fail_reads(1);
                "reads of the log that fail"
            }
            3 => {
                disk.fail_directory_after(rng.u32(0..6));
                "changes to the log's directory that fail"
            }
            4 => {
                disk.set_capacity(rng.u64(100..20_000));
                "full disks of the log"
            }
            _ => {
                disk.power_off_after(rng.u64(0..200));
                "power cuts within the log's work"
            }
        };
        self.fault(what);
    }

    fn interrupt_store(&mut self) {
        let at = self.rng.usize(0..self.machines.len());
        self.machines[at].store.interrupt_after(self.rng.usize(0..3));
        self.fault("ends within a batch");
    }

    fn spoil_node_disk(&mut self) {
        let Some(spool) = &self.spool else { return self.spoil_network() };
        let (rng, disk) = (&mut self.rng, &spool.disk.disk);
        let what = match rng.u32(0..5) {
            0 => {
                disk.fail_syncs(rng.u32(1..4));
                "syncs of the spool that fail"
            }
            1 => {
                disk.fail_writes(rng.u32(1..4));
                "writes to the spool that fail"
            }
            2 if !self.calm => {
                disk.fail_reads(rng.u32(1..4));
                "reads of the spool that fail"
            }
            3 => {
                disk.fail_directory_after(rng.u32(0..6));
                "changes to the spool's directory that fail"
            }
            _ => {
                disk.set_capacity(rng.u64(0..20_000));
                "full disks of the spool"
            }
        };
        self.fault(what);
    }

    /// Sets a wall clock, by a little, by much, or right again. Requests of a node whose clock is far behind are too
    /// old by right, so that it is never that.
    fn set_clock(&mut self) {
        let rng = &mut self.rng;
        let far = [0, 5 * SECOND, 2 * HOUR, 30 * DAY][rng.usize(0..4)];
        let back = rng.bool();
        match rng.usize(0..=self.machines.len()).checked_sub(1) {
            None => self.node_clock_error = if back { -far.min(DAY) } else { far },
            Some(at) => self.machines[at].clock_error = if back { -far } else { far },
        }
        self.fault("clocks that are set");
    }

    /// Somebody, or everybody, does nothing for a while.
    fn stall(&mut self) {
        let (rng, now) = (&mut self.rng, self.net.now());
        let pause = Duration::from_millis(rng.u64(100..20_000));
        let at = rng.usize(0..self.machines.len());
        match rng.u32(0..4) {
            0 => {
                let at = rng.usize(0..self.workers.len());
                self.workers[at].stalled = now + pause;
            }
            1 => self.machines[at].stalled = now + pause,
            2 => self.machines[at].store_stalled = now + pause,
            _ => self.net.advance(pause),
        }
        self.fault("stalls");
    }

    fn give_wrong_acks(&mut self) {
        let at = self.rng.usize(0..self.machines.len());
        self.machines[at].wrong_acks = self.rng.f64() / 2.0;
        self.fault("spells of wrong acks");
    }

    fn flip_bit(&mut self) {
        let at = self.rng.usize(0..self.machines.len());
        let (rng, machine) = (&mut self.rng, &mut self.machines[at]);
        let (what, flipped) = match &self.spool {
            Some(spool) if !self.calm && rng.bool() => {
                ("bits flipped in the spool", self.damage.flip(&spool.disk.disk, rng, in_spool))
            }
            _ => ("bits flipped in the log", machine.damage.flip(&machine.disk.disk, rng, in_log)),
        };
        if flipped { self.fault(what) } else { self.spoil_network() }
    }

    /// A collector's process ends at once, and with a power cut what its machine had not made safe.
    pub fn crash(&mut self, at: usize, power_cut: bool) {
        self.count_process(at);
        let now = self.net.now();
        let machine = &mut self.machines[at];
        machine.bury();
        machine.stalled = now;
        self.net.shut(&machine.address);
        machine.store.crash(&mut self.rng, power_cut);
        if power_cut {
            machine.disk.disk.crash();
            machine.disk.disk.set_capacity(u64::MAX);
            self.fault("power cuts of a collector");
        } else {
            machine.disk.disk.kill();
            self.fault("kills of a collector");
        }
    }

    /// A worker ends, as on a reload, and another takes its place.
    pub fn replace_worker(&mut self, at: usize) {
        let fresh = self.new_worker(Some(self.workers[at].past.instance));
        let worker = std::mem::replace(&mut self.workers[at], fresh);
        let time = Duration::from_millis(self.rng.u64(0..300));
        self.ended.push(worker.end(&self.net, time));
        self.report.count("workers replaced", 1);
    }

    /// `kill -9`, maybe in the middle of something that it does to the disk.
    pub fn kill_worker(&mut self, at: usize) {
        let fresh = self.new_worker(Some(self.workers[at].past.instance));
        let mut worker = std::mem::replace(&mut self.workers[at], fresh);
        if let Some(spool) = &self.spool
            && self.rng.bool()
        {
            let disk = &spool.disk.disk;
            disk.power_off_after(self.rng.u64(0..20));
            if self.rng.bool() {
                disk.fail_writes(1);
            }
            worker.step(&self.net);
            forgive(disk);
        }
        self.ended.push(worker.bury());
        self.fault("kills of a worker");
    }

    /// The node's machine loses its power and comes back.
    pub fn crash_node(&mut self) {
        if let Some(spool) = &self.spool {
            spool.disk.disk.power_off_after(self.rng.u64(0..20));
            self.workers.iter_mut().for_each(|worker| worker.step(&self.net));
        }
        for at in 0..self.workers.len() {
            let fresh = self.new_worker(Some(self.workers[at].past.instance));
            let worker = std::mem::replace(&mut self.workers[at], fresh);
            self.ended.push(worker.bury());
        }
        if let Some(spool) = &self.spool {
            spool.disk.disk.crash();
            self.revived = spool.disk.disk.used();
        }
        self.fault("power cuts of the node");
    }
}

/// What was to fail on a disk works.
fn forgive(disk: &SimDisk) {
    disk.restore_power();
    disk.fail_syncs(0);
    disk.fail_writes(0);
    disk.fail_reads(0);
}
