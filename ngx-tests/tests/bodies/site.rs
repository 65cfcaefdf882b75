//! NGINX with the module and NGINX without it, their origin, and a collector; and what came of what
//! clients did.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ngx_tests::collector::Collector;
use ngx_tests::counters::Counters;
use ngx_tests::fastcgi::{Responder, Script};
use ngx_tests::folder::Port;
use ngx_tests::line;
use ngx_tests::nginx::{Config, Nginx};
use ngx_tests::raw::{Raw, Step};
use ngx_tests::rest::{Request, Rest};
use ngx_tests::wait;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::certificates::{self, Certificates};
use crate::message::Answer;
use crate::origin;
use crate::situation::{Situation, Told};
use crate::streams::{self, Http2, Http3};

/// What clients speak. All streams of one connection, but of HTTP/1.1 each situation has its own.
#[derive(Clone)]
enum Client {
    Http1(SocketAddr),
    Http2(Http2),
    Http3(Http3),
}

#[derive(Clone, Copy, PartialEq)]
pub enum Protocol {
    Http1,
    Http2,
    Http3,
}

impl Client {
    /// What is received; `None` where somebody left, as how much he has read is his own affair.
    async fn play(self, situation: &Situation) -> Option<Vec<Answer>> {
        let asked = || situation.asked().unwrap();
        match self {
            Self::Http1(address) => {
                let received =
                    Raw::play(address, &situation.steps).await.unwrap_or_else(|e| panic!("{}: {e}", situation.name));
                let whole = !matches!(situation.steps.last(), Some(Step::Leave));
                whole.then(|| Answer::all(&received, situation.is_head()))
            }
            Self::Http2(client) => Some(vec![client.ask(&asked()).await]),
            Self::Http3(client) => Some(vec![client.ask(&asked()).await]),
        }
    }
}

/// Bytes that the open batch takes without an event in it are less, one body is more.
const NO_BODY: u64 = 100;
/// Situations that are played at once.
const AT_ONCE: usize = 8;

pub struct Site {
    nginx: Server,
    bare: Server,
    collector: Collector,
    rest: Rest,
    certificates: Certificates,
    _nobody: Port,
    _fastcgi: Responder,
}

/// What the FastCGI responder says: what it received, in an answer that has an id.
fn say_received(script: &Script) -> String {
    let said = format!("{{\"id\":\"fastcgi\",\"received\":{:?}}}\n", origin::received(&script.body));
    format!("Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{said}", said.len())
}

impl Site {
    /// Plays situations to an NGINX with the module and to one without, and compares all there is.
    pub async fn run(protocol: Protocol, mut situations: Vec<Situation>) -> Self {
        if protocol != Protocol::Http1 {
            situations.retain(|situation| situation.asked().is_some());
        }
        let site = Self::open(&situations, "warn").await;
        site.compare_answers(protocol, &situations).await;
        let told: Vec<(String, Told)> = situations.into_iter().flat_map(|situation| situation.told).collect();
        site.compare_records(told).await;
        site
    }

    /// With an error log of a level.
    pub async fn open(situations: &[Situation], level: &str) -> Self {
        let answers = situations.iter().filter_map(|one| Some((one.name.clone(), one.answer.clone()?))).collect();
        let collector = Collector::start().await.unwrap();
        let nobody = Port::lease().unwrap();
        let certificates = Certificates::make();
        let config = Config::text("site.conf", include_str!("site.conf")).runtime(&collector.runtime());
        let (origin, fastcgi) = (origin::open(answers).await, Responder::start(say_received).await.unwrap());
        let config = config
            .shop(origin)
            .and_then(|config| config.replace("127.0.0.1:9001", &nobody.address().to_string()))
            .and_then(|config| config.replace("127.0.0.1:9002", &fastcgi.address().to_string()))
            .and_then(|config| config.replace("error.log warn;", &format!("error.log {level};")))
            .unwrap();
        let bare = config.clone().replace("$wallarm_session_id", "").unwrap().without_module();
        let changed = SystemTime::now();
        let [nginx, bare] = [config, bare].map(|config| Server::start(config, &certificates, changed));
        let rest = collector.rest().unwrap();
        Self { nginx, bare, collector, rest, certificates, _nobody: nobody, _fastcgi: fastcgi }
    }

    async fn compare_answers(&self, protocol: Protocol, situations: &[Situation]) {
        let places = Arc::new(Semaphore::new(AT_ONCE));
        let mut clients = JoinSet::new();
        let mut wrong = String::new();
        let bare = self.bare.client(protocol, &self.certificates).await;
        let ours = self.nginx.client(protocol, &self.certificates).await;
        for situation in situations {
            let (situation, bare, ours) = (situation.clone(), bare.clone(), ours.clone());
            let place = places.clone().acquire_owned().await.unwrap();
            clients.spawn(async move {
                let answers = [bare.play(&situation).await, ours.play(&situation).await];
                drop(place);
                (situation.name, answers)
            });
        }
        while let Some(played) = clients.join_next().await {
            let (name, [bare, ours]) = played.unwrap();
            if bare != ours {
                wrong += &format!("{name}: without the module {bare:?}\nwith it {ours:?}\n");
            }
        }
        assert!(wrong.is_empty(), "{wrong}");
    }

