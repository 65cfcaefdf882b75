//! A panic on the flusher thread costs records, counted, and never a request.

use ngx_tests::collector::Collector;
use ngx_tests::nginx::Nginx;
use ngx_tests::wait;

use crate::site::{CAUGHT, assert_served, config, get, said};

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
