//! The table over HTTP/2 and HTTP/3: the same requests, by clients that cut bodies into frames.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::sync::Arc;

use axum::http::{HeaderMap, Request, StatusCode};
use bytes::{Buf, Bytes};
use ngx_tests::folder;
use quinn::crypto::rustls::QuicClientConfig;
use tokio::net::TcpStream;

use crate::certificates::{ANY, Certificates};
use crate::message::{Answer, Head};

/// What a client sends: of HTTP/1.1 as it is on the wire.
pub struct Asked {
    pub head: Head,
    pub body: Vec<u8>,
}

/// Bytes of a body in one frame, at most.
const FRAME: usize = 10_000;
/// What belongs to a connection of HTTP/1.1.
const OF_CONNECTIONS: [&str; 4] = ["host", "connection", "transfer-encoding", "expect"];

impl Asked {
    fn request(&self) -> Request<()> {
        let url = format!("https://shop.example{}", self.head.word());
        let method = self.head.0.split(' ').next().unwrap_or_default();
        let headers = self.head.0.lines().filter_map(|line| line.split_once(": "));
        let headers = headers.filter(|(name, _)| !OF_CONNECTIONS.contains(&name.to_ascii_lowercase().as_str()));
        let request = Request::builder().method(method).uri(url);
        headers.fold(request, |request, (name, value)| request.header(name, value)).body(()).unwrap()
    }

    /// The first frame has one byte.
    fn frames(&self) -> impl Iterator<Item = Bytes> {
        let (first, rest) = self.body.split_at(self.body.len().min(1));
        [first].into_iter().filter(|first| !first.is_empty()).chain(rest.chunks(FRAME)).map(Bytes::copy_from_slice)
    }
}

fn answer(status: StatusCode, headers: &HeaderMap, body: Vec<u8>) -> Answer {
    let mut lines: Vec<String> = headers.iter().map(|(name, value)| format!("{name}: {value:?}")).collect();
    lines.retain(|line| !line.starts_with("date: "));
    Answer::new(Head(format!("{status}\n{}", lines.join("\n"))), body)
}

/// An answer that breaks off: how much of it is seen before that is chance.
fn broken() -> Answer {
    Answer::new(Head("broken".to_owned()), Vec::new())
}

/// A connection of HTTP/2.
#[derive(Clone)]
pub struct Http2(h2::client::SendRequest<Bytes>);

impl Http2 {
    pub async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        let (client, connection) = h2::client::handshake(stream).await.unwrap();
        // How a connection ended shows in the answers.
        tokio::spawn(async move { connection.await.err() });
        Self(client)
    }

    pub async fn ask(self, asked: &Asked) -> Answer {
        self.whole_answer(asked).await.unwrap_or_else(|_| broken())
    }

    async fn whole_answer(self, asked: &Asked) -> Result<Answer, h2::Error> {
        let mut client = self.0.ready().await?;
        let (response, mut stream) = client.send_request(asked.request(), asked.body.is_empty())?;
        for frame in asked.frames() {
            // A server that has answered already says that it needs no more (RFC 9113, section 8.1).
            let _ = stream.send_data(frame, false);
            tokio::task::yield_now().await;
        }
        if !asked.body.is_empty() {
            let _ = stream.send_data(Bytes::new(), true);
        }
        let (head, mut stream) = response.await?.into_parts();
        let mut body = Vec::new();
        while let Some(data) = stream.data().await {
            let data = data?;
            stream.flow_control().release_capacity(data.len())?;
            body.extend_from_slice(&data);
        }
        Ok(answer(head.status, &head.headers, body))
    }
}

/// Whether the NGINX under test speaks HTTP/3: Debian's 1.22.1 does not.
pub fn is_http3_there() -> bool {
    let output = Command::new(folder::nginx()).arg("-V").output().unwrap();
    String::from_utf8_lossy(&output.stderr).contains("--with-http_v3_module")
}

/// A connection of HTTP/3.
#[derive(Clone)]
pub struct Http3(h3::client::SendRequest<h3_quinn::OpenStreams, Bytes>);

impl Http3 {
    pub async fn connect(address: SocketAddr, certificates: &Certificates) -> Self {
        let tls = QuicClientConfig::try_from(certificates.client(ANY, "h3", false)).unwrap();
        let endpoint = quinn::Endpoint::client(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
        let config = quinn::ClientConfig::new(Arc::new(tls));
        let connection = endpoint.connect_with(config, address, "shop.example").unwrap().await.unwrap();
        let connection = h3_quinn::Connection::new(connection);
        // Behind a frame of an unknown type at its end, nginx 1.28.3 does not see that a request has ended.
        let (mut driver, client) = h3::client::builder().send_grease(false).build(connection).await.unwrap();
        tokio::spawn(async move { std::future::poll_fn(|context| driver.poll_close(context)).await });
        Self(client)
    }

    pub async fn ask(self, asked: &Asked) -> Answer {
        self.whole_answer(asked).await.unwrap_or_else(|_| broken())
    }

    async fn whole_answer(mut self, asked: &Asked) -> Result<Answer, h3::error::StreamError> {
        let mut stream = self.0.send_request(asked.request()).await?;
        for frame in asked.frames() {
            // As above (RFC 9114, section 4.1).
            let _ = stream.send_data(frame).await;
        }
        let _ = stream.finish().await;
        let (head, ()) = stream.recv_response().await?.into_parts();
        let mut body = Vec::new();
        while let Some(mut data) = stream.recv_data().await? {
            body.extend_from_slice(&data.copy_to_bytes(data.remaining()));
        }
        Ok(answer(head.status, &head.headers, body))
    }
}
