//! NGINX, a collector, and what they say of each request afterwards.

use std::collections::BTreeSet;

use ngx_tests::collector::Collector;
use ngx_tests::counters::Counters;
use ngx_tests::nginx::{Config, Nginx};
use ngx_tests::proc;
use ngx_tests::rest::{Request, Rest};
use ngx_tests::traffic::Traffic;
use ngx_tests::wait;

/// The path that traffic asks for; NGINX answers itself.
pub const PATH: &str = "/load/1";

/// The demo's configuration, and [`PATH`].
pub fn config() -> Config {
    Config::file("demo.conf").unwrap().in_server("        location /load/ { return 200 \"served\\n\"; }").unwrap()
}

/// NGINX with the module, a collector behind it. Dropped from the front to the back.
pub struct Site {
    pub nginx: Nginx,
    pub collector: Collector,
    pub rest: Rest,
}

impl Site {
    pub async fn of(config: Config) -> Self {
        let collector = Collector::start().await.unwrap();
        let nginx = Nginx::start(&config.runtime(&collector.runtime())).unwrap();
        wait::until("the first thread", wait::LONG, async || (flushers(&nginx) > 0).then_some(())).await.unwrap();
        let rest = collector.rest().unwrap();
        Self { nginx, collector, rest }
    }

    pub fn traffic(&self) -> Traffic {
        Traffic::start(self.nginx.address(), PATH, 3).unwrap()
    }

    /// Reloads with another configuration.
    pub fn reload(&mut self, config: Config) {
        self.nginx.configure(&config.runtime(&self.collector.runtime())).unwrap();
        self.nginx.reload().unwrap();
    }

    /// GET of a path, which must be served.
    pub async fn get(&self, path: &str, headers: &[(&'static str, &str)]) {
        get(&self.nginx, path, headers).await;
    }

    /// What is stored once so many requests are; then no more may come.
    pub async fn stored(&self, requests: usize) -> Vec<Request> {
        wait::until("requests to be stored", wait::LONG, async || {
            self.rest.stored().await.is_ok_and(|stored| stored >= requests as u64).then_some(())
        })
        .await
        .unwrap();
        let stored = self.rest.everything().await.unwrap();
        assert_eq!(stored.len(), requests, "{stored:#?}");
        stored
    }

    /// Waits until stored and counted drops explain each line of the access log, and nothing else.
    pub async fn is_accounted_for(&self) -> Counters {
        is_accounted_for(&self.nginx, &self.rest).await
    }

    /// Stops everything; the error log must be clean.
    pub fn close(self) -> String {
        self.close_allowing(&[])
    }

    /// The same, where lines that hold one of `allowed` are expected.
    pub fn close_allowing(self, allowed: &[&str]) -> String {
        let log = self.nginx.stop_allowing(allowed).unwrap();
        let mut collector = self.collector;
        assert!(collector.stop().unwrap().unwrap().success(), "{}", collector.log());
        log
    }
}

/// GET of a path, which must be served.
pub async fn get(nginx: &Nginx, path: &str, headers: &[(&'static str, &str)]) {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut request = http.get(format!("{}{path}", nginx.url()));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    assert!(request.send().await.unwrap().status().is_success(), "{path}");
}

/// See [`Site::is_accounted_for`].
pub async fn is_accounted_for(nginx: &Nginx, rest: &Rest) -> Counters {
    let (counters, stored) = settled(nginx, rest).await;
    let lines = ids(nginx);
    assert_eq!(counters.sum(SEEN), lines.len() as u64, "the log phase saw other requests than the access log");
    assert!(stored.is_subset(&lines), "a request is stored that the access log does not know");
    counters
}

/// Waits until stored and counted drops explain each request that the log phase saw: the counters, and
/// the ids of what is stored.
pub async fn settled(nginx: &Nginx, rest: &Rest) -> (Counters, BTreeSet<String>) {
    let settled = wait::until("stored and dropped to be all", wait::LONG, async || {
        let counters = nginx.counters().await.ok()?;
        (rest.stored().await.ok()? + counters.sum(DROPPED) >= counters.sum(SEEN)).then_some(())
    });
    // What is missing is told below, in numbers.
    let _ = settled.await;
    let counters = nginx.counters().await.unwrap();
    let all = rest.everything().await.unwrap();
    let stored: BTreeSet<String> = all.iter().map(|request| request.id.clone()).collect();
    assert_eq!(stored.len(), all.len(), "a request is stored twice");
    assert_eq!(stored.len() as u64 + counters.sum(DROPPED), counters.sum(SEEN), "{counters:?}");
    (counters, stored)
}

/// Requests that the log phase saw.
pub const SEEN: &str = "wallarm_sessions_requests_total";
/// Requests that leave no record.
pub const DROPPED: &str = "wallarm_sessions_dropped_total";
/// Events that the collector has acknowledged.
pub const ACKNOWLEDGED: &str = "wallarm_sessions_acknowledged_events_total";

/// The request ids of the access log.
pub fn ids(nginx: &Nginx) -> BTreeSet<String> {
    let lines = nginx.access_log();
    let ids: BTreeSet<String> = lines.iter().filter_map(|line| Some(line.split_once(' ')?.0.to_owned())).collect();
    assert_eq!(ids.len(), lines.len(), "two requests have one id");
    ids
}

/// Waits until all processes of this NGINX together have so many flusher threads.
pub async fn has_flushers(nginx: &Nginx, threads: usize) {
    let there = async || (flushers(nginx) == threads).then_some(());
    wait::until("the flusher threads", wait::LONG, there).await.unwrap();
}

/// The flusher threads of all processes of this NGINX.
pub fn flushers(nginx: &Nginx) -> usize {
    let processes = proc::children(nginx.id()).into_iter().chain([nginx.id()]);
    processes.map(flushers_of).sum()
}

/// The flusher threads of a process.
pub fn flushers_of(process: u32) -> usize {
    proc::threads(process).iter().filter(|name| *name == "wallarm-flusher").count()
}
