//! What clients ask, byte by byte, and what they are answered.

use std::io;
use std::net::SocketAddr;

use ngx_tests::wait;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What a client sent on a connection of its own, and all it got there.
pub struct Answer {
    /// What was asked, for people.
    pub question: String,
    pub bytes: Vec<u8>,
}

impl Answer {
    fn status(&self) -> String {
        self.text().split(' ').nth(1).unwrap_or_default().to_owned()
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// What was asked for, the status, and how many bytes came.
    pub fn told(&self) -> [String; 3] {
        let target = self.question.split(' ').nth(1).unwrap_or_default();
        [target.to_owned(), self.status(), self.bytes.len().to_string()]
    }

    /// Everything but the date.
    pub fn comparable(&self) -> Vec<u8> {
        let lines = self.bytes.split_inclusive(|&b| b == b'\n').filter(|line| !line.starts_with(b"Date: "));
        lines.flatten().copied().collect()
    }
}

/// Questions with further headers and a body; what the first two words leave open comes after them.
pub fn everything() -> Vec<(&'static str, &'static str, String)> {
    const BROTLI: &str = "Accept-Encoding: br\r\n";
    const FORM: &str = "Content-Type: application/x-www-form-urlencoded\r\n";
    let small = || "x=1".to_owned();
    vec![
        ("GET /text", "X-User: anna\r\nX-Session-Id: one\r\n", String::new()),
        ("GET /text br", BROTLI, String::new()),
        ("GET /text gzip", "Accept-Encoding: gzip\r\n", String::new()),
        ("HEAD /text", "Cookie: sid=two\r\n", String::new()),
        ("GET /country", "X-Unwanted: yes\r\n", String::new()),
        ("GET /missing", "", String::new()),
        ("GET /static/page.txt", "", String::new()),
        ("GET /static/page.txt br", BROTLI, String::new()),
        ("GET /static/page.txt range", "Range: bytes=2-5\r\n", String::new()),
        ("GET /static/big.bin", "", String::new()),
        ("GET /static/none", "", String::new()),
        ("POST /echo", "X-Session-Id: one\r\n", small()),
        ("POST /echo too-much", "", "x".repeat(5000)),
        ("GET /text?x=attack", "Cookie: sid=two\r\n", String::new()),
        ("POST /echo attack", FORM, "x=attack".to_owned()),
        ("GET /leak", "", String::new()),
        ("GET /lua/content", "", String::new()),
        ("POST /lua/content", "", small()),
        ("GET /lua/filter", "", String::new()),
        ("GET /lua/denied", "", String::new()),
        ("GET /lua/elsewhere", "", String::new()),
        ("POST /lua/rewritten", "", small()),
        ("GET /njs/content", "", String::new()),
        ("POST /njs/content", "", small()),
        ("GET /njs/filter", BROTLI, String::new()),
        ("GET /njs/filter", "", String::new()),
        ("GET /njs/elsewhere", "", String::new()),
        ("GARBAGE /", "", String::new()),
    ]
}

/// Sends one request on a connection of its own.
pub async fn ask(address: SocketAddr, question: &str, headers: &str, body: &str) -> io::Result<Answer> {
    let mut words = question.split(' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    // No Host makes a request that NGINX answers 400 before any other module sees it.
    let host = if method == "GARBAGE" { "" } else { "Host: shop\r\n" };
    let head = format!("{method} {path} HTTP/1.1\r\n{host}Connection: close\r\n{length}{headers}\r\n");
    let talk = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all((head + body).as_bytes()).await?;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await?;
        Ok(Answer { question: question.to_owned(), bytes })
    };
    tokio::time::timeout(wait::LONG, talk).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}
