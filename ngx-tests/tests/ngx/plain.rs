//! The stage itself: shop, clients and NGINX without the module.

use ngx_tests::clients::{self, Label, Scene};
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
