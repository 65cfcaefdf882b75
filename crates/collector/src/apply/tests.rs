//! What applying promises, whatever comes and whenever it is interrupted.

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;
use spool::Record;
use wire::{Event, EventTime, Seq, TAG_SESSIONS, write_entry};

use super::*;
use crate::ingest::LogEntry;
use crate::metrics::{AsideReason, Metrics};
use crate::model::{Day, Micros};
use crate::nodes::Nodes;
use crate::store::memory::MemoryStore;
use crate::store::{Position, SessionsQuery, Store};

mod midnight;

/// What a row says of the path that its event asked for.
#[test]
fn requests_are_marked_by_the_rules_in_force_when_they_are_applied() {
    let store = Arc::new(MemoryStore::default());
    let marks = Marks::default();
    let noise = Arc::clone(&marks.noise);
    let as_store: Arc<dyn Store> = store.clone();
    let resume = store.resume().unwrap();
    let mut applier =
        Applier::new(as_store, resume, Arc::default(), Arc::default(), MemoryAside::default(), TODAY).with_marks(marks);
    let mut apply = |number: u64| {
        let (mut record, mut stream, mut payload) = (Vec::new(), Vec::new(), Vec::new());
        let seq = Some(Seq { instance: [5; 8], number });
        let event = Event {
            sid: [1; 16],
            seq,
            method: "GET".into(),
            path: "/a/app.css".into(),
            status: 200,
            ..Event::default()
        };
        event.encode(&mut record);
        write_entry(&mut stream, EventTime::from_micros(noon().0 as u64), &record);
        LogEntry { received: noon(), tag: TAG_SESSIONS, stream: &stream }.encode(&mut payload);
        applier.take(&Record { position: applier.position(), payload }).unwrap();
        applier.flush().unwrap();
    };
    apply(1);
    noise.enforce(crate::noise::Noise::check(crate::noise::Rules { rules: Vec::new() }).unwrap()).unwrap();
    apply(2);
    let rows = store.all_rows();
    assert_eq!(rows.iter().map(|row| row.request.noise).collect::<Vec<_>>(), [true, false]);
    assert_eq!(rows[0].request.endpoint, "GET /a/app.css");
    assert!(rows[0].shape.is_some() && rows[0].shape == rows[1].shape);
}

const TODAY: Day = Day(20_000);
const HOUR: i64 = 3_600_000_000;

fn noon() -> Micros {
    Micros(TODAY.start().0 + 12 * HOUR)
}

/// What a sender puts into an entry.
#[derive(Clone, Debug)]
enum Sent {
    /// An event with this number, started so many hours from noon.
    Numbered(u64, i64),
    /// One told by its id.
    Named(u8, i64),
    /// One told by nothing.
    Nameless,
    /// A record of wrong types, with a number.
    Wrong(u64),
    /// No record at all.
    Garbage,
}

fn entry(out: &mut Vec<u8>, sent: &Sent) {
    let mut record = Vec::new();
    let mut event = Event { sid: [1; 16], ..Event::default() };
    let hours = match *sent {
        Sent::Numbered(number, hours) => {
            event.seq = Some(Seq { instance: [5; 8], number });
            event.id = [number as u8; 16];
            hours
        }
        Sent::Named(name, hours) => {
            event.id = [name; 16];
            event.id[0] = 0xff;
            hours
        }
        Sent::Nameless => 0,
        Sent::Wrong(number) => {
            // {"v": 1, "seq": [instance, number]} and no session.
            record.extend_from_slice(b"\x82\xa1v\x01\xa3seq\x92\xc4\x08\x05\x05\x05\x05\x05\x05\x05\x05");
            record.push(number as u8);
            0
        }
        Sent::Garbage => return out.push(0x07),
    };
    if record.is_empty() {
        event.encode(&mut record);
    }
    write_entry(out, EventTime::from_micros((noon().0 + hours * HOUR) as u64), &record);
}

/// Log records, one for each chunk.
fn log(chunks: &[Vec<Sent>]) -> Vec<Record> {
    let mut position = 0;
    let records = chunks.iter().map(|chunk| {
        let (mut stream, mut payload) = (Vec::new(), Vec::new());
        chunk.iter().for_each(|sent| entry(&mut stream, sent));
        LogEntry { received: noon(), tag: TAG_SESSIONS, stream: &stream }.encode(&mut payload);
        let record = Record { position, payload };
        position = record.end();
        record
    });
    records.collect()
}

/// A collector without sockets, files and threads.
#[derive(Default)]
struct Room {
    store: Arc<MemoryStore>,
    metrics: Arc<Metrics>,
}

