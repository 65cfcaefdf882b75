//! `api-sessions generate`: traffic of an imagined site, written into the log of a stopped server.
//!
//! For benches and demos. People, mobile apps, partners, crawlers and AI agents come by day more than
//! by night, a few users and endpoints far more often than the others; each day has an outage and an
//! attack. What is written are the records that ingest writes, so the next start applies them as any
//! others. Their node is called [`NODE`].
//!
//! Invariants:
//! - Equal plans write equal bytes, in an empty log.
//! - A plan has exactly the requests that it names, the last before its end, in order of time.
//! - The same plan written twice is there once: its `seq` numbers tell it.

mod incident;
mod site;
mod timeline;
mod visit;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::path::Path;

use fastrand::Rng;
use identity::Secret;
use spool::{Log, Options, OsDisk};
use wire::{Event, EventTime, NodeReport, Seq, TAG_NODE, TAG_SESSIONS, write_entry, write_entry_head};

use self::incident::Incidents;
use self::timeline::Timeline;
use self::visit::Visit;
use crate::KEPT_DAYS;
use crate::data_dir::{DataDir, DataDirError};
use crate::ingest::LogEntry;
use crate::model::{Day, Micros};

/// The node that generated requests name.
pub const NODE: &str = "generated";
/// Requests of a log record.
const CHUNK: usize = 1000;
/// Requests between two calls of `progress`.
const TOLD: u64 = 1 << 16;
/// Visits of a person, on average.
const VISITS: u64 = 6;

/// What to generate.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Requests in all.
    pub requests: u64,
    /// Sessions they belong to; one over midnight has two parts.
    pub sessions: u64,
    /// UTC days, the last of them that of `until`.
    pub days: i32,
    /// Equal seeds make equal traffic.
    pub seed: u64,
    /// Before it the last request begins.
    pub until: Micros,
    /// Whether cookies, hosts and paths are all different, instead of those of the imagined site.
    pub strangers: bool,
}

