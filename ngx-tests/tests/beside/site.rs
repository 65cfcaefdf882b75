//! NGINX with `beside.conf`, its origin and files, and a collector.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use axum::Router;
use axum::http::HeaderMap;
use axum::routing::{get, post};
use ngx_tests::collector::Collector;
use ngx_tests::folder;
use ngx_tests::nginx::{Config, Nginx};
use ngx_tests::process::Signal;
use ngx_tests::rest::{Request, Rest};
use ngx_tests::wait;
use tempfile::TempDir;

use crate::asked::{self, Answer};
use crate::mmdb;

/// Where the line stands that loads our module.
#[derive(Clone, Copy, Debug)]
pub enum Order {
    First,
    Last,
    /// Nowhere: what to compare with.
    Without,
}

pub struct Site {
    nginx: Nginx,
    collector: Collector,
    rest: Rest,
    _files: TempDir,
}

impl Site {
    pub async fn open(order: Order) -> Self {
        let files = files();
        let collector = Collector::start().await.unwrap();
        let origin = origin().await;
        let config = config(order, files.path(), origin).runtime(&collector.runtime());
        let nginx = Nginx::start(&config).unwrap();
        let rest = collector.rest().unwrap();
        Self { nginx, collector, rest, _files: files }
    }

    pub async fn ask(&self, question: &str, headers: &str, body: &str) -> Answer {
        let answer = asked::ask(self.nginx.address(), question, headers, body).await.unwrap();
        assert!(!answer.bytes.is_empty(), "no answer to {question}; error log:\n{}", self.nginx.error_log());
        answer
    }

    /// One after the other, so that logs are in their order.
    pub async fn ask_everything(&self) -> Vec<Answer> {
        let mut answers = Vec::new();
        for (question, headers, body) in asked::everything() {
            answers.push(self.ask(question, headers, &body).await);
        }
        answers
    }

    /// Reloads, and returns when a new worker answers.
    pub async fn reload(&mut self) {
        let old = self.ask("GET /pid", "", "").await.comparable();
        self.nginx.signal(Signal::HUP).unwrap();
        wait::until("a new worker", wait::LONG, async || {
            (self.ask("GET /pid", "", "").await.comparable() != old).then_some(())
        })
        .await
        .unwrap();
    }

    /// Waits until so many requests are stored; there may be no more of them, and each only once.
    pub async fn records(&self, requests: usize) -> Vec<Request> {
        wait::until("requests to be stored", wait::LONG, async || {
            self.rest.stored().await.is_ok_and(|stored| stored >= requests as u64).then_some(())
        })
        .await
        .unwrap();
        let records = self.rest.everything().await.unwrap();
        assert_eq!(records.len(), requests);
        records
    }

    /// A log of NGINX or of another module, line by line.
    pub fn log(&self, name: &str) -> Vec<String> {
        let text = fs::read_to_string(self.nginx.path(name)).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    /// Stops everything; the error log must be clean.
    pub fn close(self) {
        let Self { nginx, mut collector, .. } = self;
        nginx.stop().unwrap();
        let ended = collector.stop().unwrap().unwrap();
        assert!(ended.success(), "the collector ended with {ended}:\n{}", collector.log());
    }
}

const OURS: &str = "load_module modules/ngx_http_wallarm_sessions_module.so;\n";
const LAST: &str = "ngx_http_geoip2_module.so;\n";

fn config(order: Order, files: &Path, origin: SocketAddr) -> Config {
    let root = folder::debian_modules();
    let below = |name: &str| root.join(name).display().to_string();
    let libraries = ["usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu"].map(below).join(":");
    let config = Config::text("beside.conf", include_str!("beside.conf"));
    let config = match order {
        Order::First => config,
        Order::Last => config.replace(OURS, "").unwrap().replace(LAST, &format!("{LAST}{OURS}")).unwrap(),
        Order::Without => config.without_module(),
    };
    let config = config.shop(origin).unwrap().environment("LD_LIBRARY_PATH", &libraries);
    let config = config.replace("/usr/lib/nginx/modules", &below("usr/lib/nginx/modules")).unwrap();
    let config = config.replace("/usr/share/lua", &below("usr/share/lua")).unwrap();
    config.replace("/srv/beside", files.to_str().unwrap()).unwrap()
}

/// What the config reads and serves.
fn files() -> TempDir {
    let folder = folder::temporary().unwrap();
    fs::create_dir(folder.path().join("static")).unwrap();
    for (name, content) in [
        ("shop.js", include_bytes!("shop.js").to_vec()),
        ("country.mmdb", mmdb::of_country("NZ")),
        ("static/page.txt", b"a page\n".to_vec()),
        ("static/page.txt.br", b"as good as any".to_vec()),
        ("static/big.bin", b"0123456789".repeat(20_000)),
    ] {
        fs::write(folder.path().join(name), content).unwrap();
    }
    // One time for all runs, as Last-Modified and ETag tell it.
    for name in ["page.txt", "page.txt.br", "big.bin"] {
        let file = fs::File::options().append(true).open(folder.path().join("static").join(name)).unwrap();
        file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000)).unwrap();
    }
    folder
}

async fn origin() -> SocketAddr {
    // Small, so that it arrives in one piece: filters compress and chunk what they are given at once.
    let text = "a text of which there is enough to be worth compressing\n".repeat(20);
    let country = |headers: HeaderMap| async move {
        let told = |name| headers.get(name).map_or("none", |value| value.to_str().unwrap()).to_owned();
        format!("{} {}\n", told("X-Country"), told("X-Unwanted"))
    };
    let routes = Router::new()
        .route("/text", get(move || async move { ([("X-Origin", "hyper")], text) }))
        .route("/country", get(country))
        .route("/echo", post(|body: String| async move { body }))
        .route("/leak", get(|| async { ([("X-Leak", "yes")], "a secret\n") }));
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(axum::serve(listener, routes).into_future());
    address
}
