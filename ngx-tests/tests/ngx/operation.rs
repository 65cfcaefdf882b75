//! How it behaves in operation: without a collector, with secrets around, with the examples.

use ngx_tests::clients::{self, Kind, Scene};
use ngx_tests::collector::Collector;
use ngx_tests::folder;
use ngx_tests::nginx::{Config, Nginx};
use ngx_tests::relay::{Manner, Relay};
use ngx_tests::rest::Rest;
use ngx_tests::shop::{self, Shop};
use ngx_tests::wait;
use reqwest::StatusCode;

use crate::site::{Site, quickstart};

#[tokio::test]
async fn nginx_serves_when_the_collector_is_absent_and_says_so_once() {
    let nobody = folder::temporary().unwrap();
    let shop = Shop::open().await.unwrap();
    let config = Config::file("demo.conf").unwrap().shop(shop.address()).unwrap().runtime(nobody.path());
    let nginx = Nginx::start(&config).unwrap();
    let scene = Scene::hurried(nginx.url());
    clients::everybody(&scene, 0).await.unwrap();
    let said = |log: &str| log.lines().filter(|line| line.contains("collector")).count();
    wait::until("the error log to say so", wait::LONG, async || (said(&nginx.error_log()) > 0).then_some(()))
        .await
        .unwrap();
    let failures = async || {
        let counters = nginx.counters().await.unwrap();
        counters.sum("wallarm_sessions_collector_connection_failures_total")
    };
    let before = failures().await;
    clients::everybody(&scene, 1).await.unwrap();
    wait::until("further attempts", wait::LONG, async || (failures().await >= before + 4).then_some(())).await.unwrap();

    let log = nginx.stop().unwrap();

    assert_eq!(said(&log), 1, "{log}");
    assert!(log.contains("collector.sock"), "which one? {log}");
}

#[tokio::test]
async fn what_is_captured_while_the_collector_is_away_comes_when_it_is_there() {
    let mut collector = Collector::new().unwrap();
    let shop = Shop::open().await.unwrap();
    let config = Config::file("demo.conf").unwrap().shop(shop.address()).unwrap().runtime(&collector.runtime());
    let nginx = Nginx::start(&config).unwrap();
    let scene = Scene::hurried(nginx.url());
    clients::everybody(&scene, 0).await.unwrap();

    collector.run().await.unwrap();

    let (rest, requests) = (collector.rest().unwrap(), scene.ledger.requests());
    wait::until("the requests from before", wait::LONG, async || (rest.stored().await.ok()? == requests).then_some(()))
        .await
        .unwrap();
    nginx.stop().unwrap();
}

#[tokio::test]
async fn values_that_the_configuration_does_not_show_never_leave_nginx() {
    const SECRETS: [&str; 7] = [
        "hunter2-in-query",
        "bearer-of-x",
        "cookie-value-x",
        "header-value-x",
        "body-value-x",
        "ada-secret",
        "key-of-acme",
    ];
    let collector = Collector::start().await.unwrap();
    let relay = Relay::start(&collector.ingest(), Manner::Honest).unwrap();
    let shop = Shop::open().await.unwrap();
    let config = Config::file("demo.conf").unwrap().shop(shop.address()).unwrap().runtime(relay.runtime());
    let nginx = Nginx::start(&config).unwrap();
    let scene = Scene::hurried(nginx.url());

    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = http.post(format!("{}/api/products?password=hunter2-in-query", nginx.url()));
    let request = request.header("authorization", "Bearer bearer-of-x").header("cookie", "sid=cookie-value-x");
    request.header("x-internal", "header-value-x").body("body-value-x").send().await.unwrap();
    scene.ledger.write(clients::Label::ApiKey("the request above".into()), None);
    let mut partner = scene.person(Kind::Partner("acme".into()), clients::address(9), Some("sync")).unwrap();
    partner.get("/api/profile").await.unwrap().expect(StatusCode::OK).unwrap();
    let mut person = scene.person(Kind::Browser, clients::address(9), Some("Browser")).unwrap();
    let answer = person.sign_in("ada", &shop::password_of("ada")).await.unwrap().expect(StatusCode::OK).unwrap();
    let token = answer.body["token"].as_str().unwrap();

    let (rest, requests) = (collector.rest().unwrap(), scene.ledger.requests());
    wait::until("the requests", wait::LONG, async || (rest.stored().await.ok()? == requests).then_some(()))
        .await
        .unwrap();
    let wire = relay.seen();
    let holds = |text: &str| wire.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(holds("/api/products"), "the relay sees what is sent");
    for secret in SECRETS.iter().copied().chain([token]) {
        assert!(!holds(secret), "{secret} left NGINX");
    }
    nginx.stop().unwrap();
}

