//! Values are read from bodies however these come and go, and nobody sees that: what a client receives
//! is, byte by byte, what it receives from an NGINX without the module.
//!
//! `situations/` holds the table: what a client sends, what the origin says, and what must be told of
//! it. Each test plays situations to an NGINX with the module and to one without, compares what
//! clients received, compares the table with the records, and each record with its line of the
//! access log.
#![forbid(unsafe_code)]

#[path = "../protocols/certificates.rs"]
#[allow(dead_code)]
mod certificates;
mod message;
mod origin;
mod site;
mod situation;
mod situations;
mod streams;

use ngx_tests::raw::Raw;
use site::{Protocol, Site};
use situation::situation;
use situations::hostile::Hostile;
use situations::{answers, hostile, requests};

#[tokio::test]
async fn request_bodies_are_read_however_they_come() {
    let log = Site::run(Protocol::Http1, requests::all()).await.close().await;
    assert!(log.contains("a client request body is buffered to a temporary file"), "{log}");
}

#[tokio::test]
async fn answers_are_read_however_they_are_made() {
    let log = Site::run(Protocol::Http1, answers::all()).await.close().await;
    assert!(log.contains("an upstream response is buffered to a temporary file"), "{log}");
}

#[tokio::test]
async fn bodies_of_http_2_are_read() {
    let log = Site::run(Protocol::Http2, requests::all()).await.close().await;
    assert!(log.contains("a client request body is buffered to a temporary file"), "{log}");
    Site::run(Protocol::Http2, answers::all()).await.close().await;
}

#[tokio::test]
async fn bodies_of_http_3_are_read() {
    if !streams::is_http3_there() {
        return println!("this NGINX has no HTTP/3: nothing to show");
    }
    let log = Site::run(Protocol::Http3, requests::all()).await.close().await;
    assert!(log.contains("a client request body is buffered to a temporary file"), "{log}");
    Site::run(Protocol::Http3, answers::all()).await.close().await;
}

/// Reading them is bounded in time and memory (shown where the decoders are), and none of the event
/// loop's business.
#[tokio::test]
async fn bodies_made_to_cost_much_give_nothing_are_counted_and_pass_untouched() {
    let hostile = hostile::all();
    let site = Site::run(Protocol::Http1, hostile.iter().flat_map(Hostile::both_ways).collect()).await;
    let counters = site.counters().await;
    for (decoder, reason) in hostile.iter().map(|hostile| hostile.counted) {
        let expected = 2 * hostile.iter().filter(|hostile| hostile.counted == (decoder, reason)).count();
        let labels = format!("decoder=\"{decoder}\",reason=\"{reason}\"");
        let counted = counters.sum_with("wallarm_sessions_undecoded_values_total", &labels);
        assert_eq!(counted, expected as u64, "{labels}");
    }
    site.close().await;
}

/// NGINX tells of each call in its debug log. What was read it still sends by sendfile.
#[tokio::test]
async fn files_are_not_read_where_nothing_is_wanted_of_them() {
    for (path, is_read) in [("/files/large.json", true), ("/files/text.txt", false), ("/plain-files/large.json", false)]
    {
        let site = Site::open(&[], "debug").await;
        let asked = situation("file").get(path);
        let received = Raw::play(site.address(), &asked.steps).await.unwrap();
        assert!(received.starts_with(b"HTTP/1.1 200 OK\r\n"));
        let log = site.close().await;
        assert!(log.contains(" sendfile: "), "{path}");
        assert_eq!(log.contains(" read: "), is_read, "{path}");
    }
}
