use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use wire::Entries;

use super::*;

fn plan() -> Plan {
    let until = Micros(Day(20_003).start().0 - 7);
    Plan { requests: 5000, sessions: 300, days: 3, seed: 7, until, strangers: false }
}

/// The segments of the log, in order.
fn segments(dir: &Path) -> Vec<Vec<u8>> {
    let mut files: Vec<PathBuf> = fs::read_dir(dir.join("log")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.file_name().unwrap() != "lock");
    files.sort();
    files.iter().map(|file| fs::read(file).unwrap()).collect()
}

fn written(plan: &Plan) -> Vec<Vec<u8>> {
    let dir = tempfile::tempdir().unwrap();
    generate(dir.path(), false, plan, |_| ()).unwrap();
    segments(dir.path())
}

/// What the log holds of requests: start, session, host and path.
fn requests(dir: &Path) -> Vec<(u64, [u8; 16], String, String)> {
    let disk = OsDisk::new(dir.join("log")).unwrap();
    let (log, recovery) = Log::open(disk, Options::default()).unwrap();
    let mut requests = Vec::new();
    let mut position = recovery.first;
    loop {
        let records = log.reader().read_from(position, 8 << 20).unwrap();
        let Some(last) = records.last() else { return requests };
        position = last.end();
        for record in &records {
            let entry = LogEntry::decode(&record.payload, 0).unwrap();
            if entry.tag != TAG_SESSIONS {
                continue;
            }
            for item in Entries::new(entry.stream) {
                let item = item.unwrap();
                let event = Event::decode(item.record).unwrap();
                assert_eq!(event.node, NODE);
                requests.push((item.time.as_micros(), event.sid, event.host.into(), event.path.into()));
            }
        }
    }
}

#[test]
fn equal_plans_write_equal_bytes_and_other_seeds_others() {
    assert_eq!(written(&plan()), written(&plan()));
    assert_ne!(written(&plan()), written(&Plan { seed: 8, ..plan() }));
}

#[test]
fn a_plan_has_its_requests_and_sessions_within_its_days_in_order_of_time() {
    let dir = tempfile::tempdir().unwrap();
    let mut told = Vec::new();
    let done = generate(dir.path(), false, &plan(), |written| told.push(written)).unwrap();
    assert_eq!((done.requests, told), (5000, vec![5000]));
    let requests = requests(dir.path());
    assert_eq!(requests.len(), 5000);
    assert!(requests.is_sorted_by_key(|request| request.0));
    assert!(requests[0].0 >= Day(20_000).start().0 as u64 && requests[4999].0 < plan().until.0 as u64);
    let mut lengths: BTreeMap<_, usize> = BTreeMap::new();
    requests.iter().for_each(|request| *lengths.entry(request.1).or_default() += 1);
    assert_eq!(lengths.len(), 300);
    assert!(lengths.values().max() > Some(&50), "some sessions are long: {lengths:?}");
}

#[test]
fn strangers_have_nothing_in_common() {
    let dir = tempfile::tempdir().unwrap();
    let plan = Plan { requests: 2000, sessions: 2000, days: 1, strangers: true, ..plan() };
    generate(dir.path(), false, &plan, |_| ()).unwrap();
    let requests = requests(dir.path());
    assert_eq!(requests.iter().map(|request| request.1).collect::<BTreeSet<_>>().len(), 2000);
    assert_eq!(requests.iter().map(|request| &request.3).collect::<BTreeSet<_>>().len(), 2000);
    assert!(requests.iter().map(|request| &request.2).collect::<BTreeSet<_>>().len() > 1990);
}

#[test]
fn a_server_that_runs_keeps_its_log_for_itself() {
    let dir = tempfile::tempdir().unwrap();
    let running = DataDir::open(dir.path(), false).unwrap();
    let error = generate(dir.path(), false, &plan(), |_| ()).unwrap_err().to_string();
    assert!(error.contains(&dir.path().display().to_string()) && error.contains("stop that one"), "{error}");
    assert!(segments(dir.path()).is_empty());
    drop(running);
}

#[test]
fn a_log_that_is_gone_is_not_begun_anew_behind_the_stores_back() {
    let dir = tempfile::tempdir().unwrap();
    drop(DataDir::open(dir.path(), false).unwrap());
    fs::write(dir.path().join("days/positions.json"), "{}").unwrap();
    let error = generate(dir.path(), false, &plan(), |_| ()).unwrap_err().to_string();
    assert!(error.contains("start the server"), "{error}");
}

#[test]
fn plans_that_cannot_be_followed_say_why() {
    for (wrong, place) in [
        (Plan { days: 8, ..plan() }, "8 days"),
        (Plan { days: 0, ..plan() }, "0 days"),
        (Plan { sessions: 0, ..plan() }, "0 sessions"),
        (Plan { sessions: 5001, ..plan() }, "5001 sessions"),
        (Plan { until: Micros(-1), ..plan() }, "until"),
    ] {
        let missing = Path::new("nowhere");
        let error = generate(missing, false, &wrong, |_| ()).unwrap_err();
        assert!(matches!(&error, GenerateError::Plan(reason) if reason.contains(place)), "{error}");
    }
}
