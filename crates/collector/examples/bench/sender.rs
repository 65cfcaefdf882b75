//! A node that sends so many events a second.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use wire::{Event, EventTime, Key, Seq, TAG_SESSIONS, write_entry_head, write_packed};

/// Frames a second.
const FRAMES: u64 = 20;
/// Sessions that the events belong to.
const SESSIONS: u64 = 20_000;

/// It, on a thread of its own.
pub struct Sender {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<io::Result<f64>>,
}

impl Sender {
    pub fn start(socket: &Path, rate: u64) -> io::Result<Self> {
        let stream = UnixStream::connect(socket)?;
        let stop = Arc::<AtomicBool>::default();
        let stopped = Arc::clone(&stop);
        Ok(Self { stop, thread: std::thread::spawn(move || send(stream, rate, &stopped)) })
    }

    /// Ends it; events a second that were acknowledged.
    pub fn stop(self) -> io::Result<f64> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap_or_else(|_| Err(io::Error::other("the sender panicked")))
    }
}

fn send(mut stream: UnixStream, rate: u64, stop: &AtomicBool) -> io::Result<f64> {
    let began = Instant::now();
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as u64);
    let instance = now().to_be_bytes();
    let (mut number, mut frame, mut entries, mut ack) = (0, Vec::new(), Vec::new(), [0; 256]);
    for round in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        entries.clear();
        frame.clear();
        for _ in 0..rate / FRAMES {
            let at = now();
            let session = number % SESSIONS;
            let mut sid = [0x5a; 16];
            sid[..8].copy_from_slice(&session.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
            let mut id = [0; 16];
            id[..8].copy_from_slice(&((at / 1000) << 16 | 0x7000).to_be_bytes());
            id[8..].copy_from_slice(&(1 << 63 | number).to_be_bytes());
            let path = format!("/v2/products/{}", number % 1000);
            let event = Event {
                id,
                seq: Some(Seq { instance, number }),
                node: "bench".into(),
                app: "api".into(),
                sid,
                key: Key { source: "cookie:sid".into(), name: "sid".into(), ..Key::default() },
                conn: session,
                n: number / SESSIONS,
                host: "api.example".into(),
                method: "GET".into(),
                path: path.as_str().into(),
                proto: "HTTP/1.1".into(),
                scheme: "https".into(),
                status: 200,
                dur: 1500,
                bytes_in: 400,
                bytes_out: 2000,
                ip: "192.0.2.1".into(),
                ua: "bench".into(),
                ..Event::default()
            };
            write_entry_head(&mut entries, EventTime::from_micros(at));
            event.encode(&mut entries);
            number += 1;
        }
        write_packed(&mut frame, TAG_SESSIONS, &entries, &format!("{}-{round}", instance[7]), (rate / FRAMES) as usize);
        stream.write_all(&frame)?;
        if stream.read(&mut ack)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let due = began + Duration::from_micros((round + 1) * 1_000_000 / FRAMES);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    Ok(number as f64 / began.elapsed().as_secs_f64())
}
