//! NGINX with servers of a test's own, and what it told about its requests.

use std::net::SocketAddr;

use ngx_tests::collector::Collector;
use ngx_tests::folder::Port;
use ngx_tests::nginx::{Config, Nginx};
use ngx_tests::relay::{Manner, Relay};
use ngx_tests::rest::{Request, Rest};
use ngx_tests::wait;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::certificates::Certificates;
use crate::told::{self, Told};

/// NGINX, a collector, and a relay between them that sees the records. Dropped front to back.
pub struct Site {
    pub nginx: Nginx,
    pub collector: Collector,
    pub rest: Rest,
    pub certificates: Certificates,
    relay: Relay,
    port: Port,
}

/// What stands for them in the servers of a test.
const LISTEN: &str = "LISTEN";
const PORT: &str = "PORT";
const FOLDER: &str = "FOLDER";

impl Site {
    /// The quickstart's configuration with further lines in `http`. In them `LISTEN` stands for a
    /// free address of the loopback, [`Site::address`], `PORT` for its port, and `FOLDER` for a folder with certificates.
    pub async fn of(in_http: &str) -> Self {
        let collector = Collector::start().await.unwrap();
        let relay = Relay::start(&collector.ingest(), Manner::Honest).unwrap();
        let (certificates, port) = (Certificates::make(), Port::lease().unwrap());
        let lines = in_http
            .replace(LISTEN, &port.address().to_string())
            .replace(PORT, &port.address().port().to_string())
            .replace(FOLDER, &certificates.folder().display().to_string());
        let config = config(&lines).runtime(relay.runtime());
        let (nginx, rest) = (Nginx::start(&config).unwrap(), collector.rest().unwrap());
        Self { nginx, collector, rest, certificates, relay, port }
    }

    /// Where `LISTEN` is.
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// Waits for so many requests, none of them twice; every line of the access log must be a
    /// record, field by field, and the API must tell each connection's requests in their order.
    pub async fn told(&self, requests: usize) -> Vec<Told> {
        wait::until("requests to be stored", wait::LONG, async || {
            self.rest.stored().await.is_ok_and(|stored| stored >= requests as u64).then_some(())
        })
        .await
        .unwrap();
        let mut all = told::of(&self.relay.seen());
        let mut logged = self.nginx.access_log();
        assert_eq!((all.len(), logged.len()), (requests, requests), "{all:#?}");
        // Each line begins with the id.
        all.sort_by(|a, b| a.id.cmp(&b.id));
        logged.sort();
        let lines: Vec<String> = all.iter().zip(&logged).map(|(told, logged)| told.line(logged)).collect();
        assert_eq!(lines, logged);
        self.in_order(all).await
    }

    /// The same requests as the API orders them.
    async fn in_order(&self, all: Vec<Told>) -> Vec<Told> {
        let stored: Vec<Request> = self.rest.everything().await.unwrap();
        assert_eq!(stored.len(), all.len());
        let of = |request: &Request| all.iter().find(|told| told.id == request.id).unwrap().clone();
        let ordered: Vec<Told> = stored.iter().map(of).collect();
        for pair in stored.windows(2).map(|pair| (of(&pair[0]), of(&pair[1]))) {
            let one = pair.0.sid == pair.1.sid && pair.0.conn == pair.1.conn;
            assert!(!one || pair.0.n < pair.1.n, "one connection, and not in order: {pair:#?}");
        }
        ordered
    }

    /// Stops everything; the error log must be clean.
    pub fn close(self) {
        let Self { nginx, mut collector, .. } = self;
        nginx.stop().unwrap();
        let ended = collector.stop().unwrap().unwrap();
        assert!(ended.success(), "the collector ended with {ended}:\n{}", collector.log());
    }
}

fn config(in_http: &str) -> Config {
    // The default collector is the installed one; that its path is right shows elsewhere.
    let collector = "    wallarm_session_collector unix:/run/api-sessions/collector.sock;";
    let format = format!("    {}\n    log_format told '{}';", told::MAPS, told::FORMAT);
    let config = Config::file("quickstart.conf").unwrap();
    config
        .in_http(&format!("{collector}\n{format}\n{in_http}"))
        .and_then(|config| config.replace("/access.log;", "/access.log told;"))
        .and_then(|config| config.replace("proxy_pass http://127.0.0.1:9000;", "return 200 \"served\\n\";"))
        .unwrap()
}

/// Sends text, and returns everything that is answered until the connection ends.
pub async fn exchange(mut stream: impl AsyncRead + AsyncWrite + Unpin, text: &[u8]) -> String {
    stream.write_all(text).await.unwrap();
    let mut answers = Vec::new();
    // A peer that has bytes left unread resets; what it said before counts.
    while stream.read_buf(&mut answers).await.is_ok_and(|read| read > 0) {}
    String::from_utf8_lossy(&answers).into_owned()
}

/// The same over a new connection.
pub async fn ask(address: SocketAddr, text: impl AsRef<[u8]>) -> String {
    exchange(TcpStream::connect(address).await.unwrap(), text.as_ref()).await
}

/// A request of HTTP/1.1 after which the connection ends.
pub fn last(path: &str, headers: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: shop.example\r\n{headers}Connection: close\r\n\r\n")
}
