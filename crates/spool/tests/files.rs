//! The log on real files, and what it says about damage.

use std::fs;
use std::path::{Path, PathBuf};

use spool::{Damage, Error, HEAD, Log, Options, OsDisk, Position, Reader, Record, Recovery};

fn open(directory: &Path) -> Result<(Log<OsDisk>, Recovery), Error> {
    let options = Options { segment_bytes: 100, max_record: 1000, ..Options::default() };
    Log::open(OsDisk::new(directory).unwrap(), options)
}

/// A log of `count` synced records of 34 bytes each, so that a segment holds three.
fn filled(directory: &Path, count: u64) -> Log<OsDisk> {
    let (mut log, _) = open(directory).unwrap();
    for number in 0..count {
        log.append(&payload(number)).unwrap();
    }
    log.sync().unwrap();
    log
}

fn payload(number: u64) -> Vec<u8> {
    format!("record number {number:04}").into_bytes()
}

const SPAN: u64 = HEAD as u64 + 18;

fn read_all(reader: &mut Reader<OsDisk>) -> Vec<Record> {
    reader.read_from(reader.first(), usize::MAX).unwrap()
}

fn last_segment(directory: &Path) -> PathBuf {
    segments(directory).pop().unwrap()
}

fn segments(directory: &Path) -> Vec<PathBuf> {
    let names = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut segments: Vec<_> = names.filter(|path| path.extension().is_some_and(|e| e == "seg")).collect();
    segments.sort();
    segments
}

fn change(path: &Path, with: impl FnOnce(&mut Vec<u8>)) {
    let mut content = fs::read(path).unwrap();
    with(&mut content);
    fs::write(path, content).unwrap();
}

#[test]
fn records_keep_their_positions_over_restarts() {
    let dir = tempfile::tempdir().unwrap();
    let log = filled(dir.path(), 10);
    let before = read_all(&mut log.reader());
    assert_eq!(before.iter().map(|r| r.payload.clone()).collect::<Vec<_>>(), (0..10).map(payload).collect::<Vec<_>>());
    drop(log);
    let (mut log, recovery) = open(dir.path()).unwrap();
    assert_eq!(recovery, Recovery { cut_bytes: 0, cut_from: None, first: 0, end: 10 * SPAN });
    assert_eq!(read_all(&mut log.reader()), before);
    assert_eq!(log.append(&payload(10)).unwrap(), recovery.end);
    assert_eq!(segments(dir.path()).len(), 4);
}

#[test]
fn only_synced_records_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let (mut log, _) = open(dir.path()).unwrap();
    let mut reader = log.reader();
    let position = log.append(b"first").unwrap();
    assert_eq!(reader.read_from(position, usize::MAX).unwrap(), []);
    log.sync().unwrap();
    log.append(b"second").unwrap();
    let read = reader.read_from(position, usize::MAX).unwrap();
    assert_eq!(read, [Record { position, payload: b"first".to_vec() }]);
    assert_eq!(reader.read_from(read[0].end(), usize::MAX).unwrap(), []);
}

#[test]
fn another_thread_reads_while_the_log_grows() {
    let dir = tempfile::tempdir().unwrap();
    let (mut log, _) = open(dir.path()).unwrap();
    let mut reader = log.reader();
    let thread = std::thread::spawn(move || {
        let (mut position, mut seen) = (0, 0);
        while seen < 500 {
            for record in reader.read_from(position, 200).unwrap() {
                assert_eq!(record.payload, payload(seen));
                seen += 1;
                position = record.end();
            }
            std::thread::yield_now();
        }
    });
    for number in 0..500 {
        log.append(&payload(number)).unwrap();
        log.sync().unwrap();
    }
    thread.join().unwrap();
}

#[test]
fn a_page_of_records_holds_one_at_least() {
    let dir = tempfile::tempdir().unwrap();
    let log = filled(dir.path(), 6);
    let mut reader = log.reader();
    assert_eq!(reader.read_from(0, 0).unwrap().len(), 1);
    assert_eq!(reader.read_from(0, 2 * 18).unwrap().len(), 2);
}

#[test]
fn a_directory_belongs_to_one_log() {
    let dir = tempfile::tempdir().unwrap();
    let log = filled(dir.path(), 1);
    let error = open(dir.path()).unwrap_err();
    assert!(matches!(error, Error::InUse { .. }));
    assert!(error.to_string().ends_with("is in use by another process"), "{error}");
    drop(log);
    assert!(open(dir.path()).is_ok());
}

