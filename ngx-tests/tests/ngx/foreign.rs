//! What the collector does with senders that send something else than they should.

use ngx_tests::collector::Collector;
use ngx_tests::forward::{SESSIONS, Sender, entry, frame, record, text};
use ngx_tests::wait;
use rmpv::Value;

const INSTANCE: [u8; 8] = *b"instance";

/// Sends bytes that no sender should send; another connection goes on, the collector says why it
/// closed this one.
async fn closes_with(bytes: &[u8], finish: bool, reason: &str) {
    let mut collector = Collector::start().await.unwrap();
    let rest = collector.rest().unwrap();
    let mut good = Sender::connect(&collector.ingest()).unwrap();
    good.send(&frame(SESSIONS, entry(record(INSTANCE, 0, 1)), 1, "before")).unwrap();
    assert_eq!(good.ack().unwrap(), "before");

    let mut bad = Sender::connect(&collector.ingest()).unwrap();
    // The collector may close while this is still being written.
    let _ = bad.send(bytes);
    if finish {
        bad.finish().unwrap();
    }

    assert!(bad.is_closed(), "the connection stays open");
    good.send(&frame(SESSIONS, entry(record(INSTANCE, 1, 1)), 1, "after")).unwrap();
    assert_eq!(good.ack().unwrap(), "after");
    let counter = format!("reason=\"{reason}\"");
    wait::until("the counter", wait::LONG, async || {
        let counted = rest.metrics().await.ok()?.sum_with("api_sessions_ingest_closed_total", &counter);
        (counted == 1).then_some(())
    })
    .await
    .unwrap();
    wait::until("the requests", wait::LONG, async || (rest.stored().await.ok()? == 2).then_some(())).await.unwrap();
    assert!(collector.log().contains("clos"), "nothing in the log:\n{}", collector.log());
    assert!(collector.stop().unwrap().unwrap().success());
}

#[tokio::test]
async fn malformed_messagepack_closes_that_connection_only() {
    closes_with(&[0xc1; 64], false, "malformed").await;
}

#[tokio::test]
async fn http_spoken_to_the_ingest_socket_closes_that_connection_only() {
    closes_with(b"GET / HTTP/1.1\r\nHost: collector\r\n\r\n", false, "malformed").await;
}

#[tokio::test]
async fn a_frame_over_the_limit_closes_that_connection_only() {
    // An array, a tag, and a bin that announces 64 MiB.
    let mut bytes = vec![0x93];
    bytes.extend_from_slice(b"\xb0wallarm.sessions");
    bytes.extend_from_slice(&[0xc6, 0x04, 0, 0, 0]);
    closes_with(&bytes, false, "too_large").await;
}

#[tokio::test]
async fn a_frame_that_ends_in_the_middle_closes_that_connection_only() {
    let whole = frame(SESSIONS, entry(record(INSTANCE, 7, 1)), 1, "torn");
    closes_with(&whole[..whole.len() - 20], true, "truncated").await;
}

#[tokio::test]
async fn a_record_of_wrong_types_is_set_aside_and_its_chunk_acknowledged() {
    let mut collector = Collector::start().await.unwrap();
    let rest = collector.rest().unwrap();
    let mut wrong = record(INSTANCE, 1, 1);
    for (name, value) in &mut wrong {
        if name.as_str() == Some("status") {
            *value = text("fine, thank you");
        }
    }
    let mut newer = record(INSTANCE, 2, 1);
    newer[0].1 = Value::from(99);
    let entries = [entry(record(INSTANCE, 0, 1)), entry(wrong), entry(newer), entry(record(INSTANCE, 3, 1))].concat();

    let mut sender = Sender::connect(&collector.ingest()).unwrap();
    sender.send(&frame(SESSIONS, entries, 4, "mixed")).unwrap();

    assert_eq!(sender.ack().unwrap(), "mixed");
    wait::until("what is sound", wait::LONG, async || (rest.stored().await.ok()? == 2).then_some(())).await.unwrap();
    let metrics = rest.metrics().await.unwrap();
    assert_eq!(metrics.sum_with("api_sessions_apply_set_aside_total", "reason=\"malformed\""), 1);
    assert_eq!(metrics.sum_with("api_sessions_apply_set_aside_total", "reason=\"newer_version\""), 1);
    assert!(collector.stop().unwrap().unwrap().success());
}

#[tokio::test]
async fn a_chunk_that_is_sent_again_is_acknowledged_again_and_stored_once() {
    let mut collector = Collector::start().await.unwrap();
    let rest = collector.rest().unwrap();
    let chunk = frame(SESSIONS, [entry(record(INSTANCE, 0, 1)), entry(record(INSTANCE, 1, 1))].concat(), 2, "twice");
    for _ in 0..2 {
        let mut sender = Sender::connect(&collector.ingest()).unwrap();
        sender.send(&chunk).unwrap();
        assert_eq!(sender.ack().unwrap(), "twice");
    }
    // A sender between may rename chunks: `seq` still tells.
    let renamed = frame(SESSIONS, entry(record(INSTANCE, 1, 1)), 1, "renamed");
    let mut sender = Sender::connect(&collector.ingest()).unwrap();
    sender.send(&renamed).unwrap();
    assert_eq!(sender.ack().unwrap(), "renamed");

    wait::until("the duplicates to be told", wait::LONG, async || {
        (rest.metrics().await.ok()?.sum("api_sessions_apply_duplicates_total") == 3).then_some(())
    })
    .await
    .unwrap();
    assert_eq!(rest.stored().await.unwrap(), 2);

    collector.kill().unwrap();
    collector.run().await.unwrap();
    let mut sender = Sender::connect(&collector.ingest()).unwrap();
    sender.send(&chunk).unwrap();
    assert_eq!(sender.ack().unwrap(), "twice");
    wait::until("the duplicates to be told again", wait::LONG, async || {
        (rest.metrics().await.ok()?.sum("api_sessions_apply_duplicates_total") >= 2).then_some(())
    })
    .await
    .unwrap();
    assert_eq!(rest.stored().await.unwrap(), 2);
    assert!(collector.stop().unwrap().unwrap().success());
}

#[tokio::test]
async fn unknown_tags_are_acknowledged_and_counted() {
    let mut collector = Collector::start().await.unwrap();
    let rest = collector.rest().unwrap();
    let mut sender = Sender::connect(&collector.ingest()).unwrap();
    sender.send(&frame("app.log", entry(vec![(text("message"), text("hello"))]), 1, "other")).unwrap();

    assert_eq!(sender.ack().unwrap(), "other");
    let metrics = rest.metrics().await.unwrap();
    assert_eq!(metrics.sum("api_sessions_ingest_unknown_tag_chunks_total"), 1);
    assert!(collector.stop().unwrap().unwrap().success());
}
