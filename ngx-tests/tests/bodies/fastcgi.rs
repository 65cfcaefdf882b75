//! A FastCGI responder, which tells what it received, in an answer that has an id.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::origin;

/// Types of records (FastCGI 1.0, section 8).
const STDIN: u8 = 5;
const STDOUT: u8 = 6;
const END_REQUEST: u8 = 3;

/// Opens it on a free port, as long as the test runs.
pub async fn open() -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async { serve(stream).await.ok() });
        }
    });
    address
}

async fn serve(mut stream: TcpStream) -> std::io::Result<()> {
    let mut body = Vec::new();
    loop {
        let mut head = [0; 8];
        stream.read_exact(&mut head).await?;
        let [_, kind, _, _, high, low, padding, _] = head;
        let length = usize::from(u16::from_be_bytes([high, low]));
        let mut content = vec![0; length + usize::from(padding)];
        stream.read_exact(&mut content).await?;
        if kind == STDIN && length == 0 {
            break;
        }
        if kind == STDIN {
            body.extend_from_slice(&content[..length]);
        }
    }
    let said = format!("{{\"id\":\"fastcgi\",\"received\":{:?}}}\n", origin::received(&body));
    let answer = format!("Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{said}", said.len());
    let records = [record(STDOUT, answer.as_bytes()), record(STDOUT, b""), record(END_REQUEST, &[0; 8])];
    stream.write_all(&records.concat()).await
}

fn record(kind: u8, content: &[u8]) -> Vec<u8> {
    let [high, low] = (content.len() as u16).to_be_bytes();
    [&[1, kind, 0, 1, high, low, 0, 0], content].concat()
}
