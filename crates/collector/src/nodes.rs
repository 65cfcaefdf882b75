//! What each worker of each node last said of itself. `GET /nodes` and `check` read it.
//!
//! Held in memory: every worker reports anew within ten seconds, and after a restart the reports
//! that are still in the log are read again.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use wire::NodeReport;

use crate::model::Micros;

/// Workers remembered; of more, the longest silent is forgotten.
const LIMIT: usize = 4096;

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
