//! What the thread promises when the store does not do what it should.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use spool::{Log, Options};
use wire::{Event, EventTime, Seq, TAG_SESSIONS, write_entry};

use super::*;
use crate::clock::ManualClock;
use crate::ingest::LogEntry;
use crate::model::{CommonValue, Day, Id, Micros, Request, SessionPart};
use crate::store::memory::MemoryStore;
use crate::store::{
    Batch, CommonQuery, DayBatch, RequestsPage, RequestsQuery, Resume, Row, SessionsQuery, TailQuery, Tailed,
};

/// Far more than anything here takes.
const DEADLINE: Duration = Duration::from_secs(60);
const TODAY: Day = Day(20_000);

/// A store whose disk is full until a day goes, and which never gets to a checkpoint.
#[derive(Default)]
struct FullDisk {
    memory: MemoryStore,
    has_room: AtomicBool,
}

impl FullDisk {
    fn full<T>(&self) -> Result<T, StoreError> {
        Err(StoreError::Failed { doing: "writing".into(), reason: "no space left".into() })
    }
}

impl Store for FullDisk {
    fn resume(&self) -> Result<Resume, StoreError> {
        self.memory.resume()
    }
    fn apply(&self, batch: &Batch) -> Result<(), StoreError> {
        if self.has_room.load(Ordering::Relaxed) { self.memory.apply(batch) } else { self.full() }
    }
    fn checkpoint(&self) -> Result<Position, StoreError> {
        self.full()
    }
    fn rows_by_day(&self) -> std::collections::BTreeMap<Day, u64> {
        self.memory.rows_by_day()
    }
    fn figures(&self, day: Day, from: Position) -> Result<crate::store::Stretch, StoreError> {
        self.memory.figures(day, from)
    }
    fn endpoints(&self) -> Arc<crate::endpoints::Endpoints> {
        self.memory.endpoints()
    }
    fn position(&self) -> Position {
        self.memory.position()
    }
    fn forget_before(&self, day: Day) -> Result<Vec<Day>, StoreError> {
        let days = self.memory.forget_before(day)?;
        self.has_room.fetch_or(!days.is_empty(), Ordering::Relaxed);
        Ok(days)
    }
    fn newest(&self) -> Option<Micros> {
        self.memory.newest()
    }
    fn rows(&self) -> u64 {
        self.memory.rows()
    }
    fn sessions(&self, query: &SessionsQuery) -> Result<crate::store::SessionsPage, StoreError> {
        self.memory.sessions(query)
    }
    fn common_values(&self, query: &CommonQuery) -> Result<Vec<CommonValue>, StoreError> {
        self.memory.common_values(query)
    }
    fn count_sessions(&self, query: &SessionsQuery) -> Result<crate::store::SessionsCount, StoreError> {
        self.memory.count_sessions(query)
    }
    fn parts(&self, session: Id, as_of: Position) -> Result<Vec<SessionPart>, StoreError> {
        self.memory.parts(session, as_of)
    }
    fn requests(&self, query: &RequestsQuery) -> Result<RequestsPage, StoreError> {
        self.memory.requests(query)
    }
    fn count_requests(&self, query: &RequestsQuery) -> Result<u64, StoreError> {
        self.memory.count_requests(query)
    }
    fn known(&self, ids: &[Id]) -> Result<HashSet<Id>, StoreError> {
        self.memory.known(ids)
    }
    fn request(&self, id: Id) -> Result<Option<Request>, StoreError> {
        self.memory.request(id)
    }
    fn tail(&self, query: &TailQuery) -> Result<Tailed, StoreError> {
        self.memory.tail(query)
    }
    fn behind(&self, query: &TailQuery) -> Result<usize, StoreError> {
        self.memory.behind(query)
    }
    fn stats(&self, query: &crate::store::StatsQuery) -> Result<crate::store::Stats, StoreError> {
        self.memory.stats(query)
    }
    fn stories(&self, query: &crate::store::StoryQuery) -> Result<crate::store::Stories, StoreError> {
        self.memory.stories(query)
    }
    fn related(&self, query: &crate::store::RelatedQuery) -> Result<Vec<crate::model::Related>, StoreError> {
        self.memory.related(query)
    }
    fn check(&self) -> Result<(), StoreError> {
        self.memory.check()
    }
}

