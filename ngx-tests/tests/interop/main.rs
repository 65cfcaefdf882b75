//! Senders and stations of other makers, as they speak to the collector.
#![forbid(unsafe_code)]

mod clients;
mod fluent_bit;
mod station;

use std::path::PathBuf;

use ngx_tests::collector::Collector;
use ngx_tests::folder::Port;
use ngx_tests::rest::{Request, Rest};
use ngx_tests::wait;

/// A collector that foreign senders reach over TCP, and over its socket.
struct Site {
    collector: Collector,
    rest: Rest,
    port: Port,
    socket: PathBuf,
}

impl Site {
    async fn start() -> Self {
        let port = Port::lease().unwrap();
        let collector = Collector::new().unwrap();
        let socket = collector.ingest();
        let unix = format!("unix:{}", socket.display());
        let mut collector = collector.with(&["--ingest", &port.address().to_string(), "--ingest", &unix]);
        collector.run().await.unwrap();
        let rest = collector.rest().unwrap();
        Self { collector, rest, port, socket }
    }

    /// Where senders connect to.
    fn ingest(&self) -> String {
        self.port.address().to_string()
    }

    /// What is stored once so many requests are, the oldest path first; then no more may come.
    async fn stored(&self, requests: u64) -> Vec<Request> {
        let there = async || (self.rest.stored().await.ok()? >= requests).then_some(());
        wait::until("requests to be stored", wait::LONG, there).await.unwrap();
        let mut stored = self.rest.everything().await.unwrap();
        stored.sort_by(|a, b| a.path.cmp(&b.path));
        assert_eq!(stored.len() as u64, requests, "{stored:#?}");
        stored
    }

    /// Stops it; nobody was cut off, and nothing set aside.
    async fn close(mut self) {
        let metrics = self.rest.metrics().await.unwrap();
        for name in ["api_sessions_ingest_closed_total", "api_sessions_apply_set_aside_total"] {
            assert_eq!(metrics.sum(name), 0, "{name}: {}", self.collector.log());
        }
        assert!(self.collector.stop().unwrap().unwrap().success(), "{}", self.collector.log());
    }
}
