//! The stage itself: shop, clients and NGINX without the module.

use ngx_tests::clients::{self, Label, Scene};
use ngx_tests::load::{self, Load};
use ngx_tests::nginx::{Config, Nginx};
use ngx_tests::shop::Shop;
use ngx_tests::wait;

#[tokio::test]
async fn the_demos_clients_are_served_and_every_request_is_in_the_access_log() {
    let shop = Shop::open().await.unwrap();
    let config = Config::file("demo.conf").unwrap().shop(shop.address()).unwrap().without_module();
    let nginx = Nginx::start(&config).unwrap();
    let scene = Scene::hurried(nginx.url());

    clients::everybody(&scene, 0).await.unwrap();

    let requests = scene.ledger.requests();
    let labels = scene.ledger.by_label();
    println!("{requests} requests, {} labels: {labels:#?}", labels.len());
    assert_eq!(labels.keys().filter(|label| matches!(label, Label::ApiKey(_))).count(), 1);
    assert_eq!(labels.keys().filter(|label| matches!(label, Label::Customer { .. })).count(), 2);
    assert_eq!(labels.keys().filter(|label| matches!(label, Label::Token(_))).count(), 9);
    let lines = || nginx.access_log().len() as u64;
    wait::until_blocking("the access log", wait::LONG, || (lines() >= requests).then_some(())).unwrap();
    assert_eq!(lines(), requests);
    nginx.stop().unwrap();
}

#[test]
fn a_load_counts_what_is_answered_and_keeps_its_pace() {
    let config = Config::file("demo.conf").unwrap().without_module();
    let nginx =
        Nginx::start(&config.in_server("        location /load/ { return 200 \"served\\n\"; }").unwrap()).unwrap();
    let heads = vec![load::get("/load/{n}", &[("Cookie", "sid=a")]), load::get("/load/{n}", &[("Cookie", "sid=b")])];
    let mut load = Load { address: nginx.address(), connections: 32, requests: 20_000, rate: None, heads };

    let fast = load.clone().start().unwrap().join().unwrap();
    println!("full speed: {:.0} requests/s", fast.rate);
    assert_eq!(fast.answered, 20_000);

    (load.requests, load.rate) = (1_000, Some(2_000));
    let paced = load.start().unwrap().join().unwrap();
    println!("paced: {:.0} requests/s", paced.rate);
    assert!(paced.rate <= 2_010.0, "faster than asked for");
    let logged = || nginx.access_log().len() == 21_000;
    wait::until_blocking("the access log", wait::LONG, || logged().then_some(())).unwrap();
    nginx.stop().unwrap();
}
