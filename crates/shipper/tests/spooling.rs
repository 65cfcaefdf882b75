//! What a shipper with a spool promises, one promise at a time, on simulated network and disk.

mod collector;

use std::collections::BTreeSet;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use collector::{Collector, Node, address};
use shipper::simulation::{Faults, SimNet};
use shipper::{Clock, Left, Options, SpoolStatus, Until};
use spool::simulation::SimDisk;

const SECOND: Duration = Duration::from_secs(1);
const LARGE: u64 = 1 << 30;

fn small_batches(options: &mut Options) {
    options.batch_size = 50;
}

/// A node with a disk, and nobody who listens.
fn node(disk: &SimDisk) -> Node {
    Node::new(1, small_batches).with_spool(disk, LARGE)
}

/// Another worker of the same node, whose events have numbers from `first` on.
fn another(net: &SimNet, disk: &SimDisk, first: u64) -> Node {
    Node::on(net.clone(), 1000 + first, small_batches).numbered_from(first).with_spool(disk, LARGE)
}

fn parts(disk: &SimDisk) -> usize {
    disk.files().len()
}

fn distinct(collector: &Collector) -> BTreeSet<u64> {
    collector.events().into_iter().collect()
}

#[test]
fn what_the_collector_does_not_take_waits_on_disk_and_comes_once_and_in_order_when_it_is_back() {
    let disk = SimDisk::new(1);
    let mut node = node(&disk);
    for _ in 0..10 {
        node.add(100);
        node.run(SECOND, || {});
    }
    node.run(SECOND * 2, || {});
    let counters = node.shipper.counters();
    assert_eq!((node.shipper.left(), counters.spooled_events.load(Relaxed)), (Left::default(), 1000));
    assert!(parts(&disk) > 0 && counters.spool_bytes.load(Relaxed) > 1000 * 20);

    let mut collector = Collector::new(&node.net, &address(1));
    node.run(SECOND * 20, || collector.serve());

    assert_eq!(collector.events(), (0..1000).collect::<Vec<_>>());
    assert_eq!((counters.acked_events.load(Relaxed), counters.fetched_events.load(Relaxed)), (1000, 1000));
    assert_eq!((parts(&disk), counters.spool_bytes.load(Relaxed)), (0, 0));
    assert_eq!(counters.resent_chunks.load(Relaxed), 0);
}

#[test]
fn a_collector_that_is_away_for_a_moment_makes_nobody_write_to_disk() {
    let disk = SimDisk::new(1);
    let mut node = node(&disk);
    let mut collector = Collector::new(&node.net, &address(1));
    node.add(100);
    node.run(SECOND * 2, || collector.serve());
    collector.die();
    node.add(100);
    node.run(SECOND / 2, || {});
    collector.come_back();
    node.run(SECOND * 5, || collector.serve());
    assert_eq!(distinct(&collector).len(), 200);
    assert_eq!((disk.syncs(), node.shipper.counters().spooled_events.load(Relaxed)), (0, 0));
}

#[test]
fn what_was_sent_and_not_acknowledged_goes_to_disk_when_the_connection_is_lost() {
    let disk = SimDisk::new(1);
    let mut node = node(&disk);
    let mut collector = Collector::new(&node.net, &address(1));
    node.add(100);
    node.run(SECOND * 3, || drop(collector.receive()));
    let sent: Vec<_> = collector.arrivals.iter().map(|arrival| arrival.chunk.clone()).collect();
    assert_eq!((sent.len(), parts(&disk)), (2, 0), "a slow collector is waited for");
    collector.die();
    node.run(SECOND * 3, || {});
    assert_eq!((node.shipper.left(), parts(&disk)), (Left::default(), 1));

    collector.come_back();
    collector.arrivals.clear();
    node.run(SECOND * 10, || collector.serve());

    let again: Vec<_> = collector.arrivals.iter().map(|arrival| arrival.chunk.clone()).collect();
    assert_eq!(again, sent, "under other ids");
}

