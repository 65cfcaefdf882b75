//! What a shipper promises, one promise at a time, on the simulated network.

mod collector;

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use collector::{Collector, Node, address, record};
use shipper::simulation::Faults;
use shipper::{Batch, Clock, Failure, Left, Pushed, Status, Until};
use wire::{EventTime, TAG_NODE, TAG_SESSIONS, write_ack};

const SECOND: Duration = Duration::from_secs(1);

fn node_and_collector() -> (Node, Collector) {
    let node = Node::new(1, |_| {});
    let collector = Collector::new(&node.net, &address(1));
    (node, collector)
}

#[test]
fn a_full_batch_goes_at_once() {
    let (mut node, mut collector) = node_and_collector();
    node.add(1200);
    node.run(SECOND / 2, || collector.serve());
    let sizes: Vec<_> = collector.arrivals.iter().map(|arrival| arrival.events.len()).collect();
    assert_eq!(sizes, [500, 500]);
    assert!(collector.arrivals.iter().all(|arrival| arrival.tag == TAG_SESSIONS));
    assert_eq!(collector.events(), (0..1000).collect::<Vec<_>>());
}

#[test]
fn a_batch_that_does_not_fill_goes_after_its_interval() {
    let (mut node, mut collector) = node_and_collector();
    node.add(3);
    node.run(SECOND * 9 / 10, || collector.serve());
    assert_eq!(collector.events(), []);
    node.run(SECOND / 2, || collector.serve());
    assert_eq!(collector.events(), [0, 1, 2]);
    assert_eq!(node.shipper.left(), Left::default());
}

#[test]
fn a_batch_of_many_bytes_goes_at_once() {
    let mut node = Node::new(1, |options| options.batch_bytes = 10_000);
    let mut collector = Collector::new(&node.net, &address(1));
    node.ballast = 1000;
    node.add(25);
    node.run(SECOND / 10, || collector.serve());
    assert_eq!(collector.arrivals.iter().map(|arrival| arrival.events.len()).collect::<Vec<_>>(), [10, 10]);
}

#[test]
fn a_compressed_chunk_holds_the_same_events_and_goes_again_as_it_was() {
    let mut node = Node::new(1, |options| options.zstd = true);
    let mut collector = Collector::new(&node.net, &address(1));
    node.ballast = 100;
    node.add(1000);
    node.run(SECOND, || drop(collector.receive()));
    let held = node.shipper.held_bytes();
    assert!(held < 50_000, "{held} bytes of about 113000 are held");
    collector.die();
    collector.come_back();
    node.run(SECOND * 10, || collector.serve());
    let arrivals: Vec<_> = collector.session_arrivals().collect();
    assert_eq!(
        arrivals.iter().map(|arrival| arrival.chunk.as_str()).collect::<std::collections::BTreeSet<_>>().len(),
        2
    );
    assert_eq!(arrivals.len(), 4);
    assert_eq!(arrivals[0].stream, arrivals[2].stream);
    assert_eq!(collector.events()[1000..], (0..1000).collect::<Vec<_>>());
    assert_eq!(node.shipper.left(), Left::default());
}

#[test]
fn a_chunk_is_kept_and_sent_again_until_it_is_acknowledged() {
    let (mut node, mut collector) = node_and_collector();
    node.add(500);
    node.run(SECOND * 60, || drop(collector.receive()));
    let arrivals = &collector.arrivals;
    assert!(arrivals.len() >= 4, "sent {} times", arrivals.len());
    assert!(arrivals.iter().all(|again| again.chunk == arrivals[0].chunk && again.stream == arrivals[0].stream));
    assert_eq!(node.shipper.left(), Left { chunks: 1, events: 500 });
    let counters = node.shipper.counters();
    assert_eq!(counters.ack_timeouts.load(Relaxed), counters.disconnects.load(Relaxed));
    node.run(SECOND * 20, || collector.serve());
    assert_eq!(node.shipper.left(), Left::default());
    assert_eq!(counters.acked_events.load(Relaxed), 500);
    assert_eq!(counters.held_bytes.load(Relaxed), node.shipper.held_bytes() as u64);
}

