//! The state machine: log records in, batches for the store out.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde::Deserialize;
use spool::Record;
use wire::{Entries, Entry, Event, MAX_ENTRIES, RecordError, Seq, TAG_NODE, TAG_SESSIONS};

use super::damage::MissingNumbers;
use super::marks::Marks;
use super::row::{cost, row};
use super::{Aside, SetAside};
use crate::KEPT_DAYS;
use crate::endpoints::Endpoints;
use crate::ingest::{LogEntry, NotAnEntry};
use crate::metrics::{AsideReason, Metrics};
use crate::model::{Day, Micros};
use crate::nodes::{Nodes, read_report};
use crate::store::{Arrival, Batch, Position, Resume, SeqRange, SeqSet, Store, StoreError};

/// Bad entries of a chunk that are set aside one by one; past it, its rest is set aside as one.
const MAX_BAD: usize = 100;
/// Memory that the rows of one chunk may take; far above what the largest chunk of sound events does.
const MAX_COST: usize = 192 << 20;
/// Memory of a usual row; one that takes more counts as several.
const USUAL_COST: usize = 2 << 10;
/// How far ahead a request may claim to have started.
const AHEAD: i64 = 600_000_000;

/// Why applying cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The store did not take a batch; it may be given again.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The log holds what this version cannot read.
    #[error(transparent)]
    Log(#[from] NotAnEntry),
}

/// What has been read of the log, on its way to the store.
pub struct Applier<A> {
    store: Arc<dyn Store>,
    endpoints: Arc<Endpoints>,
    marks: Marks,
    nodes: Arc<Nodes>,
    metrics: Arc<Metrics>,
    aside: A,
    /// The day by which age is told.
    today: Day,
    seqs: SeqSet,
    missing: MissingNumbers,
    /// How far each day got before the start: duplicates before it are the log read again.
    before: HashMap<Day, Position>,
    pending: Batch,
    rows: usize,
    /// Memory that they take.
    cost: usize,
    counts: Counts,
    unread: Unread,
    /// When the last chunk was received.
    received: Micros,
}

/// Records set aside since that was last told: one message for many.
#[derive(Debug, Default)]
struct Unread {
    records: u64,
    /// What is wrong with the last of them.
    last: String,
    /// Those that could not be kept, and why the last could not.
    lost: u64,
    failure: Option<std::io::Error>,
}

/// What is counted when a batch is in the store.
#[derive(Debug, Default)]
struct Counts {
    duplicates: u64,
    untold: u64,
    discarded_old: u64,
    clock_ahead: u64,
}

impl<A: Aside> Applier<A> {
    /// Goes on where the store is.
    pub fn new(
        store: Arc<dyn Store>,
        resume: Resume,
        nodes: Arc<Nodes>,
        metrics: Arc<Metrics>,
        aside: A,
        today: Day,
    ) -> Self {
        let pending = Batch { from: resume.complete, to: resume.complete, ..Batch::default() };
        let before = resume.days.into_iter().collect();
        let (counts, unread, marks, missing) = Default::default();
        let (seqs, endpoints) = (resume.seqs, store.endpoints());
        Self {
            store,
            endpoints,
            marks,
            nodes,
            metrics,
            aside,
            today,
            seqs,
            missing,
            before,
            pending,
            rows: 0,
            cost: 0,
            counts,
            unread,
            received: Micros::default(),
        }
    }

    /// Marks requests by what is configured.
    pub fn with_marks(self, marks: Marks) -> Self {
        Self { marks, ..self }
    }

    /// Where to read on in the log.
    pub fn position(&self) -> Position {
        self.pending.to
    }

    /// Rows that wait for [`flush`](Self::flush); large ones count as several.
    pub fn pending_rows(&self) -> usize {
        self.rows.max(self.cost / USUAL_COST)
    }

    /// Whether anything read has not been flushed.
    pub fn is_pending(&self) -> bool {
        self.pending.from < self.pending.to
    }

    /// Takes the record at [`position`](Self::position).
    pub fn take(&mut self, record: &Record) -> Result<(), ApplyError> {
        let entry = LogEntry::decode(&record.payload, record.position)?;
        self.received = entry.received;
        let mut entries = Entries::new(entry.stream);
        let (mut bad_ones, cost_before) = (0, self.cost);
        for ordinal in 0.. {
            let arrival = Arrival { pos: record.position, ordinal };
            // What was acknowledged comes again at each start: one chunk must not cost everything.
            let too_much = match ordinal as usize {
                MAX_ENTRIES.. => Some("the rest of the chunk: it has too many entries"),
                _ if bad_ones >= MAX_BAD => Some("the rest of the chunk, after too much in it could not be read"),
                _ if self.cost - cost_before > MAX_COST => Some("the rest of the chunk: it takes too much memory"),
                _ => None,
            };
            if let Some(reason) = too_much
                && !entries.rest().is_empty()
            {
                self.set_aside(arrival, entry.received, AsideReason::Malformed, reason, entries.rest());
                break;
            }
            let Some(item) = entries.next() else { break };
            match item {
                Ok(item) if entry.tag == TAG_SESSIONS => self.take_event(arrival, entry.received, item),
                Ok(item) if entry.tag == TAG_NODE => self.take_report(arrival, entry.received, item),
                Ok(_) => {}
                Err(bad) => {
                    bad_ones += 1;
                    self.set_aside(arrival, entry.received, AsideReason::Malformed, bad.reason, bad.bytes);
                }
            }
        }
        self.metrics.applied_records.add(1);
        self.pending.to = record.end();
        Ok(())
    }

