//! The log on a disk that loses what it kept.

use std::collections::BTreeSet;

use proptest::prelude::*;
use spool::simulation::SimDisk;
use spool::{Error, Log, Options, Position, Reader, Record};

const OPTIONS: Options = Options { segment_bytes: 20_000, retain_bytes: 0, max_record: 3000, start: 0 };

/// A log of synced records of these lengths.
fn log(disk: &SimDisk, lengths: &[usize]) -> (Log<SimDisk>, Vec<Record>) {
    let mut log = Log::open(disk.clone(), OPTIONS).unwrap().0;
    let record = |(number, &length): (usize, &usize)| {
        let payload = vec![number as u8; length];
        Record { position: log.append(&payload).unwrap(), payload }
    };
    let records = lengths.iter().enumerate().map(record).collect();
    log.sync().unwrap();
    (log, records)
}

/// Everything that can be read, and the positions of what cannot.
fn read(reader: &mut Reader<SimDisk>, page: usize) -> (Vec<Record>, BTreeSet<Position>) {
    let (mut read, mut lost) = (Vec::new(), BTreeSet::new());
    let mut position = reader.first();
    loop {
        match reader.read_from(position, page) {
            Ok(records) => {
                let Some(last) = records.last() else { return (read, lost) };
                position = last.end();
                read.extend(records);
            }
            Err(error) => {
                assert!(error.is_damage(), "{error}");
                let damage = reader.damage_at(position).unwrap();
                assert!(damage.bytes > 0, "{damage:?} {error}");
                lost.extend(position..position + damage.bytes);
                position += damage.bytes;
            }
        }
    }
}

/// The segment that a position is in, and where in it.
fn place(disk: &SimDisk, position: Position) -> (String, usize) {
    let mut firsts = disk.files().into_iter().map(|(name, _)| (name[..20].parse::<Position>().unwrap(), name));
    let (first, name) = firsts.rfind(|(first, _)| *first <= position).unwrap();
    (name, (position - first) as usize)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn exactly_the_records_that_decay_met_are_lost_and_their_bytes_are_told(
        lengths in prop::collection::vec(0usize..2000, 1..60),
        decayed in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        spoiled in any::<Option<(prop::sample::Index, u16)>>(),
        open_again: bool,
        page in 0usize..5000,
    ) {
        let disk = SimDisk::new(1);
        let (mut log, records) = log(&disk, &lengths);
        let end = log.end();
        let mut gone: BTreeSet<Position> = decayed.iter().map(|index| index.index(end as usize) as Position).collect();
        for &position in &gone {
            let (name, offset) = place(&disk, position);
            disk.flip(&name, offset);
        }
        if let Some((index, size)) = spoiled {
            let position = index.index(end as usize) as Position;
            let (name, offset) = place(&disk, position);
            let bytes = disk.spoil(&name, offset..offset + 1 + size as usize % 9000);
            let first = position - offset as Position;
            gone.extend(bytes.map(|byte| first + byte as Position));
        }
        if open_again {
            drop(log);
            // The caller knows of all of it.
            log = Log::open(disk.clone(), Options { start: end, ..OPTIONS }).unwrap().0;
        }

        let (read, lost) = read(&mut log.reader(), page);
        let (hit, whole): (Vec<_>, Vec<_>) =
            records.into_iter().partition(|record| gone.range(record.position..record.end()).next().is_some());
        prop_assert_eq!(read, whole);
        prop_assert_eq!(lost, hit.iter().flat_map(|record| record.position..record.end()).collect());

        // It goes on behind all of it.
        let position = log.append(b"more").unwrap();
        log.sync().unwrap();
        prop_assert!(position >= end);
        prop_assert_eq!(&log.reader().read_from(position, 1).unwrap()[0].payload, b"more");
    }
}

#[test]
fn a_record_that_zeros_would_make_whole_is_lost_where_the_disk_does_not_read_it() {
    let disk = SimDisk::new(4);
    // The payload of the last is all zeros, as its number is 256.
    let lengths = [&[2000], &[0; 255][..], &[3000]].concat();
    let (log, mut records) = log(&disk, &lengths);
    let (name, length) = disk.files().pop().unwrap();
    let last = records.pop().unwrap();
    assert!(last.position < 8192 && length > 8192 && last.payload.iter().all(|&byte| byte == 0));
    disk.spoil(&name, 8192..length);
    let (whole, lost) = read(&mut log.reader(), 1000);
    assert_eq!(whole, records);
    assert_eq!(lost, (last.position..last.end()).collect());
}

#[test]
fn a_segment_that_the_disk_does_not_read_costs_what_is_in_it_and_stops_no_start() {
    let disk = SimDisk::new(2);
    let (first, records) = log(&disk, &[2000; 11]);
    drop(first);
    let (name, length) = disk.files().pop().unwrap();
    assert_eq!(disk.spoil(&name, 0..length), 0..2016);
    let (mut log, recovery) = Log::open(disk.clone(), OPTIONS).unwrap();
    assert_eq!((recovery.cut_bytes, recovery.end), (0, records[10].end()));
    let (whole, lost) = read(&mut log.reader(), 1000);
    assert_eq!((whole.len(), lost.len()), (10, 2016));
    let position = log.append(b"more").unwrap();
    log.sync().unwrap();
    assert_eq!(log.reader().read_from(position, 1).unwrap()[0].payload, b"more");
}

#[test]
fn of_much_that_the_disk_does_not_read_so_much_is_tried_and_it_is_said_that_the_search_ended() {
    let disk = SimDisk::new(5);
    let options = Options { segment_bytes: 4 << 20, ..OPTIONS };
    let mut log = Log::open(disk.clone(), options).unwrap().0;
    while log.end() < 3 << 20 {
        log.append(&[1; 3000]).unwrap();
    }
    log.sync().unwrap();
    let (name, _) = disk.files().pop().unwrap();
    disk.spoil(&name, 4096..8192);
    let few = log.reader().damage_at(3016).unwrap();
    assert!(few.bytes > 0 && few.bytes < 10_000 && !few.given_up, "{few:?}");
    disk.spoil(&name, 4096..2 << 20);
    let many = log.reader().damage_at(3016).unwrap();
    assert!(many.bytes > 1 << 20 && many.given_up, "{many:?}");
}

#[test]
fn a_read_that_fails_for_another_reason_is_no_damage() {
    let disk = SimDisk::new(3);
    let (log, _) = log(&disk, &[2000; 11]);
    disk.fail_reads(2);
    let error = log.reader().read_from(0, 1).unwrap_err();
    assert!(matches!(error, Error::Io { .. }) && !error.is_damage(), "{error}");
    assert!(log.reader().damage_at(0).is_err());
    assert_eq!(log.reader().read_from(0, 1).unwrap().len(), 1);
}
