//! A FastCGI responder, as php-fpm is to NGINX: each request to a function, what it writes to the
//! client. One request a connection, as NGINX asks for unless told otherwise.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A request as a script sees it.
#[derive(Clone, Debug, Default)]
pub struct Script {
    /// `REQUEST_URI`, `HTTP_COOKIE` and so on.
    pub params: BTreeMap<String, String>,
    /// The body.
    pub body: Vec<u8>,
}

/// Head and body of an answer, as a CGI script writes them.
pub type Answer = fn(&Script) -> String;

/// A responder on a free port; it ends when this goes.
#[derive(Debug)]
pub struct Responder {
    address: SocketAddr,
    server: JoinHandle<()>,
}

// Record types and the version (FastCGI specification, section 8).
const VERSION: u8 = 1;
const END_REQUEST: u8 = 3;
const PARAMS: u8 = 4;
const STDIN: u8 = 5;
const STDOUT: u8 = 6;

impl Responder {
    /// Starts it.
    pub async fn start(answer: Answer) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let server = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // A connection that NGINX gives up is no concern of the others.
                tokio::spawn(async move { serve(stream, answer).await.unwrap_or_default() });
            }
        });
        Ok(Self { address, server })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(mut stream: TcpStream, answer: Answer) -> io::Result<()> {
    let (mut params, mut script) = (Vec::new(), Script::default());
    loop {
        let (kind, content) = read_record(&mut stream).await?;
        match kind {
            PARAMS => params.extend(content),
            STDIN if content.is_empty() => break,
            STDIN => script.body.extend(content),
            _ => {}
        }
    }
    script.params = read_params(&params).unwrap_or_default();
    for part in answer(&script).as_bytes().chunks(usize::from(u16::MAX)) {
        write_record(&mut stream, STDOUT, part).await?;
    }
    write_record(&mut stream, STDOUT, b"").await?;
    write_record(&mut stream, END_REQUEST, &[0; 8]).await
}

async fn read_record(stream: &mut TcpStream) -> io::Result<(u8, Vec<u8>)> {
    let mut head = [0; 8];
    stream.read_exact(&mut head).await?;
    let [_, kind, _, _, high, low, padding, _] = head;
    let length = usize::from(u16::from_be_bytes([high, low]));
    let mut content = vec![0; length + usize::from(padding)];
    stream.read_exact(&mut content).await?;
    content.truncate(length);
    Ok((kind, content))
}

async fn write_record(stream: &mut TcpStream, kind: u8, content: &[u8]) -> io::Result<()> {
    let [high, low] = u16::try_from(content.len()).map_err(io::Error::other)?.to_be_bytes();
    stream.write_all(&[VERSION, kind, 0, 1, high, low, 0, 0]).await?;
    stream.write_all(content).await
}

/// Pairs of lengths, names and values (section 3.4).
fn read_params(mut rest: &[u8]) -> Option<BTreeMap<String, String>> {
    let mut params = BTreeMap::new();
    while !rest.is_empty() {
        let (name, value) = (take_length(&mut rest)?, take_length(&mut rest)?);
        let mut text = |length| {
            let (text, behind) = rest.split_at_checked(length)?;
            rest = behind;
            Some(String::from_utf8_lossy(text).into_owned())
        };
        params.insert(text(name)?, text(value)?);
    }
    Some(params)
}

fn take_length(rest: &mut &[u8]) -> Option<usize> {
    let (&first, behind) = rest.split_first()?;
    if first < 0x80 {
        *rest = behind;
        return Some(usize::from(first));
    }
    let (four, behind) = rest.split_first_chunk::<4>()?;
    *rest = behind;
    Some((u32::from_be_bytes(*four) & 0x7fff_ffff) as usize)
}
