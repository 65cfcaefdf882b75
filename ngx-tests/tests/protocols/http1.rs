//! HTTP/1.1: several requests on one connection.

use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::site::{Site, ask, exchange, last};

/// More than the first phase takes for the time of the first byte.
const SLOWLY: Duration = Duration::from_millis(50);

/// Requests one after the other, without waiting for answers; the last one ends the connection.
fn pipeline(paths: &[String], headers: &str) -> String {
    let (end, before) = paths.split_last().unwrap();
    let request = |path: &String| format!("GET {path} HTTP/1.1\r\nHost: shop.example\r\n{headers}\r\n");
    before.iter().map(request).collect::<String>() + &last(end, headers)
}

fn paths(count: usize) -> Vec<String> {
    (1..=count).map(|n| format!("/pipelined/{n}")).collect()
}

#[tokio::test]
async fn pipelined_requests_are_recorded_each_once_and_in_their_order() {
    let site = Site::of("").await;
    let answers = ask(site.nginx.address(), pipeline(&paths(50), "")).await;
    assert_eq!(answers.matches("200 OK").count(), 50);

    let told = site.told(50).await;

    let order: Vec<(u64, &str)> = told.iter().map(|told| (told.n, told.path.as_str())).collect();
    let sent = paths(50);
    let expected: Vec<(u64, &str)> = (1..).zip(sent.iter().map(String::as_str)).collect();
    assert_eq!(order, expected);
    assert!(told.iter().all(|request| request.conn == told[0].conn));
    site.close();
}

/// Takes NGINX many milliseconds to find that it does not match.
const SLOW: &str = "aaaaaaaaaaaaaaaaaaaa!";

#[tokio::test]
async fn pipelined_requests_keep_their_order_when_one_of_them_keeps_nginx_busy() {
    let site = Site::of(r#"map $http_x_slow $slow { "~^(a+)+$" 1; default 0; } add_header X-Slow $slow;"#).await;
    let answers = ask(site.nginx.address(), pipeline(&paths(5), &format!("X-Slow: {SLOW}\r\n"))).await;
    assert_eq!(answers.matches("200 OK").count(), 5);

    let order: Vec<u64> = site.told(5).await.iter().map(|told| told.n).collect();

    assert_eq!(order, [1, 2, 3, 4, 5]);
    site.close();
}

#[tokio::test]
async fn a_request_whose_head_comes_slowly_keeps_its_place_in_the_connection() {
    let site = Site::of("").await;
    let text = pipeline(&paths(2), "");
    let (prompt, slow) = text.split_at(text.find("/pipelined/2").unwrap());
    let mut stream = TcpStream::connect(site.nginx.address()).await.unwrap();
    stream.write_all(prompt.as_bytes()).await.unwrap();
    tokio::time::sleep(SLOWLY).await;
    assert_eq!(exchange(stream, slow.as_bytes()).await.matches("200 OK").count(), 2);

    let order: Vec<u64> = site.told(2).await.iter().map(|told| told.n).collect();

    assert_eq!(order, [1, 2]);
    site.close();
}

#[tokio::test]
async fn the_next_connection_of_a_client_is_told_apart_from_the_one_before() {
    let site = Site::of("keepalive_requests 3;").await;
    let answers = ask(site.nginx.address(), pipeline(&paths(5), "")).await;
    assert_eq!(answers.matches("200 OK").count(), 3, "the limit ends the connection");
    let answers = ask(site.nginx.address(), pipeline(&paths(5)[3..], "")).await;
    assert_eq!(answers.matches("200 OK").count(), 2);

    let told = site.told(5).await;

    let order: Vec<u64> = told.iter().map(|told| told.n).collect();
    assert_eq!(order, [1, 2, 3, 1, 2]);
    assert_eq!(told[0].conn, told[2].conn);
    assert_ne!(told[2].conn, told[3].conn);
    site.close();
}

#[tokio::test]
async fn a_bad_request_after_good_ones_is_recorded_as_the_next_of_its_connection() {
    let site = Site::of("").await;
    let good = "GET /good HTTP/1.1\r\nHost: shop.example\r\n\r\n";
    let answers = ask(site.nginx.address(), format!("{good}{good}BAD /bad HTTP/9.9\r\n\r\n")).await;
    assert_eq!(answers.matches("200 OK").count(), 2);

    let told = site.told(3).await;

    let order: Vec<(u64, u64)> = told.iter().map(|told| (told.n, told.status)).collect();
    assert_eq!(order, [(1, 200), (2, 200), (3, 505)]);
    site.close();
}
