//! A panic in an entry is caught, counted and logged once; the request is served.

use ngx_tests::collector::Collector;
use ngx_tests::nginx::Nginx;
use ngx_tests::process::Signal;
use ngx_tests::wait;

use crate::site::{CAUGHT, assert_served, config, get, panics, said};

/// Entries that NGINX calls while it reads a configuration.
pub const AT_CONFIGURATION: &[&str] = &[
    "create_loc_conf",
    "create_main_conf",
    "merge_loc_conf",
    "postconfiguration",
    "preconfiguration",
    "set_application",
    "set_batch",
    "set_body_limit",
    "set_builtin_keys",
    "set_collector",
    "set_context",
    "set_ip",
    "set_key",
    "set_mcp",
    "set_node",
    "set_path",
    "set_queue",
    "set_secret",
    "set_sessions",
    "set_spool",
    "set_status_page",
];
/// As a process begins.
pub const AT_START: &[&str] = &["init_module", "init_process"];
/// While it serves.
pub const AT_REQUEST: &[&str] =
    &["forget", "log", "post_read", "request_body", "response_body", "response_header", "status", "timer", "variable"];
/// When a process or a configuration goes.
pub const AT_END: &[&str] = &["drop_loc_conf", "drop_main_conf", "exit_process"];

/// An NGINX in which an entry panics at each call.
fn start(entry: &str) -> Nginx {
    Nginx::start(&config(&format!("panic:{entry}"))).unwrap()
}

#[test]
fn a_panic_while_the_configuration_is_read_refuses_it_with_a_clear_word() {
    for entry in AT_CONFIGURATION {
        let (good, told) = Nginx::check(&config(&format!("panic:{entry}"))).unwrap();

        assert!(!good, "{entry}");
        assert_eq!(said(&told).len(), 1, "{entry}: {told}");
        assert!(told.contains(&format!("{CAUGHT} (planted in {entry}, ")), "{entry}: {told}");
        assert!(!told.contains("abort"), "{entry}: {told}");
    }
}

#[tokio::test]
async fn a_panic_while_a_reload_reads_the_configuration_leaves_the_old_one_in_force() {
    let mut nginx = Nginx::start(&config("panic:set_key@2")).unwrap();
    let before = get(&nginx, "/", 1).await;
    nginx.signal(Signal::HUP).unwrap();
    wait::until("the reload", wait::LONG, async || nginx.error_log().contains(CAUGHT).then_some(())).await.unwrap();

    let after = get(&nginx, "/", 10).await;

    assert_served(&after);
    assert_eq!(after[0].worker, before[0].worker);
    assert_eq!(said(&nginx.stop_allowing(&[CAUGHT]).unwrap()).len(), 1);
}

#[tokio::test]
async fn a_panic_as_a_process_begins_does_not_keep_it_from_serving() {
    for entry in AT_START {
        let nginx = start(entry);

        let answers = get(&nginx, "/", 10).await;

        assert_served(&answers);
        assert_eq!(panics(&nginx).await, 1, "{entry}");
        assert_eq!(said(&nginx.stop_allowing(&[CAUGHT]).unwrap()).len(), 1, "{entry}");
    }
}

#[tokio::test]
async fn a_panic_in_each_request_is_counted_each_time_and_logged_once() {
    for entry in ["forget", "log", "post_read", "response_body", "response_header", "variable"] {
        let nginx = start(entry);

        let answers = get(&nginx, "/", 1000).await;

        assert_served(&answers);
        assert!(panics(&nginx).await >= 1000, "{entry}: {}", panics(&nginx).await);
        assert_eq!(said(&nginx.stop_allowing(&[CAUGHT]).unwrap()).len(), 1, "{entry}");
    }
}

#[tokio::test]
async fn a_panic_about_a_body_leaves_the_body_as_it_is() {
    let nginx = start("request_body");
    let http = reqwest::Client::builder().no_proxy().build().unwrap();

    for length in [1, 10_000, 1_000_000] {
        let sent = http.post(format!("{}/upstream", nginx.url())).body("x".repeat(length)).send().await.unwrap();
        assert_eq!(sent.text().await.unwrap(), format!("{length} bytes\n"));
    }

    assert!(panics(&nginx).await >= 3);
    assert_eq!(said(&nginx.stop_allowing(&[CAUGHT]).unwrap()).len(), 1);
}

#[tokio::test]
async fn a_panic_in_the_status_page_fails_that_page_alone() {
    let nginx = Nginx::start(&config("panic:status@1")).unwrap();

    let page = get(&nginx, "/wallarm-status", 1).await;

    assert_eq!(page[0].status, 500);
    assert_served(&get(&nginx, "/", 10).await);
    assert_eq!(panics(&nginx).await, 1);
    assert_eq!(said(&nginx.stop_allowing(&[CAUGHT]).unwrap()).len(), 1);
}

#[tokio::test]
async fn a_panic_in_the_timer_does_not_stop_it() {
    let nginx = start("timer");
    wait::until("the timer to come again", wait::LONG, async || (panics(&nginx).await >= 2).then_some(()))
        .await
        .unwrap();

    assert_served(&get(&nginx, "/", 10).await);
    assert_eq!(said(&nginx.stop_allowing(&[CAUGHT]).unwrap()).len(), 1);
}

#[tokio::test]
async fn a_panic_when_a_process_ends_lets_it_end() {
    for entry in AT_END {
        let nginx = start(entry);
        assert_served(&get(&nginx, "/", 10).await);

        let log = nginx.stop_allowing(&[CAUGHT]).unwrap();

        // The worker and the master, each for itself.
        assert!((1..=2).contains(&said(&log).len()), "{entry}: {log}");
        assert!(!log.contains("exited on signal"), "{entry}: {log}");
    }
}

#[tokio::test]
async fn a_request_whose_copying_panics_is_counted_as_dropped_and_the_others_are_recorded() {
    let collector = Collector::start().await.unwrap();
    let nginx = Nginx::start(&config("panic:fill@2").runtime(&collector.runtime())).unwrap();

    assert_served(&get(&nginx, "/", 5).await);

    let rest = collector.rest().unwrap();
    wait::until("the others", wait::LONG, async || (rest.stored().await.ok()? == 4).then_some(())).await.unwrap();
    let counters = nginx.counters().await.unwrap();
    assert_eq!(counters.sum("wallarm_sessions_requests_total"), 5);
    assert_eq!(counters.sum("wallarm_sessions_dropped_total"), 1);
    assert_eq!(counters.sum_with("wallarm_sessions_dropped_total", "reason=\"failed\""), 1);
    nginx.stop_allowing(&[CAUGHT]).unwrap();
}

#[tokio::test]
async fn a_variable_whose_computing_panicked_is_computed_for_the_next_request() {
    let nginx = Nginx::start(&config("panic:compute@1")).unwrap();

    let answers = get(&nginx, "/", 2).await;

    assert_served(&answers);
    assert_eq!(answers[0].session, None);
    assert_eq!(answers[1].session.as_ref().map(String::len), Some(32));
    nginx.stop_allowing(&[CAUGHT]).unwrap();
}
