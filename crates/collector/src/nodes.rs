//! What each worker of each node last said of itself. `GET /nodes` and `check` read it.
//!
//! Held in memory: every worker reports anew within ten seconds, and after a restart the reports
//! that are still in the log are read again.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use wire::{NodeReport, RecordError};

use crate::model::Micros;

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
}

impl Nodes {
    /// Takes a report in, unless a newer one of the same worker is known.
    pub fn record(&self, reported: Micros, report: NodeReport) {
        let mut reports = self.lock();
        let key = (report.node.clone(), report.instance);
        if reports.get(&key).is_some_and(|known| known.reported > reported) {
            return;
        }
        reports.insert(key, NodeState { reported, report });
        if reports.len() > LIMIT {
            let oldest = reports.iter().min_by_key(|(_, state)| state.reported).map(|(key, _)| key.clone());
            if let Some(key) = oldest {
                reports.remove(&key);
            }
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
