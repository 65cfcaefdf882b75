//! Load: many requests over few kept connections, from one thread, without pipelining.
//!
//! It reads of an answer only what it needs to know where the answer ends, so that the client is not
//! what is measured.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::task::LocalSet;

/// What to send.
#[derive(Clone, Debug)]
pub struct Load {
    /// Where to.
    pub address: SocketAddr,
    /// Kept connections.
    pub connections: usize,
    /// Requests in all.
    pub requests: u64,
    /// Requests a second, evenly; as fast as answers come when there is none.
    pub rate: Option<u64>,
    /// Request heads, taken in turn. `{n}` stands for the request's number.
    pub heads: Vec<String>,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reached {
    /// Requests answered.
    pub answered: u64,
    /// Answered requests a second.
    pub rate: f64,
}

/// The head of a GET.
pub fn get(path: &str, headers: &[(&str, &str)]) -> String {
    let mut head = format!("GET {path} HTTP/1.1\r\nHost: shop.example\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    head
}

/// A load that runs on a thread of its own.
#[derive(Debug)]
pub struct Running {
    thread: std::thread::JoinHandle<io::Result<Reached>>,
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
}

impl Running {
    /// Requests answered so far.
    pub fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }

    /// Sends no further requests; those on the way are still answered.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Waits for the last answer.
    pub fn join(self) -> io::Result<Reached> {
        self.thread.join().unwrap_or_else(|_| Err(io::Error::other("the load's thread panicked")))
    }
}

impl Load {
    /// Starts it.
    pub fn start(self) -> io::Result<Running> {
        let (stop, answered) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let (own_stop, own_answered) = (stop.clone(), answered.clone());
        let thread =
            std::thread::Builder::new().name("load".to_owned()).spawn(move || self.run(&own_stop, &own_answered))?;
        Ok(Running { thread, stop, answered })
    }

    fn run(self, stop: &Arc<AtomicBool>, answered: &Arc<AtomicU64>) -> io::Result<Reached> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let started = Instant::now();
        let load = Arc::new(self);
        let taken = Arc::<AtomicU64>::default();
        LocalSet::new().block_on(&runtime, async {
            let mut connections = Vec::new();
            for _ in 0..load.connections {
                let own = Connection {
                    load: load.clone(),
                    stop: stop.clone(),
                    answered: answered.clone(),
                    taken: taken.clone(),
                };
                connections.push(tokio::task::spawn_local(own.run(started)));
            }
            for connection in connections {
                connection.await.map_err(io::Error::other)??;
            }
            Ok::<(), io::Error>(())
        })?;
        let answered = answered.load(Ordering::Relaxed);
        Ok(Reached { answered, rate: answered as f64 / started.elapsed().as_secs_f64() })
    }
}

struct Connection {
    load: Arc<Load>,
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
    taken: Arc<AtomicU64>,
}

impl Connection {
    async fn run(self, started: Instant) -> io::Result<()> {
        let mut stream = self.connect().await?;
        let mut buffer = Vec::with_capacity(16 * 1024);
        while !self.stop.load(Ordering::Relaxed) {
            let number = self.taken.fetch_add(1, Ordering::Relaxed);
            if number >= self.load.requests {
                break;
            }
            if let Some(rate) = self.load.rate {
                let due = started + Duration::from_nanos(number * 1_000_000_000 / rate.max(1));
                // The timer has 1 ms; what is due within it goes at once.
                if due.saturating_duration_since(Instant::now()) > Duration::from_millis(1) {
                    tokio::time::sleep_until(due.into()).await;
                }
            }
            let heads = &self.load.heads;
            let Some(head) = heads.get(number as usize % heads.len().max(1)) else {
                return Err(io::Error::other("a load without request heads"));
            };
            if head.contains("{n}") {
                stream.write_all(head.replace("{n}", &number.to_string()).as_bytes()).await?;
            } else {
                stream.write_all(head.as_bytes()).await?;
            }
            let kept = read_answer(&mut stream, &mut buffer).await?;
            self.answered.fetch_add(1, Ordering::Relaxed);
            if !kept {
                // NGINX ends a connection after `keepalive_requests`.
                stream = self.connect().await?;
            }
        }
        Ok(())
    }

    async fn connect(&self) -> io::Result<TcpStream> {
        let stream = TcpStream::connect(self.load.address).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

/// Reads one answer with a `Content-Length`; nothing of a next one may follow, as none was asked for.
/// Whether the connection stays.
async fn read_answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<bool> {
    buffer.clear();
    loop {
        if stream.read_buf(buffer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(answer) = Answer::of(buffer) {
            while buffer.len() < answer.length {
                if stream.read_buf(buffer).await? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
            return Ok(answer.kept);
        }
    }
}

/// What an answer's head says.
#[derive(Debug, PartialEq)]
struct Answer {
    /// Bytes of head and body together.
    length: usize,
    /// Whether the connection stays.
    kept: bool,
}

impl Answer {
    /// Of the bytes so far, once the head is whole.
    fn of(bytes: &[u8]) -> Option<Self> {
        let head = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
        let mut answer = Self { length: head, kept: true };
        for line in bytes.get(..head)?.split(|&byte| byte == b'\n') {
            let Some(colon) = line.iter().position(|&byte| byte == b':') else { continue };
            let Some((name, value)) = line.split_at_checked(colon) else { continue };
            let value = value.get(1..)?.trim_ascii();
            if name.eq_ignore_ascii_case(b"content-length") {
                answer.length += std::str::from_utf8(value).ok()?.parse::<usize>().ok()?;
            } else if name.eq_ignore_ascii_case(b"connection") {
                answer.kept = !value.eq_ignore_ascii_case(b"close");
            }
        }
        Some(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_ends_where_its_content_length_says() {
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nok\n";
        assert_eq!(Answer::of(answer), Some(Answer { length: answer.len(), kept: true }));
        assert_eq!(Answer::of(b"HTTP/1.1 200 OK\r\nContent-"), None);
        let last = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n";
        assert_eq!(Answer::of(last), Some(Answer { length: last.len(), kept: false }));
    }
}
