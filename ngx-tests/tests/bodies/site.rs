//! NGINX with the module and NGINX without it, their origin, and a collector; and what came of what
//! clients did.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ngx_tests::collector::Collector;
use ngx_tests::counters::Counters;
use ngx_tests::folder::Port;
use ngx_tests::line;
use ngx_tests::nginx::{Config, Nginx};
use ngx_tests::raw::{Raw, Step};
use ngx_tests::rest::{Request, Rest};
use ngx_tests::wait;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::fastcgi;
use crate::message::Answer;
use crate::origin::{self, Answers};
use crate::situation::{Situation, Told};

/// Situations that are played at once.
const AT_ONCE: usize = 8;

pub struct Site {
    pub nginx: Nginx,
    bare: Nginx,
    collector: Collector,
    rest: Rest,
    _nobody: Port,
}

impl Site {
    /// Plays situations to an NGINX with the module and to one without, and compares all there is.
    pub async fn run(situations: Vec<Situation>) -> Self {
        let site = Self::open(&situations).await;
        site.compare_answers(&situations).await;
        let told: Vec<(String, Told)> = situations.into_iter().flat_map(|situation| situation.told).collect();
        site.compare_records(told).await;
        site
    }

    async fn open(situations: &[Situation]) -> Self {
        let answers: Answers =
            situations.iter().filter_map(|one| Some((one.name.clone(), one.answer.clone()?))).collect();
        assert_eq!(
            situations.iter().map(|one| &one.name).collect::<std::collections::BTreeSet<_>>().len(),
            situations.len()
        );
        let collector = Collector::start().await.unwrap();
        let nobody = Port::lease().unwrap();
        let config = Config::text("site.conf", include_str!("site.conf")).runtime(&collector.runtime());
        let config = config
            .shop(origin::open(answers).await)
            .and_then(|config| config.replace("127.0.0.1:9001", &nobody.address().to_string()))
            .unwrap();
        let config = config.replace("127.0.0.1:9002", &fastcgi::open().await.to_string()).unwrap();
        let nginx = Nginx::start(&config).unwrap();
        let bare = config.replace("$wallarm_session_id", "").unwrap().without_module();
        let bare = Nginx::start(&bare).unwrap();
        let now = SystemTime::now();
        for nginx in [&nginx, &bare] {
            write_files(nginx, now);
        }
        let rest = collector.rest().unwrap();
        Self { nginx, bare, collector, rest, _nobody: nobody }
    }

    async fn compare_answers(&self, situations: &[Situation]) {
        let places = Arc::new(Semaphore::new(AT_ONCE));
        let mut clients = JoinSet::new();
        let mut wrong = String::new();
        for situation in situations {
            let (situation, addresses) = (situation.clone(), [self.bare.address(), self.nginx.address()]);
            let place = places.clone().acquire_owned().await.unwrap();
            clients.spawn(async move {
                let mut answers = Vec::new();
                for address in addresses {
                    let received = Raw::play(address, &situation.steps).await;
                    let received = received.unwrap_or_else(|error| panic!("{}: {error}", situation.name));
                    // How much somebody read who left, is his own affair.
                    let whole = !matches!(situation.steps.last(), Some(Step::Leave));
                    answers.push(whole.then(|| Answer::all(&received, situation.is_head())));
                }
                drop(place);
                (situation.name, answers)
            });
        }
        while let Some(played) = clients.join_next().await {
            let (name, answers) = played.unwrap();
            if answers[0] != answers[1] {
                wrong += &format!("{name}: without the module {:?}\nwith it {:?}\n", answers[0], answers[1]);
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

        let lines = line::read(&fs::read(self.nginx.path("access.log")).unwrap());
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

    pub async fn counters(&self) -> Counters {
        self.nginx.counters().await.unwrap()
    }

    /// Waits until no memory counts for a body any more, and stops everything; the error log must be
    /// clean.
    pub async fn close(self) {
        wait::until("all memory to be given back", wait::LONG, async || {
            (self.counters().await.sum("wallarm_sessions_memory_bytes") == 0).then_some(())
        })
        .await
        .unwrap();
        let Self { nginx, bare, mut collector, .. } = self;
        nginx.stop().unwrap();
        bare.stop().unwrap();
        let ended = collector.stop().unwrap().unwrap();
        assert!(ended.success(), "the collector ended with {ended}:\n{}", collector.log());
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
