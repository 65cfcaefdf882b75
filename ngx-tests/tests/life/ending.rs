//! How workers end: asked to, told to, or killed.

use ngx_tests::collector::Collector;
use ngx_tests::nginx::{Config, Nginx};
use ngx_tests::process::{Process, Signal};
use ngx_tests::silent::Silent;
use ngx_tests::{proc, wait};

use crate::site::{ACKNOWLEDGED, DROPPED, PATH, SEEN, Site, config, get, ids};

const REQUESTS: usize = 20;

/// Batches go so late that nothing has gone before the end.
fn patient() -> Config {
    config().in_http("    wallarm_session_batch interval=60s;").unwrap()
}

/// Some requests, and a signal that ends NGINX.
async fn delivered_at_the_end(signal: Signal) {
    let mut site = Site::of(patient()).await;
    for _ in 0..REQUESTS {
        site.get(PATH, &[]).await;
    }
    assert_eq!(site.rest.stored().await.unwrap(), 0, "sent before the end: the test shows nothing");

    site.nginx.signal(signal).unwrap();

    let nginx = site.nginx.id();
    wait::until("nginx to end", wait::LONG, async || (!proc::is_alive(nginx)).then_some(())).await.unwrap();
    site.stored(REQUESTS).await;
    site.close();
}

#[tokio::test]
async fn quit_delivers_what_waits() {
    delivered_at_the_end(Signal::QUIT).await;
}

#[tokio::test]
async fn term_delivers_what_waits() {
    delivered_at_the_end(Signal::TERM).await;
}

#[tokio::test]
async fn term_ends_workers_before_the_master_kills_them_when_the_collector_hangs() {
    let silent = Silent::start().unwrap();
    let mut nginx = Nginx::start(&config().runtime(silent.runtime())).unwrap();
    for _ in 0..REQUESTS {
        get(&nginx, PATH, &[]).await;
    }

    nginx.signal(Signal::TERM).unwrap();

    wait::until("nginx to end", wait::LONG, async || (!proc::is_alive(nginx.id())).then_some(())).await.unwrap();
    // "exited on signal 9" is an alert.
    nginx.stop().unwrap();
}

#[tokio::test]
async fn what_a_worker_could_not_deliver_before_its_end_is_counted() {
    let silent = Silent::start().unwrap();
    let mut nginx = Nginx::start(&patient().runtime(silent.runtime())).unwrap();
    for _ in 0..REQUESTS {
        get(&nginx, PATH, &[]).await;
    }

    nginx.reload().unwrap();

    let counters = nginx.counters().await.unwrap();
    assert_eq!(counters.sum_with(DROPPED, "reason=\"unsent_at_exit\""), REQUESTS as u64);
    assert_eq!(counters.sum(SEEN), REQUESTS as u64);
    let log = nginx.stop().unwrap();
    let said = log.lines().filter(|line| line.contains("[warn]") && line.contains("no record tells of some requests"));
    assert!(said.clone().any(|line| line.contains("unsent_at_exit ")), "{log}");
}

#[tokio::test]
async fn a_killed_worker_takes_along_what_it_held_and_a_living_one_tells_how_much() {
    const LATER: usize = 5;
    let mut collector = Collector::new().unwrap();
    let one = config().replace("worker_processes 2;", "worker_processes 1;").unwrap();
    let nginx = Nginx::start(&one.runtime(&collector.runtime())).unwrap();
    for _ in 0..REQUESTS {
        get(&nginx, PATH, &[]).await;
    }
    // A client has its answer before the request ends in the worker.
    let seen = async || (nginx.counters().await.ok()?.sum(SEEN) == REQUESTS as u64).then_some(());
    wait::until("the worker to have seen them all", wait::LONG, seen).await.unwrap();
    let killed = nginx.workers()[0];

    Process::daemon(killed).kill().unwrap();

    let respawned = wait::until("another worker", wait::LONG, async || {
        nginx.workers().first().copied().filter(|&worker| worker != killed)
    });
    respawned.await.unwrap();
    collector.run().await.unwrap();
    for _ in 0..LATER {
        get(&nginx, PATH, &[]).await;
    }
    let rest = collector.rest().unwrap();
    wait::until("the later requests", wait::LONG, async || (rest.stored().await.ok()? == LATER as u64).then_some(()))
        .await
        .unwrap();
    let told = async || {
        let counters = nginx.counters().await.ok()?;
        (counters.sum(ACKNOWLEDGED) > 0 && counters.sum(DROPPED) > 0).then_some(counters)
    };
    let counters = wait::until("the acknowledgement and the loss", wait::LONG, told).await.unwrap();
    let lost = counters.sum_with(DROPPED, "reason=\"worker_killed\"");
    assert_eq!((lost, counters.sum(DROPPED)), (REQUESTS as u64, REQUESTS as u64), "{counters:?}");
    assert_eq!(counters.sum(SEEN), counters.sum(ACKNOWLEDGED) + lost, "{counters:?}");
    assert_eq!(ids(&nginx).len(), REQUESTS + LATER);
    nginx.stop_allowing(&["exited on signal 9"]).unwrap();
}
