//! Parts: on real files between processes, and against a model on a disk that forgets what was not synced.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use spool::simulation::SimDisk;
use spool::{Disk, Met, OsDisk, PartReader, PartWriter, Parts, Usage};

const MAX_RECORD: usize = 1000;

fn on_disk(directory: &Path) -> Parts<OsDisk> {
    Parts::new(OsDisk::unchecked(directory.to_owned()), MAX_RECORD)
}

/// A part that was written and left.
fn leave<D: Disk>(parts: &Parts<D>, age: u64, records: &[&[u8]]) {
    let mut part = parts.begin(age, 7).unwrap();
    records.iter().for_each(|record| part.append(record).unwrap());
    part.sync().unwrap();
}

fn read<D: Disk>(part: &mut PartReader<D>) -> Vec<Met> {
    std::iter::from_fn(|| part.read_next().unwrap()).collect()
}

fn records<D: Disk>(part: &mut PartReader<D>) -> Vec<Vec<u8>> {
    let met = read(part).into_iter();
    met.filter_map(|met| if let Met::Record(record) = met { Some(record) } else { None }).collect()
}

#[test]
fn parts_are_found_oldest_first_and_read_as_they_were_written() {
    let dir = tempfile::tempdir().unwrap();
    let parts = on_disk(dir.path());
    leave(&parts, 200, &[b"third"]);
    leave(&parts, 100, &[b"first", b"second"]);
    fs::write(dir.path().join("something else"), "not ours").unwrap();
    assert_eq!(parts.usage().unwrap(), Usage { parts: 2, bytes: 3 * 16 + 16 });

    let mut part = parts.take_oldest(None).unwrap().unwrap();
    assert_eq!(records(&mut part), [b"first".to_vec(), b"second".to_vec()]);
    part.remove().unwrap();
    drop(part);
    let mut part = parts.take_oldest(None).unwrap().unwrap();
    assert_eq!(records(&mut part), [b"third".to_vec()]);
    part.remove().unwrap();
    // Somebody removed it before: it is done with all the same.
    part.remove().unwrap();
    drop(part);
    assert!(parts.take_oldest(None).unwrap().is_none());
    assert_eq!(parts.usage().unwrap(), Usage::default());
    assert!(dir.path().join("something else").exists());
}

#[test]
fn a_part_that_somebody_writes_or_reads_is_given_to_nobody_else() {
    let dir = tempfile::tempdir().unwrap();
    let parts = on_disk(dir.path());
    let mut written = parts.begin(1, 7).unwrap();
    written.append(b"a").unwrap();
    written.sync().unwrap();
    leave(&parts, 2, &[b"b"]);
    let mut taken = parts.take_oldest(None).unwrap().unwrap();
    assert_eq!(records(&mut taken), [b"b".to_vec()]);
    assert!(parts.take_oldest(None).unwrap().is_none());
    // Who lets go, in whatever way, leaves it to the next, from its beginning.
    drop(written);
    assert_eq!(records(&mut parts.take_oldest(None).unwrap().unwrap()), [b"a".to_vec()]);
    assert_eq!(records(&mut parts.take_oldest(None).unwrap().unwrap()), [b"a".to_vec()]);
    drop(taken);
    assert!(parts.begin(2, 7).is_err(), "two parts of one age and owner");
}