    /// Goes on behind `bytes` of the log that hold no whole record.
    pub fn pass_over(&mut self, bytes: u64) {
        self.metrics.log_damages.add(1);
        self.metrics.log_damaged_bytes.add(bytes);
        self.missing.expect(&self.seqs);
        self.pending.to += bytes;
    }

    fn take_event(&mut self, arrival: Arrival, received: Micros, item: Entry) {
        self.metrics.events.add(1);
        let event = match Event::decode(item.record) {
            Ok(event) => event,
            Err(error) => return self.take_unreadable(arrival, received, item.record, &error),
        };
        let claimed = Micros(i64::try_from(item.time.as_micros()).unwrap_or(i64::MAX));
        // A clock that was set back by over a week says nothing: what arrives by it is of today.
        let arrived = if self.is_too_old(received.day()) { self.today.start() } else { received };
        let ts = if claimed.0 > arrived.0.saturating_add(AHEAD) { arrived } else { claimed };
        if let Some(seq) = event.seq
            && !self.note(seq)
        {
            self.count_duplicate(ts.day(), arrival);
            return;
        }
        let ts = if event.seq.is_some() { self.unless_written(ts, arrival) } else { ts };
        if self.is_too_old(ts.day()) {
            self.counts.discarded_old += 1;
            return self.keep_seq(self.today, event.seq);
        }
        self.counts.clock_ahead += u64::from(ts != claimed);
        self.counts.untold += u64::from(event.seq.is_none() && event.id == [0; 16]);
        let mut row = row(&event, arrival, claimed, ts, &self.endpoints);
        self.marks.mark(&mut row.request);
        self.cost += cost(&row);
        self.pending.days.entry(ts.day()).or_default().rows.push(row);
        self.keep_seq(ts.day(), event.seq);
        self.rows += 1;
    }

    /// When a new event counts as started. One that was read before a crash may have had another day then, as `today`
    /// was another; a day that was written meanwhile takes nothing more of this part of the log: the event would be
    /// lost. It goes to the newest day that was not.
    fn unless_written(&self, ts: Micros, arrival: Arrival) -> Micros {
        let takes = |day: &Day| self.before.get(day).is_none_or(|&applied| applied <= arrival.pos);
        if takes(&ts.day()) {
            return ts;
        }
        (0..KEPT_DAYS).map(|back| Day(self.today.0 - back)).find(takes).map_or(ts, Day::start)
    }

    fn is_too_old(&self, day: Day) -> bool {
        day.0 <= self.today.0 - KEPT_DAYS
    }

    fn take_unreadable(&mut self, arrival: Arrival, received: Micros, record: &[u8], error: &RecordError) {
        let seq = seq_of(record);
        if let Some(seq) = seq
            && !self.note(seq)
        {
            self.count_duplicate(self.today, arrival);
            return;
        }
        self.set_aside(arrival, received, reason_of(error), &error.to_string(), record);
        self.keep_seq(self.today, seq);
    }

    fn take_report(&mut self, arrival: Arrival, received: Micros, item: Entry) {
        match read_report(item.record) {
            Ok(report) => {
                self.metrics.node_reports.add(1);
                // By our clock: `check` compares it with now.
                self.nodes.record(received, report);
            }
            Err(error) => {
                self.set_aside(arrival, received, reason_of(&error), &error.to_string(), item.record);
            }
        }
    }

    /// Notes a `seq`; false when it was there already.
    fn note(&mut self, seq: Seq) -> bool {
        let new = self.seqs.insert(seq.instance, seq.number);
        let missing = if new { self.missing.before(seq) } else { 0 };
        if missing > 0 {
            self.metrics.log_missing_events.add(missing);
            tracing::error!(missing, first = seq.number, "events are missing behind damage of the log");
        }
        new
    }

    fn count_duplicate(&mut self, day: Day, arrival: Arrival) {
        let read_again = self.before.get(&day).is_some_and(|&applied| arrival.pos < applied);
        self.counts.duplicates += u64::from(!read_again);
    }

    fn keep_seq(&mut self, day: Day, seq: Option<Seq>) {
        let Some(Seq { instance, number }) = seq else { return };
        let seqs = &mut self.pending.days.entry(day).or_default().seqs;
        match seqs.last_mut() {
            Some(range) if range.instance == instance && range.last.checked_add(1) == Some(number) => {
                range.last = number;
            }
            _ => seqs.push(SeqRange { instance, first: number, last: number }),
        }
    }