/// A store with one request of the oldest day that is kept.
fn store() -> Arc<FullDisk> {
    let store = FullDisk::default();
    let mut row = Row::default();
    row.request.ts = Day(TODAY.0 - 6).start();
    let days = BTreeMap::from([(row.request.ts.day(), DayBatch { rows: vec![row], seqs: Vec::new() })]);
    store.memory.apply(&Batch { from: 0, to: 0, days }).unwrap();
    Arc::new(store)
}

fn thread(
    dir: &Path,
    log: &Log<OsDisk>,
    store: Arc<dyn Store>,
    resume: Resume,
    clock: &Arc<ManualClock>,
    progress: &Arc<Progress>,
    readiness: &Arc<Readiness>,
) -> ApplyThread {
    let (aside, metrics) = (AsideFiles::new(&dir.join("aside")), Arc::new(Metrics::default()));
    ApplyThread {
        applier: Applier::new(Arc::clone(&store), resume, Arc::default(), Arc::clone(&metrics), aside, TODAY),
        reader: log.reader(),
        read_patience: Duration::from_secs(600),
        damaged: DamagedSegments::new(dir, &dir.join("aside")),
        store,
        applied: 0,
        safe: 0,
        progress: Arc::clone(progress),
        journal: mpsc::channel(1).0.downgrade(),
        log_retain: 0,
        log_days: LogDays::load(dir.join("log-days.json")).unwrap(),
        guard: ClockGuard::new(Default::default(), None, false, clock.now(), clock.monotonic()),
        guard_file: dir.join("clock.json"),
        clock: Arc::clone(clock) as Arc<dyn Clock>,
        metrics,
        readiness: Arc::clone(readiness),
    }
}

#[test]
fn a_clock_that_steps_by_a_year_either_way_deletes_nothing_and_it_is_said_why() {
    const YEAR: i64 = 365 * 86_400_000_000;
    for step in [YEAR, -YEAR] {
        let dir = tempfile::tempdir().unwrap();
        let now = Micros(TODAY.start().0 + 1);
        let log = Log::open(OsDisk::new(dir.path()).unwrap(), Options::default()).unwrap().0;
        let clock = Arc::new(ManualClock::new(now));
        let readiness = Arc::new(Readiness::default());
        let store = store();
        let (as_store, resume) = (Arc::clone(&store) as _, store.resume().unwrap());
        let mut thread = thread(dir.path(), &log, as_store, resume, &clock, &Arc::new(Progress::default()), &readiness);
        thread.forget().unwrap();
        assert!(!readiness.reasons().contains_key(CLOCK));
        clock.advance(Duration::from_secs(30));
        clock.set(Micros(now.0 + step));
        thread.forget().unwrap();
        let reason = readiness.reasons().remove(CLOCK).unwrap();
        assert!(reason.contains(&Micros(now.0 + step).to_string()) && reason.contains("--clock-confirmed"), "{reason}");
        // It stays so as time goes on, until the day would have come too.
        for _ in 0..9 {
            clock.advance(Duration::from_secs(86_400));
            thread.forget().unwrap();
        }
        assert!(readiness.reasons().contains_key(CLOCK));
        assert_eq!(store.rows(), 1, "the oldest day is still there");
    }
}

