//! What must hold, whatever happens.
//!
//! At any time:
//! - A worker counts an event as safe only when a collector has acknowledged it.
//! - Each event that it took is acknowledged, held or on disk, once; what it holds and what is on disk stay within
//!   their limits.
//! - A chunk keeps its id and its events, on every way.
//!
//! In the end, when everything works again:
//! - Work goes on: nothing waits any more, and the log is no longer than what it began last.
//! - What a collector acknowledged is stored there, exactly once, unless that record of its log was damaged, which it
//!   says; nothing else is stored twice either.
//! - Every event that was not dropped is stored somewhere. Those that are missing are no more than their workers
//!   counted: what they held in memory when they went, and what the spool had no room for; or were in a record
//!   that was damaged, which was told.
//! - Where no process of the node ended and its disk kept what it had, what came into the spool is exactly
//!   what left it and what was counted as lost.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use collector::model::Id;

use crate::collector::LOG_AT_REST;
use crate::worker::{Counts, Kind, Past, Worker};
use crate::world::World;

impl World {
    pub fn check_always(&self) -> Result<(), String> {
        for worker in &self.workers {
            worker.check()?;
            let promised = self.promises.of_worker(worker.past.serial);
            if worker.acked() > promised {
                return Err(format!("{} events count as acknowledged, {promised} were", worker.acked()));
            }
        }
        self.promises.check_chunks()?;
        match &self.spool {
            Some(spool) if spool.disk.disk.used() > spool.max_bytes.max(self.revived) => {
                Err(format!("the spool has {} bytes, its limit is {}", spool.disk.disk.used(), spool.max_bytes))
            }
            _ => Ok(()),
        }
    }

    pub fn check_end(&mut self) -> Result<(), String> {
        let mut stored = BTreeSet::new();
        for (at, ids) in self.stored().into_iter().enumerate() {
            let there: BTreeSet<Id> = ids.iter().copied().collect();
            if there.len() < ids.len() {
                return Err(format!("of {} rows {} have an id of their own", ids.len(), there.len()));
            }
            self.check_promised(at, &there)?;
            stored.extend(there);
        }
        self.check_logs()?;
        let lives: Vec<(Past, bool)> = std::mem::take(&mut self.workers)
            .into_iter()
            .map(|worker| (Worker::bury(worker), true))
            .chain(std::mem::take(&mut self.ended).into_iter().map(|past| (past, false)))
            .collect();
        let counts = self.count(&lives);
        self.check_spool(&counts)?;
        self.check_missing(&lives, &counts, &stored)
    }

    /// What a collector acknowledged is there, and what was not to be stored is noted as taken; but for what was
    /// damaged of its log, which it says.
    fn check_promised(&self, at: usize, there: &BTreeSet<Id>) -> Result<(), String> {
        let machine = &self.machines[at];
        let seqs = machine.store.seqs();
        let lives = self.workers.iter().map(|worker| &worker.past).chain(&self.ended);
        for past in lives {
            for request in past.requests.iter().filter(|request| self.promises.of_collector(at).contains(&request.id)) {
                let known = seqs.contains(past.instance, request.number);
                let stored = request.kind != Kind::Kept || there.contains(&request.id);
                if known && stored {
                    continue;
                }
                let damaged = machine.damage.events.contains(&request.id);
                if !damaged || !machine.has_told_damage() {
                    let lost = if stored { "would be taken again" } else { "is not stored" };
                    let why = if damaged { ": damage of which nobody speaks" } else { "" };
                    return Err(format!("{} was acknowledged and {lost}{why}", request.id));
                }
            }
        }
        Ok(())
    }

    fn check_logs(&self) -> Result<(), String> {
        for process in self.machines.iter().filter_map(|machine| machine.process.as_ref()) {
            if process.log_bytes() > LOG_AT_REST {
                return Err(format!("all is stored, and the log has still {} bytes", process.log_bytes()));
            }
        }
        Ok(())
    }

    /// What came into the spool, and what became of it.
    fn check_spool(&self, counts: &Counts) -> Result<(), String> {
        let Counts { spooled, fetched, spool_full, spool_damaged, .. } = *counts;
        let gone = fetched + spool_full + spool_damaged;
        if self.calm && spooled != gone {
            return Err(format!("{spooled} events came into the spool, and {gone} out of it"));
        }
        Ok(())
    }

    fn check_missing(&self, lives: &[(Past, bool)], counts: &Counts, stored: &BTreeSet<Id>) -> Result<(), String> {
        let gone = counts.spool_full + counts.spool_damaged;
        let (mut unexplained, mut damaged) = (0, 0);
        for (past, runs) in lives {
            let mut missing = 0;
            for (request, dropped) in past.requests.iter().zip(&past.dropped) {
                let expected = request.kind == Kind::Kept && !dropped;
                match (expected, stored.contains(&request.id)) {
                    (true, true) | (false, false) => {}
                    (false, true) => return Err(format!("{} is stored, and nothing says that it should", request.id)),
                    // And that was told. First: the spool may have been damaged where it was read already.
                    (true, false) if self.machines.iter().any(|m| m.damage.events.contains(&request.id)) => {}
                    (true, false) if self.damage.events.contains(&request.id) => damaged += 1,
                    // Whose events the spool gave up is not known.
                    (true, false) if *runs && gone == 0 => {
                        return Err(format!("{} was sent and is not stored", request.id));
                    }
                    (true, false) => missing += 1,
                }
            }
            unexplained += u64::saturating_sub(missing, if *runs { 0 } else { past.left });
        }
        if unexplained > gone {
            return Err(format!(
                "{unexplained} events are missing that no worker held, and {gone} are counted as lost"
            ));
        }
        if damaged > 0 && gone + counts.damage_told == 0 {
            return Err(format!("{damaged} events were damaged, and nobody says so"));
        }
        Ok(())
    }

    /// What all workers counted.
    fn count(&mut self, lives: &[(Past, bool)]) -> Counts {
        let mut sum = Counts::default();
        for (past, _) in lives {
            let Counts { resent, unknown_acks, spooled, fetched, spool_full, spool_damaged, damage_told } = past.counts;
            sum.spooled += spooled;
            sum.fetched += fetched;
            sum.spool_full += spool_full;
            sum.spool_damaged += spool_damaged;
            sum.damage_told += damage_told;
            let report = &mut self.report;
            report.count("requests", past.requests.len() as u64);
            report.count(
                "events dropped by a full queue",
                past.dropped.iter().filter(|dropped| **dropped).count() as u64,
            );
            report.count("events left at a worker's end", past.left);
            report.count("chunks sent again", resent);
            report.count("acks of nothing that was sent", unknown_acks);
            report.count("events that went to the spool", spooled);
            report.count("events that came from it", fetched);
            report.count("events for which it had no room", spool_full);
            report.count("events that damage cost, by its count", spool_damaged);
            report.count("damages told", damage_told);
        }
        (0..self.machines.len()).for_each(|at| self.count_process(at));
        sum
    }

    /// A number that differs when the schedule does.
    pub fn fingerprint(&mut self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.rng.u64(..).hash(&mut hasher);
        for ids in self.stored() {
            self.report.count("events stored", ids.len() as u64);
            ids.iter().for_each(|id| id.0.hash(&mut hasher));
        }
        hasher.finish()
    }
}
