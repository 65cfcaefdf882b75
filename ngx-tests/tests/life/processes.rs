//! The processes of NGINX, however many, whoever they run as.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ngx_tests::nginx::Nginx;
use ngx_tests::traffic::Traffic;
use ngx_tests::{folder, proc, wait};

use crate::site::{DROPPED, PATH, SEEN, Site, config, flushers_of, get, has_flushers};

#[tokio::test]
async fn each_worker_has_one_thread_of_ours_and_cache_manager_and_loader_have_none() {
    let cache = folder::temporary().unwrap();
    let zone = format!("    proxy_cache_path {} keys_zone=cache:1m;", cache.path().display());
    let site = Site::of(config().in_http(&zone).unwrap()).await;
    has_flushers(&site.nginx, 2).await;
    let helpers = [site.nginx.helpers("cache manager process"), site.nginx.helpers("cache loader process")].concat();

    site.get(PATH, &[]).await;
    site.stored(1).await;

    assert_eq!(helpers.len(), 2);
    for helper in helpers {
        assert_eq!(proc::threads(helper).len(), 1, "{}", proc::title(helper));
    }
    for worker in site.nginx.workers() {
        assert_eq!((proc::threads(worker).len(), flushers_of(worker)), (2, 1));
    }
    assert_eq!(proc::threads(site.nginx.id()).len(), 1, "the master has threads");
    site.close();
}

#[tokio::test]
async fn eight_workers_serve_and_reload() {
    let mut site = Site::of(config().replace("worker_processes 2;", "worker_processes 8;").unwrap()).await;
    let traffic = site.traffic();

    for _ in 0..3 {
        site.nginx.reload().unwrap();
    }

    traffic.stop().unwrap();
    has_flushers(&site.nginx, 8).await;
    site.is_accounted_for().await;
    site.close();
}

#[tokio::test]
async fn with_as_many_workers_as_cores_all_of_them_busy_no_request_is_refused() {
    let cores = std::thread::available_parallelism().unwrap().get();
    let mut site = Site::of(config().replace("worker_processes 2;", "worker_processes auto;").unwrap()).await;
    let busy = Busy::start(cores);
    let traffic = site.traffic();

    for _ in 0..5 {
        site.nginx.reload().unwrap();
    }

    traffic.stop().unwrap();
    has_flushers(&site.nginx, cores).await;
    drop(busy);
    site.is_accounted_for().await;
    site.close();
}

/// Keeps cores busy until it goes.
struct Busy(Arc<AtomicBool>);

impl Busy {
    fn start(cores: usize) -> Self {
        let ended = Arc::<AtomicBool>::default();
        for _ in 0..cores {
            let ended = ended.clone();
            std::thread::spawn(move || while !ended.load(Ordering::Relaxed) {});
        }
        Self(ended)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[tokio::test]
async fn workers_without_rights_to_the_collectors_socket_serve_and_say_so_once() {
    let private = folder::temporary().unwrap();
    fs::write(private.path().join("collector.sock"), "").unwrap();
    fs::set_permissions(private.path(), fs::Permissions::from_mode(0o000)).unwrap();
    let config = config().replace("user www-data;", "user nobody nogroup;").unwrap();
    let mut nginx = Nginx::start(&config.runtime(private.path())).unwrap();
    let traffic = Traffic::start(nginx.address(), PATH, 2).unwrap();
    let said = |log: &str| log.lines().filter(|line| line.contains("cannot be reached")).count();
    wait::until("the message", wait::LONG, async || (said(&nginx.error_log()) > 0).then_some(())).await.unwrap();

    nginx.reload().unwrap();
    get(&nginx, PATH, &[]).await;

    let answered = traffic.stop().unwrap() + 1;
    let failures = async || nginx.counters().await.ok()?.sum(FAILURES).gt(&8).then_some(());
    wait::until("further attempts", wait::LONG, failures).await.unwrap();
    let counters = nginx.counters().await.unwrap();
    assert_eq!(counters.sum(SEEN), answered);
    assert!(counters.sum(DROPPED) < answered, "the new workers keep what they see");
    let log = nginx.stop().unwrap();
    assert!(log.contains("Permission denied"), "{log}");
    // Once for each configuration.
    assert!(said(&log) <= 2, "{log}");
    fs::set_permissions(private.path(), fs::Permissions::from_mode(0o755)).unwrap();
}

const FAILURES: &str = "wallarm_sessions_collector_connection_failures_total";
