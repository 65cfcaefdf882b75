//! What midnight does to sessions and to days, asked of the files.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::model::Id;
use crate::store::duckdb::{DuckStore, Limits};

fn open(dir: &Path) -> (Arc<DuckStore>, Applier<MemoryAside>) {
    let limits = Limits { memory: 256 << 20, chunk_rows: 3, ..Limits::default() };
    let store = Arc::new(DuckStore::open(dir, &dir.join("temp"), limits).unwrap());
    let resume = store.resume().unwrap();
    let as_store = Arc::clone(&store) as Arc<dyn Store>;
    let applier = Applier::new(as_store, resume, Arc::default(), Arc::default(), MemoryAside::default(), TODAY);
    (store, applier)
}

fn days(store: &DuckStore) -> Vec<i32> {
    store.resume().unwrap().days.into_keys().map(|day| day.0 - TODAY.0).collect()
}

#[test]
fn a_session_over_midnight_has_two_parts_and_one_id() {
    let dir = tempfile::tempdir().unwrap();
    let (store, mut applier) = open(dir.path());
    // Midnight is twelve hours before noon.
    let chunks = [vec![Sent::Numbered(1, -14), Sent::Numbered(2, -13)], vec![Sent::Numbered(3, -12)]];
    log(&chunks).iter().for_each(|record| applier.take(record).unwrap());
    applier.flush().unwrap();
    let parts = store.parts(Id([1; 16]), Position::MAX).unwrap();
    let told: Vec<_> = parts.iter().map(|part| (part.id, part.day.0 - TODAY.0, part.requests)).collect();
    assert_eq!(told, [(Id([1; 16]), 0, 1), (Id([1; 16]), -1, 2)]);
    assert_eq!(parts[0].first_seen, TODAY.start());
}

#[test]
fn retention_at_midnight_under_load_removes_exactly_the_oldest_day() {
    let dir = tempfile::tempdir().unwrap();
    let (store, mut applier) = open(dir.path());
    let week = (0..7).map(|day| vec![Sent::Numbered(day, -24 * day as i64)]);
    let after = (7..40).map(|number| vec![Sent::Numbered(number, -(number as i64 % 48))]);
    let records = log(&week.chain(after).collect::<Vec<_>>());
    let (week, after) = records.split_at(7);
    week.iter().for_each(|record| applier.take(record).unwrap());
    applier.flush().unwrap();
    assert_eq!(days(&store), [-6, -5, -4, -3, -2, -1, 0]);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    while !done.load(Ordering::Relaxed) {
                        let query = SessionsQuery { as_of: Position::MAX, limit: 9, ..SessionsQuery::default() };
                        let seen: Vec<_> =
                            store.sessions(&query).unwrap().parts.iter().map(|p| p.day.0 - TODAY.0).collect();
                        assert!([6, 7].contains(&seen.len()) && seen.starts_with(&[0, -1, -2, -3, -4, -5]), "{seen:?}");
                        assert_eq!(store.parts(Id([1; 16]), Position::MAX).unwrap()[0].day, TODAY);
                    }
                })
            })
            .collect();
        for (n, record) in after.iter().enumerate() {
            applier.take(record).unwrap();
            applier.flush().unwrap();
            store.checkpoint().unwrap();
            if n == 16 {
                assert_eq!(applier.forget_old(Day(TODAY.0 + 1)).unwrap(), [Day(TODAY.0 - 6)]);
            }
        }
        done.store(true, Ordering::Relaxed);
        readers.into_iter().for_each(|reader| reader.join().unwrap());
    });
    assert_eq!(days(&store), [-5, -4, -3, -2, -1, 0]);
    assert_eq!(store.rows(), 39);
    let oldest = Day(TODAY.0 - 6).to_string();
    let names = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert!(!names.into_iter().any(|name| name.starts_with(&oldest)));
}
