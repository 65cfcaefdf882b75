//! What the server promises when it is killed, shown with the real process.

mod process;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;

use process::{DEADLINE, Server};
use wire::{Event, EventTime, Seq, TAG_SESSIONS, write_entry, write_packed};

/// Events in a chunk.
const EVENTS: u64 = 20;

/// Requests of each session, after everything in the log is applied.
fn sessions(server: &Server) -> BTreeMap<String, u64> {
    server.wait_until_applied();
    let answer = server.ask("/sessions?page_size=1000");
    let parts = answer["sessions"].as_array().unwrap();
    parts.iter().map(|part| (part["id"].as_str().unwrap().into(), part["requests"].as_u64().unwrap())).collect()
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
    let sessions = sessions(&server);
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
