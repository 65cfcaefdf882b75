//! The memory of a worker, when as much waits as may.

use std::io::Write;
use std::net::TcpStream;

use axum::Router;
use axum::body::Bytes;
use axum::routing::any;
use ngx_tests::collector::Collector;
use ngx_tests::counters::Counters;
use ngx_tests::load::Load;
use ngx_tests::nginx::{Config, Nginx};
use ngx_tests::{proc, wait};

/// Of `wallarm_session_queue`.
const BOUND_KIB: u64 = 8 << 10;
/// What design allows beyond it.
const BEYOND_KIB: u64 = 8 << 10;
/// As large as bodies are looked at.
const BODY: usize = 64 << 10;

/// An origin that takes bodies, and one worker that shows much of each.
async fn config(collector: &Collector) -> Config {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let origin = listener.local_addr().unwrap();
    let take = any(|_: Bytes| async { "taken" });
    tokio::spawn(axum::serve(listener, Router::new().fallback(take)).into_future());
    let values = (0..12).map(|n| format!("    wallarm_session_context request.body.json.value{n};\n"));
    let lines = format!("    wallarm_session_queue 20000 memory={BOUND_KIB}k;\n{}", values.collect::<String>());
    let config = Config::file("demo.conf").unwrap().in_http(&lines).unwrap().shop(origin).unwrap();
    config.replace("worker_processes 2;", "worker_processes 1;").unwrap().runtime(&collector.runtime())
}

fn upload(missing: usize) -> String {
    let values = (0..12).map(|n| format!("\"value{n}\":\"{}\",", "v".repeat(1000)));
    let start = format!("{{{}\"rest\":\"", values.collect::<String>());
    let body = format!("{start}{}\"}}", "r".repeat(BODY - start.len() - 2));
    format!(
        "POST /api/upload HTTP/1.1\r\nHost: shop.example\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len() + missing
    )
}

/// Uploads one after the other, and what the node says then.
async fn uploads(nginx: &Nginx, requests: u64) -> Counters {
    let load = Load { address: nginx.address(), connections: 8, requests, rate: None, heads: vec![upload(0)] };
    assert_eq!(load.start().unwrap().join().unwrap().answered, requests);
    nginx.counters().await.unwrap()
}

fn given_up(counters: &Counters) -> u64 {
    counters.sum("wallarm_sessions_bodies_given_up_total")
}

fn dropped(counters: &Counters) -> u64 {
    counters.sum("wallarm_sessions_dropped_total")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_full_of_bodies_stays_within_its_memory_and_gives_bodies_up_before_requests() {
    const STEP: u64 = 200;
    let mut collector = Collector::start().await.unwrap();
    let nginx = Nginx::start(&config(&collector).await).unwrap();
    let worker = nginx.workers()[0];
    let mut seen = STEP;
    uploads(&nginx, STEP).await;
    let idle = proc::resident_memory(worker);
    collector.freeze().unwrap();

    let mut most = idle;
    let mut fill = async |until: fn(&Counters) -> bool| loop {
        let counters = uploads(&nginx, STEP).await;
        seen += STEP;
        most = most.max(proc::resident_memory(worker));
        if until(&counters) {
            return counters;
        }
        assert!(seen < 60_000, "no limit is met: {counters:?}");
    };
    let first = fill(|counters| given_up(counters) > 0).await;
    assert_eq!(dropped(&first), 0, "requests were dropped while bodies were still taken");
    fill(|counters| dropped(counters) > 0).await;

    println!("    {seen} uploads; idle {idle} KiB, at most {most} KiB, the bound is {BOUND_KIB} KiB");
    assert!(most <= idle + BOUND_KIB + BEYOND_KIB, "{most} KiB, idle {idle} KiB");

    collector.thaw().unwrap();
    wait::until("all to be acknowledged", wait::LONG, async || {
        let counters = nginx.counters().await.ok()?;
        let acknowledged = counters.sum("wallarm_sessions_acknowledged_events_total");
        let all = acknowledged + dropped(&counters) == seen;
        (all && counters.sum("wallarm_sessions_memory_bytes") < 64 << 10).then_some(())
    })
    .await
    .unwrap();
    println!("    afterwards {} KiB", proc::resident_memory(worker));
    // What was freed is used again, not added to.
    uploads(&nginx, 1000).await;
    let again = proc::resident_memory(worker);
    assert!(again <= idle + BOUND_KIB + BEYOND_KIB, "{again} KiB after {most} KiB");
    nginx.stop().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_of_uploads_that_do_not_end_stay_within_the_memory_and_give_it_back() {
    let collector = Collector::start().await.unwrap();
    let with = config(&collector).await;
    let without = with.clone().without_module();
    // More than the bound holds.
    let clients = BOUND_KIB as usize * 1024 / BODY * 3 / 2;
    let hold = async |config: &Config| {
        let nginx = Nginx::start(config).unwrap();
        let worker = nginx.workers()[0];
        let idle = proc::resident_memory(worker);
        let mut open: Vec<TcpStream> = Vec::new();
        for _ in 0..clients {
            let mut client = TcpStream::connect(nginx.address()).unwrap();
            client.write_all(upload(1).as_bytes()).unwrap();
            open.push(client);
        }
        // What was sent before this is read before it is answered.
        reqwest::Client::builder().no_proxy().build().unwrap().get(nginx.url()).send().await.unwrap();
        let added = proc::resident_memory(worker).saturating_sub(idle);
        (nginx, open, added)
    };

    let (nginx, open, alone) = hold(&without).await;
    drop(open);
    nginx.stop().unwrap();
    let (nginx, open, added) = hold(&with).await;

    let counters = nginx.counters().await.unwrap();
    println!("    {clients} uploads held open: {added} KiB, {alone} KiB without the module");
    assert!(given_up(&counters) > 0, "all bodies were taken: the test shows nothing");
    assert_eq!(dropped(&counters), 0);
    assert!(added <= alone + BOUND_KIB + BEYOND_KIB, "{added} KiB, without the module {alone} KiB");
    drop(open);
    wait::until("the memory to be free", wait::LONG, async || {
        let counters = nginx.counters().await.ok()?;
        let all = counters.sum("wallarm_sessions_acknowledged_events_total") > clients as u64;
        (all && counters.sum("wallarm_sessions_memory_bytes") < 64 << 10).then_some(())
    })
    .await
    .unwrap();
    nginx.stop().unwrap();
}
