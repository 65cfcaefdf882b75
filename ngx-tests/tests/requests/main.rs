//! Every request is recorded once, as the client sent it and as the access log counts it, whichever
//! way it takes through NGINX and wherever it leaves it.
//!
//! `situations/` holds the table: what a client sends, and what must be told of it. Each test compares
//! that table with the records, and each record with its line of the access log.
#![forbid(unsafe_code)]

mod origin;
mod site;
mod situation;
mod situations;

use site::Site;
use situation::Situation;

/// Runs situations one after the other, each once.
async fn each_is_recorded_once(situations: Vec<Situation>) {
    let site = Site::open().await;
    site.run(&situations, 1, 1).await;
    site.compare().await;
    site.close();
}

#[tokio::test]
async fn requests_that_nginx_refuses_before_it_has_read_them_are_recorded() {
    each_is_recorded_once(situations::refused::all()).await;
}

#[tokio::test]
async fn a_path_is_told_as_nginx_read_it_before_any_rewrite() {
    each_is_recorded_once(situations::targets::all()).await;
}

#[tokio::test]
async fn requests_that_nginx_sends_elsewhere_are_recorded_once_as_they_came() {
    each_is_recorded_once(situations::detours::all()).await;
}

#[tokio::test]
async fn subrequests_are_not_recorded_and_change_nothing_of_their_request() {
    each_is_recorded_once(situations::subrequests::all()).await;
}

#[tokio::test]
async fn answers_are_recorded_whoever_makes_them_or_refuses_to() {
    each_is_recorded_once(situations::answers::all()).await;
}

#[tokio::test]
async fn requests_that_end_early_late_or_not_at_all_are_recorded() {
    each_is_recorded_once(situations::ends::all()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_load_every_record_is_the_one_of_its_line() {
    let site = Site::open().await;
    site.run(&situations::all(), 30, 128).await;
    site.compare().await;
    site.close();
}
