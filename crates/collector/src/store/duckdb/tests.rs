//! What holds for the files and the engine, beyond what every store promises.

use super::*;
use crate::store::{Interest, Row, SeqRange, SessionsBy, SessionsOrder};

const DAY: Day = Day(20_000);

fn open(dir: &Path) -> Result<DuckStore, StoreError> {
    DuckStore::open(dir, &dir.join("temp"), Limits { memory: 128 << 20, threads: 1, chunk_rows: 5 })
}

/// One request on `day`, in the log record before `to`.
fn batch(day: Day, from: Position, to: Position) -> Batch {
    let mut row = Row { told_by_id: true, ..Row::default() };
    row.request.id = Id([to as u8; 16]);
    row.request.ts = day.start();
    row.arrival.pos = from;
    let seqs = vec![SeqRange { instance: [1; 8], first: from, last: from }];
    Batch { from, to, days: BTreeMap::from([(day, DayBatch { rows: vec![row], seqs })]) }
}

#[test]
fn a_query_under_way_stops_neither_batches_nor_checkpoints() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    store.apply(&batch(DAY, 0, 1)).unwrap();
    store.checkpoint().unwrap();
    let during = store.readers.with(|connection| {
        let count = format!("BEGIN; SELECT count(*) FROM {}.requests", sql::schema(DAY));
        connection.execute_batch(&count).map_err(failed("beginning a query"))?;
        store.apply(&batch(DAY, 1, 2))?;
        let complete = store.checkpoint()?;
        connection.execute_batch("COMMIT").map_err(failed("ending a query"))?;
        Ok(complete)
    });
    assert_eq!(during.unwrap(), Some(2));
    assert_eq!(store.rows(), 2);
}

#[test]
fn applying_waits_for_no_query_however_many_there_are() {
    fn with_readers(store: &DuckStore, readers: usize, work: &dyn Fn()) {
        if readers == 0 {
            return work();
        }
        let one = store.readers.with(|_| {
            with_readers(store, readers - 1, work);
            Ok(())
        });
        one.unwrap();
    }
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    with_readers(&store, readers::LIMIT, &|| {
        store.apply(&batch(DAY, 0, 1)).unwrap();
        store.checkpoint().unwrap();
        assert_eq!(store.known(&[Id([1; 16])]).unwrap(), HashSet::from([Id([1; 16])]));
        assert!(store.resume().unwrap().seqs.contains([1; 8], 0));
    });
}

#[test]
fn a_file_that_power_loss_left_half_made_is_set_aside_and_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    store.apply(&batch(DAY, 0, 1)).unwrap();
    store.checkpoint().unwrap();
    drop(store);
    let whole = std::fs::read(files::path(dir.path(), DAY)).unwrap();
    for (n, length) in (1..).zip([0, 4096, 8192, 12_000, whole.len() / 2]) {
        let day = Day(DAY.0 + n);
        let file = files::path(dir.path(), day);
        std::fs::write(&file, &whole[..length]).unwrap();
        let store = open(dir.path()).unwrap();
        let n = n as u64;
        store.apply(&batch(day, n, n + 1)).unwrap();
        assert_eq!(store.checkpoint().unwrap(), n + 1, "{length} bytes");
        assert_eq!(store.rows(), n + 1);
        drop(store);
        let aside = format!("{}.broken-1", file.display());
        assert_eq!(std::fs::read(aside).unwrap().len(), length);
    }
}

#[test]
fn opening_files_that_are_as_they_should_be_writes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    store.apply(&batch(DAY, 0, 1)).unwrap();
    store.checkpoint().unwrap();
    assert!(store.chunks()[&DAY].is_empty());
    drop(store);
    let bytes = || std::fs::read(files::path(dir.path(), DAY)).unwrap();
    let before = bytes();
    let _store = open(dir.path()).unwrap();
    assert!(bytes() == before);
    let log = PathBuf::from(format!("{}.wal", files::path(dir.path(), DAY).display()));
    assert_eq!(std::fs::metadata(log).map_or(0, |meta| meta.len()), 0);
}

#[test]
fn a_file_that_cannot_be_prepared_does_not_keep_its_day_from_being_begun() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path()).unwrap().checkpoint().unwrap();
    let other = Connection::open(files::path(dir.path(), DAY)).unwrap();
    other.execute_batch("CREATE VIEW requests AS SELECT 1 AS a").unwrap();
    other.close().unwrap();
    let store = open(dir.path()).unwrap();
    store.apply(&batch(DAY, 0, 1)).unwrap();
    assert_eq!(store.rows(), 1);
}

