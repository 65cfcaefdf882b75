//! Reloads under load.

use ngx_tests::nginx::{Config, Nginx};
use ngx_tests::process::Signal;
use ngx_tests::silent::{Deaf, Silent};
use ngx_tests::traffic::Traffic;
use ngx_tests::{proc, wait};

use crate::site::{PATH, Site, config, get, has_flushers};

const RELOADS: usize = 50;

#[tokio::test]
async fn fifty_reloads_under_load_refuse_no_request_and_each_is_stored_or_counted() {
    let mut site = Site::of(config()).await;
    let traffic = site.traffic();

    for _ in 0..RELOADS {
        site.nginx.reload().unwrap();
    }

    assert!(traffic.stop().unwrap() > RELOADS as u64);
    site.is_accounted_for().await;
    site.close();
}

/// Fifty reloads, each as soon as the workers of the one before serve; then only threads of the last
/// ones are left.
async fn fifty_reloads_with_a_collector_that_hangs(config: Config) {
    let mut nginx = Nginx::start(&config).unwrap();
    let traffic = Traffic::start(nginx.address(), PATH, 2).unwrap();

    for reload in 0..RELOADS {
        nginx.begin_reload().unwrap();
        for process in proc::children(nginx.id()) {
            let threads = proc::threads(process);
            assert!(threads.len() <= 2, "reload {reload}: a process has the threads {threads:?}");
        }
    }

    traffic.stop().unwrap();
    let workers = nginx.workers();
    assert_eq!(workers.len(), 2);
    wait::until("the old workers to go", wait::LONG, async || (proc::children(nginx.id()).len() == 2).then_some(()))
        .await
        .unwrap();
    has_flushers(&nginx, 2).await;
    get(&nginx, PATH, &[]).await;
    let log = nginx.stop().unwrap();
    assert!(!log.contains("exited on signal"), "{log}");
}

#[tokio::test]
async fn threads_end_with_their_workers_when_the_collector_takes_connections_and_hangs() {
    let silent = Silent::start().unwrap();
    fifty_reloads_with_a_collector_that_hangs(config().runtime(silent.runtime())).await;
    assert!(silent.connections() >= RELOADS, "not every worker reached it: the test shows little");
}

#[tokio::test]
async fn threads_end_with_their_workers_when_connecting_to_the_collector_hangs() {
    let deaf = Deaf::start().unwrap();
    let collector = format!("wallarm_session_collector {};", deaf.address());
    let config = config().replace("wallarm_session_collector unix:/run/api-sessions/collector.sock;", &collector);
    fifty_reloads_with_a_collector_that_hangs(config.unwrap()).await;
}

#[tokio::test]
async fn a_reload_with_a_broken_configuration_changes_nothing() {
    let mut site = Site::of(config()).await;
    has_flushers(&site.nginx, 2).await;
    let workers = site.nginx.workers();
    let broken = config().in_http("    wallarm_session_key nonsense.nowhere;").unwrap();
    site.nginx.configure(&broken.runtime(&site.collector.runtime())).unwrap();
    site.nginx.signal(Signal::HUP).unwrap();
    wait::until("the error", wait::LONG, async || site.nginx.error_log().contains("nonsense").then_some(()))
        .await
        .unwrap();

    site.get(PATH, &[]).await;

    assert_eq!(site.nginx.workers(), workers);
    site.stored(1).await;
    site.close_allowing(&["nonsense"]);
}
