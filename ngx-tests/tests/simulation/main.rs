//! The way of an event from a worker to the store, in one thread and on simulated time: the shipped
//! shipper, spool, log, journal, connection, applier and guard of the clock, on a simulated network, disks and stores.
//!
//! Each seed is one schedule, and decides everything in it: workers that end and are killed, several collectors,
//! cuts, late and wrong acks, full and failing disks, flipped bits, clocks that are set, stalls, and crashes at any
//! operation (`faults.rs`). What must hold whatever happens is in `invariants.rs`.
//!
//! `scripts/test simulate --from SEED --count N` chooses the schedules.
//!
//! Written for this, as what there is stands in for something else: turmoil and madsim replace tokio and its sockets
//! under asynchronous code, and none of these crates has any: they take network, disk and time as traits. Neither
//! knows a disk that tears writes, forgets what was not synced, or is full.

mod collector;
mod damage;
mod disk;
mod faults;
mod invariants;
mod plant;
mod promises;
mod report;
mod seeds;
mod store;
mod worker;
mod world;

use std::ops::Range;
use std::time::Instant;

use plant::Plant;
use report::Least;
use seeds::Broken;

/// The schedules to run; what is not said is as in CI.
fn chosen() -> Range<u64> {
    let number = |name: &str| {
        let value = std::env::var(name).ok()?;
        Some(value.parse().unwrap_or_else(|_| panic!("{name} is {value}, which is no number")))
    };
    let from: u64 = number("API_SESSIONS_SIMULATE_FROM").unwrap_or(0);
    from..from + number("API_SESSIONS_SIMULATE_COUNT").unwrap_or(10_000)
}

#[test]
fn what_was_acknowledged_is_stored_exactly_once_whatever_happens() {
    let (schedules, begin) = (chosen(), Instant::now());
    let total = seeds::run(schedules.clone(), Plant::Nothing).unwrap_or_else(|Broken { seed, what }| {
        panic!("schedule {seed}: {what}\nrepeat it with: scripts/test simulate --from {seed} --count 1")
    });
    let seconds = begin.elapsed().as_secs_f64();
    let a_second = total.of("schedules") as f64 / seconds;
    println!("schedules {schedules:?} in {seconds:.1} s, {a_second:.0} a second:\n{total}");
    let Least { steps, faults } = total.least();
    assert!(steps >= 200 && faults >= 3, "a schedule has {steps} steps, one has {faults} faults");
}

#[test]
fn a_seed_decides_everything() {
    for seed in 0..20 {
        assert_eq!(seeds::run_one(seed, Plant::Nothing), seeds::run_one(seed, Plant::Nothing), "schedule {seed}");
    }
}

/// A simulation in which nothing goes wrong proves nothing.
#[test]
fn the_schedules_meet_what_they_are_made_for() {
    let total = seeds::run(0..300, Plant::Nothing).unwrap();
    for what in [
        "acks of nothing that was sent",
        "bits flipped in the log",
        "bits flipped in the spool",
        "changes to the log's directory that fail",
        "changes to the spool's directory that fail",
        "chunks sent again",
        "clocks that are set",
        "damages of the log told",
        "damages told",
        "duplicates left out",
        "ends within a batch",
        "events dropped by a full queue",
        "events for which it had no room",
        "events left at a worker's end",
        "events stored",
        "events that came from it",
        "events that went to the spool",
        "events too old",
        "full disks of the log",
        "full disks of the spool",
        "kills of a collector",
        "kills of a worker",
        "log ends cut",
        "power cuts of a collector",
        "power cuts of the node",
        "power cuts within the log's work",
        "reads of the log that fail",
        "reads of the spool that fail",
        "records set aside",
        "spells of bad network",
        "spells of wrong acks",
        "stalls",
        "syncs of the log that fail",
        "syncs of the spool that fail",
        "workers replaced",
        "writes to the log that fail",
        "writes to the spool that fail",
    ] {
        assert!(total.of(what) > 0, "no schedule has {what}");
    }
}

/// Sees a bug that was put in on purpose in one of a thousand schedules.
fn find(plant: Plant) {
    let Broken { seed, what } = seeds::run(0..1000, plant).expect_err("no schedule sees the bug");
    println!("{plant:?} is seen by schedule {seed}: {}", what.lines().next().unwrap_or_default());
}

#[test]
fn an_ack_before_the_sync_is_found() {
    find(Plant::AckBeforeSync);
}

#[test]
fn a_chunk_that_the_log_refused_and_that_is_acknowledged_is_found() {
    find(Plant::AckRefused);
}

#[test]
fn a_log_that_is_not_synced_is_found() {
    find(Plant::LogWithoutSync);
}

#[test]
fn a_release_of_what_is_not_safe_in_the_store_is_found() {
    find(Plant::ReleaseBeforeCheckpoint);
}

#[test]
fn a_store_that_forgets_seq_numbers_is_found() {
    find(Plant::ForgetSeqs);
}

#[test]
fn a_start_behind_what_some_days_lack_is_found() {
    find(Plant::ResumeAtNewestDay);
}

#[test]
fn a_worker_that_believes_wrong_acks_is_found() {
    find(Plant::BelieveWrongAcks);
}

#[test]
fn workers_of_one_instance_are_found() {
    find(Plant::SameInstance);
}

#[test]
fn a_chunk_that_comes_again_under_another_id_is_found() {
    find(Plant::AnotherChunkId);
}

#[test]
fn a_wait_that_nothing_ends_is_found() {
    find(Plant::WaitForever);
}

#[test]
fn memory_without_a_bound_is_found() {
    find(Plant::HoldTooMuch);
}

#[test]
fn a_spool_that_does_not_sync_is_found() {
    find(Plant::StoreWithoutSync);
}

#[test]
fn a_spool_whose_new_files_are_not_synced_by_name_is_found() {
    find(Plant::ForgetNames);
}

#[test]
fn a_spool_that_takes_parts_of_living_workers_is_found() {
    find(Plant::TakeWhatOthersHave);
}

#[test]
fn a_spool_that_removes_parts_before_their_acks_is_found() {
    find(Plant::RemoveBeforeAck);
}

#[test]
fn a_spool_whose_parts_are_not_taken_over_whole_is_found() {
    find(Plant::SkipLastRecord);
}

#[test]
fn a_gap_that_is_not_counted_is_found() {
    find(Plant::GapNotCounted);
}

#[test]
fn a_gap_that_is_counted_twice_is_found() {
    find(Plant::GapCountedTwice);
}

#[test]
fn damage_of_which_nobody_speaks_is_found() {
    find(Plant::HideDamage);
}
