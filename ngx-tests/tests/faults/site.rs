//! NGINX with a spool, a collector behind a relay, each on a small disk, and what became of each request.

use std::collections::BTreeSet;
use std::fs;

use ngx_tests::collector::Collector;
use ngx_tests::counters::Counters;
use ngx_tests::folder;
use ngx_tests::nginx::{Config, Nginx};
use ngx_tests::process::Signal;
use ngx_tests::relay::{Manner, Relay};
use ngx_tests::rest::Rest;
use ngx_tests::wait;
use tempfile::TempDir;

use crate::disk::Disk;

/// The disk is as small as a test's, so is what it keeps free.
pub const RESERVE: [&str; 2] = ["--disk-reserve", "8m"];

/// The path that traffic asks for; NGINX answers itself.
pub const PATH: &str = "/load/1";

/// Requests that the log phase saw, in this life of NGINX, as all counters of the node.
const SEEN: &str = "wallarm_sessions_requests_total";
const DROPPED: &str = "wallarm_sessions_dropped_total";
const ACKNOWLEDGED: &str = "wallarm_sessions_acknowledged_events_total";
const SPOOLED: &str = "wallarm_sessions_spooled_events_total";
const QUEUED: &str = "wallarm_sessions_queue_length";
const UNACKNOWLEDGED: &str = "wallarm_sessions_unacknowledged_events";
/// Bytes in the collector's log that are not in its store yet.
const UNAPPLIED: &str = "api_sessions_log_unapplied_bytes";
const FETCHED: &str = "wallarm_sessions_spool_acknowledged_events_total";

/// What was explained before: only what is new has to be.
#[derive(Clone, Default)]
struct Known {
    /// Requests that are missing.
    missing: BTreeSet<String>,
    /// Drops that this life of NGINX has counted.
    dropped: u64,
    /// Those of them that are guesses about a killed worker.
    killed: u64,
    /// How many more requests may be missing, of lives that ended since.
    lost_at_most: u64,
}

/// Dropped from the front to the back.
pub struct Site {
    pub nginx: Nginx,
    pub relay: Relay,
    pub collector: Collector,
    pub rest: Rest,
    pub spool: Disk,
    pub data: Disk,
    pub spool_is_read_only: bool,
    pub workers_killed: u64,
    /// Lines of the access log when the lives of NGINX before this one were over.
    past_lines: u64,
    known: Known,
    folder: TempDir,
}

impl Site {
    pub async fn start() -> Self {
        let mut collector = Collector::new().unwrap().with(&RESERVE);
        let data = Disk::mount(&collector.data(), 128);
        collector.run().await.unwrap();
        let rest = collector.rest().unwrap();
        let relay = Relay::start(&collector.ingest(), Manner::Honest).unwrap();
        let folder = folder::temporary().unwrap();
        let place = folder.path().join("disk");
        fs::create_dir(&place).unwrap();
        let spool = Disk::mount(&place, 32);
        let lines = format!(
            "    wallarm_session_spool {}/spool max=16m;\n    wallarm_session_batch interval=100ms;",
            place.display()
        );
        let config = Config::file("demo.conf").unwrap();
        let config = config.in_server("        location /load/ { return 200 \"served\\n\"; }").unwrap();
        let nginx = Nginx::start(&config.in_http(&lines).unwrap().runtime(relay.runtime())).unwrap();
        nginx.await_workers().unwrap();
        Self {
            nginx,
            relay,
            collector,
            rest,
            spool,
            data,
            spool_is_read_only: false,
            workers_killed: 0,
            past_lines: 0,
            known: Known::default(),
            folder,
        }
    }

    /// Kills the master, ends its workers in this way, and starts NGINX again. What the counters told
    /// goes with it.
    pub async fn restart_after(&mut self, signal: Signal) {
        let told = self.nginx.counters().await.unwrap();
        let mut workers = self.nginx.kill_master().unwrap();
        for worker in &mut workers {
            worker.signal(signal).unwrap();
        }
        for worker in &mut workers {
            worker.wait(wait::LONG).expect("a worker without a master ends");
        }
        let lines = self.lines().len() as u64;
        self.known.lost_at_most += match signal {
            // What was neither acknowledged nor on disk when it was last looked.
            Signal::KILL => {
                self.workers_killed += workers.len() as u64;
                let safe = told.sum(ACKNOWLEDGED) - told.sum(FETCHED) + told.sum(SPOOLED);
                (lines - self.past_lines).saturating_sub(safe + self.known.dropped)
            }
            _ => told.sum(DROPPED) - self.known.dropped,
        };
        (self.known.dropped, self.known.killed) = (0, 0);
        self.past_lines = lines;
        self.nginx.start_again().unwrap();
        self.nginx.await_workers().unwrap();
    }

