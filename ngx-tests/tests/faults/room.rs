//! Disks that fill up, and disks that fail, seen from outside.

use ngx_tests::collector::Collector;
use ngx_tests::forward::{SESSIONS, Sender, entry, frame, record};
use ngx_tests::traffic::Traffic;
use ngx_tests::wait;

use crate::disk::Disk;
use crate::site::{PATH, RESERVE, Site};

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_stops_taking_before_its_disk_is_full_says_so_and_goes_on_by_itself() {
    let mut site = Site::start().await;
    if !site.data.is_own() {
        return;
    }
    let traffic = Traffic::start(site.nginx.address(), PATH, 2).unwrap();
    // There is room for more than what follows; it is kept for that.
    site.data.leave(4 << 20);
    let full = async || {
        let said = site.rest.text("/readyz").await.err()?.to_string();
        (said.contains("disk_reserve") && site.collector.log().contains("chunks are refused")).then_some(())
    };
    wait::until("the server to say that it has no room", wait::LONG, full).await.unwrap();
    let metrics = site.rest.metrics().await.unwrap();
    assert!(metrics.sum("api_sessions_disk_free_bytes") < metrics.sum("api_sessions_disk_reserve_bytes"));
    let refused = async || {
        let metrics = site.rest.metrics().await.ok()?;
        (metrics.sum_with("api_sessions_ingest_closed_total", "reason=\"log\"") > 0).then_some(())
    };
    wait::until("a chunk to be refused", wait::LONG, refused).await.unwrap();
    assert!(site.rest.everything().await.is_ok(), "questions are not answered any more");

    site.data.make_room();

    let ready = async || site.rest.text("/readyz").await.ok();
    wait::until("the server to be ready", wait::LONG, ready).await.unwrap();
    let answered = traffic.stop().unwrap();
    site.is_accounted_for(answered).await;
    site.close();
}

/// A collector of whose system calls some fail: the acknowledgements that a sender got of ten chunks, and
/// the collector, which has ended and runs again without the fault.
async fn failing(fault: &str) -> (Vec<String>, Collector) {
    // With -D the collector is our child and the tracer its own: signals go to the collector.
    let under = ["strace", "-D", "-f", "-qq", "-e", "signal=none", "-o", "/dev/null", "-P"];
    let mut collector = Collector::new().unwrap();
    let log = collector.data().join("log").join("00000000000000000000.seg").display().to_string();
    let inject = format!("inject={fault}");
    collector = collector.under(&[&under[..], &[&log, "-e", &inject]].concat());
    collector.run().await.unwrap();
    let mut acked = Vec::new();
    let mut sender = Sender::connect(&collector.ingest()).unwrap();
    for n in 0..10 {
        let sent = sender.send(&frame(SESSIONS, entry(record(*b"instance", n, 1)), 1, &format!("chunk {n}")));
        match sent.and_then(|()| sender.ack()) {
            Ok(chunk) => acked.push(chunk),
            Err(_) => break,
        }
    }
    wait::until("the collector to give up", wait::LONG, async || collector.has_ended().then_some(())).await.unwrap();
    let mut collector = collector.under(&[]);
    collector.run().await.unwrap();
    (acked, collector)
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_sync_that_failed_nothing_is_acknowledged_and_a_new_start_has_what_was() {
    let (acked, mut collector) = failing("fdatasync,fsync:error=EIO:when=5+").await;
    assert!(!acked.is_empty() && acked.len() < 10, "the disk did not fail under way: {acked:?}");
    assert!(collector.log().contains("cannot be written any more"), "{}", collector.log());

    let rest = collector.rest().unwrap();
    let stored = async || Some(rest.stored().await.ok()?).filter(|&stored| stored >= acked.len() as u64);
    let stored = wait::until("what was acknowledged", wait::LONG, stored).await.unwrap();
    // What was not acknowledged may be there or not, once.
    let mut sender = Sender::connect(&collector.ingest()).unwrap();
    for n in 0..10 {
        let chunk = format!("chunk {n}");
        sender.send(&frame(SESSIONS, entry(record(*b"instance", n, 1)), 1, &chunk)).unwrap();
        assert_eq!(sender.ack().unwrap(), chunk);
    }
    let all = async || (rest.stored().await.ok()? == 10).then_some(());
    wait::until(&format!("{stored} and the rest"), wait::LONG, all).await.unwrap();
    assert!(collector.stop().unwrap().unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_starts_again_when_its_disk_can_be_written_again() {
    let mut collector = Collector::new().unwrap().with(&RESERVE);
    let data = Disk::mount(&collector.data(), 64);
    if !data.is_own() {
        return;
    }
    assert!(data.set_read_only(true));
    let ended = collector.run_to_its_end().unwrap();
    assert!(ended.is_some_and(|status| !status.success()));
    assert!(collector.log().contains("Read-only file system"), "{}", collector.log());
    assert!(!collector.log().contains("panicked"), "{}", collector.log());

    assert!(data.set_read_only(false));
    collector.run().await.unwrap();
    assert!(collector.stop().unwrap().unwrap().success());
}