#[test]
fn files_are_readable_by_their_owner_only() {
    use std::os::unix::fs::PermissionsExt;

    let dir = tempfile::tempdir().unwrap();
    leave(&on_disk(dir.path()), 1, &[b"a"]);
    let file = fs::read_dir(dir.path()).unwrap().next().unwrap().unwrap();
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn damage_costs_the_records_that_it_met_and_no_others() {
    let dir = tempfile::tempdir().unwrap();
    let parts = on_disk(dir.path());
    let three: [&[u8]; 3] = [b"first record", b"second record", b"third record"];
    let damaged = |change: &dyn Fn(&mut Vec<u8>)| {
        leave(&parts, 1, &three);
        let file = fs::read_dir(dir.path()).unwrap().next().unwrap().unwrap().path();
        let mut content = fs::read(&file).unwrap();
        change(&mut content);
        fs::write(&file, content).unwrap();
        let mut part = parts.take_oldest(None).unwrap().unwrap();
        let met = read(&mut part);
        part.remove().unwrap();
        met
    };
    let whole = |at: usize| Met::Record(three[at].to_vec());
    let lost = |offset, bytes, torn| Met::Damage { offset, bytes, torn };

    assert_eq!(damaged(&|_| {}), [whole(0), whole(1), whole(2)]);
    assert_eq!(damaged(&|content| content[20] ^= 1), [lost(0, 28, false), whole(1), whole(2)]);
    assert_eq!(damaged(&|content| content[30] ^= 1), [whole(0), lost(28, 29, false), whole(2)]);
    assert_eq!(damaged(&|content| content[60] ^= 1), [whole(0), whole(1), lost(57, 28, true)]);
    assert_eq!(damaged(&|content| content.truncate(70)), [whole(0), whole(1), lost(57, 13, true)]);
    assert_eq!(damaged(&|content| content.truncate(10)), [lost(0, 10, true)]);
    assert_eq!(damaged(&|content| content.clear()), []);
    assert_eq!(damaged(&|content| drop(content.drain(..28))), [lost(0, 57, true)], "records know their place");
}

#[test]
fn a_record_of_another_part_is_not_taken_for_one_of_this() {
    let dir = tempfile::tempdir().unwrap();
    let parts = on_disk(dir.path());
    leave(&parts, 1, &[b"one"]);
    leave(&parts, 2, &[b"two"]);
    let mut files: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    fs::copy(&files[0], &files[1]).unwrap();
    let _one = parts.take_oldest(None).unwrap().unwrap();
    let mut two = parts.take_oldest(None).unwrap().unwrap();
    assert_eq!(read(&mut two), [Met::Damage { offset: 0, bytes: 19, torn: true }]);
}

#[test]
fn a_directory_that_is_not_there_is_told_by_its_name() {
    let parts = on_disk(Path::new("/nowhere/spool"));
    for error in [parts.usage().unwrap_err(), parts.take_oldest(None).unwrap_err(), parts.begin(1, 1).unwrap_err()] {
        assert!(error.to_string().contains("/nowhere/spool"), "{error}");
    }
}

#[test]
fn a_disk_that_stays_full_does_not_fill_with_empty_parts() {
    let disk = SimDisk::new(1);
    let parts = Parts::new(disk.clone(), MAX_RECORD);
    disk.set_capacity(10);
    for age in 0..5 {
        let mut part = parts.begin(age, 1).unwrap();
        assert!(part.append(b"a record").unwrap_err().is_disk_full());
        part.give_up();
    }
    assert_eq!(disk.files(), []);
}

#[derive(Clone, Debug)]
enum Step {
    Append(usize),
    Sync,
    Leave,
    ReadOne,
    ReadAll,
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
        8 => (0usize..60).prop_map(Step::Append),
        4 => Just(Step::Sync),
        2 => Just(Step::Leave),
        1 => Just(Step::ReadOne),
        2 => Just(Step::ReadAll),
        1 => Just(Step::Crash),
        2 => (0u64..12).prop_map(Step::CrashWithin),
        1 => Just(Step::Kill),
        1 => Just(Step::FailSync),
        1 => Just(Step::FailWrite),
        1 => (0u32..3).prop_map(Step::FailDirectory),
        1 => (0u64..300).prop_map(Step::DiskFull),
    ];
    prop::collection::vec(step, 1..80)
}