#[test]
fn what_a_killed_worker_stored_is_sent_by_a_living_one_under_the_same_ids() {
    let disk = SimDisk::new(1);
    let mut killed = node(&disk);
    killed.add(500);
    killed.run(SECOND * 3, || {});
    let net = killed.net.clone();
    let mut collector = Collector::new(&net, &address(1));
    // It begins to send them, and dies in the middle.
    while collector.arrivals.len() < 3 {
        killed.run(SECOND / 100, || collector.serve());
    }
    let begun = std::mem::take(&mut collector.arrivals);
    assert!(begun.len() < 10, "{} chunks", begun.len());
    drop(killed);

    let mut living = another(&net, &disk, 500);
    living.add(100);
    living.run(SECOND * 10, || collector.serve());

    assert_eq!(distinct(&collector), (0..600).collect());
    for early in begun {
        assert!(collector.arrivals.iter().any(|late| late.chunk == early.chunk && late.stream == early.stream));
    }
    assert_eq!(parts(&disk), 0);
}

#[test]
fn a_part_that_the_disk_does_not_read_now_is_passed_over_and_sent_by_a_later_worker() {
    let disk = SimDisk::new(1);
    let mut first = node(&disk);
    let net = first.net.clone();
    for _ in 0..2 {
        first.add(50);
        assert_eq!(first.finish(SECOND), Left::default());
        first = another(&net, &disk, first.added());
    }
    assert_eq!(parts(&disk), 2);
    disk.fail_reads(1);
    let mut collector = Collector::new(&net, &address(1));
    first.run(SECOND * 5, || collector.serve());
    assert_eq!((distinct(&collector), parts(&disk)), ((50..100).collect(), 1));
    assert!(first.said.iter().any(|said| matches!(said, SpoolStatus::Fails { .. })), "{:?}", first.said);
    drop(first);

    let mut later = another(&net, &disk, 100);
    later.run(SECOND * 5, || collector.serve());
    assert_eq!((distinct(&collector), parts(&disk)), ((0..100).collect(), 0));
}

#[test]
fn a_disk_that_reads_nothing_for_long_costs_no_part() {
    let disk = SimDisk::new(1);
    let mut first = node(&disk);
    let net = first.net.clone();
    for _ in 0..20 {
        first.add(10);
        assert_eq!(first.finish(SECOND), Left::default());
        first = another(&net, &disk, first.added());
    }
    disk.fail_reads(u32::MAX);
    let mut collector = Collector::new(&net, &address(1));
    first.run(SECOND * 200, || collector.serve());
    assert_eq!((collector.events().len(), parts(&disk)), (0, 20));

    disk.fail_reads(0);
    first.run(SECOND * 100, || collector.serve());
    assert_eq!((collector.events(), parts(&disk)), ((0..200).collect(), 0));
    assert_eq!(first.said.len(), 2, "{:?}", first.said);
}

#[test]
fn many_parts_that_stay_unreadable_stop_none_of_those_behind_them() {
    let disk = SimDisk::new(1);
    let mut first = node(&disk);
    let net = first.net.clone();
    for _ in 0..40 {
        first.add(10);
        assert_eq!(first.finish(SECOND), Left::default());
        first = another(&net, &disk, first.added());
    }
    for (name, length) in disk.files().into_iter().take(30) {
        disk.spoil(&name, 0..length);
    }
    let mut collector = Collector::new(&net, &address(1));
    first.run(SECOND * 100, || collector.serve());
    assert_eq!((collector.events(), parts(&disk)), ((300..400).collect(), 30));
}

#[test]
fn two_workers_send_each_chunk_on_disk_once() {
    let disk = SimDisk::new(1);
    let mut first = node(&disk);
    let net = first.net.clone();
    let mut collector = Collector::new(&net, &address(1));
    collector.die();
    for _ in 0..20 {
        first.add(50);
        first.run(SECOND, || {});
        // It leaves what it has, as in a reload.
        assert_eq!(first.finish(SECOND), Left::default());
        first = another(&net, &disk, first.added());
    }
    assert_eq!(parts(&disk), 20);
    collector.come_back();
    let mut second = another(&net, &disk, first.added());
    for _ in 0..1000 {
        first.step();
        second.step();
        collector.serve();
        net.advance(Duration::from_millis(10));
    }
    assert_eq!(collector.events().len(), 1000);
    assert_eq!((distinct(&collector).len(), parts(&disk)), (1000, 0));
    assert!([&first, &second].iter().all(|node| node.shipper.counters().fetched_events.load(Relaxed) > 0));
}

