//! A daemon whose binary is replaced while it serves, and `nginx -s`.

use ngx_tests::collector::Collector;
use ngx_tests::nginx::Nginx;
use ngx_tests::process::{Process, Signal};
use ngx_tests::traffic::Traffic;
use ngx_tests::{proc, wait};

use crate::site::{DROPPED, PATH, SEEN, config, has_flushers, ids, is_accounted_for};

/// Starts another master beside the running one: gives the one before.
async fn begin_upgrade(nginx: &mut Nginx) -> Process {
    nginx.await_workers().unwrap();
    nginx.signal(Signal::USR2).unwrap();
    let before = nginx.id();
    wait::until("another master", wait::LONG, async || {
        let master = proc::read_id(&nginx.path("nginx.pid"))?;
        (master != before && proc::children(master).len() >= 2).then_some(())
    })
    .await
    .unwrap();
    nginx.follow().unwrap()
}

#[tokio::test]
async fn another_binary_takes_over_and_no_request_is_refused_or_lost() {
    let collector = Collector::start().await.unwrap();
    let rest = collector.rest().unwrap();
    let mut nginx = Nginx::start_daemon(&config().runtime(&collector.runtime())).unwrap();
    let traffic = Traffic::start(nginx.address(), PATH, 2).unwrap();

    let mut old = begin_upgrade(&mut nginx).await;
    has_flushers(&nginx, 2).await;
    old.signal(Signal::QUIT).unwrap();
    assert!(old.wait(wait::LONG).is_some(), "the old master does not end");

    traffic.stop().unwrap();
    // Counters are the master's: the new one begins with its own.
    let lines = ids(&nginx).len() as u64;
    wait::until("all requests", wait::LONG, async || (rest.stored().await.ok()? >= lines).then_some(())).await.unwrap();
    assert_eq!(rest.stored().await.unwrap(), lines);
    let counters = nginx.counters().await.unwrap();
    assert!((1..lines).contains(&counters.sum(SEEN)), "{counters:?}");
    assert_eq!(counters.sum(DROPPED), 0);
    nginx.stop().unwrap();
}

#[tokio::test]
async fn going_back_to_the_old_binary_refuses_and_loses_no_request() {
    let collector = Collector::start().await.unwrap();
    let rest = collector.rest().unwrap();
    let mut nginx = Nginx::start_daemon(&config().runtime(&collector.runtime())).unwrap();
    let traffic = Traffic::start(nginx.address(), PATH, 2).unwrap();
    has_flushers(&nginx, 2).await;
    let old_workers = nginx.workers();

    let mut old = begin_upgrade(&mut nginx).await;
    old.signal(Signal::WINCH).unwrap();
    let gone = async || (!old_workers.iter().any(|&worker| proc::is_alive(worker))).then_some(());
    wait::until("the old workers to go", wait::LONG, gone).await.unwrap();
    old.signal(Signal::HUP).unwrap();
    let back = async || (proc::children(old.id()).len() >= 3).then_some(());
    wait::until("workers of the old master", wait::LONG, back).await.unwrap();
    nginx.signal(Signal::QUIT).unwrap();
    let named = async || (proc::read_id(&nginx.path("nginx.pid")) == Some(old.id())).then_some(());
    wait::until("the old master's pid file", wait::LONG, named).await.unwrap();
    let mut new = nginx.follow().unwrap();
    assert!(new.wait(wait::LONG).is_some(), "the new master does not end");

    traffic.stop().unwrap();
    has_flushers(&nginx, 2).await;
    let lines = ids(&nginx).len() as u64;
    wait::until("all requests", wait::LONG, async || (rest.stored().await.ok()? >= lines).then_some(())).await.unwrap();
    assert_eq!(rest.stored().await.unwrap(), lines);
    nginx.stop().unwrap();
}

#[tokio::test]
async fn the_orders_of_the_nginx_command_are_obeyed() {
    let collector = Collector::start().await.unwrap();
    let nginx = Nginx::start_daemon(&config().runtime(&collector.runtime())).unwrap();
    let traffic = Traffic::start(nginx.address(), PATH, 2).unwrap();
    nginx.await_workers().unwrap();
    let workers = nginx.workers();

    nginx.order("reload").unwrap();
    let replaced = async || (!workers.iter().any(|&worker| proc::is_alive(worker))).then_some(());
    wait::until("other workers", wait::LONG, replaced).await.unwrap();
    nginx.order("reopen").unwrap();

    traffic.stop().unwrap();
    is_accounted_for(&nginx, &collector.rest().unwrap()).await;
    nginx.order("quit").unwrap();
    wait::until("the end", wait::LONG, async || (!proc::is_alive(nginx.id())).then_some(())).await.unwrap();
    nginx.stop().unwrap();
}