impl Room {
    fn start(&self) -> Applier<MemoryAside> {
        self.store.restart();
        let resume = self.store.resume().unwrap();
        let (store, metrics) = (Arc::clone(&self.store), Arc::clone(&self.metrics));
        Applier::new(store, resume, Arc::default(), metrics, MemoryAside::default(), TODAY)
    }

    fn apply_all(&self, chunks: &[Vec<Sent>]) {
        let mut applier = self.start();
        log(chunks).iter().for_each(|record| applier.take(record).unwrap());
        applier.flush().unwrap();
    }

    fn days(&self) -> BTreeSet<Day> {
        self.store.all_rows().iter().map(|row| row.request.ts.day()).collect()
    }
}

fn sent() -> impl Strategy<Value = Sent> {
    let hours = prop_oneof![-30i64..3, -200i64..3];
    prop_oneof![
        6 => (0u64..20, hours.clone()).prop_map(|(number, hours)| Sent::Numbered(number, hours)),
        2 => (0u8..5, hours).prop_map(|(name, hours)| Sent::Named(name, hours)),
        1 => Just(Sent::Nameless),
        1 => (0u64..20).prop_map(Sent::Wrong),
        1 => Just(Sent::Garbage),
    ]
}

/// What happens between two records of the log.
#[derive(Clone, Debug)]
enum Between {
    Nothing,
    Flush,
    Checkpoint,
    Crash,
    /// The store fails after so many days of a batch, then the server crashes.
    CrashWithin(usize),
}

