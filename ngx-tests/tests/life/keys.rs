//! Reloads that change what is captured, and where to.

use std::time::Duration;

use axum::Router;
use axum::routing::get;
use ngx_tests::nginx::Config;
use ngx_tests::wait;
use tokio::sync::watch;

use crate::site::{PATH, Site, config};

/// The demo's configuration with one key of the test's own before all others.
fn keyed(key: &str) -> Config {
    config().in_http(&format!("    wallarm_session_key request.header.{key} show;")).unwrap()
}

#[tokio::test]
async fn after_a_reload_the_new_keys_decide() {
    let mut site = Site::of(keyed("X-Old")).await;
    let both = [("x-old", "one"), ("x-new", "two")];
    site.get(PATH, &both).await;

    site.reload(keyed("X-New"));
    site.get(PATH, &both).await;

    let stored = site.stored(2).await;
    let mut keys: Vec<&str> = stored.iter().map(|request| request.key.source.as_str()).collect();
    keys.sort();
    assert_eq!(keys, ["request.header.X-New", "request.header.X-Old"]);
    site.close();
}

#[tokio::test]
async fn a_request_on_the_way_ends_under_the_keys_that_it_began_with() {
    let (arrived, mut has_arrived) = watch::channel(0);
    let (release, released) = watch::channel(false);
    let slow = move || {
        let mut released = released.clone();
        arrived.send_modify(|count| *count += 1);
        async move {
            released.wait_for(|&released| released).await.unwrap();
            "at last\n"
        }
    };
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let origin = listener.local_addr().unwrap();
    tokio::spawn(axum::serve(listener, Router::new().route("/slow", get(slow))).into_future());
    let mut site = Site::of(keyed("X-Old").shop(origin).unwrap()).await;
    let both = [("x-old", "one"), ("x-new", "two")];
    let url = format!("{}/slow", site.nginx.url());
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let on_the_way = tokio::spawn(http.get(url).header("x-old", "one").header("x-new", "two").send());
    has_arrived.wait_for(|&count| count == 1).await.unwrap();

    let new = keyed("X-New").shop(origin).unwrap().runtime(&site.collector.runtime());
    site.nginx.configure(&new).unwrap();
    site.nginx.begin_reload().unwrap();
    site.get(PATH, &both).await;
    release.send(true).unwrap();

    assert!(on_the_way.await.unwrap().unwrap().status().is_success());
    for request in site.stored(2).await {
        let expected = if request.path == "/slow" { "request.header.X-Old" } else { "request.header.X-New" };
        assert_eq!(request.key.source, expected, "{}", request.path);
    }
    site.close();
}

#[tokio::test]
async fn a_long_download_that_the_shutdown_timeout_cuts_is_recorded() {
    use tokio::io::AsyncReadExt;
    use tokio::io::AsyncWriteExt;

    let config = config().replace("\nevents {", "\nworker_shutdown_timeout 1s;\nevents {").unwrap();
    let slow = "        location /long { limit_rate 1k; alias /proc/self/exe; }";
    let mut site = Site::of(config.in_server(slow).unwrap()).await;
    let mut download = tokio::net::TcpStream::connect(site.nginx.address()).await.unwrap();
    download.write_all(b"GET /long HTTP/1.1\r\nHost: shop.example\r\n\r\n").await.unwrap();
    let mut head = [0; 16];
    download.read_exact(&mut head).await.unwrap();
    assert!(head.starts_with(b"HTTP/1.1 200"));

    site.nginx.reload().unwrap();

    let stored = site.stored(1).await;
    assert_eq!((stored[0].path.as_str(), stored[0].status), ("/long", 200));
    // The client is let go too.
    let rest = tokio::time::timeout(Duration::from_secs(30), download.read_to_end(&mut Vec::new())).await;
    assert!(rest.is_ok(), "the connection is still open");
    wait::until("its line", wait::LONG, async || (site.nginx.access_log().len() == 1).then_some(())).await.unwrap();
    site.is_accounted_for().await;
    site.close();
}