/// What a process does with parts, and what must come of it.
struct Run {
    disk: SimDisk,
    parts: Parts<SimDisk>,
    writing: Option<PartWriter<SimDisk>>,
    age: u64,
    serial: u32,
    /// Appended, not synced since.
    open: Vec<Vec<u8>>,
    /// Durable, and not read since.
    safe: Vec<Vec<u8>>,
    /// Everything that was ever given to a part.
    tried: Vec<Vec<u8>>,
}

impl Run {
    fn new(seed: u64) -> Self {
        let disk = SimDisk::new(seed);
        let parts = Parts::new(disk.clone(), MAX_RECORD);
        let (open, safe, tried) = (Vec::new(), Vec::new(), Vec::new());
        Self { disk, parts, writing: None, age: 0, serial: 0, open, safe, tried }
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Append(length) => self.append(length),
            Step::Sync => match self.writing.as_mut().map(PartWriter::sync) {
                Some(Ok(())) => self.safe.append(&mut self.open),
                Some(Err(_)) => self.give_up(),
                None => {}
            },
            Step::Leave => self.lose_hold(),
            Step::ReadOne => drop(self.read_some(1)),
            Step::ReadAll => drop(self.read_some(usize::MAX)),
            Step::Crash => {
                self.disk.crash();
                self.lose_hold();
            }
            Step::CrashWithin(operations) => self.disk.power_off_after(operations),
            Step::Kill => {
                self.disk.kill();
                self.lose_hold();
            }
            Step::FailSync => self.disk.fail_syncs(1),
            Step::FailWrite => self.disk.fail_writes(1),
            Step::FailDirectory(operations) => self.disk.fail_directory_after(operations),
            Step::DiskFull(bytes) => self.disk.set_capacity(bytes),
        }
    }

    fn append(&mut self, length: usize) {
        self.serial += 1;
        let record = [self.serial.to_be_bytes().to_vec(), vec![0; length]].concat();
        if self.writing.is_none() {
            self.age += 1;
            self.writing = self.parts.begin(self.age, 1).ok();
        }
        let Some(part) = &mut self.writing else { return };
        self.tried.push(record.clone());
        match part.append(&record) {
            Ok(()) => self.open.push(record),
            Err(_) => self.give_up(),
        }
    }

    fn give_up(&mut self) {
        self.open.clear();
        self.writing.take().into_iter().for_each(PartWriter::give_up);
    }

    fn lose_hold(&mut self) {
        self.open.clear();
        self.writing = None;
    }

    /// Reads so many parts and removes them. What was promised to be in them must be.
    fn read_some(&mut self, most: usize) -> bool {
        for _ in 0..most {
            let mut part = match self.parts.take_oldest(None) {
                Ok(Some(part)) => part,
                Ok(None) => return true,
                Err(_) => return false,
            };
            let mut found = Vec::new();
            loop {
                match part.read_next() {
                    Ok(Some(Met::Record(record))) => found.push(record),
                    Ok(Some(Met::Damage { torn, .. })) => assert!(torn, "a crash damages only an end"),
                    Ok(None) => break,
                    Err(_) => return false,
                }
            }
            if part.remove().is_err() {
                return false;
            }
            assert!(found.is_sorted(), "records keep their order");
            assert!(found.iter().all(|record| self.tried.contains(record)), "nothing is made up");
            self.safe.retain(|record| !found.contains(record));
        }
        true
    }

    /// After all misfortune everything that was promised is read.
    fn end(&mut self) {
        self.disk.crash();
        self.disk.set_capacity(u64::MAX);
        self.lose_hold();
        assert!(self.read_some(usize::MAX));
        assert!(self.safe.is_empty(), "promised, and not read: {:?}", self.safe);
        assert_eq!(self.parts.usage().unwrap(), Usage::default());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn what_was_synced_is_read_whatever_happens(seed: u64, steps in steps()) {
        let mut run = Run::new(seed);
        steps.iter().for_each(|step| run.step(step));
        run.end();
    }
}