/// A log of chunks of one event each, with numbers from 0, in small segments; and where each chunk is.
fn chunks(dir: &Path, number: u64, now: Micros) -> (Log<OsDisk>, Vec<std::ops::Range<Position>>) {
    let options = Options { segment_bytes: 1000, ..Options::default() };
    let mut log = Log::open(OsDisk::new(dir).unwrap(), options).unwrap().0;
    let (mut stream, mut record, mut entry) = (Vec::new(), Vec::new(), Vec::new());
    let mut append = |number| {
        let seq = Some(Seq { instance: [7; 8], number });
        [&mut stream, &mut record, &mut entry].into_iter().for_each(Vec::clear);
        Event { id: [number as u8 + 1; 16], seq, sid: [1; 16], ..Event::default() }.encode(&mut record);
        write_entry(&mut stream, EventTime::from_micros(now.0 as u64), &record);
        LogEntry { received: now, tag: TAG_SESSIONS, stream: &stream }.encode(&mut entry);
        let begin = log.append(&entry).unwrap();
        begin..log.end()
    };
    let places = (0..number).map(&mut append).collect();
    log.sync().unwrap();
    (log, places)
}

/// Changes a byte of the log's files.
fn decay(dir: &Path, position: Position) {
    let names = std::fs::read_dir(dir).unwrap().flatten().map(|entry| entry.file_name().into_string().unwrap());
    let firsts = names.filter_map(|name| name.strip_suffix(".seg")?.parse::<Position>().ok());
    let first = firsts.filter(|&first| first <= position).max().unwrap();
    let path = dir.join(format!("{first:020}.seg"));
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[(position - first) as usize] ^= 0x10;
    std::fs::write(&path, bytes).unwrap();
}

/// A file of the log that is neither the first nor the last.
fn middle_segment(dir: &Path) -> PathBuf {
    let paths = std::fs::read_dir(dir).unwrap().flatten().map(|entry| entry.path());
    let mut segments: Vec<_> = paths.filter(|path| path.extension().is_some_and(|end| end == "seg")).collect();
    segments.sort();
    segments.swap_remove(segments.len() / 2)
}

/// Looks until it is so.
fn until(what: &str, mut so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !so() {
        assert!(begun.elapsed() < Duration::from_secs(60), "still not: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn what_the_disk_does_not_give_for_a_while_is_waited_for_and_nothing_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("aside")).unwrap();
    let now = Micros(TODAY.start().0 + 1);
    let (log, places) = chunks(dir.path(), 60, now);
    let (middle, away) = (middle_segment(dir.path()), dir.path().join("away"));
    std::fs::rename(&middle, &away).unwrap();
    let store = Arc::new(MemoryStore::default());
    let (progress, readiness) = (Arc::new(Progress::default()), Arc::new(Readiness::default()));
    let clock = Arc::new(ManualClock::new(now));
    let as_store = Arc::clone(&store) as Arc<dyn Store>;
    let thread = thread(dir.path(), &log, as_store, store.resume().unwrap(), &clock, &progress, &readiness);
    let metrics = Arc::clone(&thread.metrics);
    let running = std::thread::spawn(move || thread.run());

    until("what cannot be read is told", || readiness.reasons().contains_key(LOG));
    std::fs::rename(&away, &middle).unwrap();
    until("all of it is in the store", || store.rows() == places.len() as u64);

    assert!(!readiness.reasons().contains_key(LOG));
    progress.stop();
    running.join().unwrap().unwrap();
    assert_eq!((store.rows(), metrics.log_damages.get()), (places.len() as u64, 0));
}

#[test]
fn what_the_disk_does_not_give_for_longer_is_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("aside")).unwrap();
    let now = Micros(TODAY.start().0 + 1);
    let (log, _) = chunks(dir.path(), 60, now);
    let progress = Arc::new(Progress::default());
    progress.stop();
    std::fs::remove_file(middle_segment(dir.path())).unwrap();
    let store = Arc::new(MemoryStore::default());
    let clock = Arc::new(ManualClock::new(now));
    let as_store = Arc::clone(&store) as Arc<dyn Store>;
    let mut thread = thread(dir.path(), &log, as_store, store.resume().unwrap(), &clock, &progress, &Arc::default());
    thread.read_patience = Duration::ZERO;
    let metrics = Arc::clone(&thread.metrics);
    thread.run().unwrap();
    assert_eq!(metrics.log_damages.get(), 1);
    assert_eq!(store.rows() + metrics.log_missing_events.get(), 60);
}

