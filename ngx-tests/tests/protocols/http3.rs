//! HTTP/3, by the clients `h3` and `quinn`, where NGINX has it.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::sync::Arc;

use axum::body::Bytes;
use axum::http::{Request, StatusCode};
use h3::client::{RequestStream, SendRequest};
use h3::error::Code;
use h3_quinn::{BidiStream, OpenStreams};
use ngx_tests::folder;
use quinn::crypto::rustls::QuicClientConfig;
use tokio::net::TcpListener;

use crate::certificates::{ANY, TLS};
use crate::site::Site;

type Stream = RequestStream<BidiStream<Bytes>, Bytes>;

/// Whether the NGINX under test speaks HTTP/3: Debian's 1.22.1 does not.
fn is_there() -> bool {
    let output = Command::new(folder::nginx()).arg("-V").output().unwrap();
    let there = String::from_utf8_lossy(&output.stderr).contains("--with-http_v3_module");
    if !there {
        println!("this NGINX has no HTTP/3: nothing to show");
    }
    there
}

fn server(locations: &str) -> String {
    format!(
        r#"server {{ listen LISTEN quic; server_name shop.example; {TLS}
        location / {{ return 200 "served\n"; }} {locations} }}"#
    )
}

/// A client with a connection of its own; what it carries is driven in the background.
async fn connect(site: &Site) -> SendRequest<OpenStreams, Bytes> {
    let tls = QuicClientConfig::try_from(site.certificates.client(ANY, "h3", false)).unwrap();
    let config = quinn::ClientConfig::new(Arc::new(tls));
    let endpoint = quinn::Endpoint::client(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
    let connection = endpoint.connect_with(config, site.address(), "shop.example").unwrap().await.unwrap();
    let connection = h3_quinn::Connection::new(connection);
    // Behind a frame of an unknown type at its end, nginx 1.28.3 does not see that a request has ended.
    let (mut driver, client) = h3::client::builder().send_grease(false).build(connection).await.unwrap();
    // How a connection ended shows in the answers.
    tokio::spawn(async move { std::future::poll_fn(|context| driver.poll_close(context)).await });
    client
}

/// Sends the head; the body may follow.
async fn send(client: &mut SendRequest<OpenStreams, Bytes>, method: &str, path: &str) -> Stream {
    let request = Request::builder().method(method).uri(format!("https://shop.example{path}"));
    client.send_request(request.body(()).unwrap()).await.unwrap()
}

/// Ends the request, and reads the whole answer.
async fn finish(mut stream: Stream) -> StatusCode {
    // A server that has answered already says that it needs no more (RFC 9114, section 4.1).
    let _ = stream.finish().await;
    let status = stream.recv_response().await.unwrap().status();
    while stream.recv_data().await.unwrap().is_some() {}
    status
}

#[tokio::test]
async fn streams_are_recorded_each_once_and_in_the_order_of_their_connection() {
    if !is_there() {
        return;
    }
    let site = Site::of(&server("")).await;
    let mut clients = [connect(&site).await, connect(&site).await];
    let mut streams = Vec::new();
    for n in 1..=50 {
        for client in &mut clients {
            let mut stream = send(client, if n % 2 == 0 { "POST" } else { "GET" }, &format!("/stream/{n}")).await;
            if n % 2 == 0 {
                let _ = stream.send_data(Bytes::from(vec![b'x'; n * 10])).await;
            }
            streams.push(stream);
        }
    }
    for stream in streams {
        assert_eq!(finish(stream).await, StatusCode::OK);
    }

    let mut told = site.told(100).await;

    told.sort_by_key(|told| (told.conn, told.n));
    let (first, second) = told.split_at(50);
    assert_ne!(first[0].conn, second[0].conn);
    for connection in [first, second] {
        for (n, request) in (1..).zip(connection) {
            let method = if n % 2 == 0 { "POST" } else { "GET" };
            assert_eq!((request.conn, request.n), (connection[0].conn, n));
            assert_eq!((request.method.as_str(), &request.path), (method, &format!("/stream/{n}")));
            assert_eq!((request.proto.as_str(), request.scheme.as_str()), ("HTTP/3.0", "https"));
            assert_eq!((request.host.as_str(), request.ip.as_str()), ("shop.example", "127.0.0.1"));
        }
    }
    site.close();
}

#[tokio::test]
async fn streams_that_the_client_gives_up_are_recorded_and_the_others_too() {
    if !is_there() {
        return;
    }
    // An origin that takes connections, and says nothing.
    let silent = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = silent.local_addr().unwrap();
    let site = Site::of(&server(&format!("location /silent {{ proxy_pass http://{address}; }}"))).await;
    let mut client = connect(&site).await;
    let mut stream = send(&mut client, "GET", "/silent/whole").await;
    stream.finish().await.unwrap();
    let _asked = silent.accept().await.unwrap();
    stream.stop_sending(Code::H3_REQUEST_CANCELLED);
    let mut stream = send(&mut client, "POST", "/silent/half").await;
    stream.send_data(Bytes::from_static(b"half a bo")).await.unwrap();
    assert_eq!(finish(send(&mut client, "GET", "/next").await).await, StatusCode::OK);
    stream.stop_stream(Code::H3_REQUEST_CANCELLED);
    assert_eq!(finish(send(&mut client, "GET", "/last").await).await, StatusCode::OK);

    let mut told = site.told(4).await;

    told.sort_by_key(|told| told.n);
    let paths: Vec<(u64, &str)> = told.iter().map(|told| (told.n, told.path.as_str())).collect();
    assert_eq!(paths, [(1, "/silent/whole"), (2, "/silent/half"), (3, "/next"), (4, "/last")]);
    assert_eq!([told[2].status, told[3].status], [200, 200]);
    site.close();
}