#[test]
fn a_damaged_file_is_set_aside_and_made_anew_and_what_the_log_no_longer_has_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let file = files::path(dir.path(), DAY);
    let other = Day(DAY.0 + 1);
    let store = open(dir.path()).unwrap();
    for (day, from) in [(DAY, 0), (DAY, 1), (other, 2)] {
        store.apply(&batch(day, from, from + 1)).unwrap();
    }
    store.checkpoint().unwrap();
    drop(store);
    let whole = std::fs::read(&file).unwrap();
    // Cut, of another content, gone, and an older one of itself; each time the log has one request of two less.
    let damages: [&dyn Fn(); 4] = [
        &|| std::fs::write(&file, &whole[..8192]).unwrap(),
        &|| std::fs::write(&file, vec![1; whole.len()]).unwrap(),
        &|| std::fs::remove_file(&file).unwrap(),
        &|| {
            let _ = std::fs::remove_file(&file);
            drop(Connection::open(&file).unwrap());
        },
    ];
    for (n, damage) in damages.iter().enumerate() {
        damage();
        // The log still has the second request of the day, or both.
        let first = n as u64 % 2;
        let store = open(dir.path()).unwrap();
        assert_eq!(store.resume().unwrap().complete, 0, "the log is not read again from its beginning");
        assert_eq!((store.mended().files_made_anew, store.rows()), (1, 1));
        // What is told survives a start under way.
        drop(store);
        let store = open(dir.path()).unwrap();
        for (day, from) in [(DAY, 0), (DAY, 1), (other, 2)] {
            if from >= first {
                store.apply(&batch(day, from, from + 1)).unwrap();
            }
        }
        assert_eq!(store.checkpoint().unwrap(), 3);
        assert_eq!((store.mended().lost_requests, store.rows()), (first, 3 - first), "damage {n}");
        assert!(load(dir.path()).unwrap().rebuilding.is_empty());
        // All of it, for the next damage.
        drop(store);
        files::remove(dir.path(), DAY).unwrap();
        std::fs::remove_file(Positions::path(dir.path())).unwrap();
        let store = open(dir.path()).unwrap();
        for (day, from) in [(DAY, 0), (DAY, 1), (other, 2)] {
            store.apply(&batch(day, from, from + 1)).unwrap();
        }
        store.checkpoint().unwrap();
    }
    assert!(std::fs::exists(format!("{}.broken-1", file.display())).unwrap());
}

#[test]
fn a_file_of_which_nothing_tells_what_it_held_is_not_given_up_but_named_with_the_remedy() {
    let dir = tempfile::tempdir().unwrap();
    let file = files::path(dir.path(), DAY);
    std::fs::write(&file, vec![1; 14_000]).unwrap();
    let error = open(dir.path()).err().unwrap().to_string();
    assert!(error.contains(&file.display().to_string()) && error.contains("start again"), "{error}");
}

#[test]
fn what_is_there_is_shown_while_the_log_is_read_again_from_its_beginning() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    store.apply(&batch(DAY, 0, 5)).unwrap();
    store.apply(&batch(DAY, 5, 9)).unwrap();
    store.checkpoint().unwrap();
    drop(store);
    std::fs::remove_file(Positions::path(dir.path())).unwrap();
    let store = open(dir.path()).unwrap();
    assert_eq!((store.position(), store.resume().unwrap().complete), (9, 0));
    assert_eq!(store.tail(&TailQuery { limit: 9, ..TailQuery::default() }).unwrap().requests.len(), 2);
    // A checkpoint does not say that the log was read when it was not.
    assert_eq!(store.checkpoint().unwrap(), 0);
    store.apply(&batch(DAY, 0, 5)).unwrap();
    assert_eq!((store.position(), store.checkpoint().unwrap(), store.rows()), (9, 5, 2));
}

#[test]
fn what_an_earlier_failure_left_of_an_old_day_is_removed_too() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    store.apply(&batch(DAY, 0, 1)).unwrap();
    for left in ["2020-01-01.duckdb", "2020-01-01.duckdb.wal", "2020-01-02.duckdb.broken-1"] {
        std::fs::write(dir.path().join(left), "").unwrap();
    }
    assert_eq!(store.forget_before(DAY).unwrap(), []);
    assert_eq!(files::days(dir.path()).unwrap(), [DAY]);
    assert!(!dir.path().join("2020-01-02.duckdb.broken-1").exists());
    assert_eq!(store.rows(), 1);
}

