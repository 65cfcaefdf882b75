//! HTTP/2, by the client `h2`.

use std::net::SocketAddr;

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderName, Request, StatusCode};
use h2::client::{ResponseFuture, SendRequest};
use h2::{Reason, SendStream};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};

use crate::certificates::{self, ANY, TLS};
use crate::site::Site;

/// A connection; what it carries is driven in the background.
async fn handshake(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> SendRequest<Bytes> {
    let (client, connection) = h2::client::handshake(stream).await.unwrap();
    // How a connection ended shows in the answers.
    tokio::spawn(async move { connection.await.err() });
    client.ready().await.unwrap()
}

async fn plain(address: SocketAddr) -> SendRequest<Bytes> {
    handshake(TcpStream::connect(address).await.unwrap()).await
}

/// Sends the head; the body may follow.
fn send(client: &mut SendRequest<Bytes>, method: &str, url: &str, end: bool) -> (ResponseFuture, SendStream<Bytes>) {
    let request = Request::builder().method(method).uri(url).body(()).unwrap();
    client.send_request(request, end).unwrap()
}

async fn get(client: &mut SendRequest<Bytes>, url: &str) -> Result<StatusCode, h2::Error> {
    let request = Request::builder().uri(url).body(()).unwrap();
    Ok(client.send_request(request, true)?.0.await?.status())
}

#[tokio::test]
async fn a_hundred_streams_at_once_are_recorded_each_once_and_in_their_order() {
    let site = Site::of(&format!(
        r#"server {{ listen LISTEN ssl http2; server_name shop.example; {TLS}
        location / {{ return 200 "served\n"; }} }}"#
    ))
    .await;
    let tls = site.certificates.client(ANY, "h2", false);
    let mut client = handshake(certificates::connect(tls, site.address(), "shop.example").await).await;
    let mut answers = Vec::new();
    for n in 1..=100 {
        let (method, body) = if n % 2 == 0 { ("POST", true) } else { ("GET", false) };
        let (answer, mut stream) = send(&mut client, method, &format!("https://shop.example/stream/{n}"), !body);
        if body {
            stream.send_data(Bytes::from(vec![b'x'; n * 10]), true).unwrap();
        }
        answers.push(answer);
    }
    for answer in answers {
        assert_eq!(answer.await.unwrap().status(), StatusCode::OK);
    }

    let told = site.told(100).await;

    for (n, request) in (1..).zip(&told) {
        let method = if n % 2 == 0 { "POST" } else { "GET" };
        assert_eq!((request.n, request.path.as_str()), (n, format!("/stream/{n}").as_str()));
        assert_eq!((request.method.as_str(), request.proto.as_str()), (method, "HTTP/2.0"));
        assert_eq!((request.scheme.as_str(), request.host.as_str()), ("https", "shop.example"));
        assert_eq!(request.conn, told[0].conn);
    }
    site.close();
}

#[tokio::test]
async fn streams_that_the_client_gives_up_are_recorded_and_the_others_too() {
    // An origin that takes connections, and says nothing.
    let silent = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let site = Site::of(&format!(
        r#"server {{ listen LISTEN http2; location / {{ return 200 "served\n"; }}
        location /silent {{ proxy_pass http://{}; }} }}"#,
        silent.local_addr().unwrap()
    ))
    .await;
    let mut client = plain(site.address()).await;
    let (answer, mut stream) = send(&mut client, "POST", "http://shop.example/silent/whole", false);
    stream.send_data(Bytes::from_static(b"a body"), true).unwrap();
    let _asked = silent.accept().await.unwrap();
    stream.send_reset(Reason::CANCEL);
    assert!(answer.await.is_err());
    let (answer, mut stream) = send(&mut client, "POST", "http://shop.example/silent/half", false);
    stream.send_data(Bytes::from_static(b"half a bo"), false).unwrap();
    assert_eq!(get(&mut client, "http://shop.example/next").await.unwrap(), StatusCode::OK);
    stream.send_reset(Reason::CANCEL);
    assert!(answer.await.is_err());
    assert_eq!(get(&mut client, "http://shop.example/last").await.unwrap(), StatusCode::OK);

    let told = site.told(4).await;

    let paths: Vec<(&str, u64)> = told.iter().map(|told| (told.path.as_str(), told.status)).collect();
    assert_eq!(paths, [("/silent/whole", 499), ("/silent/half", 499), ("/next", 200), ("/last", 200)]);
    assert!(told.iter().all(|request| request.scheme == "http" && request.host == "shop.example"));
    site.close();
}

#[tokio::test]
async fn requests_for_which_nginx_ends_the_connection_are_recorded() {
    let site = Site::of(
        r#"server { listen LISTEN http2; location / { return 200 "served\n"; add_trailer X-Sum 1 always; } }"#,
    )
    .await;
    // NGINX sends trailers, and takes none.
    let mut client = plain(site.address()).await;
    let mut answer = send(&mut client, "GET", "http://shop.example/get", true).0.await.unwrap().into_body();
    while answer.data().await.is_some() {}
    assert_eq!(answer.trailers().await.unwrap().unwrap()["x-sum"], "1");
    let (answer, mut stream) = send(&mut client, "PUT", "http://shop.example/trailers", false);
    stream.send_data(Bytes::from_static(b"a body"), false).unwrap();
    stream.send_trailers(HeaderMap::from_iter([(HeaderName::from_static("x-sum"), "1".parse().unwrap())])).unwrap();
    let _ = answer.await;
    assert!(get(&mut client, "http://shop.example/next").await.unwrap_err().is_go_away());
    // More than large_client_header_buffers.
    let mut client = plain(site.address()).await;
    let large = Request::builder().uri("http://shop.example/large").header("x-large", "x".repeat(40_000));
    let answer = client.send_request(large.body(()).unwrap(), true).unwrap().0.await;
    assert!(answer.is_err());

    let mut told = site.told(3).await;

    told.sort_by_key(|told| (told.conn, told.n));
    let requests: Vec<(u64, &str)> = told.iter().map(|told| (told.n, told.method.as_str())).collect();
    assert_eq!(requests, [(1, "GET"), (2, "PUT"), (1, "GET")]);
    site.close();
}

#[tokio::test]
async fn a_connection_that_nginx_ends_is_told_apart_from_the_next() {
    let site =
        Site::of(r#"keepalive_requests 3; server { listen LISTEN http2; location / { return 200 "served\n"; } }"#)
            .await;
    let mut client = plain(site.address()).await;
    for n in 1..=3 {
        assert_eq!(get(&mut client, &format!("http://shop.example/{n}")).await.unwrap(), StatusCode::OK);
    }
    assert!(client.clone().ready().await.is_err(), "NGINX says GOAWAY after three");
    let mut client = plain(site.address()).await;
    assert_eq!(get(&mut client, "http://shop.example/4").await.unwrap(), StatusCode::OK);

    let told = site.told(4).await;

    let order: Vec<u64> = told.iter().map(|told| told.n).collect();
    assert_eq!(order, [1, 2, 3, 1]);
    assert_ne!(told[2].conn, told[3].conn);
    site.close();
}
