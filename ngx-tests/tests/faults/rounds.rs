//! Rounds of faults under load.

use fastrand::Rng;
use ngx_tests::traffic::Traffic;
use ngx_tests::wait;

use crate::fault::Fault;
use crate::site::{PATH, Site};

/// How many rounds; 200 in the long form.
const ROUNDS: &str = "API_SESSIONS_FAULT_ROUNDS";
/// Where what is drawn begins: the same faults in the same order.
const SEED: &str = "API_SESSIONS_FAULT_SEED";
/// Rounds that one site goes through.
const A_SITE: u64 = 6;

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}={text}: a number would be right")))
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_fails_each_request_is_stored_once_or_a_counter_tells_why_not() {
    let seed = number(SEED).unwrap_or_else(|| fastrand::u64(..));
    let rounds = number(ROUNDS).unwrap_or(2 * A_SITE);
    println!("    {SEED}={seed} {ROUNDS}={rounds}");
    let mut rng = Rng::with_seed(seed);
    let mut done = 0;
    while done < rounds {
        let mut site = Site::start().await;
        let mut answered = 0;
        for _ in 0..A_SITE.min(rounds - done) {
            done += 1;
            let faults = Fault::draw(&mut rng);
            answered += round(&mut site, &faults, &mut rng).await;
            println!("    {done:3} {faults:?}: {}", site.is_accounted_for(answered).await);
        }
        site.close();
    }
}

/// Traffic before, while and after things fail: how many requests were answered.
async fn round(site: &mut Site, faults: &[Fault], rng: &mut Rng) -> u64 {
    let traffic = Traffic::through_kills(site.nginx.address(), PATH, 3).unwrap();
    let mut before = 0;
    let mut pass = async |requests: u64| {
        before += requests;
        let enough = async || (traffic.answered() >= before).then_some(());
        wait::until("requests to be answered", wait::LONG, enough).await.unwrap();
    };
    pass(rng.u64(10..100)).await;
    for fault in faults {
        if fault.is_possible(site) {
            fault.begin(site).await;
            pass(rng.u64(50..300)).await;
        }
    }
    for fault in faults.iter().rev() {
        if fault.is_possible(site) {
            fault.end(site).await;
        }
    }
    pass(rng.u64(10..100)).await;
    traffic.stop().unwrap()
}