#[test]
fn days_can_be_forgotten_before_anything_is_opened() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    store.apply(&batch(DAY, 0, 1)).unwrap();
    store.apply(&batch(Day(DAY.0 + 1), 1, 2)).unwrap();
    store.checkpoint().unwrap();
    drop(store);
    DuckStore::forget_closed(dir.path(), Day(DAY.0 + 1)).unwrap();
    let store = open(dir.path()).unwrap();
    assert_eq!((store.rows(), store.resume().unwrap().complete), (1, 2));
}

#[test]
fn an_engine_that_gave_up_on_a_file_is_told_from_a_statement_that_failed() {
    let error = |text: &str| {
        let error = duckdb::Error::DuckDBFailure(duckdb::ffi::Error::new(1), Some(text.into()));
        failed("writing")(error)
    };
    let gone = r#"Database "d" has been invalidated because checkpointing failed"#;
    assert!(matches!(error(gone), StoreError::Fatal { .. }));
    assert!(matches!(error("IO Error: No space left on device"), StoreError::Failed { .. }));
}

#[test]
fn endpoints_are_called_the_same_after_a_start_and_those_of_an_earlier_version_by_their_path() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    let mut one = batch(DAY, 0, 1);
    let row = &mut one.days.get_mut(&DAY).unwrap().rows[0];
    (row.request.method, row.request.host, row.request.path) = ("GET".into(), "shop".into(), "/cart/red-shoes".into());
    row.shape = Some(store.endpoints().learn("GET", "shop", "/cart/red-shoes", 200).0);
    (0..200).for_each(|n| drop(store.endpoints().learn("GET", "shop", &format!("/cart/shoes-{n}"), 200)));
    let (mut other, mut last) = (batch(DAY, 1, 2), batch(DAY, 2, 3));
    other.days.get_mut(&DAY).unwrap().rows[0].shape =
        Some(store.endpoints().learn("GET", "shop", "/cart/blue-shoes", 200).0);
    last.days.get_mut(&DAY).unwrap().rows[0].shape = other.days[&DAY].rows[0].shape;
    [one, other, last].iter().for_each(|batch| store.apply(batch).unwrap());
    store.checkpoint().unwrap();
    let told = |store: &DuckStore| {
        let tailed = store.tail(&TailQuery { limit: 9, ..TailQuery::default() }).unwrap().requests;
        tailed.into_iter().map(|request| request.endpoint).collect::<Vec<_>>()
    };
    assert_eq!(told(&store), ["GET shop/cart/{name}"; 3]);
    drop(store);
    let store = open(dir.path()).unwrap();
    assert_eq!(told(&store), ["GET shop/cart/{name}"; 3]);
    assert_eq!(store.endpoints().learn("GET", "shop", "/cart/green-shoes", 404).1, "GET shop/cart/{name}");
    drop(store);
    let file = Connection::open(files::path(dir.path(), DAY)).unwrap();
    assert_eq!(file.query_row("SELECT count(*) FROM shapes", [], |row| row.get::<_, u64>(0)).unwrap(), 2);
    let drop_columns =
        ["shape", "country", "network", "noise"].map(|c| format!("ALTER TABLE requests DROP COLUMN {c};"));
    file.execute_batch(&format!("{} DROP TABLE shapes;", drop_columns.concat())).unwrap();
    file.close().unwrap();
    let store = open(dir.path()).unwrap();
    assert_eq!(told(&store), ["GET shop/cart/red-shoes", " ", " "]);
    store.apply(&batch(DAY, 3, 4)).unwrap();
    assert_eq!(store.rows(), 4);
}

#[test]
fn queries_cannot_fill_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    let setting = "SELECT current_setting('max_temp_directory_size')";
    let most: String = store.writer().query_row(setting, [], |row| row.get(0)).unwrap();
    assert_eq!(most, "953.6 MiB");
}

#[test]
fn a_query_that_nobody_waits_for_ends() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    let interest = Interest::default();
    let endless = "SELECT sum(a.range * b.range) FROM range(100000000) AS a, range(100000000) AS b";
    let given_up = interest.ask(|| {
        store.readers.with(|connection| {
            interest.lose();
            connection.execute_batch(endless).map_err(failed("running a query"))
        })
    });
    assert!(matches!(given_up, Err(StoreError::GivenUp { .. })), "{given_up:?}");
    store.check().unwrap();
}