#[test]
fn a_collector_that_restarts_gets_everything_again_in_order() {
    let (mut node, mut collector) = node_and_collector();
    node.add(2500);
    node.run(SECOND, || drop(collector.receive()));
    collector.die();
    node.run(SECOND * 3, || {});
    collector.come_back();
    collector.arrivals.clear();
    node.run(SECOND * 10, || collector.serve());
    assert_eq!(collector.events(), (0..2500).collect::<Vec<_>>());
    assert_eq!(node.shipper.counters().resent_chunks.load(Relaxed), 5);
}

#[test]
fn other_answers_than_acks_of_what_was_sent_change_nothing() {
    let (mut node, mut collector) = node_and_collector();
    node.add(500);
    node.run(SECOND, || drop(collector.receive()));
    let mut wrong = Vec::new();
    write_ack(&mut wrong, "another chunk");
    write_ack(&mut wrong, &collector.arrivals[0].chunk[1..]);
    collector.send(&wrong);
    node.run(SECOND, || drop(collector.receive()));
    let counters = node.shipper.counters();
    assert_eq!((counters.unknown_acks.load(Relaxed), counters.unacked_events.load(Relaxed)), (2, 500));
    // What is no answer at all ends the connection.
    collector.send(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    node.run(SECOND * 2, || collector.serve());
    assert_eq!(counters.disconnects.load(Relaxed), 1);
    assert_eq!(node.shipper.left(), Left::default());
}

#[test]
fn a_connection_that_takes_no_bytes_is_given_up() {
    let (mut node, mut collector) = node_and_collector();
    node.net.set_faults(Faults { window: 100, ..Faults::default() });
    node.add(500);
    node.run(SECOND * 9, || {});
    assert_eq!(node.shipper.counters().disconnects.load(Relaxed), 0);
    node.run(SECOND * 3, || {});
    assert_eq!(node.shipper.counters().ack_timeouts.load(Relaxed), 1);
    node.run(SECOND * 20, || collector.serve());
    assert_eq!(collector.events().len(), 500);
}

#[test]
fn a_connect_that_hangs_is_given_up() {
    let (mut node, mut collector) = node_and_collector();
    node.net.set_faults(Faults { hang: 1.0, ..Faults::default() });
    node.add(1);
    node.run(SECOND * 6, || collector.serve());
    assert_eq!(node.shipper.counters().connect_failures.load(Relaxed), 1);
    node.net.set_faults(Faults::default());
    node.run(SECOND * 10, || collector.serve());
    assert_eq!(collector.events(), [0]);
}

#[test]
fn collectors_are_tried_in_order() {
    let mut node = Node::new(1, |options| options.addresses = vec![address(1), address(2), address(3)]);
    let mut second = Collector::new(&node.net, &address(2));
    let mut third = Collector::new(&node.net, &address(3));
    node.add(1);
    let changes = node.run(SECOND * 2, || {
        second.serve();
        third.serve();
    });
    assert_eq!(changes, [Status::Connected { address: address(2), instead_of: Some(refused(1)) }]);
    second.die();
    node.add(1);
    let changes = node.run(SECOND * 2, || third.serve());
    assert_eq!(changes, [Status::Connected { address: address(3), instead_of: Some(refused(2)) }]);
    assert_eq!((second.events(), third.events()), (vec![0], vec![1]));
    assert_eq!((second.connections, third.connections), (1, 1));
}

fn refused(port: u16) -> Failure {
    Failure { address: address(port).to_string(), reason: "connection refused".into() }
}

#[test]
fn the_first_collector_is_gone_back_to_without_sending_anything_twice() {
    let mut node = Node::new(1, |options| options.addresses = vec![address(1), address(2)]);
    node.net.set_faults(Faults { latency: SECOND / 20, ..Faults::default() });
    let mut second = Collector::new(&node.net, &address(2));
    node.add(1);
    node.run(SECOND * 40, || second.serve());
    assert_eq!(second.connections, 1, "tries do not disturb");
    let mut first = Collector::new(&node.net, &address(1));
    let mut changes = Vec::new();
    for _ in 0..100 {
        node.add(20);
        changes.extend(node.run(SECOND / 2, || {
            first.serve();
            second.serve();
        }));
    }
    node.run(SECOND * 2, || first.serve());
    assert_eq!(changes, [Status::Connected { address: address(1), instead_of: None }]);
    let (before, after) = (second.events(), first.events());
    assert!([before.clone(), after.clone()].concat().into_iter().eq(0..2001), "each once, in order");
    assert!(before.len() > 1 && after.len() > 1000, "{} and {}", before.len(), after.len());
    let counters = node.shipper.counters();
    assert_eq!((counters.disconnects.load(Relaxed), counters.resent_chunks.load(Relaxed)), (0, 0));
}

#[test]
fn a_first_collector_that_takes_connections_and_no_chunks_is_tried_ever_less_often() {
    let mut node = Node::new(1, |options| options.addresses = vec![address(1), address(2)]);
    let mut second = Collector::new(&node.net, &address(2));
    node.run(SECOND, || second.serve());
    let mut first = Collector::new(&node.net, &address(1));
    for _ in 0..1000 {
        node.add(10);
        node.run(SECOND, || {
            first.receive();
            second.serve();
        });
    }
    assert!((2..8).contains(&first.connections), "{} connections in 1000 s", first.connections);
    // Each may be stored by both.
    assert!(first.arrivals.len() <= first.connections, "{} chunks", first.arrivals.len());
    node.run(SECOND * 60, || {
        first.receive();
        second.serve();
    });
    let mut arrived = second.events();
    arrived.sort_unstable();
    assert!(arrived.into_iter().eq(0..10_000), "each once, by the one that works");
}

#[test]
fn an_absent_collector_is_told_once_and_asked_ever_less_often() {
    let mut node = Node::new(1, |_| {});
    node.add(10);
    let changes = node.run(SECOND * 60, || {});
    assert_eq!(changes, [Status::Unreachable(refused(1))]);
    let tries = node.shipper.counters().connect_failures.load(Relaxed);
    assert!((12..40).contains(&tries), "{tries} tries in a minute");
    let mut collector = Collector::new(&node.net, &address(1));
    let changes = node.run(SECOND * 10, || collector.serve());
    assert_eq!(changes, [Status::Connected { address: address(1), instead_of: None }]);
    assert_eq!(collector.events().len(), 10);
}

#[test]
fn a_collector_that_accepts_and_closes_does_not_fill_the_log() {
    let (mut node, mut collector) = node_and_collector();
    let changes = node.run(SECOND * 60, || {
        collector.receive();
        collector.hang_up();
    });
    assert!(collector.connections < 40, "{} connections in a minute", collector.connections);
    assert!(matches!(changes.as_slice(), [Status::Unreachable(_)]), "{changes:?}");
}

#[test]
fn a_collector_that_never_acknowledges_does_not_fill_the_log() {
    let (mut node, mut collector) = node_and_collector();
    node.add(1);
    let changes = node.run(SECOND * 120, || drop(collector.receive()));
    assert!(changes.len() <= 2, "{changes:?}");
    let Some(Status::Unreachable(Failure { reason, .. })) = changes.last() else { panic!("{changes:?}") };
    assert_eq!(reason, "no ack within 10s");
}

#[test]
fn nothing_is_pulled_while_the_bound_is_reached() {
    let mut node = Node::new(1, |options| {
        options.max_held = 20_000;
        options.batch_size = 10;
    });
    node.add(10_000);
    node.run(SECOND * 5, || {});
    let held = node.shipper.held_bytes();
    assert!((19_000..21_000).contains(&held), "{held} bytes");
    assert_eq!(node.pulled + node.queue.len() as u64, 10_000);
    let mut collector = Collector::new(&node.net, &address(1));
    node.run(SECOND * 30, || collector.serve());
    assert_eq!(collector.events(), (0..10_000).collect::<Vec<_>>());
    assert_eq!(node.shipper.held_bytes(), node.shipper.counters().held_bytes.load(Relaxed) as usize);
}

#[test]
fn an_event_that_cannot_be_shipped_leaves_its_neighbours_alone() {
    let (mut node, mut collector) = node_and_collector();
    let mut sizes = [20, 9_000_000, 30, 0, 40].into_iter().enumerate();
    let mut pushed = Vec::new();
    let mut pull = |batch: &mut Batch| {
        let Some((number, size)) = sizes.next() else { return false };
        pushed.push(batch.push(EventTime::default(), |out| {
            record(out, number as u64, size);
            size > 0
        }));
        true
    };
    let now = node.net.now();
    node.shipper.step(now, &mut pull);
    assert_eq!(pushed, [Pushed::Kept, Pushed::TooLarge, Pushed::Kept, Pushed::Refused, Pushed::Kept]);
    node.run(SECOND * 2, || collector.serve());
    assert_eq!(collector.events(), [0, 2, 4]);
    assert_eq!(node.shipper.counters().oversized_events.load(Relaxed), 1);
}

#[test]
fn chunk_ids_are_never_used_twice() {
    let mut ids = std::collections::BTreeSet::new();
    for seed in 0..20 {
        // The worst case: two workers of the same instance.
        let mut node = Node::new(seed, |options| {
            options.batch_size = 1;
            options.instance = [7; 8];
        });
        let mut collector = Collector::new(&node.net, &address(1));
        node.add(50);
        node.run(SECOND, || collector.serve());
        ids.extend(collector.arrivals.into_iter().map(|arrival| arrival.chunk));
    }
    assert_eq!(ids.len(), 1000);
    assert!(ids.iter().all(|id| id.starts_with("0707070707070707-") && id.len() < 48));
}

#[test]
fn of_the_reports_only_the_newest_waits() {
    let mut node = Node::new(1, |_| {});
    node.add(500);
    for number in 0..100 {
        let mut report = Vec::new();
        record(&mut report, number, 10);
        node.shipper.report(TAG_NODE, EventTime::default(), &report);
        node.run(SECOND, || {});
    }
    let mut collector = Collector::new(&node.net, &address(1));
    node.run(SECOND * 10, || collector.serve());
    let arrivals: Vec<_> = collector.arrivals.iter().map(|arrival| (arrival.tag.as_str(), arrival.events[0])).collect();
    assert_eq!(arrivals, [(TAG_NODE, 99), (TAG_SESSIONS, 0)]);
    let counters = node.shipper.counters();
    assert_eq!((counters.acked_reports.load(Relaxed), counters.acked_chunks.load(Relaxed)), (1, 1));
    assert_eq!(counters.unknown_acks.load(Relaxed), 0);
}

#[test]
fn an_orderly_end_delivers_what_there_is() {
    let (mut node, collector) = node_and_collector();
    node.add(700);
    let serving = std::cell::RefCell::new(collector);
    let clock = Serving { net: node.net.clone(), collector: &serving };
    let deadline = clock.now() + SECOND * 5;
    let Node { shipper, queue, .. } = &mut node;
    let left = shipper.finish(&clock, Until { sending: deadline, storing: deadline }, &mut |batch: &mut Batch| {
        queue.pop_front().is_some_and(|number| {
            batch.push(EventTime::default(), |out| {
                record(out, number, 5);
                true
            });
            true
        })
    });
    assert_eq!(left, Left::default());
    assert_eq!(serving.borrow().events().len(), 700);
    assert!(clock.now() < deadline);
}

/// Lets the collector work while the shipper sleeps.
struct Serving<'a> {
    net: shipper::simulation::SimNet,
    collector: &'a std::cell::RefCell<Collector>,
}

impl Clock for Serving<'_> {
    fn now(&self) -> std::time::Instant {
        self.net.now()
    }

    fn sleep(&self, duration: Duration) {
        self.collector.borrow_mut().serve();
        self.net.advance(duration);
    }
}

#[test]
fn an_end_without_collector_says_what_is_left() {
    let mut node = Node::new(1, |_| {});
    node.add(700);
    let begin = node.net.now();
    assert_eq!(node.finish(SECOND * 3), Left { chunks: 2, events: 700 });
    assert_eq!(node.net.now() - begin, SECOND * 3);
}
