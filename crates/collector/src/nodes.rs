//! What each worker of each node last said of itself, and what is missing of its events. `GET /nodes` and `check`
//! read it.
//!
//! Held in memory: every worker reports anew within ten seconds, and after a restart the reports
//! that are still in the log are read again.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use wire::{NodeReport, RecordError};

use crate::model::Micros;
use crate::store::Holes;

/// Workers remembered; of more, the longest silent is forgotten.
const LIMIT: usize = 4096;

/// Largest report; one of a node with dozens of plans takes a few KiB.
const MAX_REPORT: usize = 64 << 10;
/// Most plans, keys, contexts and reasons of a report: they are small on the wire and not here.
const MAX_PARTS: usize = 1024;

/// Reads a report, unless keeping it would take too much.
pub fn read_report(record: &[u8]) -> Result<NodeReport, RecordError> {
    if record.len() > MAX_REPORT {
        let reason = format!("a report of {} bytes is over the limit of {MAX_REPORT}", record.len());
        return Err(RecordError::Malformed(reason));
    }
    let report = NodeReport::decode(record)?;
    let in_plans: usize = report.plans.iter().map(|plan| 1 + plan.keys.len() + plan.contexts.len()).sum();
    let parts = in_plans + report.drops.len() + report.spool.as_ref().map_or(0, |spool| spool.len());
    if parts > MAX_PARTS {
        let reason =
            format!("a report with {parts} plans, keys, contexts and counters is over the limit of {MAX_PARTS}");
        return Err(RecordError::Malformed(reason));
    }
    Ok(report)
}

/// The newest report of every (node, worker life).
#[derive(Debug, Default)]
pub struct Nodes {
    reports: Mutex<BTreeMap<(String, [u8; 8]), NodeState>>,
}

/// A worker's newest report.
#[derive(Clone, Debug)]
pub struct NodeState {
    /// When the report was received.
    pub reported: Micros,
    /// What it said.
    pub report: NodeReport,
    /// Which of its events are missing.
    pub gaps: Gaps,
}

/// Events of a worker that have not come although later ones have: dropped, or on their way still.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gaps {
    /// Their numbers.
    pub holes: Holes,
    /// Since when there always are some: when what showed it was received.
    pub since: Option<Micros>,
}

impl Nodes {
    /// Takes a report in, unless a newer one of the same worker is known.
    pub fn record(&self, reported: Micros, report: NodeReport) {
        let mut reports = self.lock();
        let key = (report.node.clone(), report.instance);
        let known = reports.get(&key);
        if known.is_some_and(|known| known.reported > reported) {
            return;
        }
        let gaps = known.map(|known| known.gaps).unwrap_or_default();
        reports.insert(key, NodeState { reported, report, gaps });
        if reports.len() > LIMIT {
            let oldest = reports.iter().min_by_key(|(_, state)| state.reported).map(|(key, _)| key.clone());
            if let Some(key) = oldest {
                reports.remove(&key);
            }
        }
    }

    /// Notes what is missing of each worker's numbers, by what was received until `now`.
    pub fn note_gaps(&self, now: Micros, holes: impl Fn([u8; 8]) -> Holes) {
        for ((_, instance), state) in self.lock().iter_mut() {
            let holes = holes(*instance);
            let since = (holes.missing > 0).then(|| state.gaps.since.unwrap_or(now));
            state.gaps = Gaps { holes, since };
        }
    }

    /// Forgets workers that have been silent since before `moment`.
    pub fn forget_before(&self, moment: Micros) {
        self.lock().retain(|_, state| state.reported >= moment);
    }

    /// All workers known, by node name and worker life.
    pub fn list(&self) -> Vec<NodeState> {
        self.lock().values().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(String, [u8; 8]), NodeState>> {
        self.reports.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(node: &str, instance: u8) -> NodeReport {
        NodeReport { node: node.into(), instance: [instance; 8], ..NodeReport::default() }
    }

    #[test]
    fn the_newest_report_of_each_worker_counts() {
        let nodes = Nodes::default();
        nodes.record(Micros(20), NodeReport { pid: 2, ..report("a", 1) });
        nodes.record(Micros(10), NodeReport { pid: 1, ..report("a", 1) });
        nodes.record(Micros(5), report("a", 2));
        let list = nodes.list();
        assert_eq!(list.iter().map(|s| s.report.pid).collect::<Vec<_>>(), [2, 0]);
        nodes.forget_before(Micros(6));
        assert_eq!(nodes.list().len(), 1);
    }

    #[test]
    fn what_is_missing_is_told_since_it_first_was_whatever_is_reported_meanwhile() {
        let nodes = Nodes::default();
        nodes.record(Micros(1), report("a", 1));
        nodes.record(Micros(1), report("a", 2));
        let first_lacks =
            |missing| move |instance| if instance == [1; 8] { Holes { missing, ranges: 1 } } else { Holes::default() };
        let gaps = || -> Vec<_> { nodes.list().iter().map(|s| (s.gaps.holes.missing, s.gaps.since)).collect() };
        nodes.note_gaps(Micros(10), first_lacks(3));
        nodes.record(Micros(15), report("a", 1));
        nodes.note_gaps(Micros(20), first_lacks(2));
        assert_eq!(gaps(), [(2, Some(Micros(10))), (0, None)]);
        nodes.note_gaps(Micros(30), |_| Holes::default());
        nodes.note_gaps(Micros(40), first_lacks(1));
        assert_eq!(gaps(), [(1, Some(Micros(40))), (0, None)]);
    }

    #[test]
    fn reports_that_would_take_much_memory_are_refused() {
        let read = |report: &NodeReport| {
            let mut record = Vec::new();
            report.encode(&mut record).unwrap();
            read_report(&record)
        };
        let plan = |keys| wire::PlanReport { keys: vec![wire::PlanKey::default(); keys], ..Default::default() };
        for (report, refused) in [
            (NodeReport { plans: vec![plan(32); 31], ..report("a", 1) }, false),
            (NodeReport { plans: vec![plan(32); 32], ..report("a", 1) }, true),
            (NodeReport { version: "x".repeat(MAX_REPORT), ..report("a", 1) }, true),
        ] {
            assert_eq!(read(&report).is_err(), refused);
        }
    }

    #[test]
    fn of_too_many_workers_the_longest_silent_is_forgotten() {
        let nodes = Nodes::default();
        for i in 0..LIMIT + 1 {
            nodes.record(Micros(i as i64), report(&format!("node-{i}"), 0));
        }
        let list = nodes.list();
        assert_eq!(list.len(), LIMIT);
        assert!(list.iter().all(|s| s.reported > Micros(0)));
    }
}
