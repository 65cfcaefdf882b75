//! How fast events go in, what each costs, and what an append of the same rows without a server takes.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use duckdb::arrow::array::RecordBatch;
use duckdb::arrow::compute::concat_batches;
use duckdb::{Config, Connection};
use wire::{Event, EventTime, Key, Param, Seq, TAG_SESSIONS, Who, write_entry_head, write_packed};

use super::server::{Failure, Server};

/// Events of a chunk, as nodes make them.
const CHUNK: u64 = 500;
/// Workers that send.
const WORKERS: usize = 4;
/// Chunks of a worker that wait for their acknowledgement.
const UNDER_WAY: usize = 4;
/// Sessions that the events belong to.
const SESSIONS: u64 = 50_000;
/// Rows that the bare append takes at a time, as the server does.
const ROWS: usize = 50_000;
/// Between looks at how much is stored.
const LOOK: Duration = Duration::from_millis(20);

/// What came of it.
pub struct Ingested {
    pub events_per_s: f64,
    /// Of the rate of the bare append.
    pub ratio_to_bare: f64,
    /// Of the server, in microseconds an event.
    pub cpu_us: f64,
    pub ack_p99_ms: f64,
    pub rss_mb: f64,
    pub bytes_per_request: f64,
}

/// Sends so many events, made beforehand, to a server on `cores`, itself on `apart`.
pub async fn ingest(binary: &Path, data: &Path, events: u64, cores: &str, apart: &str) -> Result<Ingested, Failure> {
    let frames = frames(events);
    // Before it starts: it takes as many threads as it sees cores.
    pin(std::process::id(), cores)?;
    let server = Server::start(binary, data).await?;
    pin(std::process::id(), apart)?;
    let cpu = server.cpu_seconds()?;
    let began = Instant::now();
    let socket = server.socket();
    let sending = std::thread::spawn(move || send(&socket, frames));
    while server.metric("apply_stored_requests_total").await? < events {
        if sending.is_finished() && server.metric("store_errors_total").await? > 0 {
            return Err("the store fails".into());
        }
        tokio::time::sleep(LOOK).await;
    }
    let took = began.elapsed().as_secs_f64();
    let cpu_us = (server.cpu_seconds()? - cpu) * 1e6 / events as f64;
    let mut acks = sending.join().map_err(|_| "a sender panicked")??;
    acks.sort_unstable();
    let p99 = acks.get(acks.len() * 99 / 100).copied().unwrap_or_default();
    let rss_mb = server.peak()? as f64 / f64::from(1 << 20);
    server.stop()?;
    let mut bytes = 0;
    for entry in std::fs::read_dir(data.join("days"))? {
        bytes += entry?.metadata()?.len();
    }
    pin(std::process::id(), cores)?;
    let events_per_s = events as f64 / took;
    Ok(Ingested {
        events_per_s,
        ratio_to_bare: events_per_s / append(data)?,
        cpu_us,
        ack_p99_ms: p99.as_secs_f64() * 1e3,
        rss_mb,
        bytes_per_request: bytes as f64 / events as f64,
    })
}

/// Keeps a process, all its threads, to some cores.
fn pin(process: u32, cores: &str) -> Result<(), Failure> {
    let done = Command::new("taskset").args(["-a", "-p", "-c", cores, &process.to_string()]).output()?;
    if done.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&done.stderr).into_owned().into()) }
}

/// Typical records: a key, three contexts, a user.
fn frames(events: u64) -> Vec<Vec<u8>> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as u64);
    let chunk = |first: u64| {
        let mut entries = Vec::new();
        let count = CHUNK.min(events - first);
        for number in first..first + count {
            write_entry_head(&mut entries, EventTime::from_micros(now));
            encode(number, now, &mut entries);
        }
        let mut frame = Vec::new();
        write_packed(&mut frame, TAG_SESSIONS, &entries, &format!("bench-{now}-{first}"), count as usize);
        frame
    };
    (0..events).step_by(CHUNK as usize).map(chunk).collect()
}

fn encode(number: u64, now: u64, entries: &mut Vec<u8>) {
    let session = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) % SESSIONS;
    let sid = u128::from(session + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c834);
    let id = u128::from(now / 1000) << 80 | 0x7 << 76 | 1 << 63 | u128::from(number);
    let (key, user) = (format!("{sid:032x}"), format!("user-{session}"));
    let path = format!("/v2/products/{}/reviews", number % 1000);
    let ip = format!("198.51.{}.{}", session >> 8 & 0xff, session & 0xff);
    let context = |source: &'static str, name: &'static str, value: &'static str| Param {
        source: source.into(),
        name: name.into(),
        value: value.into(),
        ..Param::default()
    };
    let event = Event {
        id: id.to_be_bytes(),
        seq: Some(Seq { instance: now.to_be_bytes(), number }),
        node: "bench".into(),
        app: "api".into(),
        kid: [1, 2, 3, 4],
        sid: sid.to_be_bytes(),
        key: Key {
            source: "request.header.X-Session".into(),
            name: "session".into(),
            value: key.as_str().into(),
            hashed: true,
        },
        conn: session,
        n: number / SESSIONS + 1,
        host: "api.shop.example".into(),
        method: if number.is_multiple_of(5) { "POST" } else { "GET" }.into(),
        path: path.as_str().into(),
        proto: "HTTP/1.1".into(),
        scheme: "https".into(),
        status: if number.is_multiple_of(50) { 404 } else { 200 },
        dur: 1500 + number % 7000,
        up: Some(1000 + number % 5000),
        bytes_in: 400 + number % 300,
        bytes_out: 2000 + number % 9000,
        ip: ip.as_str().into(),
        ua: "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36".into(),
        user: Some(Who { value: user.as_str().into(), hashed: false }),
        ctx: vec![
            context("request.header.X-Class", "class", "web"),
            context("request.cookie.theme", "theme", "dark"),
            context("request.header.Accept-Language", "language", "en-GB,en;q=0.8"),
        ],
        ..Event::default()
    };
    event.encode(entries);
}