#[tokio::test]
async fn requests_that_nginx_itself_refuses_are_in_a_session_too() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let site = Site::of(quickstart("    client_max_body_size 10;")).await;
    for request in [
        "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n",
        "GET /short\r\n",
    ] {
        let mut stream = tokio::net::TcpStream::connect(site.nginx.address()).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // A refused request may end in a reset: the answer matters to nobody here.
        let _ = stream.read_to_end(&mut answer).await;
    }

    site.stored(3).await;

    let mut statuses: Vec<u16> = site.rest.everything().await.unwrap().iter().map(|request| request.status).collect();
    statuses.sort();
    assert_eq!(statuses, [200, 400, 413]);
    site.close();
}

#[tokio::test]
async fn sessions_are_off_where_the_configuration_says_so() {
    let site = Site::shop().await;
    site.nginx.counters().await.unwrap();
    site.get("/api/products", &[]).await;

    let requests = site.only_session(1).await;

    assert_eq!(requests[0].path, "/api/products");
    site.close();
}

#[tokio::test]
async fn a_reload_loses_nothing() {
    let mut site = Site::shop().await;
    let scene = site.scene();
    clients::everybody(&scene, 0).await.unwrap();
    site.nginx.signal(ngx_tests::process::Signal::HUP).unwrap();
    clients::everybody(&scene, 1).await.unwrap();

    site.stored(scene.ledger.requests()).await;

    assert_eq!(site.nginx.counters().await.unwrap().sum("wallarm_sessions_dropped_total"), 0);
    site.close();
}

#[tokio::test]
async fn a_variable_decides_which_requests_are_captured() {
    let config = quickstart(r#"    map $arg_quiet $capture { default 1; yes 0; very ""; }"#);
    let site = Site::of(config.replace("wallarm_sessions on;", "wallarm_sessions $capture;").unwrap()).await;
    for path in ["/told", "/untold?quiet=yes", "/untold?quiet=very", "/told?quiet=no"] {
        site.get(path, &[]).await;
    }

    let requests = site.only_session(2).await;

    assert!(requests.iter().all(|request| request.path == "/told"));
    site.close();
}

#[tokio::test]
async fn a_second_collector_takes_over_when_the_first_is_absent() {
    let port = folder::Port::lease().unwrap();
    let address = port.address().to_string();
    let mut collector = Collector::new().unwrap().with(&["--ingest", &address]);
    collector.run().await.unwrap();
    let nobody = folder::temporary().unwrap();
    let config = quickstart(&format!("    wallarm_session_collector {address};"));
    let nginx = Nginx::start(&config.runtime(nobody.path())).unwrap();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    http.get(nginx.url()).send().await.unwrap();

    let rest = collector.rest().unwrap();
    wait::until("the request", wait::LONG, async || (rest.stored().await.ok()? == 1).then_some(())).await.unwrap();
    nginx.stop().unwrap();
    assert!(collector.stop().unwrap().unwrap().success());
}

#[tokio::test]
async fn nginx_without_a_master_process_captures_too() {
    let site = Site::of(quickstart("").replace("user www-data;", "master_process off;").unwrap()).await;
    site.get("/", &[]).await;
    site.only_session(1).await;
    site.close();
}

#[tokio::test]
async fn the_status_page_speaks_json_too() {
    let site = Site::shop().await;
    site.get("/api/products", &[]).await;
    // Stored means logged: another worker may answer the page before that.
    site.stored(1).await;
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let page = http.get(format!("{}/wallarm-status", site.nginx.url())).header("accept", "application/json");

    let answer = page.send().await.unwrap();

    assert_eq!(answer.headers()["content-type"], "application/json");
    let counters: serde_json::Value = answer.json().await.unwrap();
    assert_eq!(counters["requests_total"], 1, "{counters}");
    site.close();
}

#[tokio::test]
async fn the_api_answers_on_its_socket_as_on_its_address() {
    let site = Site::shop().await;
    site.get("/api/products", &[]).await;
    let sessions = site.stored(1).await;

    let socket = Rest::unix(&site.collector.runtime().join("api.sock")).unwrap();

    assert_eq!(socket.sessions().await.unwrap(), sessions);
    site.close();
}