#[test]
fn an_incomplete_last_record_is_cut_and_reported() {
    for cut in 1..SPAN {
        let dir = tempfile::tempdir().unwrap();
        drop(filled(dir.path(), 5));
        let last = last_segment(dir.path());
        change(&last, |content| content.truncate(content.len() - cut as usize));
        let (mut log, recovery) = open(dir.path()).unwrap();
        assert_eq!(recovery.cut_bytes, SPAN - cut);
        assert_eq!(recovery.cut_from, last.file_name().map(|name| name.to_str().unwrap().to_owned()));
        assert_eq!(read_all(&mut log.reader()).len(), 4);
        // The place is used again, and nothing of the torn record is left behind it.
        assert_eq!(log.append(b"new").unwrap(), 4 * SPAN);
        log.sync().unwrap();
        drop(log);
        let (log, recovery) = open(dir.path()).unwrap();
        assert_eq!((recovery.cut_bytes, read_all(&mut log.reader()).len()), (0, 5));
    }
}

#[test]
fn a_tail_of_zeros_is_cut() {
    let dir = tempfile::tempdir().unwrap();
    drop(filled(dir.path(), 4));
    change(&last_segment(dir.path()), |content| content.extend([0; 500]));
    assert_eq!(open(dir.path()).unwrap().1.cut_bytes, 500);
}

#[test]
fn damage_before_a_whole_record_is_an_error_that_names_the_place() {
    let dir = tempfile::tempdir().unwrap();
    drop(filled(dir.path(), 6));
    let last = last_segment(dir.path());
    for at in [0, 5, 10, HEAD + 3, SPAN as usize, 2 * SPAN as usize - 1] {
        change(&last, |content| content[at] ^= 1);
        let (log, recovery) = open(dir.path()).unwrap();
        assert_eq!((recovery.cut_bytes, recovery.end), (0, 6 * SPAN));
        let (mut reader, offset) = (log.reader(), at as u64 / SPAN * SPAN);
        let error = reader.read_from(3 * SPAN + offset, usize::MAX).unwrap_err();
        let Error::Damaged { file, offset: told, .. } = &error else { panic!("{error}") };
        assert_eq!(last.file_name().unwrap().to_str(), Some(file.as_str()));
        assert!(*told == offset && error.is_damage());
        let damage = Damage { file: file.clone(), offset, bytes: SPAN, given_up: false };
        assert_eq!(reader.damage_at(3 * SPAN + offset).unwrap(), damage);
        change(&last, |content| content[at] ^= 1);
        assert_eq!(reader.damage_at(3 * SPAN + offset).unwrap().bytes, 0, "it can be read again");
    }
}

#[test]
fn damage_in_an_older_segment_is_told_when_it_is_read() {
    let dir = tempfile::tempdir().unwrap();
    drop(filled(dir.path(), 7));
    change(&segments(dir.path())[0], |content| content[SPAN as usize + HEAD] ^= 1);
    let (log, _) = open(dir.path()).unwrap();
    let error = log.reader().read_from(SPAN, usize::MAX).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("log segment 00000000000000000000.seg is damaged at byte {SPAN}: the checksum does not match")
    );
}

#[test]
fn of_a_missing_or_cut_older_segment_what_is_gone_is_told_and_the_rest_is_read() {
    let dir = tempfile::tempdir().unwrap();
    drop(filled(dir.path(), 10));
    let all = segments(dir.path());
    let lost = |from: Position| {
        let (log, recovery) = open(dir.path()).unwrap();
        assert_eq!(recovery.end, 10 * SPAN);
        let mut reader = log.reader();
        assert!(reader.read_from(from, usize::MAX).unwrap_err().is_damage());
        let damage = reader.damage_at(from).unwrap();
        assert_eq!(reader.read_from(from + damage.bytes, usize::MAX).unwrap().len(), 4);
        (damage.offset, damage.bytes)
    };
    change(&all[1], |content| content.truncate(50));
    assert_eq!(lost(4 * SPAN), (SPAN, 2 * SPAN));
    fs::remove_file(&all[1]).unwrap();
    // As if the segment before it had gone on until there.
    assert_eq!(lost(3 * SPAN), (3 * SPAN, 3 * SPAN));

    let (log, _) = open(dir.path()).unwrap();
    fs::remove_file(&all[2]).unwrap();
    let mut reader = log.reader();
    let gone = reader.read_from(7 * SPAN, 1).unwrap_err();
    assert!(gone.is_damage() && matches!(gone, Error::Io { .. }), "it went under way, and may come back: {gone}");
    assert_eq!(reader.damage_at(7 * SPAN).unwrap().bytes, 2 * SPAN);
}

