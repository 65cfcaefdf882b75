//! What can fail, and how each thing is made to fail and mended.

use fastrand::Rng;
use ngx_tests::process::{Process, Signal};
use ngx_tests::relay::Manner;
use ngx_tests::wait;

use crate::site::Site;

/// Something that fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A worker gets SIGKILL.
    WorkerKilled,
    /// The master gets SIGKILL; its workers end on TERM, and NGINX starts again.
    MasterKilled,
    /// All of NGINX gets SIGKILL, and starts again.
    AllKilled,
    /// NGINX reloads.
    Reloaded,
    /// The spool's disk is full.
    SpoolDiskFull,
    /// The spool's disk is read-only.
    SpoolDiskReadOnly,
    /// The collector gets SIGKILL, and starts again.
    CollectorKilled,
    /// The collector gets SIGTERM, and starts again.
    CollectorStopped,
    /// The collector gets SIGSTOP, later SIGCONT.
    CollectorFrozen,
    /// The collector's disk is full.
    CollectorDiskFull,
    /// The collector is stopped, and its disk read-only when it starts.
    CollectorDiskReadOnly,
    /// What stands between node and collector behaves so.
    Between(Manner),
}

/// Those of the node.
const NODE: [Fault; 6] = [
    Fault::WorkerKilled,
    Fault::MasterKilled,
    Fault::AllKilled,
    Fault::Reloaded,
    Fault::SpoolDiskFull,
    Fault::SpoolDiskReadOnly,
];

/// Those of the collector, and of the way to it.
const COLLECTOR: [Fault; 11] = [
    Fault::CollectorKilled,
    Fault::CollectorStopped,
    Fault::CollectorFrozen,
    Fault::CollectorDiskFull,
    Fault::CollectorDiskReadOnly,
    Fault::Between(Manner::Refuses),
    Fault::Between(Manner::Silent),
    Fault::Between(Manner::Slow),
    Fault::Between(Manner::Cuts),
    Fault::Between(Manner::WrongAcks),
    Fault::Between(Manner::Garbage),
];

impl Fault {
    /// One of the collector's side, and as often as not one of the node's while it lasts.
    pub fn draw(rng: &mut Rng) -> Vec<Self> {
        let collector = rng.choice(COLLECTOR).into_iter();
        match rng.u8(..4) {
            0 => collector.collect(),
            1 => rng.choice(NODE).into_iter().collect(),
            _ => collector.chain(rng.choice(NODE)).collect(),
        }
    }

    /// Whether the disk that it needs could be mounted.
    pub fn is_possible(self, site: &Site) -> bool {
        match self {
            Self::SpoolDiskFull | Self::SpoolDiskReadOnly => site.spool.is_own(),
            Self::CollectorDiskFull | Self::CollectorDiskReadOnly => site.data.is_own(),
            _ => true,
        }
    }

    /// Makes it so.
    pub async fn begin(self, site: &mut Site) {
        match self {
            Self::WorkerKilled => {
                let before = site.nginx.workers();
                Process::daemon(before[0]).kill().unwrap();
                site.workers_killed += 1;
                let another = async || {
                    let workers = site.nginx.workers();
                    (workers.len() >= before.len() && !workers.contains(&before[0])).then_some(())
                };
                wait::until("another worker", wait::LONG, another).await.unwrap();
            }
            Self::MasterKilled => site.restart_after(Signal::TERM).await,
            Self::AllKilled => site.restart_after(Signal::KILL).await,
            Self::Reloaded => site.nginx.reload().unwrap(),
            Self::SpoolDiskFull => site.spool.fill(),
            // Read-only it gets while nobody writes; else full is what it can be.
            Self::SpoolDiskReadOnly if !site.spool.set_read_only(true) => site.spool.fill(),
            Self::SpoolDiskReadOnly => site.spool_is_read_only = true,
            Self::CollectorKilled => site.collector.kill().unwrap(),
            Self::CollectorStopped => site.stop_collector(),
            Self::CollectorFrozen => site.collector.freeze().unwrap(),
            Self::CollectorDiskFull => site.data.fill(),
            Self::CollectorDiskReadOnly => {
                site.stop_collector();
                assert!(site.data.set_read_only(true), "something still writes to the disk of a stopped collector");
                let ended = site.collector.run_to_its_end().unwrap();
                assert!(ended.is_some_and(|status| !status.success()), "it runs on a read-only disk: {ended:?}");
            }
            Self::Between(manner) => site.relay.behave(manner).unwrap(),
        }
    }

    /// Mends it.
    pub async fn end(self, site: &mut Site) {
        match self {
            Self::WorkerKilled | Self::MasterKilled | Self::AllKilled | Self::Reloaded => {}
            Self::SpoolDiskReadOnly if std::mem::take(&mut site.spool_is_read_only) => {
                assert!(site.spool.set_read_only(false));
            }
            Self::SpoolDiskFull | Self::SpoolDiskReadOnly => site.spool.make_room(),
            Self::CollectorKilled | Self::CollectorStopped => site.collector.run().await.unwrap(),
            Self::CollectorFrozen => site.collector.thaw().unwrap(),
            Self::CollectorDiskFull => {
                site.data.make_room();
                // As systemd would, when the store's engine gave up too often.
                if site.collector.has_ended() {
                    site.collector.run().await.unwrap();
                }
            }
            Self::CollectorDiskReadOnly => {
                assert!(site.data.set_read_only(false));
                site.collector.run().await.unwrap();
            }
            Self::Between(_) => site.relay.behave(Manner::Honest).unwrap(),
        }
    }
}