/// Requests of ten sessions, so many in each of the log records `from..to`.
fn sessions(day: Day, from: Position, to: Position, rows: u32) -> Batch {
    let mut whole = Batch { from, to, days: BTreeMap::from([(day, DayBatch::default())]) };
    for pos in from..to {
        let rows = (0..rows).map(|ordinal| {
            let mut row = Row { arrival: crate::store::Arrival { pos, ordinal }, ..Row::default() };
            row.request.session_id = Id([(ordinal % 10) as u8; 16]);
            row.request.ts = Micros(day.start().0 + pos as i64 * 1_000_000 + i64::from(ordinal));
            row
        });
        whole.days.entry(day).or_default().rows.extend(rows);
    }
    whole
}

/// Checkpoints until all session rows are made that are due.
fn settle(store: &DuckStore) {
    let chunks = || store.chunks().values().map(Vec::len).sum::<usize>();
    loop {
        let before = chunks();
        store.checkpoint().unwrap();
        if chunks() == before {
            break;
        }
    }
}

fn lasts(store: &DuckStore) -> Vec<(Id, u64)> {
    let query = SessionsQuery { as_of: u64::MAX, limit: 100, ..SessionsQuery::default() };
    store.sessions(&query).unwrap().parts.into_iter().map(|part| (part.id, part.requests)).collect()
}

#[test]
fn session_rows_are_made_of_what_is_due_and_never_twice() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    let chunks = || store.chunks()[&DAY].clone();
    store.apply(&sessions(DAY, 0, 2, 2)).unwrap();
    store.checkpoint().unwrap();
    assert_eq!(chunks(), [], "4 rows wait for a fifth");
    store.apply(&sessions(DAY, 2, 4, 20)).unwrap();
    let before = lasts(&store);
    settle(&store);
    let made = chunks();
    assert!(made.len() > 1, "many rows make several chunks: {made:?}");
    store.checkpoint().unwrap();
    assert_eq!((chunks(), lasts(&store)), (made, before));
    // A day that is over waits for less, and a late request on it is found at once.
    let next = Day(DAY.0 + 2);
    store.apply(&batch(next, 4, 5)).unwrap();
    store.apply(&batch(DAY, 5, 6)).unwrap();
    assert!(lasts(&store).contains(&(Id::default(), 7)), "{:?}", lasts(&store));
    store.checkpoint().unwrap();
    assert!(lasts(&store).contains(&(Id::default(), 7)));
}

#[test]
fn session_rows_that_are_gone_or_of_another_version_are_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    store.apply(&sessions(DAY, 0, 3, 10)).unwrap();
    settle(&store);
    let (whole, made) = (lasts(&store), store.chunks()[&DAY].clone());
    assert!(!made.is_empty());
    drop(store);
    for spoil in [
        "UPDATE chunks SET form = 0",
        "DROP TABLE chunks; DROP TABLE pieces",
        "DELETE FROM chunks",
        "DELETE FROM chunks; DELETE FROM pieces; ALTER TABLE pieces RENAME mcp TO other",
        "SELECT 1",
    ] {
        let other = Connection::open(files::path(dir.path(), DAY)).unwrap();
        other.execute_batch(spoil).unwrap();
        other.close().unwrap();
        let store = open(dir.path()).unwrap();
        let kept = spoil == "SELECT 1";
        assert_eq!(store.chunks()[&DAY].is_empty(), !kept, "{spoil}");
        assert_eq!(lasts(&store), whole, "{spoil}");
        settle(&store);
        assert_eq!((lasts(&store), store.chunks()[&DAY].clone()), (whole.clone(), made.clone()), "{spoil}");
    }
}

/// Lets checkpoints fail within the engine.
fn spoil_checkpoints(connection: &Connection) {
    connection.execute_batch("SET debug_checkpoint_abort = 'before_header'").unwrap();
}