/// Why nothing, or not all, was generated.
#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    /// The plan cannot be followed.
    #[error("{0}")]
    Plan(String),
    /// The data directory cannot be used.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// It has day files, but no log in which positions could go on.
    #[error("{0} holds days but no log; start the server on it once, stop it, then generate")]
    NoLog(String),
    /// The log cannot be used.
    #[error(transparent)]
    Log(#[from] spool::Error),
    /// The system refused.
    #[error("cannot use {path}: {source}")]
    Refused {
        /// What could not be used.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A node's report could not be written.
    #[error(transparent)]
    Report(#[from] wire::RecordError),
}

/// What was generated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Generated {
    /// Requests.
    pub requests: u64,
    /// Bytes of log.
    pub bytes: u64,
}

impl Plan {
    fn check(&self) -> Result<(), GenerateError> {
        let wrong = |reason: String| Err(GenerateError::Plan(reason));
        if !(1..=KEPT_DAYS).contains(&self.days) {
            return wrong(format!("{} days: 1 to {KEPT_DAYS} are kept", self.days));
        }
        if self.sessions == 0 || self.sessions > self.requests {
            return wrong(format!(
                "{} requests in {} sessions: each session has a request at least",
                self.requests, self.sessions
            ));
        }
        if self.until.0 <= 0 {
            return wrong(format!("until {}: a time after 1970 would be right", self.until));
        }
        Ok(())
    }

    /// The first moment of its first day.
    fn from(&self) -> Micros {
        Day(Micros(self.until.0 - 1).day().0 - self.days + 1).start()
    }

    /// Tells its requests from those of every other plan.
    fn instance(&self) -> [u8; 8] {
        let Self { requests, sessions, days, seed, until, strangers } = *self;
        let all = [requests, sessions, days as u64, seed, until.0 as u64, u64::from(strangers)];
        let text: Vec<u8> = all.iter().flat_map(|number| number.to_be_bytes()).collect();
        let secret = Secret::from_file_bytes(NODE.as_bytes());
        secret.id(NODE, &[&text]).first_chunk().copied().unwrap_or_default()
    }
}

/// Writes the traffic of `plan` into the log in `data_dir`, which no server uses. `progress` is told
/// how many requests are written.
pub fn generate(
    data_dir: &Path,
    create: bool,
    plan: &Plan,
    mut progress: impl FnMut(u64),
) -> Result<Generated, GenerateError> {
    plan.check()?;
    let data = DataDir::open(data_dir, create)?;
    let refused = |source| GenerateError::Refused { path: data_dir.display().to_string(), source };
    if is_empty(&data.log()).map_err(refused)? && !is_empty(&data.days()).map_err(refused)? {
        return Err(GenerateError::NoLog(data_dir.display().to_string()));
    }
    let disk = OsDisk::new(data.log()).map_err(refused)?;
    let (log, _) = Log::open(disk, Options::default())?;
    let began = log.end();
    let mut writer = Writer { log, stream: Vec::new(), waiting: 0, payload: Vec::new(), last: plan.from() };
    writer.write_all(plan, &mut progress)?;
    writer.report(plan)?;
    let end = writer.log.sync()?;
    Ok(Generated { requests: plan.requests, bytes: end - began })
}

/// Whether a folder holds nothing but its lock.
fn is_empty(dir: &Path) -> std::io::Result<bool> {
    let mut names = std::fs::read_dir(dir)?.filter_map(|entry| Some(entry.ok()?.file_name()));
    Ok(names.all(|name| name == "lock"))
}

/// Puts requests into log records.
struct Writer {
    log: Log<OsDisk>,
    /// Entries of the record to come, and how many.
    stream: Vec<u8>,
    waiting: usize,
    payload: Vec<u8>,
    /// Start of the last request.
    last: Micros,
}

impl Writer {
    fn write_all(&mut self, plan: &Plan, progress: &mut impl FnMut(u64)) -> Result<(), GenerateError> {
        let mut rng = Rng::with_seed(plan.seed);
        let secret = Secret::from_file_bytes(format!("{NODE} {}", plan.seed).as_bytes());
        let (from, until, instance) = (plan.from(), plan.until, plan.instance());
        let incidents = Incidents::on(&mut rng, (from.day().0..=until.day().0).map(Day));
        let (mut requests, mut sessions) = (plan.requests, plan.sessions);
        // Who is there, in places that are used again; and who asks next.
        let (mut visits, mut free): (Vec<Visit>, Vec<usize>) = Default::default();
        let mut next = BinaryHeap::new();
        let (mut number, mut host) = (0, String::new());
        for minute in Timeline::new(from, until, plan.sessions) {
            for _ in 0..minute.visits {
                let at = Micros(rng.i64(minute.from.0..minute.to.0));
                let mut visit = if plan.strangers {
                    Visit::of_stranger(&mut rng, &secret)
                } else {
                    Visit::begin(&mut rng, &secret, at, &incidents, plan.sessions.div_ceil(VISITS))
                };
                // Each that is still to come gets one at least, the last whatever is left.
                let mean = requests as f64 / sessions as f64;
                sessions -= 1;
                if sessions == 0 {
                    visit.set_left(requests);
                    requests = 0;
                } else {
                    requests -= visit.plan(&mut rng, mean, requests - sessions);
                }
                let place = free.pop().unwrap_or(visits.len());
                match visits.get_mut(place) {
                    Some(used) => *used = visit,
                    None => visits.push(visit),
                }
                next.push(Reverse((at, place)));
            }
            while let Some(&Reverse((at, place))) = next.peek().filter(|Reverse((at, _))| *at < minute.to) {
                next.pop();
                let Some(visit) = visits.get_mut(place) else { continue };
                let base = Event {
                    id: request_id(&mut rng, at),
                    seq: Some(Seq { instance, number }),
                    node: NODE.into(),
                    kid: secret.kid(),
                    ..Event::default()
                };
                let event = visit.request(&mut rng, at, &incidents, base, &mut host);
                self.take(at, &event)?;
                number += 1;
                if number % TOLD == 0 || number == plan.requests {
                    progress(number);
                }
                match visit.next(&mut rng, at, until) {
                    Some(at) => next.push(Reverse((at, place))),
                    None => free.push(place),
                }
            }
        }
        self.end_record(TAG_SESSIONS)
    }

    fn take(&mut self, at: Micros, event: &Event) -> Result<(), GenerateError> {
        write_entry_head(&mut self.stream, EventTime::from_micros(at.0.unsigned_abs()));
        event.encode(&mut self.stream);
        self.waiting += 1;
        self.last = at;
        if self.waiting >= CHUNK { self.end_record(TAG_SESSIONS) } else { Ok(()) }
    }

    fn end_record(&mut self, tag: &str) -> Result<(), GenerateError> {
        if !self.stream.is_empty() {
            LogEntry { received: self.last, tag, stream: &self.stream }.encode(&mut self.payload);
            self.log.append(&self.payload)?;
        }
        self.stream.clear();
        self.waiting = 0;
        Ok(())
    }

    /// What a worker would say of itself after all of it.
    fn report(&mut self, plan: &Plan) -> Result<(), GenerateError> {
        let report = NodeReport {
            v: 1,
            node: NODE.into(),
            version: env!("CARGO_PKG_VERSION").into(),
            instance: plan.instance(),
            next_seq: plan.requests,
            ..NodeReport::default()
        };
        let mut record = Vec::new();
        report.encode(&mut record)?;
        write_entry(&mut self.stream, EventTime::from_micros(self.last.0.unsigned_abs()), &record);
        self.end_record(TAG_NODE)
    }
}

/// An id in the layout of a UUIDv7.
fn request_id(rng: &mut Rng, at: Micros) -> [u8; 16] {
    let random = rng.u128(..) & !(0xf << 76) & !(3 << 62) & ((1 << 80) - 1);
    let millis = u128::from(at.0.unsigned_abs() / 1000) & 0xffff_ffff_ffff;
    (millis << 80 | 7 << 76 | 2 << 62 | random).to_be_bytes()
}

#[cfg(test)]
mod tests;
