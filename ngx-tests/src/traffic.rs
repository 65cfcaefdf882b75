//! Traffic that must not be refused, unless the test does what refuses it: one connection a request, so
//! that no request meets a kept connection that NGINX may close at any time.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Clients that go on until they are told to stop.
#[derive(Debug)]
pub struct Traffic {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
    clients: Vec<JoinHandle<io::Result<()>>>,
}

/// Between two requests of a client: enough for thousands of requests in a test, not for a busy machine.
const PAUSE: Duration = Duration::from_millis(8);
const PATIENCE: Duration = Duration::from_secs(30);

/// What a request that gets no answer 200 means.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cut {
    IsAnError,
    Happens,
}

impl Traffic {
    /// Starts some clients that GET `path`.
    pub fn start(address: SocketAddr, path: &str, clients: u64) -> io::Result<Self> {
        Self::of(address, path, clients, PAUSE, Cut::IsAnError)
    }

    /// The same while NGINX is killed: requests that are cut or refused are not counted.
    pub fn through_kills(address: SocketAddr, path: &str, clients: u64) -> io::Result<Self> {
        Self::of(address, path, clients, PAUSE, Cut::Happens)
    }

    /// The same, as fast as they can: for thousands of requests.
    pub fn without_pause(address: SocketAddr, path: &str, clients: u64) -> io::Result<Self> {
        Self::of(address, path, clients, Duration::ZERO, Cut::IsAnError)
    }

    fn of(address: SocketAddr, path: &str, clients: u64, pause: Duration, cut: Cut) -> io::Result<Self> {
        let (stop, answered) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let client = |number| {
            let (stop, answered) = (stop.clone(), answered.clone());
            let head = format!(
                "GET {path} HTTP/1.1\r\nHost: shop.example\r\nCookie: sid=client-{number}\r\nConnection: close\r\n\r\n"
            );
            std::thread::Builder::new().name("client".to_owned()).spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    match request(address, &head) {
                        Ok(()) => drop(answered.fetch_add(1, Ordering::Relaxed)),
                        Err(_) if cut == Cut::Happens => {}
                        Err(e) => return Err(e),
                    }
                    std::thread::sleep(pause);
                }
                Ok(())
            })
        };
        let clients = (0..clients).map(client).collect::<io::Result<_>>()?;
        Ok(Self { stop, answered, clients })
    }

    /// Requests answered so far.
    pub fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }

    /// Ends it: requests answered in all, or what came instead of an answer 200.
    pub fn stop(self) -> io::Result<u64> {
        self.stop.store(true, Ordering::Relaxed);
        for client in self.clients {
            client.join().map_err(|_| io::Error::other("a client panicked"))??;
        }
        Ok(self.answered.load(Ordering::Relaxed))
    }
}

/// One request on a connection of its own, which has to be answered with 200.
fn request(address: SocketAddr, head: &str) -> io::Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(head.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    if answer.starts_with(b"HTTP/1.1 200 ") {
        return Ok(());
    }
    Err(io::Error::other(format!("answered: {:?}", String::from_utf8_lossy(&answer))))
}