#[test]
fn an_engine_that_gives_up_in_a_checkpoint_is_started_anew_with_all_that_was_written() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    store.apply(&sessions(DAY, 0, 3, 10)).unwrap();
    store.apply(&batch(Day(DAY.0 + 1), 3, 4)).unwrap();
    let before = lasts(&store);
    spoil_checkpoints(&store.writer());
    assert_eq!(store.checkpoint().unwrap(), 4);
    assert_eq!((lasts(&store), store.rows()), (before, 31));
    store.apply(&batch(DAY, 4, 5)).unwrap();
    assert_eq!(store.checkpoint().unwrap(), 5);
    assert_eq!(store.mended().engine_starts, 1);
    drop(store);
    assert_eq!(open(dir.path()).unwrap().rows(), 32);
}

#[test]
fn an_engine_that_gave_up_in_a_query_is_started_anew_though_nothing_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    store.apply(&batch(DAY, 0, 1)).unwrap();
    let gave_up = store.readers.with(|connection| {
        spoil_checkpoints(connection);
        connection.execute_batch(&format!("CHECKPOINT {}", sql::schema(DAY))).map_err(failed("asking"))
    });
    assert!(matches!(gave_up, Err(StoreError::Fatal { .. })), "{gave_up:?}");
    assert!(matches!(store.check(), Err(StoreError::Fatal { .. })));
    assert_eq!(store.known(&[Id([1; 16])]).unwrap().len(), 1);
    store.check().unwrap();
    assert_eq!(store.checkpoint().unwrap(), 1);
}

#[test]
fn an_engine_that_gives_up_again_and_again_is_not_started_for_ever() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    let give_up =
        || store.change(|_| Err::<(), _>(StoreError::Fatal { doing: "writing".into(), reason: "a fault".into() }));
    assert!(matches!(give_up(), Err(StoreError::Failed { .. })));
    assert!(matches!(give_up(), Err(StoreError::Failed { .. })));
    // All is well after a checkpoint.
    store.checkpoint().unwrap();
    assert!(matches!(give_up(), Err(StoreError::Failed { .. })));
    assert!(matches!(give_up(), Err(StoreError::Failed { .. })));
    assert!(matches!(give_up(), Err(StoreError::Fatal { .. })));
}

#[test]
fn an_engine_that_gives_up_in_queries_is_started_anew_as_often_as_that_helps() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    for _ in 0..20 {
        let gone = std::cell::Cell::new(true);
        let write = |_: &_| match gone.take() {
            true => Err(StoreError::Fatal { doing: "writing".into(), reason: "a query's fault".into() }),
            false => Ok(()),
        };
        store.change(write).unwrap();
    }
}

#[test]
fn a_query_that_is_in_the_way_when_a_day_is_forgotten_is_asked_again() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    store.apply(&batch(DAY, 0, 1)).unwrap();
    store.apply(&batch(Day(DAY.0 + 1), 1, 2)).unwrap();
    let (asked, begun) = std::sync::mpsc::sync_channel(9);
    let endless = "SELECT sum(a.range * b.range) FROM range(100000000) AS a, range(100000000) AS b";
    std::thread::scope(|scope| {
        let query = scope.spawn(|| {
            store.read(|connection, days| {
                asked.send(days.len()).unwrap();
                match days.len() {
                    1 => Ok(days.to_vec()),
                    _ => connection.execute_batch(endless).map(|()| Vec::new()).map_err(failed("running a query")),
                }
            })
        });
        assert_eq!(begun.recv().unwrap(), 2);
        assert_eq!(store.forget_before(Day(DAY.0 + 1)).unwrap(), [DAY]);
        assert_eq!(query.join().unwrap().unwrap(), [Day(DAY.0 + 1)]);
    });
}

#[test]
fn session_rows_that_cannot_be_made_are_tried_ever_more_seldom_and_made_in_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    store.apply(&sessions(DAY, 0, 3, 10)).unwrap();
    store.writer().execute_batch(&sql::on(DAY, sql::DROP_PIECES)).unwrap();
    for _ in 0..20 {
        assert_eq!(store.checkpoint().unwrap(), 3);
    }
    assert_eq!(store.mended().pieces_unmade, 5);
    pieces::load(&store.writer(), DAY).unwrap();
    for _ in 0..40 {
        store.checkpoint().unwrap();
    }
    assert_eq!(store.chunks()[&DAY].len(), 3);
    assert_eq!(store.mended().pieces_unmade, 5);
}

#[test]
fn session_rows_are_made_of_so_many_requests_however_these_lie_in_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    store.apply(&sessions(DAY, 0, 40, 1)).unwrap();
    store.apply(&sessions(DAY, 1000, 1001, 1)).unwrap();
    settle(&store);
    let rows: Vec<_> = store.chunks()[&DAY].iter().map(|chunk| chunk.rows).collect();
    assert_eq!(rows, [5; 8]);
}

