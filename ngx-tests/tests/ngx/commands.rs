//! What a person at a terminal learns from `api-sessions`.

use std::process::{Command, Output, Stdio};

use ngx_tests::clients;
use ngx_tests::collector::Collector;
use ngx_tests::folder;
use ngx_tests::nginx::{Config, Nginx};
use ngx_tests::wait;
use serde_json::Value;

use crate::site::{Site, quickstart};

/// Runs `api-sessions` against a collector; whether it ended well, and what it printed.
fn run(collector: &Collector, arguments: &[&str]) -> (bool, String) {
    let mut command = Command::new(folder::binary("api-sessions"));
    command.args(arguments).arg("--socket").arg(collector.runtime().join("api.sock"));
    let Output { status, stdout, stderr } = command.stdin(Stdio::null()).output().unwrap();
    (status.success(), format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr)))
}

/// What `check` finds: whether the way works, and where it stops.
fn check(collector: &Collector, url: &str, wait: &str) -> (bool, Option<String>) {
    let (well, printed) = run(collector, &["check", url, "--wait", wait, "--json"]);
    let found: Value = serde_json::from_str(&printed).unwrap_or_else(|e| panic!("{e}: {printed}"));
    (well, found["stops_at"].as_str().map(str::to_owned))
}

#[tokio::test]
async fn sessions_and_their_requests_are_shown_in_a_terminal() {
    let site = Site::shop().await;
    let scene = site.scene();
    clients::shopper(&scene, "ada", clients::address(4), "Browser").await.unwrap();
    let sessions = site.stored(scene.ledger.requests()).await;
    let adas = sessions.iter().find(|session| session.user.is_some()).unwrap();

    let (well, list) = run(&site.collector, &["sessions"]);
    assert!(well && list.contains("ada"), "{list}");
    assert!(list.contains(&adas.id), "{list}");
    let (well, story) = run(&site.collector, &["session", &adas.id]);
    assert!(well, "{story}");
    let story = story.split_once("STATUS").unwrap().1;
    let told = ["/api/login", "/api/products/7", "/api/cart", "/api/orders", "/api/profile"];
    let places: Vec<Option<usize>> = told.iter().map(|path| story.find(path)).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{story}");
    let (well, tail) = run(&site.collector, &["tail", "-n", "5", "--limit", "5", "--json"]);
    assert!(well, "{tail}");
    assert_eq!(tail.lines().count(), 5, "{tail}");
    site.close();
}

#[tokio::test]
async fn check_sees_the_whole_way_work() {
    let site = Site::of(quickstart("")).await;
    assert_eq!(check(&site.collector, &site.nginx.url(), "30"), (true, None));
    site.close();
}

#[tokio::test]
async fn check_names_the_location_where_sessions_are_off() {
    let off = "        location /off { wallarm_sessions off; return 204; }";
    let site = Site::of(quickstart("").in_server(off).unwrap()).await;
    wait::until("a worker's report", wait::LONG, async || {
        let nodes: Value = site.rest.json("/nodes").await.ok()?;
        nodes.to_string().contains("\"pid\"").then_some(())
    })
    .await
    .unwrap();

    let (well, stops_at) = check(&site.collector, &format!("{}/off", site.nginx.url()), "4");

    assert!(!well);
    assert_eq!(stops_at.as_deref(), Some("location"));
    site.close();
}

#[tokio::test]
async fn check_names_an_nginx_that_does_not_answer() {
    let collector = Collector::start().await.unwrap();
    let port = folder::Port::lease().unwrap();
    let (well, stops_at) = check(&collector, &format!("http://{}/", port.address()), "1");
    assert!(!well);
    assert_eq!(stops_at.as_deref(), Some("nginx"));
}

#[tokio::test]
async fn check_names_a_collector_that_does_not_run() {
    let collector = Collector::new().unwrap();
    let config = Config::file("demo.conf").unwrap().runtime(&collector.runtime());
    let nginx = Nginx::start(&config).unwrap();
    let (well, stops_at) = check(&collector, &format!("{}/wallarm-status", nginx.url()), "1");
    assert!(!well);
    assert_eq!(stops_at.as_deref(), Some("collector"));
    nginx.stop().unwrap();
}

#[tokio::test]
async fn without_access_control_or_tls_only_the_machine_itself_is_served() {
    for (flag, needle) in [("--listen", "loopback"), ("--ingest", "needs TLS (ingest_tls_cert, ingest_tls_key)")] {
        let mut collector = Collector::new().unwrap().with(&[flag, "0.0.0.0:0"]);
        let ended = collector.run_to_its_end().unwrap();
        assert!(ended.is_some_and(|status| !status.success()), "{flag}: {ended:?}\n{}", collector.log());
        assert!(collector.log().contains(needle), "{flag}: {}", collector.log());
    }
}