#[test]
fn a_last_record_that_somebody_relies_on_is_not_cut_when_it_is_damaged() {
    let dir = tempfile::tempdir().unwrap();
    drop(filled(dir.path(), 5));
    change(&last_segment(dir.path()), |content| content[SPAN as usize + HEAD] ^= 1);
    let options = Options { segment_bytes: 100, start: 4 * SPAN + 1, ..Options::default() };
    let open = |start| Log::open(OsDisk::new(dir.path()).unwrap(), Options { start, ..options }).unwrap();
    let (mut log, recovery) = open(4 * SPAN + 1);
    assert_eq!((recovery.cut_bytes, recovery.end), (0, 5 * SPAN));
    assert_eq!(log.append(&payload(5)).unwrap(), 5 * SPAN, "no position is used twice");
    log.sync().unwrap();
    drop(log);
    for start in [0, 6 * SPAN, Position::MAX] {
        let mut reader = open(start).0.reader();
        assert_eq!(reader.damage_at(4 * SPAN).unwrap().bytes, SPAN);
        assert_eq!(reader.read_from(5 * SPAN, 1).unwrap()[0].payload, payload(5));
    }
}

#[test]
fn released_segments_go_and_the_newest_bytes_stay() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = filled(dir.path(), 12);
    let mut reader = log.reader();
    assert_eq!(log.release(3 * SPAN - 1).unwrap(), 0);
    assert_eq!(log.release(3 * SPAN).unwrap(), 3 * SPAN);
    assert_eq!((log.first(), log.bytes()), (3 * SPAN, 9 * SPAN));
    assert!(matches!(reader.read_from(0, 1), Err(Error::Released { first, .. }) if first == 3 * SPAN));
    assert_eq!(reader.read_from(3 * SPAN, 1).unwrap()[0].payload, payload(3));
    // The segment that is written to stays whatever is released.
    log.release(Position::MAX).unwrap();
    assert_eq!(segments(dir.path()).len(), 1);
    drop(log);

    let options = Options { segment_bytes: 100, retain_bytes: 4 * SPAN, ..Options::default() };
    let (mut log, _) = Log::open(OsDisk::new(dir.path()).unwrap(), options).unwrap();
    for number in 12..30 {
        log.append(&payload(number)).unwrap();
    }
    log.sync().unwrap();
    log.release(log.end()).unwrap();
    assert_eq!(log.bytes(), 6 * SPAN);
}

#[test]
fn a_position_that_was_never_written_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let log = filled(dir.path(), 2);
    let mut reader = log.reader();
    assert!(matches!(reader.read_from(2 * SPAN + 1, 1), Err(Error::Ahead { .. })));
    assert!(matches!(reader.read_from(SPAN + 1, 1), Err(Error::Damaged { .. })));
}

#[test]
fn a_log_that_replaces_a_lost_one_begins_behind_it() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { start: 5000, ..Options::default() };
    let (mut log, recovery) = Log::open(OsDisk::new(dir.path()).unwrap(), options).unwrap();
    assert_eq!((recovery.first, recovery.end, log.append(b"x").unwrap()), (5000, 5000, 5000));
}

#[test]
fn an_oversized_record_is_refused_and_nothing_else_changes() {
    let dir = tempfile::tempdir().unwrap();
    let (mut log, _) = open(dir.path()).unwrap();
    assert!(matches!(log.append(&[0; 1001]), Err(Error::TooLarge { size: 1001, limit: 1000 })));
    assert_eq!(log.append(&[0; 1000]).unwrap(), 0);
    assert!(log.free().unwrap() > 0);
}

#[test]
fn other_files_in_the_directory_do_no_harm() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("README"), "mine").unwrap();
    fs::create_dir(dir.path().join("lost+found")).unwrap();
    drop(filled(dir.path(), 1));
    assert_eq!(read_all(&mut open(dir.path()).unwrap().0.reader()).len(), 1);
}
