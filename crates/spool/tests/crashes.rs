//! The log against a model, on a disk that forgets what was not synced.

use proptest::prelude::*;
use spool::simulation::SimDisk;
use spool::{Log, Options, Position, Record};

const OPTIONS: Options = Options { segment_bytes: 200, retain_bytes: 150, max_record: 1000, start: 0 };

#[derive(Clone, Debug)]
enum Step {
    Append(usize),
    Sync,
    Release(u8),
    Crash,
    CrashWithin(u64),
    Kill,
    FailSync,
    FailWrite,
    FailDirectory(u32),
    DiskFull(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => (0usize..120).prop_map(Step::Append),
        4 => Just(Step::Sync),
        2 => any::<u8>().prop_map(Step::Release),
        1 => Just(Step::Crash),
        2 => (0u64..12).prop_map(Step::CrashWithin),
        1 => Just(Step::Kill),
        1 => Just(Step::FailSync),
        1 => Just(Step::FailWrite),
        1 => (0u32..4).prop_map(Step::FailDirectory),
        1 => (0u64..300).prop_map(Step::DiskFull),
    ];
    prop::collection::vec(step, 1..60)
}

/// What the log must hold.
#[derive(Default)]
struct Model {
    /// Every record of which nobody said that it is gone, in order.
    appended: Vec<Record>,
    /// Records whose append failed; like any that was not synced, a crash may leave one.
    refused: Vec<Record>,
    /// Everything before it must survive.
    synced: Position,
    /// Everything before it may be gone.
    released: Position,
    serial: u8,
}

struct Run {
    disk: SimDisk,
    log: Log<SimDisk>,
    model: Model,
}

impl Run {
    fn new(seed: u64) -> Self {
        let disk = SimDisk::new(seed);
        let (log, _) = Log::open(disk.clone(), OPTIONS).unwrap();
        Self { disk, log, model: Model::default() }
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Append(length) => {
                self.model.serial = self.model.serial.wrapping_add(1);
                let payload = vec![self.model.serial; length];
                let position = self.log.end();
                match self.log.append(&payload) {
                    Ok(at) => {
                        assert!(at == position && self.log.synced() <= at);
                        self.model.appended.push(Record { position, payload });
                    }
                    Err(_) => self.model.refused.push(Record { position, payload }),
                }
            }
            Step::Sync => {
                if let Ok(position) = self.log.sync() {
                    assert_eq!(position, self.log.end());
                }
            }
            Step::Release(share) => {
                let upto = self.log.synced() * u64::from(share) / 255;
                self.model.released = self.model.released.max(upto);
                if self.log.release(upto).is_ok_and(|freed| freed > 0) {
                    assert!(self.log.bytes() >= OPTIONS.retain_bytes);
                }
            }
            Step::Crash => {
                self.note_synced();
                self.disk.crash();
                self.reopen();
            }
            Step::CrashWithin(operations) => self.disk.power_off_after(operations),
            Step::Kill => {
                self.note_synced();
                self.disk.kill();
                self.reopen();
            }
            Step::FailSync => self.disk.fail_syncs(1),
            Step::FailWrite => self.disk.fail_writes(1),
            Step::FailDirectory(after) => self.disk.fail_directory_after(after),
            Step::DiskFull(room) => {
                let used: usize = self.disk.files().iter().map(|(_, length)| length).sum();
                self.disk.set_capacity(used as u64 + room);
            }
        }
        self.note_synced();
        if self.log.free().is_err() {
            // The power went off under it.
            self.disk.crash();
            self.reopen();
        } else if self.log.has_failed() {
            if self.model.serial.is_multiple_of(2) {
                self.disk.crash()
            } else {
                self.disk.kill()
            }
            self.reopen();
        }
    }

    fn note_synced(&mut self) {
        assert!(self.log.synced() >= self.model.synced, "synced went back");
        self.model.synced = self.log.synced();
    }

    fn reopen(&mut self) {
        self.disk.set_capacity(u64::MAX);
        let (log, recovery) = Log::open(self.disk.clone(), OPTIONS).expect("a crash leaves no damage");
        self.log = log;
        assert_eq!(recovery.end, self.log.end());
        assert!(recovery.end >= self.model.synced, "lost synced records: {recovery:?} {}", self.model.synced);
        assert!(recovery.first <= self.model.released, "{recovery:?}");
        let read = self.read_all();
        let appended = std::mem::take(&mut self.model.appended);
        let durable = |record: &&Record| (recovery.first..self.model.synced).contains(&record.position);
        let expected: Vec<_> = appended.iter().filter(durable).collect();
        assert_eq!(read.iter().filter(durable).collect::<Vec<_>>(), expected);
        for record in read.iter().filter(|record| record.position >= self.model.synced) {
            assert!(appended.contains(record) || self.model.refused.contains(record), "{record:?}");
        }
        self.model.appended = read;
        self.model.synced = recovery.end;
    }

    fn read_all(&self) -> Vec<Record> {
        let mut reader = self.log.reader();
        let mut position = reader.first();
        let mut read = Vec::new();
        loop {
            let records = reader.read_from(position, 100).unwrap();
            let Some(last) = records.last() else { return read };
            position = last.end();
            read.extend(records);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn what_was_synced_survives_and_what_is_read_was_appended(seed: u64, steps in steps()) {
        let mut run = Run::new(seed);
        for step in &steps {
            run.step(step);
        }
        run.step(&Step::Crash);
    }
}