#[test]
fn live_events_wait_for_none_that_come_from_the_disk() {
    let disk = SimDisk::new(1);
    let mut node = node(&disk);
    node.add(5000);
    node.run(SECOND * 3, || {});
    let mut collector = Collector::new(&node.net, &address(1));
    node.net.set_faults(Faults { latency: SECOND / 2, ..Faults::default() });

    for _ in 0..20 {
        node.add(50);
        node.run(SECOND, || {
            let arrived = collector.receive();
            let stored = arrived.iter().filter(|arrival| arrival.events[0] < 5000).count();
            assert!(stored <= 1, "more than one chunk from the disk is under way");
            arrived.iter().for_each(|arrival| collector.ack(arrival.connection, &arrival.chunk));
        });
    }

    // The first went to the disk too, before there was a connection.
    let live = distinct(&collector).range(5000..).count();
    assert!(live >= 800, "{live} of 1000 live events came");
    assert!(distinct(&collector).range(..5000).count() > 0, "none came from the disk");
}

#[test]
fn over_the_limit_the_oldest_go_and_are_counted() {
    let disk = SimDisk::new(1);
    let limit = 100_000;
    let mut node = Node::new(1, small_batches).with_spool(&disk, limit);
    node.ballast = 100;
    for _ in 0..40 {
        node.add(100);
        node.run(SECOND, || {});
        let bytes: usize = disk.files().iter().map(|(_, length)| length).sum();
        assert!(bytes as u64 <= limit, "{bytes} bytes");
    }
    node.run(SECOND * 2, || {});
    let counters = node.shipper.counters();
    let gone = counters.spool_full_events.load(Relaxed);
    assert!(gone > 1000 && node.shipper.left() == Left::default(), "{gone} are gone");

    let mut collector = Collector::new(&node.net, &address(1));
    node.run(SECOND * 20, || collector.serve());

    assert_eq!(collector.events(), (gone..4000).collect::<Vec<_>>());
}

#[test]
fn of_the_parts_of_all_workers_the_oldest_go() {
    let disk = SimDisk::new(1);
    let first = |number| Node::new(number, small_batches).numbered_from(number * 1000).with_spool(&disk, 50_000);
    let mut old = first(1);
    old.add(500);
    old.run(SECOND * 3, || {});
    assert_eq!(old.finish(SECOND), Left::default());
    let mut new = first(2);
    new.add(1500);
    new.run(SECOND * 3, || {});
    assert_eq!(new.shipper.left(), Left::default());

    let mut collector = Collector::new(&new.net, &address(1));
    new.run(SECOND * 20, || collector.serve());

    let gone = new.shipper.counters().spool_full_events.load(Relaxed);
    let all: Vec<u64> = (1000..1500).chain(2000..3500).collect();
    assert!(gone > 500, "{gone} are gone");
    assert_eq!(collector.events(), all[gone as usize..]);
}

#[test]
fn a_part_that_the_disk_does_not_read_now_does_not_go_uncounted_to_make_room() {
    let disk = SimDisk::new(1);
    let first = |number| Node::new(number, small_batches).numbered_from(number * 1000).with_spool(&disk, 50_000);
    let mut old = first(1);
    old.add(500);
    old.run(SECOND * 3, || {});
    assert_eq!(old.finish(SECOND), Left::default());
    let mut new = first(2);
    disk.fail_reads(1);
    new.add(1500);
    new.run(SECOND * 5, || {});
    assert_eq!(new.shipper.left(), Left::default());

    let mut collector = Collector::new(&new.net, &address(1));
    new.run(SECOND * 100, || collector.serve());

    let gone = new.shipper.counters().spool_full_events.load(Relaxed);
    assert!(gone > 0);
    assert_eq!((collector.events().len() as u64 + gone, parts(&disk)), (2000, 0));
}

