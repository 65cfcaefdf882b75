//! Times of queries at a week's volume, and memory: see `scripts/bench/query`. What ingest takes: see
//! `scripts/bench/ingest`.

mod bare;
mod figure;
mod ingest;
mod sender;
mod server;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::{Parser, Subcommand};

use self::figure::{FIGURES, p95};
use self::sender::Sender;
use self::server::{Failure, Server};

/// Milliseconds that are let pass before the first query, so that the sender is at its rate.
const SETTLE: u64 = 3000;

#[derive(Parser)]
struct Bench {
    #[command(subcommand)]
    what: What,
    /// The binary `api-sessions`
    #[arg(long)]
    server: PathBuf,
    /// Data directory
    #[arg(long)]
    data: PathBuf,
}

#[derive(Subcommand)]
enum What {
    /// Applies what was generated, and stops
    Apply,
    /// Times the queries while events come in
    Query {
        /// How often each is asked, hot and again with the files' pages dropped
        #[arg(long, default_value_t = 20)]
        runs: usize,
        /// Events a second that come in meanwhile
        #[arg(long, default_value_t = 10_000)]
        rate: u64,
        /// Where to write one line a figure
        #[arg(long)]
        json: Option<PathBuf>,
    },
    /// Sends events as fast as the server takes them
    Ingest {
        /// How many
        #[arg(long, default_value_t = 1_000_000)]
        events: u64,
        /// Cores of the server, as `taskset -c` takes them
        #[arg(long)]
        cores: String,
        /// Cores of the sender
        #[arg(long)]
        apart: String,
        /// Where to write one line a figure
        #[arg(long)]
        json: Option<PathBuf>,
    },
    /// Applies sessions of strangers, looks whether all are found, and tells the memory that it took
    Strangers {
        /// How many there are
        #[arg(long)]
        sessions: u64,
        /// Where to write one line a figure
        #[arg(long)]
        json: Option<PathBuf>,
    },
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let Bench { what, server, data } = Bench::parse();
    match what {
        What::Apply => apply(&server, &data).await,
        What::Query { runs, rate, json } => query(&server, &data, runs, rate, json.as_deref()).await,
        What::Ingest { events, cores, apart, json } => {
            show(ingest::ingest(&server, &data, events, &cores, &apart).await?, json.as_deref())
        }
        What::Strangers { sessions, json } => strangers(&server, &data, sessions, json.as_deref()).await,
    }
}

async fn apply(server: &Path, data: &Path) -> Result<(), Failure> {
    let server = Server::start(server, data).await?;
    let began = Instant::now();
    server.wait_applied().await?;
    let (applied, seconds) = (server.metric("apply_stored_requests_total").await?, began.elapsed().as_secs_f64());
    println!("applied   {applied} requests at {:.0}/s, {} MB at most", applied as f64 / seconds, server.peak()? >> 20);
    server.stop()
}

async fn query(server: &Path, data: &Path, runs: usize, rate: u64, json: Option<&Path>) -> Result<(), Failure> {
    let server = Server::start(server, data).await?;
    server.wait_applied().await?;
    let sender = Sender::start(&server.socket(), rate)?;
    tokio::time::sleep(std::time::Duration::from_millis(SETTLE)).await;
    let session = server.session_of(1000).await?;
    let mut times = Vec::new();
    for figure in &FIGURES {
        let url = figure.url(&server, &session)?;
        let (mut hot, mut cold) = (Vec::new(), Vec::new());
        // The first is not counted.
        if let Err(failure) = server.get(&url).await {
            println!("{} has no answer: {failure}", figure.name);
            times.push(None);
            continue;
        }
        for _ in 0..runs {
            hot.push(server.time(&url).await?);
        }
        for _ in 0..runs {
            drop_pages(data)?;
            cold.push(server.time(&url).await?);
        }
        times.push(Some((p95(hot), p95(cold))));
    }
    let sent = sender.stop()?;
    println!("ingest    {sent:.0} events/s meanwhile; {} MB at most", server.peak()? >> 20);
    server.stop()?;
    let bare = bare::Bare::open(&data.join("days"))?;
    println!("\n{:<22} {:>9} {:>9} {:>9} {:>9}", "p95, ms", "bar", "hot", "dropped", "bare SQL");
    for (figure, times) in FIGURES.iter().zip(times) {
        let Some((hot, cold)) = times else { continue };
        let bare = bare.time(figure, &session)?;
        let missed = if hot > figure.bar { "  MISSED" } else { "" };
        println!("{:<22} {:>9} {hot:>9.1} {cold:>9.1} {bare:>9.1}{missed}", figure.name, figure.bar);
        tell(json, &format!("query.{}.p95_ms", figure.name), hot, "ms", Some(Bar::Most(figure.bar)))?;
    }
    Ok(())
}

