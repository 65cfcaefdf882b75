//! NGINX with two workers under load, and what it and the collector say afterwards.

use std::collections::BTreeMap;

use ngx_tests::collector::Collector;
use ngx_tests::counters::Counters;
use ngx_tests::load::{Load, get};
use ngx_tests::nginx::{Config, Nginx};
use ngx_tests::rest::{Request, Rest};
use ngx_tests::wait;

/// Sessions that a load makes.
const SESSIONS: u64 = 40;

/// The demo's configuration with two workers, and an answer made by NGINX itself.
pub fn config(collector: &Collector, in_http: &str) -> Config {
    let load = "        location /load/ { return 200 \"served\\n\"; }";
    let config = Config::file("demo.conf").unwrap().in_server(load).unwrap();
    config.in_http(in_http).unwrap().runtime(&collector.runtime())
}

/// So many requests with different paths, by forty users.
pub fn load(nginx: &Nginx, requests: u64, rate: Option<u64>) -> Load {
    let heads = (0..SESSIONS).map(|user| {
        let cookie = format!("sid=user-{user}");
        get("/load/{n}", &[("User-Agent", "load"), ("Cookie", &cookie), ("Accept", "*/*")])
    });
    Load { address: nginx.address(), connections: 32, requests, rate, heads: heads.collect() }
}

/// What is known when everything has settled.
pub struct Outcome {
    /// `request id -> request line` of the access log.
    pub lines: BTreeMap<String, String>,
    /// Everything stored.
    pub stored: Vec<Request>,
    /// NGINX's counters.
    pub counters: Counters,
}

impl Outcome {
    /// Requests that the log phase saw.
    pub fn seen(&self) -> u64 {
        self.counters.sum("wallarm_sessions_requests_total")
    }

    /// Requests counted as dropped, all reasons.
    pub fn dropped(&self) -> u64 {
        self.counters.sum("wallarm_sessions_dropped_total")
    }

    /// Checks what has to be so however much was dropped: stored and dropped explain every line of the
    /// access log, nothing is stored twice, and each stored request is the one of its line.
    pub fn is_accounted_for(&self) {
        let lines = self.lines.len() as u64;
        println!("    {} lines, {} stored, {} dropped", lines, self.stored.len(), self.dropped());
        assert_eq!(self.seen(), lines, "the log phase saw other requests than the access log");
        assert_eq!(self.stored.len() as u64 + self.dropped(), lines, "counted drops do not explain what is missing");
        let mut ids: Vec<&str> = self.stored.iter().map(|request| request.id.as_str()).collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), self.stored.len(), "a request is stored twice");
        for request in &self.stored {
            let line = self.lines.get(&request.id).unwrap_or_else(|| panic!("no line of {request:#?}"));
            let line = line.as_str();
            assert_eq!(line, format!("GET {} HTTP/1.1", request.path), "the id {} is another request's", request.id);
        }
    }
}

/// Waits until every request that NGINX saw is stored or counted as dropped, and reads it all.
pub async fn settled(nginx: &Nginx, rest: &Rest, answered: u64) -> Outcome {
    let settled = wait::until("stored and dropped to be all", wait::LONG, async || {
        let counters = nginx.counters().await.ok()?;
        let dropped = counters.sum("wallarm_sessions_dropped_total");
        let stored = rest.stored().await.ok()?;
        (stored + dropped >= answered).then_some(counters)
    })
    .await;
    let counters = match settled {
        Ok(counters) => counters,
        // What is missing is told by the assertions, in numbers.
        Err(_) => nginx.counters().await.unwrap(),
    };
    wait::until("the access log", wait::LONG, async || (nginx.access_log().len() as u64 >= answered).then_some(()))
        .await
        .unwrap();
    let mut lines = BTreeMap::new();
    for line in nginx.access_log() {
        let (id, rest) = line.split_once(' ').unwrap_or_else(|| panic!("a line without id: {line}"));
        let request = rest.split('"').nth(1).unwrap_or_else(|| panic!("a line without request: {line}"));
        let other = lines.insert(id.to_owned(), request.to_owned());
        assert!(other.is_none(), "two requests have the id {id}");
    }
    Outcome { lines, stored: rest.everything().await.unwrap(), counters }
}