#[test]
fn an_end_passes_over_a_part_that_cannot_be_read_and_stores_what_it_holds() {
    let disk = SimDisk::new(1);
    let node = |number| Node::new(number, small_batches).numbered_from(number * 1000).with_spool(&disk, 50_000);
    let gone = |node: &Node| node.shipper.counters().spool_full_events.load(Relaxed);
    let mut dropped = 0;
    for number in 1..4 {
        let mut old = node(number);
        old.add(500);
        assert_eq!(old.finish(SECOND), Left::default());
        dropped += gone(&old);
    }
    let mut new = node(5);
    new.add(500);
    disk.fail_reads(1);
    assert_eq!(new.finish(SECOND), Left::default());
    assert!(gone(&new) > 0, "there was room");
    dropped += gone(&new);
    drop(new);

    let mut later = node(9);
    let mut collector = Collector::new(&later.net, &address(1));
    later.run(SECOND * 100, || collector.serve());

    assert_eq!((collector.events().len() as u64 + dropped, parts(&disk)), (2000, 0));
}

#[test]
fn damage_that_an_end_meets_is_told() {
    let disk = SimDisk::new(1);
    let node = |number| Node::new(number, small_batches).numbered_from(number * 1000).with_spool(&disk, 10_000);
    let mut old = node(1);
    old.add(300);
    assert_eq!(old.finish(SECOND), Left::default());
    let (oldest, length) = disk.files().remove(0);
    disk.flip(&oldest, length / 2);
    let mut new = node(2);
    new.add(300);
    assert_eq!(new.finish(SECOND), Left::default());
    assert!(new.shipper.counters().spool_full_events.load(Relaxed) > 0, "there was room");
    let damaged = |said: &SpoolStatus| matches!(said, SpoolStatus::Damaged { part, .. } if part.ends_with(&oldest));
    assert!(new.said.iter().any(damaged), "{:?}", new.said);
}

#[test]
fn a_disk_that_fails_is_told_once_and_costs_no_event_while_there_is_memory() {
    let disk = SimDisk::new(1);
    disk.set_capacity(0);
    let mut node = node(&disk);
    for _ in 0..20 {
        node.add(50);
        node.run(SECOND, || {});
    }
    let [SpoolStatus::Fails { reason }] = &node.said[..] else { panic!("{:?}", node.said) };
    assert!(reason.contains("cannot write simulated/"), "{reason}");
    assert_eq!(node.shipper.left().events, 1000);

    disk.set_capacity(u64::MAX);
    node.run(SECOND * 3, || {});
    assert_eq!((node.said.len(), node.said.last()), (2, Some(&SpoolStatus::Works)));
    assert_eq!(node.shipper.left(), Left::default());

    let mut collector = Collector::new(&node.net, &address(1));
    node.run(SECOND * 20, || collector.serve());
    assert_eq!(collector.events(), (0..1000).collect::<Vec<_>>());
}

#[test]
fn live_events_go_on_to_a_collector_that_answers_while_the_disk_fails() {
    let disk = SimDisk::new(1);
    disk.fail_directory_after(0);
    disk.set_capacity(0);
    let mut node = node(&disk);
    let mut collector = Collector::new(&node.net, &address(1));
    node.add(500);
    node.run(SECOND * 3, || collector.serve());
    assert_eq!((collector.events().len(), node.shipper.left()), (500, Left::default()));
}

#[test]
fn an_end_without_collector_leaves_everything_on_disk_at_once() {
    let disk = SimDisk::new(1);
    let mut node = node(&disk);
    node.run(SECOND / 10, || {});
    node.add(700);
    let begin = node.net.now();
    assert_eq!(node.finish(SECOND * 3), Left::default());
    assert_eq!(node.net.now(), begin, "it waited for nothing");
    // A power cut later.
    disk.crash();
    let mut next = another(&node.net, &disk, 700);
    let mut collector = Collector::new(&next.net, &address(1));
    next.run(SECOND * 10, || collector.serve());
    assert_eq!(distinct(&collector), (0..700).collect());
}

#[test]
fn an_end_whose_disk_takes_too_long_tells_what_is_left() {
    let disk = SimDisk::new(1);
    let mut node = node(&disk);
    node.add(20_000);
    let now = node.net.now();
    let left = node.finish_until(Until { sending: now, storing: now });
    let given_up = left.events + node.queue.len();
    assert!((1..20_000).contains(&given_up), "{given_up} of 20,000");

    let net = node.net.clone();
    drop(node);
    let mut later = another(&net, &disk, 20_000);
    let mut collector = Collector::new(&net, &address(1));
    later.run(SECOND * 30, || collector.serve());
    assert_eq!(collector.events().len() + given_up, 20_000);
}