async fn strangers(server: &Path, data: &Path, sessions: u64, json: Option<&Path>) -> Result<(), Failure> {
    let server = Server::start(server, data).await?;
    server.wait_applied().await?;
    let found = server.count().await?;
    let first = server.url("sessions", &[("page_size", "1000")])?;
    let took = server.time(&first).await?;
    for id in server.ids(&first).await? {
        server.get(&server.url(&format!("sessions/{id}"), &[])?).await?;
    }
    let peak = server.peak()? as f64 / f64::from(1 << 20);
    println!("strangers {found} of {sessions} sessions found; first page {took:.0} ms; {peak:.0} MB at most");
    tell(json, "query.strangers.rss_mb", peak, "MB", Some(Bar::Most(1024.0)))?;
    tell(json, "query.strangers.missing", sessions.abs_diff(found) as f64, "sessions", Some(Bar::Most(0.0)))?;
    server.stop()
}

fn show(ingested: ingest::Ingested, json: Option<&Path>) -> Result<(), Failure> {
    println!("{:<22} {:>12}   bar", "ingest", "measured");
    for (name, value, unit, bar) in [
        ("events_per_s", ingested.events_per_s, "events/s", None),
        ("ratio_to_bare", ingested.ratio_to_bare, "ratio", Some(Bar::Least(0.6))),
        ("cpu_us", ingested.cpu_us, "us/event", Some(Bar::Most(18.0))),
        ("ack_p99_ms", ingested.ack_p99_ms, "ms", Some(Bar::Most(250.0))),
        ("rss_mb", ingested.rss_mb, "MB", Some(Bar::Most(1024.0))),
        ("bytes_per_request", ingested.bytes_per_request, "bytes", Some(Bar::Most(110.0))),
    ] {
        let verdict = match &bar {
            None => String::new(),
            Some(bar) => format!("{bar}{}", if bar.holds(value) { "" } else { ", missed" }),
        };
        println!("{name:<22} {value:>12.2}   {verdict}");
        tell(json, &format!("ingest.{name}"), value, unit, bar)?;
    }
    Ok(())
}

/// What a figure may be.
enum Bar {
    Most(f64),
    Least(f64),
}

impl Bar {
    fn value(&self) -> f64 {
        match self {
            Self::Most(value) | Self::Least(value) => *value,
        }
    }

    fn holds(&self, figure: f64) -> bool {
        match self {
            Self::Most(bar) => figure <= *bar,
            Self::Least(bar) => figure >= *bar,
        }
    }
}

impl std::fmt::Display for Bar {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        let sign = if matches!(self, Self::Most(_)) { "<=" } else { ">=" };
        write!(f, "{sign} {}", self.value())
    }
}

/// Lets the system forget what it holds of the day files.
fn drop_pages(data: &Path) -> Result<(), Failure> {
    for entry in std::fs::read_dir(data.join("days"))? {
        let file = std::fs::File::open(entry?.path())?;
        rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed)?;
    }
    Ok(())
}

fn tell(json: Option<&Path>, figure: &str, value: f64, unit: &str, bar: Option<Bar>) -> Result<(), Failure> {
    let Some(path) = json else { return Ok(()) };
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path)?;
    let line = serde_json::json!({
        "figure": figure,
        "value": (value * 100.0).round() / 100.0,
        "unit": unit,
        "bar": bar.as_ref().map(Bar::value),
        // What has no bar holds.
        "holds": bar.is_none_or(|bar| bar.holds(value)),
    });
    Ok(writeln!(file, "{line}")?)
}
