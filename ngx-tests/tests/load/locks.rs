//! The event loop takes no lock that the flusher thread may hold: seen from its system calls.

use std::fs;
use std::process::{Command, Stdio};

use ngx_tests::collector::Collector;
use ngx_tests::nginx::Nginx;
use ngx_tests::proc;
use ngx_tests::process::{Process, Signal};
use ngx_tests::wait;

use crate::site::{config, load, settled};

#[tokio::test]
async fn under_load_the_event_loop_neither_waits_for_the_flusher_nor_wakes_it() {
    const REQUESTS: u64 = 20_000;
    let collector = Collector::start().await.unwrap();
    let one_worker = config(&collector, "").replace("worker_processes 2;", "worker_processes 1;").unwrap();
    let nginx = Nginx::start(&one_worker).unwrap();
    let worker = proc::children(nginx.id())[0];
    let folder = ngx_tests::folder::temporary().unwrap();
    let trace = folder.path().join("trace");
    // Without -f: the event loop's thread alone, whose id is the worker's.
    let mut strace = Command::new("strace");
    strace.args(["-e", "trace=futex,writev", "-o"]).arg(&trace).args(["-p", &worker.to_string()]);
    let mut strace = Process::start(strace.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null())).unwrap();
    let answers = || fs::read_to_string(&trace).unwrap_or_default().matches("writev(").count();
    wait::until("strace to see answers", wait::LONG, async || {
        load(&nginx, 10, None).start().unwrap().join().unwrap();
        (answers() > 0).then_some(())
    })
    .await
    .unwrap();
    let before = nginx.access_log().len() as u64;

    load(&nginx, REQUESTS, None).start().unwrap().join().unwrap();

    strace.stop(Signal::INT, wait::LONG).unwrap();
    let seen = fs::read_to_string(&trace).unwrap();
    let futexes: Vec<&str> = seen.lines().filter(|line| line.contains("futex(")).collect();
    assert!(answers() as u64 >= REQUESTS, "only {} answers were seen", answers());
    assert!(futexes.is_empty(), "the event loop made {} futex calls, as {}", futexes.len(), futexes[0]);
    settled(&nginx, &collector.rest().unwrap(), before + REQUESTS).await.is_accounted_for();
    nginx.stop().unwrap();
}