fn between() -> impl Strategy<Value = Between> {
    prop_oneof![
        Just(Between::Nothing),
        Just(Between::Flush),
        Just(Between::Checkpoint),
        Just(Between::Crash),
        (0usize..3).prop_map(Between::CrashWithin),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_request_is_there_once_however_often_the_server_crashes(
        chunks in prop::collection::vec(prop::collection::vec(sent(), 0..6), 1..12),
        events in prop::collection::vec(between(), 0..40),
    ) {
        let undisturbed = Room::default();
        undisturbed.apply_all(&chunks);

        let log = log(&chunks);
        let room = Room::default();
        let mut applier = room.start();
        let mut events = events.into_iter();
        while let Some(record) = log.iter().find(|record| record.position == applier.position()) {
            applier.take(record).unwrap();
            match events.next().unwrap_or(Between::Nothing) {
                Between::Nothing => {}
                Between::Flush => applier.flush().unwrap(),
                Between::Checkpoint => {
                    applier.flush().unwrap();
                    room.store.checkpoint().unwrap();
                }
                Between::Crash => applier = room.start(),
                Between::CrashWithin(days) => {
                    room.store.interrupt_after(days);
                    let _ = applier.flush();
                    applier = room.start();
                }
            }
        }
        applier.flush().unwrap();
        prop_assert_eq!(room.store.all_rows(), undisturbed.store.all_rows());
        let seqs = |room: &Room| room.store.resume().unwrap().seqs;
        prop_assert_eq!(seqs(&room), seqs(&undisturbed));
    }

    #[test]
    fn numbers_and_ids_are_stored_once_and_the_nameless_as_they_come(
        chunks in prop::collection::vec(prop::collection::vec(sent(), 0..9), 1..9),
    ) {
        let room = Room::default();
        room.apply_all(&chunks);
        let (mut numbers, mut names, mut expected, mut nameless) = (BTreeSet::new(), BTreeSet::new(), 0, 0);
        for sent in chunks.iter().flatten() {
            let old = |hours: i64| Micros(noon().0 + hours * HOUR).day().0 < TODAY.0 - 6;
            match *sent {
                Sent::Numbered(number, hours) => expected += u64::from(numbers.insert(number) && !old(hours)),
                Sent::Named(name, hours) => expected += u64::from(!old(hours) && names.insert(name)),
                Sent::Nameless => nameless += 1,
                Sent::Wrong(number) => drop(numbers.insert(number)),
                Sent::Garbage => {}
            }
        }
        prop_assert_eq!(room.store.rows(), expected + nameless);
        prop_assert_eq!(room.metrics.untold.get(), nameless);
        prop_assert!(room.days().into_iter().all(|day| TODAY.0 - 6 <= day.0 && day <= TODAY));
    }
}

#[test]
fn a_batch_over_midnight_goes_to_two_days_and_counts_as_one() {
    let room = Room::default();
    room.apply_all(&[vec![Sent::Numbered(1, -13), Sent::Numbered(2, -1)]]);
    assert_eq!(room.days(), [Day(TODAY.0 - 1), TODAY].into());
    let query = SessionsQuery { as_of: Position::MAX, limit: 9, ..SessionsQuery::default() };
    let parts = room.store.sessions(&query).unwrap().parts;
    assert_eq!(
        parts.iter().map(|part| (part.day, part.requests)).collect::<Vec<_>>(),
        [(TODAY, 1), (Day(TODAY.0 - 1), 1)]
    );
}

#[test]
fn what_is_over_a_week_old_is_counted_and_its_number_remembered() {
    let room = Room::default();
    room.apply_all(&[vec![Sent::Numbered(1, -24 * 6 - 13), Sent::Numbered(2, -24 * 6)]]);
    assert_eq!((room.store.rows(), room.metrics.discarded_old.get()), (1, 1));
    assert!(room.store.resume().unwrap().seqs.contains([5; 8], 1));
}

#[test]
fn a_start_in_the_future_counts_as_now_and_is_flagged() {
    let room = Room::default();
    room.apply_all(&[vec![Sent::Numbered(1, 2), Sent::Numbered(2, 0)]]);
    let rows = room.store.all_rows();
    assert_eq!(
        rows.iter().map(|row| (row.request.ts, row.clock_ahead)).collect::<Vec<_>>(),
        [(noon(), true), (noon(), false)]
    );
    assert_eq!(room.metrics.clock_ahead.get(), 1);
}

#[test]
fn what_arrives_while_the_clock_is_weeks_behind_is_of_today() {
    let room = Room::default();
    let mut records = log(&[vec![Sent::Numbered(1, -1), Sent::Numbered(2, -24 * 8)]]);
    for record in &mut records {
        let behind = LogEntry { received: Micros(noon().0 - 30 * 24 * HOUR), ..entry_of(record) };
        let mut payload = Vec::new();
        behind.encode(&mut payload);
        record.payload = payload;
    }
    let mut applier = room.start();
    records.iter().for_each(|record| applier.take(record).unwrap());
    applier.flush().unwrap();
    let rows = room.store.all_rows();
    assert_eq!(rows.iter().map(|row| (row.request.ts, row.clock_ahead)).collect::<Vec<_>>(), [(TODAY.start(), true)]);
    assert_eq!(room.metrics.discarded_old.get(), 1);
}

#[test]
fn what_has_another_day_when_it_is_read_again_after_a_crash_is_not_lost() {
    let room = Room::default();
    let (mut stream, mut payload) = (Vec::new(), Vec::new());
    // Started on the next day and today, and received by a clock that is weeks behind.
    entry(&mut stream, &Sent::Numbered(1, 29));
    entry(&mut stream, &Sent::Numbered(2, 0));
    let received = Micros(noon().0 - 30 * 24 * HOUR);
    LogEntry { received, tag: TAG_SESSIONS, stream: &stream }.encode(&mut payload);
    let record = Record { position: 0, payload };

    let mut applier = room.start();
    applier.forget_old(Day(TODAY.0 + 1)).unwrap();
    applier.take(&record).unwrap();
    room.store.interrupt_after(1);
    applier.flush().unwrap_err();
    assert_eq!(room.days(), BTreeSet::from([TODAY]));

    let mut applier = room.start();
    applier.take(&record).unwrap();
    applier.flush().unwrap();
    let numbers: Vec<_> = room.store.resume().unwrap().seqs.ranges().map(|range| (range.first, range.last)).collect();
    assert_eq!((room.store.rows(), numbers), (2, vec![(1, 2)]));
}

fn entry_of(record: &Record) -> LogEntry<'_> {
    LogEntry::decode(&record.payload, record.position).unwrap()
}

#[test]
fn what_is_set_aside_stops_nothing_and_keeps_its_number() {
    let room = Room::default();
    room.apply_all(&[vec![Sent::Wrong(1), Sent::Numbered(2, 0)], vec![Sent::Garbage], vec![Sent::Numbered(1, 0)]]);
    assert_eq!(room.store.rows(), 1);
    assert_eq!(room.metrics.set_aside.of(AsideReason::Malformed).get(), 2);
    assert_eq!(room.metrics.duplicates.get(), 1);
}

#[test]
fn a_chunk_full_of_bad_entries_is_set_aside_at_one_place_past_the_first_hundred() {
    let room = Room::default();
    let full = vec![Sent::Garbage; 5000];
    room.apply_all(&[full, vec![Sent::Numbered(1, 0)]]);
    assert_eq!((room.store.rows(), room.metrics.set_aside.of(AsideReason::Malformed).get()), (1, 101));
}