    pub fn stop_collector(&mut self) {
        let ended = self.collector.stop().unwrap();
        assert!(ended.is_some_and(|status| status.success()), "{}", self.collector.log());
    }

    /// Waits until all that was answered is accounted for, and says how.
    ///
    /// A worker that is killed may have answered one request that it does not log any more.
    pub async fn is_accounted_for(&mut self, answered: u64) -> String {
        let logged = async || (self.lines().len() as u64 + self.workers_killed >= answered).then_some(());
        wait::until("the access log", wait::LONG, logged).await.unwrap();
        let mut last = None;
        let explained = wait::until("each request to be accounted for", wait::LONG, async || {
            let account = self.account().await?;
            let errors = account.errors();
            let done = errors.is_empty().then(|| account.known());
            last = Some((errors, account));
            done
        });
        match explained.await {
            Ok(known) => {
                self.known = known;
                last.map(|(_, account)| account.to_string()).unwrap_or_default()
            }
            Err(late) => panic!("{late}: {last:#?}\n{}", self.collector.log()),
        }
    }

    /// What is known now; nothing while somebody does not answer, or something is still on its way.
    async fn account(&self) -> Option<Account> {
        let counters = self.nginx.counters().await.ok()?;
        let held = counters.sum(QUEUED) + counters.sum(UNACKNOWLEDGED) + self.parts() as u64;
        if held + self.rest.metrics().await.ok()?.sum(UNAPPLIED) > 0 {
            return None;
        }
        let all = self.rest.everything().await.ok()?;
        let stored: BTreeSet<String> = all.iter().map(|request| request.id.clone()).collect();
        Some(Account {
            twice: all.len() - stored.len(),
            lines: self.lines(),
            stored,
            counters,
            past_lines: self.past_lines,
            before: self.known.clone(),
            workers_killed: self.workers_killed,
        })
    }

    /// Parts of the spool.
    fn parts(&self) -> usize {
        fs::read_dir(self.folder.path().join("disk/spool")).map_or(0, Iterator::count)
    }

    /// The request ids of the access log.
    fn lines(&self) -> BTreeSet<String> {
        let lines = self.nginx.access_log();
        lines.iter().filter_map(|line| Some(line.split_once(' ')?.0.to_owned())).collect()
    }

    /// Stops everything in order.
    pub fn close(mut self) {
        self.nginx.stop_allowing(&["exited on signal 9"]).unwrap();
        assert!(self.collector.stop().unwrap().unwrap().success(), "{}", self.collector.log());
    }
}

/// What became of each request.
struct Account {
    lines: BTreeSet<String>,
    stored: BTreeSet<String>,
    twice: usize,
    counters: Counters,
    past_lines: u64,
    before: Known,
    workers_killed: u64,
}

impl Account {
    fn known(&self) -> Known {
        Known {
            missing: self.lines.difference(&self.stored).cloned().collect(),
            dropped: self.counters.sum(DROPPED),
            killed: self.counters.sum_with(DROPPED, "reason=\"worker_killed\""),
            lost_at_most: 0,
        }
    }

    /// What does not add up.
    ///
    /// A worker that was killed may have handed on one request that it had not logged yet. What it held
    /// counts as lost, though it may have been stored in the very moment of the kill.
    fn errors(&self) -> Vec<&'static str> {
        let lines = self.lines.len() as u64 - self.past_lines;
        let seen = self.counters.sum(SEEN);
        let unlogged = self.stored.difference(&self.lines).count() as u64;
        let now = self.known();
        let missing = now.missing.difference(&self.before.missing).count() as u64;
        let dropped = now.dropped - self.before.dropped;
        let killed = now.killed - self.before.killed;
        let rules = [
            (self.twice == 0, "a request is stored twice"),
            (unlogged <= self.workers_killed, "a request is stored that the access log does not know"),
            (seen >= lines && seen <= lines + self.workers_killed, "the log phase saw other requests than are logged"),
            (missing <= dropped + self.before.lost_at_most, "counted drops do not explain what is missing"),
            (missing + killed >= dropped, "drops are counted of requests that are stored"),
        ];
        rules.iter().filter(|(holds, _)| !holds).map(|(_, error)| *error).collect()
    }
}

impl std::fmt::Display for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (now, before) = (self.known(), &self.before);
        let missing = now.missing.difference(&before.missing).count();
        write!(f, "{} lines, {} stored, {missing} more missing", self.lines.len(), self.stored.len())?;
        let (dropped, killed) = (now.dropped - before.dropped, now.killed - before.killed);
        write!(f, ", {dropped} counted ({killed} worker_killed), {} lost at most", before.lost_at_most)
    }
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}; {:#?}", self.counters)
    }
}
