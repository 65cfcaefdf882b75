//! The origin behind NGINX. It says what a situation wants said, or how long the body was that it
//! received, and what its hash is.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::message::Head;

/// What is said to requests, by their query parameter `x`: pieces, with a moment between them.
pub type Answers = HashMap<String, Vec<Vec<u8>>>;

const MOMENT: Duration = Duration::from_millis(20);

/// Opens it on a free port, as long as the test runs.
pub async fn open(answers: Answers) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let answers = Arc::new(answers);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let answers = Arc::clone(&answers);
            // A client of ours that leaves makes NGINX leave; that is no error here.
            tokio::spawn(async move { serve(stream, &answers).await.ok() });
        }
    });
    address
}

async fn serve(mut stream: TcpStream, answers: &Answers) -> std::io::Result<()> {
    let mut read = Vec::new();
    let (target, body) = loop {
        if stream.read_buf(&mut read).await? == 0 {
            return Ok(());
        }
        if let Some((head, after)) = Head::of(&read)
            && let Some((body, _)) = head.body(after)
        {
            break (head.word().to_owned(), body);
        }
    };
    let x = target.split(['?', '&']).find_map(|part| part.strip_prefix("x=")).unwrap_or_default();
    let answer = match answers.get(x) {
        Some(pieces) => pieces.clone(),
        // Whoever asks for leave must not be taken for the answer.
        None if target == "/auth" => vec![answer("application/json", "", br#"{"id":"auth"}"#)],
        None => vec![answer("text/plain", "", received(&body).as_bytes())],
    };
    for piece in answer {
        stream.write_all(&piece).await?;
        tokio::time::sleep(MOMENT).await;
    }
    Ok(())
}

/// What is said of a body.
pub fn received(body: &[u8]) -> String {
    let hash: String = Sha256::digest(body).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{} bytes, {hash}\n", body.len())
}

/// An answer of known length; each of `headers` ends with CRLF.
pub fn answer(content_type: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n{headers}\r\n");
    [head.as_bytes(), body].concat()
}
