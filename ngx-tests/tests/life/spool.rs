//! What waits on disk while the collector is away: nothing that was written is lost, whatever is done to
//! NGINX meanwhile.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use ngx_tests::collector::Collector;
use ngx_tests::counters::Counters;
use ngx_tests::nginx::{Config, Nginx};
use ngx_tests::process::Process;
use ngx_tests::silent::Silent;
use ngx_tests::traffic::Traffic;
use ngx_tests::{folder, wait};

use crate::site::{ACKNOWLEDGED, DROPPED, PATH, SEEN, config, get, ids, is_accounted_for, settled};

const SPOOLED: &str = "wallarm_sessions_spooled_events_total";
const FETCHED: &str = "wallarm_sessions_spool_acknowledged_events_total";
const BYTES: &str = "wallarm_sessions_spool_bytes";

/// A spool below `folder`, batches that go soon, and a collector at `runtime`.
fn spooling(folder: &Path, runtime: &Path) -> Config {
    let lines = format!(
        "    wallarm_session_spool {}/spool max=64m;\n    wallarm_session_batch interval=100ms;",
        folder.display()
    );
    config().in_http(&lines).unwrap().runtime(runtime)
}

fn parts(folder: &Path) -> usize {
    fs::read_dir(folder.join("spool")).map_or(0, Iterator::count)
}

/// So many requests more.
async fn load(nginx: &Nginx, requests: u64) -> u64 {
    let traffic = Traffic::without_pause(nginx.address(), PATH, 4).unwrap();
    let enough = async || (traffic.answered() >= requests).then_some(());
    wait::until("the requests", wait::LONG, enough).await.unwrap();
    traffic.stop().unwrap()
}

/// Waits until all that was seen is on disk.
async fn all_on_disk(nginx: &Nginx) -> Counters {
    let counters = async || {
        let counters = nginx.counters().await.ok()?;
        (counters.sum(SPOOLED) == counters.sum(SEEN)).then_some(counters)
    };
    wait::until("everything to be on disk", wait::LONG, counters).await.unwrap()
}

/// Waits until a worker that was killed has a successor.
async fn kill_a_worker(nginx: &Nginx) {
    let before = nginx.workers();
    Process::daemon(before[0]).kill().unwrap();
    let respawned = async || {
        let workers = nginx.workers();
        (workers.len() == before.len() && !workers.contains(&before[0])).then_some(())
    };
    wait::until("another worker", wait::LONG, respawned).await.unwrap();
}

#[tokio::test]
async fn ten_thousand_requests_outlive_a_kill_a_reload_and_a_stop_while_the_collector_is_dead() {
    let folder = folder::temporary().unwrap();
    let mut collector = Collector::new().unwrap();
    let config = spooling(folder.path(), &collector.runtime());
    let mut lines = BTreeSet::new();

    let mut nginx = Nginx::start(&config).unwrap();
    load(&nginx, 4_000).await;
    all_on_disk(&nginx).await;
    kill_a_worker(&nginx).await;
    load(&nginx, 3_000).await;
    nginx.reload().unwrap();
    let counters = all_on_disk(&nginx).await;
    assert_eq!(counters.sum(DROPPED), 0, "{counters:?}");
    load(&nginx, 3_000).await;
    lines.extend(ids(&nginx));
    nginx.stop_allowing(&["exited on signal 9"]).unwrap();
    assert!(lines.len() >= 10_000 && parts(folder.path()) > 0, "{} requests", lines.len());

    collector.run().await.unwrap();
    let nginx = Nginx::start(&config).unwrap();
    let rest = collector.rest().unwrap();
    let all = async || (rest.stored().await.ok()? >= lines.len() as u64).then_some(());
    wait::until("everything to be stored", wait::LONG, all).await.unwrap();
    wait::until("the spool to be empty", wait::LONG, async || (parts(folder.path()) == 0).then_some(())).await.unwrap();

    let stored = rest.everything().await.unwrap();
    assert_eq!(stored.len(), lines.len(), "some are stored twice");
    assert_eq!(stored.into_iter().map(|request| request.id).collect::<BTreeSet<_>>(), lines);
    nginx.stop().unwrap();
}

#[tokio::test]
async fn with_a_spool_fifty_reloads_under_load_without_collector_lose_nothing() {
    let folder = folder::temporary().unwrap();
    let mut collector = Collector::new().unwrap();
    let mut nginx = Nginx::start(&spooling(folder.path(), &collector.runtime())).unwrap();
    let traffic = Traffic::start(nginx.address(), PATH, 3).unwrap();
    for _ in 0..50 {
        nginx.reload().unwrap();
    }
    traffic.stop().unwrap();

    collector.run().await.unwrap();

    let counters = is_accounted_for(&nginx, &collector.rest().unwrap()).await;
    assert_eq!(counters.sum(DROPPED), 0, "{counters:?}");
    assert!(counters.sum(FETCHED) > 0, "nothing came from the disk");
    nginx.stop().unwrap();
}

