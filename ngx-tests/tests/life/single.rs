//! NGINX without a master process. Stock NGINX serves nothing after a reload in this mode (it does not
//! make connections for the new cycle), so what is shown here is that our thread follows the
//! configuration, and that the process ends as it should.

use ngx_tests::collector::Collector;
use ngx_tests::nginx::{Config, Nginx};
use ngx_tests::process::Signal;
use ngx_tests::silent::Silent;
use ngx_tests::{proc, wait};

use crate::site::{PATH, Site, config, flushers_of, get};

fn single() -> Config {
    config().replace("user www-data;", "user www-data;\nmaster_process off;").unwrap()
}

fn off() -> Config {
    single().replace("    wallarm_sessions on;", "    wallarm_sessions off;").unwrap()
}

/// Reloads, and waits until there are so many threads of ours.
async fn reload(nginx: &mut Nginx, config: Config, threads: usize) {
    nginx.configure(&config).unwrap();
    nginx.signal(Signal::HUP).unwrap();
    let there = async || (flushers_of(nginx.id()) == threads).then_some(());
    wait::until("the threads to be as configured", wait::LONG, there).await.unwrap();
}

#[tokio::test]
async fn a_reload_delivers_what_waits_and_goes_on_with_the_new_collector() {
    let silent = Silent::start().unwrap();
    let mut site = Site::of(single().in_http("    wallarm_session_batch interval=60s;").unwrap()).await;
    site.get(PATH, &[]).await;

    reload(&mut site.nginx, single().runtime(silent.runtime()), 1).await;

    site.stored(1).await;
    wait::until("the new collector", wait::LONG, async || (silent.connections() == 1).then_some(())).await.unwrap();
    assert_eq!(proc::threads(site.nginx.id()).len(), 2);
    site.close();
}

#[tokio::test]
async fn sessions_switched_off_leave_no_thread_and_come_back() {
    let mut site = Site::of(single()).await;
    let runtime = site.collector.runtime();
    site.get(PATH, &[]).await;

    for _ in 0..3 {
        reload(&mut site.nginx, off().runtime(&runtime), 0).await;
        reload(&mut site.nginx, single().runtime(&runtime), 1).await;
    }

    site.stored(1).await;
    site.close();
}

#[tokio::test]
async fn the_module_taken_out_by_a_reload_ends_its_thread_and_can_come_back() {
    let mut site = Site::of(single()).await;
    let runtime = site.collector.runtime();
    site.get(PATH, &[]).await;

    for _ in 0..2 {
        reload(&mut site.nginx, single().without_module(), 0).await;
        reload(&mut site.nginx, single().runtime(&runtime), 1).await;
    }

    site.stored(1).await;
    site.close();
}

#[tokio::test]
async fn a_reload_leaves_no_thread_behind_when_the_collector_hangs() {
    let silent = Silent::start().unwrap();
    let mut nginx = Nginx::start(&single().runtime(silent.runtime())).unwrap();
    get(&nginx, PATH, &[]).await;

    for reloads in 1..=3 {
        let before = silent.connections();
        reload(&mut nginx, single().runtime(silent.runtime()), 1).await;
        let renewed = async || (silent.connections() > before).then_some(());
        wait::until("the new thread to connect", wait::LONG, renewed).await.unwrap();
        assert_eq!(flushers_of(nginx.id()), 1, "after {reloads} reloads");
    }

    nginx.stop().unwrap();
}

#[tokio::test]
async fn as_a_daemon_it_captures_too() {
    let collector = Collector::start().await.unwrap();
    let nginx = Nginx::start_daemon(&single().runtime(&collector.runtime())).unwrap();
    get(&nginx, PATH, &[]).await;

    let rest = collector.rest().unwrap();
    wait::until("the request", wait::LONG, async || (rest.stored().await.ok()? == 1).then_some(())).await.unwrap();
    nginx.stop().unwrap();
}