#[test]
fn of_a_chunk_with_too_many_events_the_rest_is_set_aside() {
    // As a version without the limit at the door left it in the log.
    let room = Room::default();
    let events = (0..wire::MAX_ENTRIES as u64 + 7).map(|number| Sent::Numbered(number, 0)).collect();
    room.apply_all(&[events]);
    assert_eq!(room.store.rows(), wire::MAX_ENTRIES as u64);
    assert_eq!(room.metrics.set_aside.of(AsideReason::Malformed).get(), 1);
}

#[test]
fn large_rows_fill_a_batch_sooner() {
    let (mut record, mut stream, mut payload) = (Vec::new(), Vec::new(), Vec::new());
    Event { path: "x".repeat(100_000).into(), ..Event::default() }.encode(&mut record);
    write_entry(&mut stream, EventTime::from_micros(noon().0 as u64), &record);
    LogEntry { received: noon(), tag: TAG_SESSIONS, stream: &stream }.encode(&mut payload);
    let room = Room::default();
    let mut applier = room.start();
    applier.take(&Record { position: 0, payload }).unwrap();
    assert!(applier.pending_rows() > 40);
    applier.flush().unwrap();
    assert_eq!(applier.pending_rows(), 0);
}

#[test]
fn a_report_of_a_newer_node_is_set_aside_as_such() {
    let (mut record, mut stream, mut payload) = (Vec::new(), Vec::new(), Vec::new());
    wire::NodeReport { v: 2, ..Default::default() }.encode(&mut record).unwrap();
    write_entry(&mut stream, EventTime::default(), &record);
    LogEntry { received: noon(), tag: wire::TAG_NODE, stream: &stream }.encode(&mut payload);
    let room = Room::default();
    room.start().take(&Record { position: 0, payload }).unwrap();
    assert_eq!(room.metrics.set_aside.of(AsideReason::NewerVersion).get(), 1);
}

#[test]
fn numbers_of_a_worker_that_do_not_come_are_told_and_no_more_when_they_come() {
    let room = Room::default();
    let nodes = Arc::new(Nodes::default());
    nodes.record(noon(), wire::NodeReport { instance: [5; 8], ..Default::default() });
    let (store, resume) = (Arc::clone(&room.store), room.store.resume().unwrap());
    let mut applier = Applier::new(store, resume, Arc::clone(&nodes), Arc::default(), MemoryAside::default(), TODAY);
    let numbered = |numbers: &[u64]| numbers.iter().map(|number| Sent::Numbered(*number, 0)).collect();
    let mut told = Vec::new();
    for record in log(&[numbered(&[3, 4]), numbered(&[6, 9]), numbered(&[5, 8]), numbered(&[7])]) {
        applier.take(&record).unwrap();
        applier.flush().unwrap();
        let gaps = nodes.list()[0].gaps;
        told.push((gaps.holes.missing, gaps.holes.ranges, gaps.since));
    }
    assert_eq!(told, [(0, 0, None), (3, 2, Some(noon())), (1, 1, Some(noon())), (0, 0, None)]);
}

#[test]
fn days_over_a_week_old_are_forgotten_and_so_are_silent_workers() {
    let room = Room::default();
    room.apply_all(&[vec![Sent::Numbered(1, -24 * 6), Sent::Numbered(2, 0)]]);
    let nodes = Arc::new(Nodes::default());
    nodes.record(Micros(TODAY.start().0 - 6 * 24 * HOUR), wire::NodeReport::default());
    let resume = room.store.resume().unwrap();
    let store = Arc::clone(&room.store);
    let mut applier = Applier::new(store, resume, Arc::clone(&nodes), Arc::default(), MemoryAside::default(), TODAY);
    assert_eq!(applier.forget_old(TODAY).unwrap(), []);
    assert_eq!(nodes.list().len(), 1);
    assert_eq!(applier.forget_old(Day(TODAY.0 + 1)).unwrap(), [Day(TODAY.0 - 6)]);
    assert_eq!((room.store.rows(), nodes.list().len()), (1, 0));
}

#[test]
fn duplicates_that_are_the_log_read_again_are_not_counted() {
    let room = Room::default();
    let chunks = [vec![Sent::Numbered(1, 0), Sent::Named(1, 0)], vec![Sent::Numbered(1, 0)]];
    room.apply_all(&chunks);
    room.apply_all(&chunks);
    assert_eq!((room.store.rows(), room.metrics.duplicates.get()), (2, 1));
}