#[test]
fn of_a_very_long_part_the_newest_requests_are_counted_and_that_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    let mut whole = sessions(DAY, 0, 100, 10);
    for row in &mut whole.days.get_mut(&DAY).unwrap().rows {
        // One session has nearly all, of which the first half is of another address.
        row.request.session_id = Id([(row.arrival.ordinal == 9) as u8; 16]);
        row.request.ip = ["192.0.2.1", "192.0.2.2"][(row.arrival.pos / 50) as usize].into();
        row.request.status = 200;
    }
    store.apply(&whole).unwrap();
    for checkpointed in [false, true] {
        if checkpointed {
            store.checkpoint().unwrap();
            // What came since is a part of it, too.
            store.apply(&sessions(DAY, 100, 101, 1)).unwrap();
        }
        let wanted = BTreeMap::from([(DAY, vec![Id([0; 16]), Id([1; 16])])]);
        let extent = |day| store.extent(day, u64::MAX);
        let of = |counted| {
            let parts =
                store.read(|connection, _| parts::parts_of(connection, &wanted, extent, &store.endpoints(), counted));
            parts.unwrap()
        };
        let (long, short) = (&of(120)[0], &of(120)[1]);
        assert_eq!((long.requests, short.requests, short.counted), (900 + u64::from(checkpointed), 100, 100));
        assert!((100..=140).contains(&long.counted), "{}", long.counted);
        assert_eq!((long.ips.as_slice(), short.ip_count), (["192.0.2.2".to_owned()].as_slice(), 2));
        assert_eq!(long.statuses.values().sum::<u64>(), long.counted);
        assert_eq!(
            (long.first_seen, long.last_seen.0 / 1_000_000),
            (DAY.start(), DAY.start().0 / 1_000_000 + if checkpointed { 100 } else { 99 })
        );
        // Whatever is counted, what is small is told whole.
        assert_eq!(of(100)[1], of(u64::MAX)[1]);
        assert_eq!(of(u64::MAX)[0].counted, long.requests);
    }
}

#[test]
fn the_sessions_seen_last_are_found_among_many_and_behind_busy_ones() {
    let dir = tempfile::tempdir().unwrap();
    let limits = Limits { memory: 128 << 20, threads: 1, chunk_rows: 1000 };
    let store = DuckStore::open(dir.path(), &dir.path().join("temp"), limits).unwrap();
    let put = |pos: Position, from: i64, sessions: &[u16]| {
        let rows = (0..).zip(sessions).map(|(ordinal, session)| {
            let mut row = Row { arrival: crate::store::Arrival { pos, ordinal }, ..Row::default() };
            row.request.session_id = Id((u128::from(*session) << 3).to_be_bytes());
            // Some begin at the same time.
            row.request.ts = Micros(DAY.start().0 + (from + i64::from(ordinal)) / 2);
            row
        });
        let day = DayBatch { rows: rows.collect(), ..DayBatch::default() };
        store.apply(&Batch { from: pos, to: pos + 1, days: BTreeMap::from([(DAY, day)]) }).unwrap();
    };
    put(0, 0, &(0..2000u32).map(|n| (n * 7919 % 600) as u16).collect::<Vec<_>>());
    store.checkpoint().unwrap();
    put(1, 2000, &(0..300u32).map(|n| (n * 31 % 600) as u16).collect::<Vec<_>>());
    put(2, 2300, &(0..6000u32).map(|n| (1000 + n % 3) as u16).collect::<Vec<_>>());
    let by = |by, after, limit| {
        let order = SessionsOrder { by, ascending: false };
        store
            .sessions(&SessionsQuery { order, as_of: u64::MAX, after, limit, ..SessionsQuery::default() })
            .unwrap()
            .parts
    };
    let order = SessionsOrder::default();
    let mut all = by(SessionsBy::Requests, None, 1000);
    all.sort_by(|one, other| order.compare(&order.place(one), &order.place(other)));
    assert_eq!(all.len(), 603);
    let (mut walked, mut after) = (Vec::new(), None);
    loop {
        let page = by(order.by, after, 20);
        let Some(last) = page.last() else { break };
        after = Some(order.place(last));
        walked.extend(page);
    }
    assert_eq!(walked, all);
}
