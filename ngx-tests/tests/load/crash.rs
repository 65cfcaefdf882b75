//! The collector dies under load.

use ngx_tests::collector::Collector;
use ngx_tests::load::Running;
use ngx_tests::nginx::Nginx;
use ngx_tests::wait;

use crate::site::{config, load, settled};

#[tokio::test]
async fn a_killed_collector_forgets_nothing_acknowledged_and_gets_what_waited() {
    const REQUESTS: u64 = 24_000;
    let mut collector = Collector::start().await.unwrap();
    let nginx = Nginx::start(&config(&collector, "    wallarm_session_queue 20000;")).unwrap();
    let running = load(&nginx, REQUESTS, Some(4_000)).start().unwrap();

    for kill in 1..=3 {
        answered(&running, kill * 6_000).await;
        collector.kill().unwrap();
        answered(&running, kill * 6_000 + 1_500).await;
        collector.run().await.unwrap();
    }

    let reached = running.join().unwrap();
    let outcome = settled(&nginx, &collector.rest().unwrap(), reached.answered).await;
    outcome.is_accounted_for();
    assert_eq!(outcome.dropped(), 0, "the queue had room for everything");
    let acknowledged = outcome.counters.sum("wallarm_sessions_acknowledged_events_total");
    assert_eq!(acknowledged, REQUESTS, "everything is acknowledged in the end");
    nginx.stop().unwrap();
}

#[tokio::test]
async fn what_the_queue_cannot_hold_while_the_collector_is_dead_is_counted() {
    const REQUESTS: u64 = 16_000;
    let mut collector = Collector::start().await.unwrap();
    let nginx = Nginx::start(&config(&collector, "    wallarm_session_queue 500 memory=1m;")).unwrap();
    let running = load(&nginx, REQUESTS, Some(4_000)).start().unwrap();

    answered(&running, 4_000).await;
    collector.kill().unwrap();
    answered(&running, 12_000).await;
    collector.run().await.unwrap();

    let reached = running.join().unwrap();
    let outcome = settled(&nginx, &collector.rest().unwrap(), reached.answered).await;
    assert!(outcome.dropped() > 0, "a small queue took everything: the test shows nothing");
    outcome.is_accounted_for();
    let acknowledged = outcome.counters.sum("wallarm_sessions_acknowledged_events_total");
    assert_eq!(outcome.stored.len() as u64, acknowledged, "acknowledged and stored are the same");
    nginx.stop().unwrap();
}

async fn answered(running: &Running, requests: u64) {
    wait::until("the load to get on", wait::LONG, async || (running.answered() >= requests).then_some(()))
        .await
        .unwrap();
}
