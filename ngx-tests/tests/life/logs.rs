//! Logs that are moved away and opened again.

use std::fs;

use ngx_tests::process::Signal;
use ngx_tests::wait;

use crate::site::{PATH, Site, config};

#[tokio::test]
async fn after_logs_are_opened_again_requests_are_recorded_and_messages_go_to_the_new_log() {
    let mut site = Site::of(config()).await;
    site.get(PATH, &[]).await;
    wait::until("its line", wait::LONG, async || (site.nginx.access_log().len() == 1).then_some(())).await.unwrap();
    for log in ["access.log", "error.log"] {
        fs::rename(site.nginx.path(log), site.nginx.path(&format!("{log}.1"))).unwrap();
    }

    site.nginx.signal(Signal::USR1).unwrap();

    // A worker opens them when it gets to it, so some requests may still be in the old one.
    let mut requests = 1;
    while site.nginx.access_log().is_empty() {
        site.get(PATH, &[]).await;
        requests += 1;
    }
    site.stored(requests).await;
    site.collector.kill().unwrap();
    wait::until("the message", wait::LONG, async || site.nginx.error_log().contains("cannot be reached").then_some(()))
        .await
        .unwrap();
    let moved = fs::read_to_string(site.nginx.path("error.log.1")).unwrap();
    assert!(!moved.contains("cannot be reached"), "{moved}");
    site.nginx.stop().unwrap();
}
