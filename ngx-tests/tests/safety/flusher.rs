//! A panic on the flusher thread costs records, counted, and never a request.

use ngx_tests::collector::Collector;
use ngx_tests::folder;
use ngx_tests::nginx::Nginx;
use ngx_tests::wait;

use crate::site::{CAUGHT, assert_served, config, get, panics, said};

#[tokio::test]
async fn a_request_that_the_flusher_panics_about_is_counted_and_the_others_are_delivered() {
    let collector = Collector::start().await.unwrap();
    let nginx = Nginx::start(&config("panic:extract@2").runtime(&collector.runtime())).unwrap();

    assert_served(&get(&nginx, "/", 5).await);

    let rest = collector.rest().unwrap();
    wait::until("the others", wait::LONG, async || (rest.stored().await.ok()? == 4).then_some(())).await.unwrap();
    let counters = nginx.counters().await.unwrap();
    assert_eq!(counters.sum("wallarm_sessions_panics_total"), 1);
    assert_eq!(counters.sum_with("wallarm_sessions_dropped_total", "reason=\"failed\""), 1);
    assert_eq!(said(&nginx.stop_allowing(&[CAUGHT]).unwrap()).len(), 1);
}

#[tokio::test]
async fn a_worker_whose_flusher_has_died_serves_and_counts_what_it_does_not_record() {
    let nobody = folder::temporary().unwrap();
    let nginx = Nginx::start(&config("panic:flusher_step@5").runtime(nobody.path())).unwrap();
    // Until then requests come into its queue, and from there into its batch.
    let dead = async || {
        assert_served(&get(&nginx, "/", 5).await);
        (panics(&nginx).await > 0).then_some(())
    };
    wait::until("the thread to die", wait::LONG, dead).await.unwrap();

    assert_served(&get(&nginx, "/", 10).await);

    let all_counted = async || {
        let counters = nginx.counters().await.unwrap();
        let lost = counters.sum_with("wallarm_sessions_dropped_total", "reason=\"no_flusher\"");
        (lost == counters.sum("wallarm_sessions_requests_total")).then_some(counters)
    };
    let counters = wait::until("every request to be counted as lost", wait::LONG, all_counted).await.unwrap();
    assert_eq!(counters.sum("wallarm_sessions_queue_length"), 0);
    let log = nginx.stop_allowing(&[CAUGHT]).unwrap();
    assert_eq!(said(&log).len(), 1);
    assert!(log.contains("requests of this worker are served, not recorded"), "{log}");
}