    /// Compares the table, the access log and the records with each other.
    async fn compare_records(&self, table: Vec<(String, Told)>) {
        let stored = self.stored(table.len()).await;
        let counters = self.counters().await;
        assert_eq!(counters.sum("wallarm_sessions_dropped_total"), 0);
        assert_eq!(counters.sum("wallarm_sessions_panics_total"), 0);
        assert_eq!(counters.sum("wallarm_sessions_bodies_given_up_total"), 0);

        let mut told: BTreeMap<String, Told> = BTreeMap::new();
        for request in &stored {
            let (x, request) = as_told(request);
            assert_eq!(told.insert(x.clone(), request), None, "{x} is recorded twice");
        }
        let mut wrong = String::new();
        for (x, expected) in table {
            let recorded = told.remove(&x);
            if recorded.as_ref() != Some(&expected) {
                wrong += &format!("{x}: expected {expected:?}\nrecorded {recorded:?}\n");
            }
        }
        assert!(wrong.is_empty() && told.is_empty(), "{wrong}not asked: {told:#?}");

        let lines = line::read(&fs::read(self.nginx.nginx.path("access.log")).unwrap());
        assert_eq!(lines.len(), stored.len(), "lines and records differ in number");
        for line in lines {
            let request = stored.iter().find(|request| request.id == line.id);
            assert_eq!(line::differences(&line, request.unwrap()), [""; 0]);
        }
    }

    /// All records, when there are so many; what is missing then, the comparison tells.
    async fn stored(&self, requests: usize) -> Vec<Request> {
        let stored = wait::until("all to be stored", wait::LONG, async || {
            (self.rest.stored().await.ok()? >= requests as u64).then_some(())
        });
        stored.await.unwrap_or_else(|error| println!("{error}"));
        self.rest.everything().await.unwrap()
    }

    pub fn address(&self) -> SocketAddr {
        self.nginx.nginx.address()
    }

    pub async fn counters(&self) -> Counters {
        self.nginx.nginx.counters().await.unwrap()
    }

    /// Waits until no memory counts for a body any more, and stops everything; returns the error log,
    /// which must be clean.
    pub async fn close(self) -> String {
        wait::until("all memory to be given back", wait::LONG, async || {
            (self.counters().await.sum("wallarm_sessions_memory_bytes") < NO_BODY).then_some(())
        })
        .await
        .unwrap();
        let Self { nginx, bare, mut collector, .. } = self;
        let log = nginx.nginx.stop().unwrap();
        bare.nginx.stop().unwrap();
        let ended = collector.stop().unwrap().unwrap();
        assert!(ended.success(), "the collector ended with {ended}:\n{}", collector.log());
        log
    }
}

/// NGINX, and where it speaks HTTP/2 and HTTP/3.
struct Server {
    nginx: Nginx,
    http2: Port,
    http3: Port,
}

impl Server {
    fn start(config: Config, certificates: &Certificates, changed: SystemTime) -> Self {
        let [http2, http3] = [Port::lease(), Port::lease()].map(Result::unwrap);
        let mut listen = format!("listen {} http2;\n", http2.address());
        if streams::is_http3_there() {
            let tls = certificates::TLS.replace("FOLDER", &certificates.folder().display().to_string());
            listen += &format!("listen {} quic;\n{tls}\n", http3.address());
        }
        let nginx = Nginx::start(&config.in_server(&listen).unwrap()).unwrap();
        write_files(&nginx, changed);
        Self { nginx, http2, http3 }
    }

    async fn client(&self, protocol: Protocol, certificates: &Certificates) -> Client {
        match protocol {
            Protocol::Http1 => Client::Http1(self.nginx.address()),
            Protocol::Http2 => Client::Http2(Http2::connect(self.http2.address()).await),
            Protocol::Http3 => Client::Http3(Http3::connect(self.http3.address(), certificates).await),
        }
    }
}

/// What NGINX serves itself, changed at the same time by all, so that their entity tags are equal.
fn write_files(nginx: &Nginx, changed: SystemTime) {
    fs::create_dir_all(nginx.path("html/files")).unwrap();
    let large = format!("{{\"id\":\"large\",\"pad\":\"{}\"}}", ".".repeat(4 << 20));
    let files = [
        ("html/files/small.json", "{\"id\":\"file\"}\n"),
        ("html/files/large.json", &large),
        ("html/files/empty.json", ""),
        ("html/files/text.txt", "{\"id\":\"text\"}\n"),
        ("html/sorry.json", "{\"id\":\"sorry\"}\n"),
    ];
    // A second ago: whoever asks for changes since then gets none.
    let changed = changed - Duration::from_secs(1);
    for (name, text) in files {
        fs::write(nginx.path(name), text).unwrap();
        File::options().write(true).open(nginx.path(name)).unwrap().set_modified(changed).unwrap();
    }
}

/// A record as the table has it, and its `x`.
fn as_told(request: &Request) -> (String, Told) {
    let params = request.params.iter().map(|param| (param.name.clone(), param.value.clone()));
    let mut params: BTreeMap<String, String> = params.collect();
    params.remove("target");
    let x = params.remove("x").unwrap_or_default();
    (x, Told { method: request.method.clone(), path: request.path.clone(), status: request.status, params })
}