    fn set_aside(&mut self, arrival: Arrival, received: Micros, reason: AsideReason, error: &str, record: &[u8]) {
        self.metrics.set_aside.of(reason).add(1);
        let aside = SetAside { arrival, received, reason: reason.as_str(), error, record };
        let kept = self.aside.put(&aside);
        self.unread.records += 1;
        error.clone_into(&mut self.unread.last);
        if !matches!(kept, Ok(true)) {
            self.metrics.set_aside_lost.add(1);
            self.unread.lost += 1;
            self.unread.failure = kept.err().or(self.unread.failure.take());
        }
    }

    /// Says, once a batch and not once a record, what was set aside.
    fn tell_unread(&mut self) {
        let Unread { records, last, lost, failure } = std::mem::take(&mut self.unread);
        match failure {
            Some(failure) => {
                tracing::error!(%failure, records, lost, "records were to be set aside, some are lost; the last: {last}");
            }
            None if records > 0 => tracing::warn!(records, lost, "records were set aside; the last: {last}"),
            None => {}
        }
    }

    /// Hands everything taken to the store. After a failure it may be called again.
    pub fn flush(&mut self) -> Result<(), ApplyError> {
        if !self.is_pending() {
            return Ok(());
        }
        self.tell_unread();
        if let Err(failure) = self.aside.sync() {
            tracing::error!(%failure, "records that were set aside may be lost in a crash");
        }
        self.drop_known_ids()?;
        for day in self.pending.days.values_mut() {
            let mut united = SeqSet::default();
            united.union(day.seqs.drain(..));
            day.seqs.extend(united.ranges());
        }
        self.store.apply(&self.pending)?;
        self.nodes.note_gaps(self.received, |instance| self.seqs.holes(instance));
        let stored: usize = self.pending.days.values().map(|day| day.rows.len()).sum();
        let counts = std::mem::take(&mut self.counts);
        self.metrics.stored.add(stored as u64);
        self.metrics.duplicates.add(counts.duplicates);
        self.metrics.untold.add(counts.untold);
        self.metrics.discarded_old.add(counts.discarded_old);
        self.metrics.clock_ahead.add(counts.clock_ahead);
        self.metrics.store_rows.set(self.store.rows());
        self.metrics.endpoint_overflows.set(self.endpoints.overflows());
        self.pending = Batch { from: self.pending.to, to: self.pending.to, ..Batch::default() };
        (self.rows, self.cost) = (0, 0);
        Ok(())
    }

    /// Leaves out requests without `seq` whose id is in the store or twice in the batch.
    fn drop_known_ids(&mut self) -> Result<(), StoreError> {
        let rows = self.pending.days.values().flat_map(|day| &day.rows);
        let mut told: Vec<_> = rows.filter(|row| row.told_by_id).map(|row| (row.arrival, row.request.id)).collect();
        if told.is_empty() {
            return Ok(());
        }
        let ids: Vec<_> = told.iter().map(|(_, id)| *id).collect();
        let mut taken = self.store.known(&ids)?;
        // Of equals the first to arrive stays, whichever day it is on.
        told.sort_unstable();
        let new: HashSet<_> = told.into_iter().filter(|(_, id)| taken.insert(*id)).map(|(at, _)| at).collect();
        let (before, counts) = (&self.before, &mut self.counts);
        for (day, batch) in &mut self.pending.days {
            batch.rows.retain(|row| {
                let new = !row.told_by_id || new.contains(&row.arrival);
                let read_again = before.get(day).is_some_and(|&applied| row.arrival.pos < applied);
                counts.duplicates += u64::from(!new && !read_again);
                new
            });
        }
        Ok(())
    }

    /// Moves on to `today`; forgets what is too old by it.
    pub fn forget_old(&mut self, today: Day) -> Result<Vec<Day>, ApplyError> {
        self.today = today;
        let oldest = Day(today.0 - KEPT_DAYS + 1);
        if let Err(failure) = self.aside.forget_before(oldest) {
            tracing::error!(%failure, "records that were set aside could not be removed");
        }
        self.nodes.forget_before(oldest.start());
        let forgotten = self.store.forget_before(oldest)?;
        if !forgotten.is_empty() {
            // What is pending is noted anew, as the store does not have it yet.
            let mut seqs = self.store.resume()?.seqs;
            seqs.union(self.pending.days.values().flat_map(|day| day.seqs.iter().copied()));
            self.seqs = seqs;
            self.metrics.store_rows.set(self.store.rows());
        }
        Ok(forgotten)
    }
}

fn reason_of(error: &RecordError) -> AsideReason {
    match error {
        RecordError::NewerVersion(_) => AsideReason::NewerVersion,
        RecordError::Malformed(_) => AsideReason::Malformed,
    }
}

/// The `seq` of a record that is otherwise not understood.
fn seq_of(record: &[u8]) -> Option<Seq> {
    #[derive(Deserialize)]
    struct OnlySeq {
        seq: Option<Seq>,
    }
    rmp_serde::from_slice::<OnlySeq>(record).ok()?.seq
}
