//! The way of an event from a worker to the store, in one thread and on simulated time: the shipped
//! shipper, spool, log, journal, connection and applier, on a simulated network, disks and store.
//!
//! Each seed is one schedule of workers, cuts, delays, full disks, failing syncs, killed workers and crashes at any
//! operation. What must hold whatever happens is in `world.rs`. `SEED_FROM` and `SEED_COUNT` choose
//! other schedules than the hundred that always run.

mod node_disk;
mod server;
mod store;
mod worker;
mod world;

use world::{Plant, Report, World};

fn seeds() -> std::ops::Range<u64> {
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse().ok());
    let from = number("SEED_FROM").unwrap_or(0);
    from..from + number("SEED_COUNT").unwrap_or(100)
}

#[test]
fn what_was_acknowledged_is_stored_exactly_once_whatever_happens() {
    let mut total = Report::default();
    for seed in seeds() {
        match World::new(seed, Plant::Nothing).run() {
            Ok(report) => total.add(&report),
            Err(what) => panic!(
                "schedule {seed}: {what}\nrepeat it with: SEED_FROM={seed} SEED_COUNT=1 \
                 cargo test -p ngx-tests --test simulation what_was"
            ),
        }
    }
    println!("{total:?}");
}

/// A simulation in which nothing goes wrong proves nothing.
#[test]
fn the_schedules_meet_what_they_are_made_for() {
    let mut total = Report::default();
    for seed in 0..30 {
        total.add(&World::new(seed, Plant::Nothing).run().unwrap_or_default());
    }
    let Report { stored, crashes, power_cuts, cut_logs, resent, duplicates, dropped, left, discarded, aside, .. } =
        total;
    let Report { kills, node_crashes, spooled, fetched, spool_full, .. } = total;
    for (what, count) in [
        ("stored", stored),
        ("crashes", crashes),
        ("power cuts", power_cuts),
        ("logs cut at their end", cut_logs),
        ("chunks sent again", resent),
        ("duplicates left out", duplicates),
        ("events dropped by a full queue", dropped),
        ("events left at a worker's end", left),
        ("events too old", discarded),
        ("records set aside", aside),
        ("killed workers", kills),
        ("power cuts of the node", node_crashes),
        ("events that went to the spool", spooled),
        ("events that came from it", fetched),
        ("events for which it had no room", spool_full),
    ] {
        assert!(count > 0, "no schedule has {what}");
    }
}

#[test]
fn an_ack_before_the_sync_is_found() {
    assert!(is_found(Plant::AckBeforeSync));
}

#[test]
fn a_chunk_that_the_log_refused_and_that_is_acknowledged_is_found() {
    assert!(is_found(Plant::AckRefused));
}

#[test]
fn a_release_of_what_is_not_safe_in_the_store_is_found() {
    assert!(is_found(Plant::ReleaseBeforeCheckpoint));
}

#[test]
fn a_store_that_forgets_seq_numbers_is_found() {
    assert!(is_found(Plant::ForgetSeqs));
}

#[test]
fn a_spool_that_does_not_sync_is_found() {
    assert!(is_found(Plant::StoreWithoutSync));
}

#[test]
fn a_spool_whose_new_files_are_not_synced_by_name_is_found() {
    assert!(is_found(Plant::ForgetNames));
}

#[test]
fn a_spool_that_takes_parts_of_living_workers_is_found() {
    assert!(is_found(Plant::TakeWhatOthersHave));
}

#[test]
fn a_spool_that_removes_parts_before_their_acks_is_found() {
    assert!(is_found(Plant::RemoveBeforeAck));
}

#[test]
fn a_spool_whose_parts_are_not_taken_over_whole_is_found() {
    assert!(is_found(Plant::SkipLastRecord));
}

/// Whether one of the schedules sees a bug that was put in on purpose.
fn is_found(plant: Plant) -> bool {
    (0..100).any(|seed| World::new(seed, plant).run().is_err())
}