#[test]
fn damage_of_the_log_costs_what_it_met_and_no_more_and_is_counted() {
    const CHUNKS: u64 = 60;
    let now = Micros(TODAY.start().0 + 1);
    let clock = Arc::new(ManualClock::new(now));
    // Chunks that decay, the stretches and the missing numbers that this makes, and whether all was applied before.
    for (decayed, stretches, missing, applied_before) in [
        (vec![30], 1, 1, false),
        // Before the first of its numbers a worker is not known.
        (vec![0, 17, 18, 40], 3, 3, false),
        // Behind the last there is none to tell.
        (vec![58, 59], 1, 0, false),
        (vec![3, 59], 2, 0, true),
    ] {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("aside")).unwrap();
        let (log, places) = chunks(dir.path(), CHUNKS, now);
        let store = Arc::new(MemoryStore::default());
        // Reads all of the log, as is done for a day file that is made anew, and ends.
        let read_all = || {
            let progress = Arc::new(Progress::default());
            progress.stop();
            let resume = Resume { complete: 0, ..store.resume().unwrap() };
            let as_store = Arc::clone(&store) as Arc<dyn Store>;
            let thread = thread(dir.path(), &log, as_store, resume, &clock, &progress, &Arc::default());
            let metrics = Arc::clone(&thread.metrics);
            thread.run().unwrap();
            let numbers: Vec<_> = store.all_rows().iter().map(|row| u64::from(row.request.id.0[0] - 1)).collect();
            (metrics, numbers)
        };
        if applied_before {
            read_all();
        }
        decayed.iter().for_each(|&number: &u64| decay(dir.path(), places[number as usize].start + 20));

        let expected: Vec<_> = (0..CHUNKS).filter(|number| applied_before || !decayed.contains(number)).collect();
        for missing in [missing, 0] {
            let (metrics, numbers) = read_all();
            assert_eq!(numbers, expected, "{decayed:?}");
            let bytes = decayed.iter().map(|&number| places[number as usize].clone().count() as u64).sum::<u64>();
            let told = [&metrics.log_damages, &metrics.log_damaged_bytes, &metrics.log_missing_events].map(|n| n.get());
            assert_eq!(told, [stretches, bytes, missing], "{decayed:?}");
        }
        let kept = std::fs::read_dir(dir.path().join("aside")).unwrap().count();
        assert!(kept > 0 && kept as u64 <= stretches, "{kept} segments are kept");
    }
}

#[test]
fn a_full_disk_heals_as_days_pass_and_what_still_fails_stays_shown() {
    let dir = tempfile::tempdir().unwrap();
    let now = Micros(TODAY.start().0 + 1);
    let (log, _) = chunks(dir.path(), 1, now);

    let (store, clock) = (store(), Arc::new(ManualClock::new(now)));
    let (progress, readiness) = (Arc::new(Progress::default()), Arc::new(Readiness::default()));
    progress.set_synced(log.end());
    let (as_store, resume) = (Arc::clone(&store) as _, store.resume().unwrap());
    let thread = thread(dir.path(), &log, as_store, resume, &clock, &progress, &readiness);
    let thread = std::thread::spawn(move || thread.run());
    let wait_for = |what: &str, met: &dyn Fn() -> bool| {
        let asked = Instant::now();
        while !met() {
            assert!(asked.elapsed() < DEADLINE, "waited in vain for {what}");
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    wait_for("the full disk", &|| readiness.reasons().contains_key(STORE));
    assert_eq!(store.rows(), 1);
    clock.advance(Duration::from_secs(86_400));
    wait_for("the room that a forgotten day leaves", &|| !readiness.reasons().contains_key(STORE));
    assert_eq!(store.memory.all_rows()[0].request.ts, now);
    assert_eq!(readiness.reasons().into_keys().collect::<Vec<_>>(), [CHECKPOINT]);
    progress.stop();
    thread.join().unwrap().unwrap();
}