/// Sends all frames over some connections: how long each acknowledgement took.
fn send(socket: &Path, frames: Vec<Vec<u8>>) -> io::Result<Vec<Duration>> {
    let mut shares: Vec<Vec<Vec<u8>>> = vec![Vec::new(); WORKERS];
    for (share, frame) in (0..WORKERS).cycle().zip(frames) {
        shares[share].push(frame);
    }
    let workers = shares.into_iter().map(|share| {
        let stream = UnixStream::connect(socket)?;
        Ok(std::thread::spawn(move || send_share(stream, share)))
    });
    let workers: Vec<_> = workers.collect::<io::Result<_>>()?;
    let mut acks = Vec::new();
    for worker in workers {
        acks.extend(worker.join().map_err(|_| io::Error::other("a sender panicked"))??);
    }
    Ok(acks)
}

fn send_share(mut stream: UnixStream, frames: Vec<Vec<u8>>) -> io::Result<Vec<Duration>> {
    let mut answers = stream.try_clone()?;
    // Acknowledgements come in the order of the frames.
    let (sent, waiting) = sync_channel::<Instant>(UNDER_WAY - 1);
    let reading = std::thread::spawn(move || {
        let (mut bytes, mut buffer, mut took) = (Vec::new(), [0; 4096], Vec::new());
        for at in waiting {
            loop {
                if let Some((_, length)) = wire::read_ack(&bytes).map_err(io::Error::other)? {
                    bytes.drain(..length);
                    took.push(at.elapsed());
                    break;
                }
                match answers.read(&mut buffer)? {
                    0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                    count => bytes.extend_from_slice(&buffer[..count]),
                }
            }
        }
        Ok(took)
    });
    for frame in frames {
        stream.write_all(&frame)?;
        if sent.send(Instant::now()).is_err() {
            break;
        }
    }
    drop(sent);
    reading.join().map_err(|_| io::Error::other("a reader panicked"))?
}

/// Appends the rows of a stopped server's days to a file of their own, with nothing around it: rows a second.
fn append(data: &Path) -> Result<f64, Failure> {
    let config = Config::default().max_memory("512MB")?.threads(std::thread::available_parallelism()?.get() as i64)?;
    let bare = Connection::open_with_flags(data.join("bare.duckdb"), config)?;
    let mut tables: Vec<(String, Vec<RecordBatch>)> = Vec::new();
    for (number, entry) in std::fs::read_dir(data.join("days"))?.enumerate() {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "duckdb") {
            continue;
        }
        bare.execute_batch(&format!("ATTACH '{}' AS day{number} (READ_ONLY)", path.display()))?;
        for table in ["requests", "params"] {
            let source = format!("day{number}.{table}");
            let name = format!("{table}{number}");
            bare.execute_batch(&format!("CREATE TABLE {name} AS FROM {source} LIMIT 0"))?;
            let rows: Vec<RecordBatch> = bare.prepare(&format!("FROM {source}"))?.query_arrow([])?.collect();
            tables.push((name, larger(&rows)?));
        }
    }
    let requests = tables.iter().filter(|(name, _)| name.starts_with("requests"));
    let rows: usize = requests.flat_map(|(_, batches)| batches).map(RecordBatch::num_rows).sum();
    let began = Instant::now();
    for (name, batches) in tables {
        for batch in batches {
            let transaction = bare.unchecked_transaction()?;
            let mut appender = transaction.appender(&name)?;
            appender.append_record_batch(batch)?;
            appender.flush()?;
            drop(appender);
            transaction.commit()?;
        }
    }
    bare.execute_batch("CHECKPOINT")?;
    Ok(rows as f64 / began.elapsed().as_secs_f64())
}

/// The same rows in batches as large as the server's.
fn larger(rows: &[RecordBatch]) -> Result<Vec<RecordBatch>, Failure> {
    let Some(first) = rows.first() else { return Ok(Vec::new()) };
    let each = ROWS.div_ceil(first.num_rows().max(1));
    Ok(rows.chunks(each).map(|some| concat_batches(&first.schema(), some)).collect::<Result<_, _>>()?)
}