#[tokio::test]
async fn workers_killed_under_load_lose_what_they_held_in_memory_and_nothing_that_was_on_disk() {
    let folder = folder::temporary().unwrap();
    let mut collector = Collector::new().unwrap();
    let nginx = Nginx::start(&spooling(folder.path(), &collector.runtime())).unwrap();
    let (mut requests, mut on_disk) = (0, 0);
    for _ in 0..3 {
        requests += load(&nginx, 300).await;
        let more = async || Some(nginx.counters().await.ok()?.sum(SPOOLED)).filter(|&spooled| spooled > on_disk);
        on_disk = wait::until("some to be on disk", wait::LONG, more).await.unwrap();
        requests += load(&nginx, 300).await;
        kill_a_worker(&nginx).await;
    }

    collector.run().await.unwrap();

    let rest = collector.rest().unwrap();
    let emptied = async || {
        let counters = nginx.counters().await.ok()?;
        let known = counters.sum(ACKNOWLEDGED) + counters.sum(DROPPED);
        (parts(folder.path()) == 0 && known >= counters.sum(SEEN)).then_some(counters)
    };
    let counters = wait::until("all to be sent", wait::LONG, emptied).await.unwrap();
    let acknowledged = counters.sum(ACKNOWLEDGED);
    let stored = async || (rest.stored().await.ok()? >= acknowledged).then_some(());
    wait::until("what was acknowledged", wait::LONG, stored).await.unwrap();
    let lines = ids(&nginx);
    let stored: BTreeSet<String> = rest.everything().await.unwrap().into_iter().map(|request| request.id).collect();
    assert!(stored.is_subset(&lines) && lines.len() as u64 == requests);
    assert_eq!(stored.len() as u64, acknowledged, "{counters:?}");
    assert!(stored.len() as u64 >= on_disk, "{counters:?}");
    assert_eq!(counters.sum(DROPPED), counters.sum_with(DROPPED, "reason=\"worker_killed\""), "{counters:?}");
    nginx.stop_allowing(&["exited on signal 9"]).unwrap();
}

#[tokio::test]
async fn over_the_limit_the_oldest_go_and_the_counter_explains_what_is_missing() {
    const LARGE: usize = 8;
    let folder = folder::temporary().unwrap();
    let mut collector = Collector::new().unwrap();
    let config = spooling(folder.path(), &collector.runtime()).replace("max=64m", "max=16m").unwrap();
    let contexts: String =
        (0..LARGE).map(|n| format!("    wallarm_session_context request.header.X-Large-{n};\n")).collect();
    // The demo's own contexts are replaced in its server alone.
    let config = config.in_server(&contexts).unwrap();
    let nginx = Nginx::start(&config).unwrap();
    let value = "x".repeat(900);
    let names: Vec<String> = (0..LARGE).map(|n| format!("X-Large-{n}")).collect();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let full = async || {
        for _ in 0..200 {
            let mut request = client.get(format!("{}{PATH}", nginx.url()));
            for name in &names {
                request = request.header(name, &value);
            }
            assert!(request.send().await.unwrap().status().is_success());
        }
        let counters = nginx.counters().await.ok()?;
        assert!(counters.sum(BYTES) <= 16 << 20, "{counters:?}");
        (counters.sum_with(DROPPED, "reason=\"spool_full\"") > 0).then_some(())
    };
    wait::until("the spool to be full", wait::LONG, full).await.unwrap();

    collector.run().await.unwrap();

    let (counters, stored) = settled(&nginx, &collector.rest().unwrap()).await;
    assert_eq!(counters.sum(DROPPED), counters.sum_with(DROPPED, "reason=\"spool_full\""), "{counters:?}");
    // The newest are there.
    assert!(stored.contains(&ids(&nginx).pop_last().unwrap()));
    nginx.stop().unwrap();
}

#[tokio::test]
async fn a_directory_that_goes_away_is_told_once_and_the_events_wait_in_memory() {
    const REQUESTS: u64 = 50;
    let folder = folder::temporary().unwrap();
    let mut collector = Collector::new().unwrap();
    let nginx = Nginx::start(&spooling(folder.path(), &collector.runtime())).unwrap();
    fs::remove_dir_all(folder.path().join("spool")).unwrap();
    let said = |text: &str| nginx.error_log().lines().filter(|line| line.contains(text)).count();
    for _ in 0..REQUESTS {
        get(&nginx, PATH, &[]).await;
    }
    let told = async || (said("the spool cannot be used") > 0).then_some(());
    wait::until("the message", wait::LONG, told).await.unwrap();

    collector.run().await.unwrap();

    let counters = is_accounted_for(&nginx, &collector.rest().unwrap()).await;
    assert_eq!((counters.sum(DROPPED), counters.sum(SPOOLED)), (0, 0));
    assert_eq!(said("the spool cannot be used"), 1, "{}", nginx.error_log());
    nginx.stop().unwrap();
}

#[tokio::test]
async fn what_a_reload_could_not_deliver_to_a_collector_that_hangs_is_on_disk_and_comes_later() {
    const REQUESTS: u64 = 20;
    let folder = folder::temporary().unwrap();
    let silent = Silent::start().unwrap();
    let mut nginx = Nginx::start(&spooling(folder.path(), silent.runtime())).unwrap();
    for _ in 0..REQUESTS {
        get(&nginx, PATH, &[]).await;
    }
    let mut collector = Collector::new().unwrap();
    nginx.configure(&spooling(folder.path(), &collector.runtime())).unwrap();

    nginx.reload().unwrap();

    collector.run().await.unwrap();
    let counters = is_accounted_for(&nginx, &collector.rest().unwrap()).await;
    assert_eq!((counters.sum(DROPPED), counters.sum(SEEN)), (0, REQUESTS));
    nginx.stop().unwrap();
}

#[tokio::test]
async fn workers_of_another_user_than_root_use_the_directory() {
    let folder = folder::temporary().unwrap();
    let collector = Collector::new().unwrap();
    let config = spooling(folder.path(), &collector.runtime());
    let nginx = Nginx::start(&config.replace("user www-data;", "user nobody nogroup;").unwrap()).unwrap();
    load(&nginx, 100).await;
    all_on_disk(&nginx).await;
    assert!(parts(folder.path()) > 0);
    if rustix::process::getuid().is_root() {
        let directory = fs::metadata(folder.path().join("spool")).unwrap();
        assert_eq!((directory.uid(), directory.mode() & 0o777), (65534, 0o700));
    }
    nginx.stop().unwrap();
}
