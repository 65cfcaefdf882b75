//! What the running server promises to nodes, asked over its sockets.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use collector::clock::{Clock, SystemClock};
use collector::generate::{self, Plan, generate};
use collector::metrics::CloseReason;
use collector::serve::{ServeError, Server};
use collector::settings::{Address, Settings};
use collector::shared::Shared;
use collector::store::TailQuery;
use tokio::sync::oneshot;
use wire::{Event, EventTime, NodeReport, Seq, TAG_NODE, TAG_SESSIONS, write_entry, write_packed};

/// Far more than anything here takes.
const DEADLINE: Duration = Duration::from_secs(60);

/// A server on a folder and a free port, with a runtime of its own.
struct Running {
    shared: Shared,
    node: std::net::SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<Result<(), ServeError>>>,
}

fn settings(dir: &Path) -> Settings {
    Settings {
        data_dir: dir.join("data"),
        ingest: vec![Address::Tcp(([127, 0, 0, 1], 0).into()), Address::Unix(dir.join("collector.sock"))],
        api: vec![Address::Tcp(([127, 0, 0, 1], 0).into())],
        memory_limit: 256 << 20,
        ..Settings::default()
    }
}

impl Running {
    fn start(dir: &Path) -> Result<Self, ServeError> {
        let settings = settings(dir);
        let (stop, stopped) = oneshot::channel();
        let (opened, open) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
            runtime.block_on(async move {
                let server = Server::open(settings, Arc::new(SystemClock::default())).await?;
                opened.send((server.shared().clone(), server.ingest_addresses())).unwrap();
                let stop = async move {
                    let _ = stopped.await;
                };
                server.run(stop).await
            })
        });
        match open.recv() {
            Ok((shared, addresses)) => {
                let Address::Tcp(node) = addresses[0] else { panic!("the first address is TCP") };
                Ok(Self { shared, node, stop: Some(stop), thread: Some(thread) })
            }
            Err(_) => Err(thread.join().unwrap().unwrap_err()),
        }
    }

    fn stop(mut self) -> Result<(), ServeError> {
        drop(self.stop.take());
        self.thread.take().unwrap().join().unwrap()
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.node).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream
    }

    fn wait_for(&self, what: &str, mut met: impl FnMut(&Shared) -> bool) {
        let asked = Instant::now();
        while !met(&self.shared) {
            assert!(asked.elapsed() < DEADLINE, "waited in vain for {what}\n{}", self.shared.metrics.render());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn stored_paths(&self) -> Vec<String> {
        let newest = TailQuery { limit: 1000, ..TailQuery::default() };
        let mut paths: Vec<_> =
            self.shared.store.tail(&newest).unwrap().requests.into_iter().map(|request| request.path).collect();
        paths.sort();
        paths
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn now() -> EventTime {
    EventTime::from_micros(SystemClock::default().now().0 as u64)
}

fn event(number: u64) -> Vec<u8> {
    let mut record = Vec::new();
    let event = Event {
        id: [number as u8 + 1; 16],
        seq: Some(Seq { instance: [7; 8], number }),
        sid: [3; 16],
        path: format!("/{number}").into(),
        ..Event::default()
    };
    event.encode(&mut record);
    record
}

fn frame(tag: &str, chunk: &str, records: &[Vec<u8>]) -> Vec<u8> {
    let mut entries = Vec::new();
    records.iter().for_each(|record| write_entry(&mut entries, now(), record));
    let mut frame = Vec::new();
    write_packed(&mut frame, tag, &entries, chunk, records.len());
    frame
}

fn read_ack(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    loop {
        if let Some((chunk, length)) = wire::read_ack(&bytes).unwrap() {
            assert_eq!(length, bytes.len(), "one ack was expected");
            return chunk.to_owned();
        }
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        bytes.push(byte[0]);
    }
}

/// Whether the other end closed the connection.
fn is_closed(stream: &mut TcpStream) -> bool {
    matches!(stream.read(&mut [0]), Ok(0) | Err(_))
}

#[test]
fn chunks_are_acknowledged_stored_once_and_there_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let server = Running::start(dir.path()).unwrap();
    let mut node = server.connect();
    for (chunk, events) in [("one", [0, 1]), ("two", [1, 2]), ("one", [0, 1])] {
        node.write_all(&frame(TAG_SESSIONS, chunk, &events.map(event))).unwrap();
        assert_eq!(read_ack(&mut node), chunk);
    }
    server.wait_for("three requests", |shared| shared.store.rows() == 3);
    server.wait_for("three duplicates", |shared| shared.metrics.duplicates.get() == 3);
    server.stop().unwrap();

    let server = Running::start(dir.path()).unwrap();
    let mut node = server.connect();
    node.write_all(&frame(TAG_SESSIONS, "three", &[event(0), event(3)])).unwrap();
    assert_eq!(read_ack(&mut node), "three");
    server.wait_for("the fourth request", |shared| shared.store.rows() == 4);
    assert_eq!(server.stored_paths(), ["/0", "/1", "/2", "/3"]);
    server.stop().unwrap();
}

#[test]
fn reports_of_workers_are_shown_and_unknown_tags_acknowledged_and_not_kept() {
    let dir = tempfile::tempdir().unwrap();
    let server = Running::start(dir.path()).unwrap();
    let mut node = server.connect();
    let mut report = Vec::new();
    NodeReport { v: 1, node: "edge-1".into(), next_seq: 9, ..NodeReport::default() }.encode(&mut report).unwrap();
    node.write_all(&frame(TAG_NODE, "a", &[report])).unwrap();
    assert_eq!(read_ack(&mut node), "a");
    node.write_all(&frame("other", "b", &[event(0)])).unwrap();
    assert_eq!(read_ack(&mut node), "b");
    server.wait_for("the report", |shared| shared.nodes.list().iter().any(|state| state.report.node == "edge-1"));
    assert_eq!(server.shared.metrics.unknown_tags.get(), 1);
    assert_eq!(server.shared.store.rows(), 0);
}

#[test]
fn a_broken_sender_loses_its_connection_and_no_other_does() {
    let dir = tempfile::tempdir().unwrap();
    let server = Running::start(dir.path()).unwrap();
    let mut sound = server.connect();
    let truncated = frame(TAG_SESSIONS, "x", &[event(9)]);
    for (bytes, reason) in [
        (&b"GET / HTTP/1.1\r\n\r\n"[..], CloseReason::Malformed),
        (&b"\x93\xa1t\xc6\xff\xff\xff\xff"[..], CloseReason::TooLarge),
        (&truncated[..30], CloseReason::Truncated),
    ] {
        let mut broken = server.connect();
        broken.write_all(bytes).unwrap();
        if reason == CloseReason::Truncated {
            broken.shutdown(std::net::Shutdown::Write).unwrap();
        }
        assert!(is_closed(&mut broken));
        server.wait_for(reason.as_str(), |shared| shared.metrics.closed.of(reason).get() == 1);
        sound.write_all(&frame(TAG_SESSIONS, reason.as_str(), &[event(reason as u64)])).unwrap();
        assert_eq!(read_ack(&mut sound), reason.as_str());
    }
    server.wait_for("what the sound sender sent", |shared| shared.store.rows() == 3);
}

#[test]
fn a_record_of_wrong_types_is_set_aside_and_its_chunk_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let server = Running::start(dir.path()).unwrap();
    let mut node = server.connect();
    // {"v": 1, "seq": [instance, 5], "status": "ok"}, and a record of version 2.
    let wrong = [&b"\x83\xa1v\x01\xa3seq\x92\xc4\x08"[..], &[7; 8], b"\x05\xa6status\xa2ok"].concat();
    let newer = b"\x81\xa1v\x02".to_vec();
    let mut chunk = frame(TAG_SESSIONS, "a", &[event(0), wrong, newer, event(1)]);
    chunk.extend(frame(TAG_SESSIONS, "b", &[event(5)]));
    node.write_all(&chunk).unwrap();
    server.wait_for("the sound records", |shared| shared.store.rows() == 2);
    assert_eq!(server.stored_paths(), ["/0", "/1"]);
    server.wait_for("the seq of the record set aside", |shared| shared.metrics.duplicates.get() == 1);
    server.stop().unwrap();
    let mut files = std::fs::read_dir(dir.path().join("data/set-aside")).unwrap();
    let text = std::fs::read_to_string(files.next().unwrap().unwrap().path()).unwrap();
    assert_eq!(text.lines().count(), 2);
    assert!(text.contains("status") && text.contains("newer_version"), "{text}");
}

#[test]
fn a_second_server_on_the_same_folder_is_refused_with_a_reason() {
    let dir = tempfile::tempdir().unwrap();
    let server = Running::start(dir.path()).unwrap();
    let error = Running::start(dir.path()).err().unwrap().to_string();
    assert!(error.contains("in use by another server"), "{error}");
    server.stop().unwrap();
}

#[test]
fn a_log_that_belongs_to_nothing_is_not_used_silently() {
    let dir = tempfile::tempdir().unwrap();
    let server = Running::start(dir.path()).unwrap();
    let mut node = server.connect();
    node.write_all(&frame(TAG_SESSIONS, "a", &[event(0)])).unwrap();
    read_ack(&mut node);
    server.wait_for("the request", |shared| shared.store.rows() == 1);
    server.stop().unwrap();
    let log = dir.path().join("data/log");
    let files = std::fs::read_dir(&log).unwrap().map(|entry| entry.unwrap().path());
    let segment = files.filter(|path| path.extension().is_some_and(|extension| extension == "seg")).max().unwrap();
    let bytes = std::fs::read(&segment).unwrap();

    // An incomplete last record is cut; but what was acknowledged before it must be there.
    std::fs::write(&segment, [&bytes[..], &[0, 0, 1]].concat()).unwrap();
    let server = Running::start(dir.path()).unwrap();
    assert_eq!(server.shared.metrics.log_cut_bytes.get(), 3);
    server.stop().unwrap();

    std::fs::write(&segment, &bytes[..bytes.len() / 2]).unwrap();
    let error = Running::start(dir.path()).err().unwrap().to_string();
    assert!(error.contains("a part is missing"), "{error}");
}

#[test]
fn what_is_acknowledged_after_a_part_of_the_log_was_lost_is_stored_too() {
    let dir = tempfile::tempdir().unwrap();
    let segment = dir.path().join("data/log/00000000000000000000.seg");
    let server = Running::start(dir.path()).unwrap();
    let mut node = server.connect();
    let mut first_ends = 0;
    for (n, chunk) in ["a", "b"].into_iter().enumerate() {
        node.write_all(&frame(TAG_SESSIONS, chunk, &[event(n as u64)])).unwrap();
        read_ack(&mut node);
        server.wait_for("the request", |shared| shared.store.rows() == n as u64 + 1);
        if n == 0 {
            first_ends = std::fs::metadata(&segment).unwrap().len();
        }
    }
    server.stop().unwrap();

    // The store had checkpointed the first chunk only, and the log lost the second.
    let positions = dir.path().join("data/days/positions.json");
    std::fs::write(&positions, format!(r#"{{"complete":{first_ends},"days":{{}}}}"#)).unwrap();
    let bytes = std::fs::read(&segment).unwrap();
    std::fs::write(&segment, &bytes[..first_ends as usize]).unwrap();
    let error = Running::start(dir.path()).err().unwrap().to_string();
    assert!(error.contains("a part is missing") && error.contains("positions.json"), "{error}");

    // The operator goes on with what there is.
    std::fs::remove_file(&positions).unwrap();
    for n in 2..4u64 {
        let server = Running::start(dir.path()).unwrap();
        assert_eq!(server.stored_paths().len() as u64, n, "what is there is shown at once");
        let mut node = server.connect();
        node.write_all(&frame(TAG_SESSIONS, "c", &[event(n)])).unwrap();
        read_ack(&mut node);
        server.wait_for("the new request", |shared| shared.store.rows() == n + 1);
        server.stop().unwrap();
    }
    let server = Running::start(dir.path()).unwrap();
    assert_eq!(server.stored_paths(), ["/0", "/1", "/2", "/3"]);
    assert!(dir.path().join("data/log-1").is_dir());
    server.stop().unwrap();
}

#[test]
fn generated_traffic_is_found_after_a_start_and_says_what_it_is() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("data")).unwrap();
    let now = SystemClock::default().now();
    let plan = Plan { requests: 3000, sessions: 200, days: 2, seed: 1, until: now, strangers: false };
    // Written twice it is there once.
    for _ in 0..2 {
        generate(&settings(dir.path()).data_dir, false, &plan, |_| ()).unwrap();
    }
    let running = Running::start(dir.path()).unwrap();
    running.wait_for("all of it", |shared| shared.metrics.duplicates.get() == 3000);
    assert_eq!(running.shared.store.rows(), 3000);
    let tailed = running.shared.store.tail(&TailQuery { limit: 50, ..TailQuery::default() }).unwrap().requests;
    assert!(tailed.iter().all(|request| request.node == generate::NODE && request.ts < now));
    let nodes = running.shared.nodes.list();
    assert_eq!(nodes.iter().map(|node| node.report.node.as_str()).collect::<Vec<_>>(), [generate::NODE]);
    let error = generate(&settings(dir.path()).data_dir, false, &plan, |_| ()).unwrap_err().to_string();
    assert!(error.contains("in use by another server"), "{error}");
    running.stop().unwrap();
}
