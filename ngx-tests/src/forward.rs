//! Fluent Forward frames made and read without the product's own code, so that a test speaks to the
//! collector as a foreign sender would, and sees what a node sent.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use rmpv::Value;

/// The tag of requests.
pub const SESSIONS: &str = "wallarm.sessions";

/// A string value.
pub fn text(text: &str) -> Value {
    Value::from(text)
}

/// The record of one request, as design asks for it, with a session id of its own by `session`.
pub fn record(instance: [u8; 8], number: u64, session: u8) -> Vec<(Value, Value)> {
    let mut id = [0; 16];
    id[..6].copy_from_slice(&now_ms().to_be_bytes()[2..]);
    id[6] = 0x70 | (number >> 56) as u8 & 0x0f;
    id[8] = 0x80;
    id[9..].copy_from_slice(&number.to_be_bytes()[1..]);
    vec![
        (text("v"), Value::from(1)),
        (text("id"), Value::Binary(id.to_vec())),
        (text("seq"), Value::Array(vec![Value::Binary(instance.to_vec()), Value::from(number)])),
        (text("node"), text("test")),
        (text("app"), text("default")),
        (text("kid"), Value::Binary(vec![1, 2, 3, 4])),
        (text("sid"), Value::Binary(vec![session; 16])),
        (text("key"), Value::Array(vec![text("ip"), text("ip"), text("192.0.2.1"), Value::from(false)])),
        (text("conn"), Value::from(1)),
        (text("n"), Value::from(number + 1)),
        (text("host"), text("shop.example")),
        (text("method"), text("GET")),
        (text("path"), text("/")),
        (text("proto"), text("HTTP/1.1")),
        (text("scheme"), text("http")),
        (text("status"), Value::from(200)),
        (text("dur"), Value::from(1500)),
        (text("in"), Value::from(100)),
        (text("out"), Value::from(200)),
        (text("ip"), text("192.0.2.1")),
        (text("ua"), text("test")),
    ]
}

fn now_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as u64)
}

/// The bytes of a value.
pub fn bytes(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    // Writing into memory does not fail.
    let _ = rmpv::encode::write_value(&mut out, value);
    out
}

/// An entry: its time is now, in whole seconds.
pub fn entry(record: Vec<(Value, Value)>) -> Vec<u8> {
    let mut time = [0; 8];
    time[..4].copy_from_slice(&((now_ms() / 1000) as u32).to_be_bytes());
    bytes(&Value::Array(vec![Value::Ext(0, time.to_vec()), Value::Map(record)]))
}

/// A PackedForward frame.
pub fn frame(tag: &str, entries: Vec<u8>, size: usize, chunk: &str) -> Vec<u8> {
    let options = Value::Map(vec![(text("chunk"), text(chunk)), (text("size"), Value::from(size as u64))]);
    bytes(&Value::Array(vec![text(tag), Value::Binary(entries), options]))
}

/// A sender on the collector's socket.
#[derive(Debug)]
pub struct Sender(UnixStream);

const PATIENCE: Duration = Duration::from_secs(20);

impl Sender {
    /// Connects.
    pub fn connect(socket: &Path) -> io::Result<Self> {
        let stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self(stream))
    }

    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    /// Says that no more comes.
    pub fn finish(&mut self) -> io::Result<()> {
        self.0.shutdown(std::net::Shutdown::Write)
    }

    /// The chunk that the next answer acknowledges.
    pub fn ack(&mut self) -> io::Result<String> {
        let answer = rmpv::decode::read_value(&mut self.0).map_err(io::Error::other)?;
        let chunk = answer.as_map().and_then(|map| map.iter().find(|(key, _)| key.as_str() == Some("ack")));
        let chunk = chunk.and_then(|(_, chunk)| chunk.as_str()).map(str::to_owned);
        chunk.ok_or_else(|| io::Error::other(format!("not an ack: {answer}")))
    }

    /// Whether the other side closed the connection (it may send acks before).
    pub fn is_closed(&mut self) -> bool {
        let mut rest = [0; 4096];
        loop {
            match self.0.read(&mut rest) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(e) if e.kind() == io::ErrorKind::ConnectionReset => return true,
                Err(_) => return false,
            }
        }
    }
}
