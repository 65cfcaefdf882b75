//! A station between node and collector that unpacks what comes, and packs it anew.

use ngx_tests::folder;
use ngx_tests::nginx::{Config, Nginx};
use ngx_tests::node::Node;
use ngx_tests::traffic::Traffic;
use ngx_tests::wait;

use crate::Site;

#[tokio::test]
async fn what_passes_a_station_of_another_maker_is_stored_once_and_whole() {
    const REQUESTS: u64 = 200;
    let site = Site::start().await;
    let node = Node::new("interop", &folder::interop_packages()).unwrap();
    let (_station, port) = node.serve("station.mjs", Some(&site.ingest())).unwrap();
    let config = Config::file("demo.conf").unwrap();
    let config = config.in_server("        location /load/ { return 200 \"served\\n\"; }").unwrap();
    let config = config.replace("unix:/run/api-sessions/collector.sock", &port.address().to_string()).unwrap();
    let nginx = Nginx::start(&config).unwrap();

    let traffic = Traffic::start(nginx.address(), "/load/1", 2).unwrap();
    let enough = async || (traffic.answered() >= REQUESTS).then_some(());
    wait::until("the requests", wait::LONG, enough).await.unwrap();
    let answered = traffic.stop().unwrap();

    let stored = site.stored(answered).await;
    let mut ids: Vec<&str> = stored.iter().map(|request| request.id.as_str()).collect();
    ids.sort();
    let log = nginx.access_log();
    let mut lines: Vec<&str> = log.iter().filter_map(|line| line.split(' ').next()).collect();
    lines.sort();
    assert_eq!(ids, lines);
    assert!(stored.iter().all(|request| request.path == "/load/1" && request.key.name == "token"), "{stored:#?}");
    // The workers' reports pass it, too, and the station acknowledges what it takes.
    let acknowledged = async || {
        let counters = nginx.counters().await.ok()?;
        (counters.sum("wallarm_sessions_acknowledged_events_total") == answered).then_some(())
    };
    wait::until("the acknowledgements", wait::LONG, acknowledged).await.unwrap();
    nginx.stop().unwrap();
    site.close().await;
}
