//! NGINX with `site.conf`, its origin, and a collector; what clients did, and what came of it.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use ngx_tests::collector::Collector;
use ngx_tests::folder::Port;
use ngx_tests::line::{self, Line};
use ngx_tests::nginx::{Config, Nginx};
use ngx_tests::rest::{Request, Rest};
use ngx_tests::wait;
use tokio::sync::{Mutex, Semaphore};
use tokio::task::JoinSet;

use crate::origin;
use crate::situation::{Server, Situation, Told};

pub struct Site {
    nginx: Nginx,
    collector: Collector,
    rest: Rest,
    narrow: Port,
    hasty: Port,
    _nobody: Port,
    /// What must be told of everything that was asked so far.
    told: Mutex<Vec<Told>>,
}

impl Site {
    pub async fn open() -> Self {
        let [narrow, hasty, nobody] = [Port::lease(), Port::lease(), Port::lease()].map(Result::unwrap);
        let collector = Collector::start().await.unwrap();
        let config = Config::text("site.conf", include_str!("site.conf")).runtime(&collector.runtime());
        let config = config.shop(origin::open().await).unwrap();
        let ports = [("127.0.0.1:8081", &narrow), ("127.0.0.1:8082", &hasty), ("127.0.0.1:9001", &nobody)];
        let config = ports
            .into_iter()
            .fold(config, |config, (installed, port)| config.replace(installed, &port.address().to_string()).unwrap());
        let nginx = Nginx::start(&config).unwrap();
        write_files(&nginx);
        let rest = collector.rest().unwrap();
        Self { nginx, collector, rest, narrow, hasty, _nobody: nobody, told: Mutex::default() }
    }

    fn address(&self, server: Server) -> SocketAddr {
        match server {
            Server::Shop => self.nginx.address(),
            Server::Narrow => self.narrow.address(),
            Server::Hasty => self.hasty.address(),
        }
    }

    /// Plays all situations, each so many times, so many at once.
    pub async fn run(&self, situations: &[Situation], times: usize, at_once: usize) {
        let places = Arc::new(Semaphore::new(at_once));
        let mut clients = JoinSet::new();
        let mut told = self.told.lock().await;
        let started = Instant::now();
        for round in 0..times {
            for (number, situation) in situations.iter().enumerate() {
                let tag = format!("{round}-{number}");
                told.extend(situation.told_of(&tag));
                let (situation, address) = (situation.clone(), self.address(situation.server));
                let place = places.clone().acquire_owned().await.unwrap();
                clients.spawn(async move {
                    let played = situation.play(address, &tag).await;
                    drop(place);
                    played.unwrap_or_else(|error| panic!("{} ({tag}): {error}", situation.name));
                });
            }
        }
        while let Some(played) = clients.join_next().await {
            played.unwrap();
        }
        println!("{} requests in {:.1} s", told.len(), started.elapsed().as_secs_f64());
    }

    /// Compares the table, the access log and the records with each other.
    pub async fn compare(&self) {
        let mut table = self.told.lock().await.clone();
        self.settle(table.len() as u64).await;
        let counters = self.nginx.counters().await.unwrap();
        let stored = self.rest.everything().await.unwrap();
        let lines = self.lines("access.log");
        println!("{} lines, {} records", lines.len(), stored.len());
        assert_eq!(counters.sum("wallarm_sessions_dropped_total"), 0);
        assert_eq!(counters.sum("wallarm_sessions_panics_total"), 0);

        let mut told: Vec<Told> = stored.iter().map(told).collect();
        table.sort();
        told.sort();
        let missing = without(&table, &told);
        let surplus = without(&told, &table);
        assert!(
            missing.is_empty() && surplus.is_empty(),
            "not recorded: {}\nnot asked: {}",
            shown(&missing),
            shown(&surplus)
        );
        assert_eq!(lines.len(), stored.len(), "lines and records differ in number");
        assert_eq!(counters.sum("wallarm_sessions_requests_total"), lines.len() as u64);

        let mut by_id: BTreeMap<&str, &Request> = BTreeMap::new();
        for request in &stored {
            let other = by_id.insert(&request.id, request);
            assert!(other.is_none(), "recorded twice: {request:#?}");
        }
        let mut differences = Vec::new();
        for line in &lines {
            match by_id.remove(line.id.as_str()) {
                Some(request) => differences.extend(line::differences(line, request)),
                None => differences.push(format!("no record of {line:?}, or a second line of its id")),
            }
        }
        assert!(differences.is_empty(), "differences: {}", shown(&differences));

        for line in self.lines("subrequests.log") {
            let known = stored.iter().any(|request| request.id == line.id);
            assert!(known, "the id of a subrequest is not its request's: {line:?}");
        }
    }

    /// Waits until so many requests are stored and have their line; what is missing then, the
    /// comparison tells.
    async fn settle(&self, requests: u64) {
        let settled = wait::until("all to be stored", wait::LONG, async || {
            let lines = self.nginx.access_log().len() as u64;
            (lines >= requests && self.rest.stored().await.ok()? >= requests).then_some(())
        });
        settled.await.unwrap_or_else(|error| println!("{error}"));
    }

    fn lines(&self, name: &str) -> Vec<Line> {
        line::read(&fs::read(self.nginx.path(name)).unwrap_or_default())
    }

    /// Stops everything; the error log must be clean.
    pub fn close(self) {
        let Self { nginx, mut collector, .. } = self;
        nginx.stop().unwrap();
        let ended = collector.stop().unwrap().unwrap();
        assert!(ended.success(), "the collector ended with {ended}:\n{}", collector.log());
    }
}

/// What NGINX serves itself.
fn write_files(nginx: &Nginx) {
    for folder in ["html/files/below", "store"] {
        fs::create_dir_all(nginx.path(folder)).unwrap();
    }
    fs::write(nginx.path("html/files/file.txt"), "a file\n").unwrap();
    fs::write(nginx.path("html/files/below/index.html"), "below\n").unwrap();
    fs::write(nginx.path("html/files/big.bin"), vec![b'.'; 4 << 20]).unwrap();
    fs::write(nginx.path("users"), "shop:{PLAIN}open\n").unwrap();
}

/// What a record tells, as the table has it.
fn told(request: &Request) -> Told {
    let x = request.params.iter().find(|param| param.name == "x").map(|param| param.value.clone());
    Told {
        application: request.application.clone(),
        method: request.method.clone(),
        path: request.path.clone(),
        x: x.unwrap_or_default(),
        status: request.status,
    }
}

/// The first of them, a line each.
fn shown(some: &[impl std::fmt::Debug]) -> String {
    let lines = some.iter().take(20).map(|one| format!("\n  {one:?}").chars().take(500).collect::<String>());
    format!("{}{}", some.len(), lines.collect::<String>())
}

/// What `some` has more often than `others`; both sorted.
fn without(some: &[Told], others: &[Told]) -> Vec<Told> {
    let mut others = others.iter().peekable();
    let mut left = Vec::new();
    for told in some {
        while others.next_if(|other| *other < told).is_some() {}
        if others.next_if(|other| *other == told).is_none() {
            left.push(told.clone());
        }
    }
    left
}
