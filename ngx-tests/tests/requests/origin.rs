//! The origin behind NGINX: one request a connection, answered by its path, also in ways that no
//! HTTP library would answer.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// How long `/late` takes.
const LATE: Duration = Duration::from_millis(120);

/// Opens it on a free port, as long as the test runs.
pub async fn open() -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            if let Ok((stream, _)) = listener.accept().await {
                // A client of ours that leaves makes NGINX leave; that is no error here.
                tokio::spawn(async { serve(stream).await.ok() });
            }
        }
    });
    address
}

async fn serve(mut stream: TcpStream) -> std::io::Result<()> {
    let mut read = Vec::new();
    let end = loop {
        if stream.read_buf(&mut read).await? == 0 {
            return Ok(());
        }
        if let Some(at) = read.windows(4).position(|part| part == b"\r\n\r\n") {
            break at + 4;
        }
    };
    let head = String::from_utf8_lossy(&read[..end]).into_owned();
    let length = header(&head, "content-length").and_then(|value| value.parse().ok()).unwrap_or(0);
    while read.len() < end + length {
        if stream.read_buf(&mut read).await? == 0 {
            return Ok(());
        }
    }
    let target = head.split(' ').nth(1).unwrap_or_default();
    let path = target.split('?').next().unwrap_or_default();
    let answer = match path {
        "/late" => {
            tokio::time::sleep(LATE).await;
            answer(200, "", "late\n")
        }
        "/never" => return gone(stream).await,
        "/drip" => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nfirst drop").await?;
            return gone(stream).await;
        }
        "/cut" => "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nnot all".to_owned(),
        "/mute" => return Ok(()),
        "/garbled" => "this is not HTTP\r\n\r\n".to_owned(),
        "/failing" => answer(500, "", "failed\n"),
        "/moved" => answer(302, "Location: http://elsewhere.example/\r\n", ""),
        "/cached" => answer(200, "Cache-Control: max-age=60\r\n", "worth keeping\n"),
        "/size" => answer(200, "", &format!("{length}\n")),
        "/auth" => answer(header(&head, "x-auth").and_then(|status| status.parse().ok()).unwrap_or(401), "", ""),
        "/upgrade" => return echo(stream).await,
        _ => match path.strip_prefix("/accel/") {
            Some(to) => answer(200, &format!("X-Accel-Redirect: {to}\r\n"), "not for the client\n"),
            None => answer(200, "", "served\n"),
        },
    };
    stream.write_all(answer.as_bytes()).await
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let fields = head.lines().filter_map(|line| line.split_once(':'));
    fields.into_iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

fn answer(status: u16, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status} -\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n{headers}\r\n{body}")
}

/// Waits until the other side closes.
async fn gone(mut stream: TcpStream) -> std::io::Result<()> {
    while stream.read(&mut [0; 512]).await? > 0 {}
    Ok(())
}

/// A WebSocket's way, as far as a proxy sees it: bytes both ways after 101.
async fn echo(mut stream: TcpStream) -> std::io::Result<()> {
    stream.write_all(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n").await?;
    let (mut from, mut to) = stream.split();
    tokio::io::copy(&mut from, &mut to).await.map(drop)
}
