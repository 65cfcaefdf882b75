//! What the server promises when it is killed, shown with the real process.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use wire::{Event, EventTime, Seq, TAG_SESSIONS, write_entry, write_packed};

/// Far more than anything here takes.
const DEADLINE: Duration = Duration::from_secs(60);
/// Events in a chunk.
const EVENTS: u64 = 20;

/// The process `api-sessions serve`; killed when dropped.
struct Server {
    process: Child,
    api: String,
}

impl Server {
    fn start(dir: &Path) -> Self {
        let data = dir.join("data");
        std::fs::create_dir_all(&data).unwrap();
        let mut process = Command::new(env!("CARGO_BIN_EXE_api-sessions"))
            .arg("serve")
            .arg("--data-dir")
            .arg(data)
            .arg("--runtime-dir")
            .arg(dir)
            .args(["--listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map(|line| line.unwrap());
        let api = lines.find_map(|line| line.strip_prefix("collector: api on http://").map(str::to_owned));
        let server = Self { process, api: api.unwrap_or_default() };
        assert!(!server.api.is_empty(), "the server did not start");
        server
    }

    fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    fn get(&self, path: &str) -> String {
        let mut stream = std::net::TcpStream::connect(&self.api).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.api).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (_head, body) = answer.split_once("\r\n\r\n").unwrap();
        body.to_owned()
    }

    fn metric(&self, name: &str) -> u64 {
        let text = self.get("/metrics");
        let line = text.lines().find(|line| line.split(' ').next() == Some(name)).expect(name);
        line.rsplit(' ').next().unwrap().parse().unwrap()
    }

    /// Requests of each session, after everything in the log is applied.
    fn sessions(&self) -> BTreeMap<String, u64> {
        let asked = Instant::now();
        while self.metric("api_sessions_log_unapplied_bytes") > 0
            || self.metric("api_sessions_apply_records_total") == 0
        {
            assert!(asked.elapsed() < DEADLINE, "the log is never applied");
            std::thread::sleep(Duration::from_millis(50));
        }
        let answer: serde_json::Value = serde_json::from_str(&self.get("/api/v1/sessions?page_size=1000")).unwrap();
        let parts = answer["sessions"].as_array().unwrap();
        parts.iter().map(|part| (part["id"].as_str().unwrap().into(), part["requests"].as_u64().unwrap())).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A chunk of events that make a session of their own.
fn chunk(number: u64) -> Vec<u8> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let mut entries = Vec::new();
    for event in 0..EVENTS {
        let mut record = Vec::new();
        let seq = Some(Seq { instance: [1; 8], number: number * EVENTS + event });
        let sid = u128::from(number + 1).to_be_bytes();
        Event { sid, seq, id: [event as u8 + 1; 16], ..Event::default() }.encode(&mut record);
        write_entry(&mut entries, EventTime::from_micros(now.as_micros() as u64), &record);
    }
    let mut frame = Vec::new();
    write_packed(&mut frame, TAG_SESSIONS, &entries, &number.to_string(), EVENTS as usize);
    frame
}

/// Sends chunks from `first` on until `acks` are acknowledged or the connection ends.
fn send(dir: &Path, first: u64, acks: u64) -> Vec<u64> {
    let stream = UnixStream::connect(dir.join("collector.sock")).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.set_write_timeout(Some(DEADLINE)).unwrap();
    let mut writer = stream.try_clone().unwrap();
    let sender = std::thread::spawn(move || {
        (first..first + 2000).try_for_each(|number| writer.write_all(&chunk(number))).is_ok()
    });
    let (mut reader, mut bytes, mut acked) = (stream, Vec::new(), Vec::new());
    let mut buffer = [0; 4096];
    'reading: while let Ok(count @ 1..) = reader.read(&mut buffer) {
        bytes.extend_from_slice(&buffer[..count]);
        while let Some((chunk, length)) = wire::read_ack(&bytes).unwrap() {
            acked.push(chunk.parse().unwrap());
            bytes.drain(..length);
            if acked.len() as u64 == acks {
                break 'reading;
            }
        }
    }
    let _ = reader.shutdown(std::net::Shutdown::Both);
    sender.join().unwrap();
    acked
}

#[test]
fn what_was_acknowledged_survives_a_kill_and_is_there_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut acked = Vec::new();
    for round in 0..3 {
        let server = Server::start(dir.path());
        let chunks = send(dir.path(), round * 40, 30 + round * 20);
        assert!(!chunks.is_empty());
        acked.extend(chunks);
        server.kill();
    }
    let server = Server::start(dir.path());
    let sessions = server.sessions();
    for number in &acked {
        let id = format!("{:032x}", number + 1);
        assert_eq!(sessions.get(&id), Some(&EVENTS), "chunk {number}");
    }
    assert!(sessions.values().all(|&requests| requests == EVENTS), "{sessions:?}");
}

#[test]
fn a_server_that_cannot_use_its_folder_says_so_and_fails() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("not-mounted");
    let output = Command::new(env!("CARGO_BIN_EXE_api-sessions"))
        .arg("serve")
        .arg("--data-dir")
        .arg(&missing)
        .arg("--runtime-dir")
        .arg(dir.path())
        .args(["--listen", "127.0.0.1:0"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(said.contains("not-mounted does not exist"), "{said}");
}
