//! What the log does when the disk refuses.

use spool::simulation::SimDisk;
use spool::{Error, Log, Options};

fn open(disk: &SimDisk) -> Log<SimDisk> {
    Log::open(disk.clone(), Options { segment_bytes: 100, ..Options::default() }).unwrap().0
}

fn payloads(log: &Log<SimDisk>) -> Vec<Vec<u8>> {
    let mut reader = log.reader();
    reader.read_from(reader.first(), usize::MAX).unwrap().into_iter().map(|record| record.payload).collect()
}

#[test]
fn after_a_failed_sync_nothing_is_pretended() {
    let disk = SimDisk::new(1);
    let mut log = open(&disk);
    log.append(b"kept").unwrap();
    let synced = log.sync().unwrap();
    log.append(b"lost").unwrap();
    disk.fail_syncs(1);
    assert!(matches!(log.sync(), Err(Error::Io { action: "sync", .. })));
    assert_eq!(log.synced(), synced);
    assert!(log.has_failed());
    assert!(matches!(log.append(b"x"), Err(Error::Failed)));
    assert!(matches!(log.sync(), Err(Error::Failed)));
    drop(log);
    // What the kernel still showed, but could not write, is not taken for durable.
    let mut log = open(&disk);
    assert_eq!(payloads(&log), [b"kept".to_vec()]);
    log.append(b"next").unwrap();
    log.sync().unwrap();
    disk.crash();
    assert_eq!(payloads(&open(&disk)), [b"kept".to_vec(), b"next".to_vec()]);
}

#[test]
fn a_full_disk_is_told_and_work_goes_on_when_there_is_room_again() {
    let disk = SimDisk::new(2);
    let mut log = open(&disk);
    log.append(b"before").unwrap();
    disk.set_capacity(30);
    let error = log.append(b"does not fit").unwrap_err();
    assert!(error.is_disk_full(), "{error}");
    assert_eq!(log.free().unwrap(), 30 - log.bytes());
    disk.set_capacity(1000);
    log.append(b"after").unwrap();
    log.sync().unwrap();
    assert_eq!(payloads(&log), [b"before".to_vec(), b"after".to_vec()]);
    disk.crash();
    assert_eq!(payloads(&open(&disk)).len(), 2);
}

#[test]
fn a_failed_write_leaves_no_trace() {
    for seed in 0..50 {
        let disk = SimDisk::new(seed);
        let mut log = open(&disk);
        log.append(b"before").unwrap();
        disk.fail_writes(1);
        assert!(log.append(b"this one fails").is_err());
        log.append(b"after").unwrap();
        log.sync().unwrap();
        disk.crash();
        assert_eq!(payloads(&open(&disk)), [b"before".to_vec(), b"after".to_vec()]);
    }
}