#[test]
fn an_end_with_a_collector_that_hangs_waits_for_it_and_then_stores() {
    let disk = SimDisk::new(1);
    let mut node = node(&disk);
    let mut collector = Collector::new(&node.net, &address(1));
    node.add(700);
    node.run(SECOND / 2, || drop(collector.receive()));
    let begin = node.net.now();
    assert_eq!(node.finish(SECOND * 3), Left::default());
    assert_eq!(node.net.now() - begin, SECOND * 3);
    assert_eq!(node.shipper.counters().spooled_events.load(Relaxed), 700);
}

#[test]
fn an_end_with_a_disk_that_fails_says_what_is_left() {
    let disk = SimDisk::new(1);
    disk.set_capacity(0);
    let mut node = node(&disk);
    node.add(700);
    assert_eq!(node.finish(SECOND * 3), Left { chunks: 14, events: 700 });
}

#[test]
fn an_old_worker_that_goes_on_serving_leaves_what_it_stored_to_the_new_ones() {
    let disk = SimDisk::new(1);
    let mut old = node(&disk);
    old.shipper.hasten();
    old.add(100);
    old.run(SECOND * 3, || {});
    let mut new = another(&old.net, &disk, 100);
    let mut collector = Collector::new(&new.net, &address(1));
    new.run(SECOND * 5, || collector.serve());
    assert_eq!(distinct(&collector), (0..100).collect());
}

#[test]
fn events_that_damage_has_cost_are_counted_and_the_place_is_told() {
    let disk = SimDisk::new(1);
    let mut node = node(&disk);
    node.add(500);
    node.run(SECOND * 3, || {});
    let (name, _) = disk.files()[0].clone();
    disk.flip(&name, 3000);
    let mut collector = Collector::new(&node.net, &address(1));
    node.run(SECOND * 10, || collector.serve());
    let lost = node.shipper.counters().spool_damaged_events.load(Relaxed);
    assert_eq!((lost, collector.events().len()), (50, 450));
    let [SpoolStatus::Damaged { part, offset, .. }] = &node.said[..] else { panic!("{:?}", node.said) };
    assert!(part.ends_with(&name) && *offset < 3000, "{part} {offset}");
}

#[test]
fn events_that_damage_has_cost_are_counted_once_however_often_the_part_is_read() {
    let disk = SimDisk::new(1);
    let mut node = node(&disk);
    node.add(500);
    node.run(SECOND * 3, || {});
    assert_eq!(parts(&disk), 1);
    disk.flip(&disk.files()[0].0, 3000);
    let mut collector = Collector::new(&node.net, &address(1));
    let mut failed = false;
    node.run(SECOND * 200, || {
        collector.serve();
        if !failed && collector.events().len() > 300 {
            failed = true;
            disk.fail_reads(1);
        }
    });
    assert_eq!((distinct(&collector).len(), parts(&disk)), (450, 0));
    assert!(node.said.iter().filter(|said| matches!(said, SpoolStatus::Damaged { .. })).count() > 1, "{:?}", node.said);
    assert_eq!(node.shipper.counters().spool_damaged_events.load(Relaxed), 50);
}

#[test]
fn a_slow_collector_gets_no_more_than_half_of_the_memory_and_the_rest_goes_to_disk() {
    let disk = SimDisk::new(1);
    let change = |options: &mut Options| {
        small_batches(options);
        options.max_held = 40_000;
    };
    let mut node = Node::new(1, change).with_spool(&disk, LARGE);
    let mut collector = Collector::new(&node.net, &address(1));
    node.add(3000);
    node.run(SECOND * 5, || drop(collector.receive()));
    let under_way: usize = collector.arrivals.iter().map(|arrival| arrival.stream.len()).sum();
    assert!(under_way < 20_000 + 5_000, "{under_way} bytes are under way");
    assert_eq!((node.queue.len(), node.pulled), (0, 3000));
    collector.hang_up();
    node.run(SECOND * 20, || collector.serve());
    assert_eq!(distinct(&collector).len(), 3000);
}
