//! Nothing is lost unnoticed, however fast it comes.

use ngx_tests::collector::Collector;
use ngx_tests::nginx::Nginx;

use crate::site::{config, load, settled};

#[tokio::test]
async fn at_full_speed_stored_and_counted_drops_are_the_lines_of_the_access_log() {
    const REQUESTS: u64 = 100_000;
    let collector = Collector::start().await.unwrap();
    let nginx = Nginx::start(&config(&collector, "")).unwrap();

    let reached = load(&nginx, REQUESTS, None).start().unwrap().join().unwrap();

    println!("    full speed: {:.0} requests/s", reached.rate);
    assert_eq!(reached.answered, REQUESTS);
    let outcome = settled(&nginx, &collector.rest().unwrap(), REQUESTS).await;
    assert_eq!(outcome.lines.len() as u64, REQUESTS);
    outcome.is_accounted_for();
    nginx.stop().unwrap();
}

#[tokio::test]
async fn a_queue_too_small_drops_and_counts_every_drop() {
    const REQUESTS: u64 = 20_000;
    let collector = Collector::start().await.unwrap();
    let nginx = Nginx::start(&config(&collector, "    wallarm_session_queue 16;")).unwrap();

    load(&nginx, REQUESTS, None).start().unwrap().join().unwrap();

    let outcome = settled(&nginx, &collector.rest().unwrap(), REQUESTS).await;
    assert!(outcome.dropped() > 0, "a queue of 16 took everything: the test shows nothing");
    outcome.is_accounted_for();
    nginx.stop().unwrap();
}

#[tokio::test]
async fn at_5000_requests_a_second_nothing_is_dropped() {
    const REQUESTS: u64 = 26_000;
    let collector = Collector::start().await.unwrap();
    let nginx = Nginx::start(&config(&collector, "")).unwrap();

    // A little faster, as the last answer takes its time too.
    let reached = load(&nginx, REQUESTS, Some(5_200)).start().unwrap().join().unwrap();

    println!("    paced: {:.0} requests/s", reached.rate);
    assert!(reached.rate >= 5_000.0, "only {:.0} requests/s", reached.rate);
    let outcome = settled(&nginx, &collector.rest().unwrap(), REQUESTS).await;
    assert_eq!(outcome.dropped(), 0);
    outcome.is_accounted_for();
    nginx.stop().unwrap();
}
