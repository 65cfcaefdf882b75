//! TLS: versions, names, certificates of clients, and clients that forget it.

use std::collections::BTreeSet;

use rustls::version::{TLS12, TLS13};

use crate::certificates::{ANY, TLS, connect};
use crate::site::{Site, ask, exchange, last};

#[tokio::test]
async fn a_request_over_either_version_of_tls_is_recorded_as_https() {
    let site = Site::of(&format!(
        r#"wallarm_session_context $ssl_protocol name=tls;
        server {{ listen LISTEN ssl; ssl_protocols TLSv1.2 TLSv1.3; {TLS} location / {{ return 200 "served\n"; }} }}"#
    ))
    .await;
    for version in [&TLS12, &TLS13] {
        let tls = site.certificates.client(&[version], "http/1.1", false);
        let stream = connect(tls, site.address(), "shop.example").await;
        assert!(exchange(stream, last("/", "").as_bytes()).await.contains("200 OK"));
    }

    let told = site.told(2).await;

    assert!(told.iter().all(|request| request.scheme == "https"));
    let stored = site.rest.everything().await.unwrap();
    let versions: Vec<&str> = stored.iter().map(|request| request.params[0].value.as_str()).collect();
    assert_eq!(versions, ["TLSv1.2", "TLSv1.3"]);
    site.close();
}

#[tokio::test]
async fn the_name_that_tls_asks_for_chooses_the_servers_plan_even_for_a_request_without_one() {
    let server = |name: &str| {
        let key = name.split('.').next().unwrap();
        format!(
            r#"server {{ listen LISTEN ssl; server_name {name}; {TLS}
            wallarm_session_application {name}; wallarm_session_key request.header.X-{key};
            location / {{ return 200 "served\n"; }} }}"#
        )
    };
    let site = Site::of(&format!("{}{}", server("shop.example"), server("other.example"))).await;
    for name in ["shop.example", "other.example"] {
        let tls = || site.certificates.client(ANY, "http/1.1", false);
        let own = format!("GET / HTTP/1.1\r\nHost: {name}\r\nX-Shop: 1\r\nX-Other: 1\r\nConnection: close\r\n\r\n");
        assert!(exchange(connect(tls(), site.address(), name).await, own.as_bytes()).await.contains("200 OK"));
        let bad = exchange(connect(tls(), site.address(), name).await, b"no request\r\n\r\n").await;
        assert!(bad.contains("400 Bad Request"), "{bad}");
    }

    let told = site.told(4).await;

    let mut plans: Vec<(&str, u64, &str)> =
        told.iter().map(|told| (told.app.as_str(), told.status, told.key.as_str())).collect();
    plans.sort_unstable();
    assert_eq!(
        plans,
        [
            ("other.example", 200, "request.header.X-other"),
            ("other.example", 400, "ip"),
            ("shop.example", 200, "request.header.X-shop"),
            ("shop.example", 400, "ip"),
        ]
    );
    site.close();
}

#[tokio::test]
async fn the_certificate_of_a_client_is_its_session() {
    let site = Site::of(&format!(
        r#"wallarm_session_key $ssl_client_fingerprint;
        server {{ listen LISTEN ssl; {TLS} ssl_verify_client optional_no_ca; location / {{ return 200 "served\n"; }} }}"#
    ))
    .await;
    let clients = [true, true, false].map(|somebody| site.certificates.client(ANY, "http/1.1", somebody));
    for client in clients.iter().chain(&clients) {
        let stream = connect(client.clone(), site.address(), "shop.example").await;
        assert!(exchange(stream, last("/", "").as_bytes()).await.contains("200 OK"));
    }

    let told = site.told(6).await;

    let sessions: BTreeSet<(&str, &str)> = told.iter().map(|told| (told.key.as_str(), told.sid.as_str())).collect();
    let keys: Vec<&str> = sessions.iter().map(|(key, _)| *key).collect();
    assert_eq!(keys, ["$ssl_client_fingerprint", "$ssl_client_fingerprint", "ip"]);
    site.close();
}

#[tokio::test]
async fn a_request_without_tls_where_there_should_be_is_recorded_as_it_was_answered() {
    let site =
        Site::of(&format!(r#"server {{ listen LISTEN ssl; {TLS} location / {{ return 200 "served\n"; }} }}"#)).await;
    let answer = ask(site.address(), last("/forgotten", "")).await;
    assert!(answer.contains("The plain HTTP request was sent to HTTPS port"), "{answer}");

    let told = site.told(1).await;

    assert_eq!((told[0].status, told[0].path.as_str(), told[0].host.as_str()), (400, "/forgotten", "shop.example"));
    site.close();
}
