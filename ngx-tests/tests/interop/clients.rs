//! Clients of the protocol for two languages.

use std::process::Command;

use ngx_tests::folder;
use ngx_tests::node::Node;

use crate::Site;

#[tokio::test]
async fn the_client_for_node_is_acknowledged_in_each_of_its_modes_and_all_it_sent_is_stored() {
    const MODES: [&str; 4] = ["CompressedPackedForward", "Forward", "Message", "PackedForward"];
    let site = Site::start().await;
    let node = Node::new("interop", &folder::interop_packages()).unwrap();

    let said = node.run("client.mjs", &site.ingest()).unwrap();

    for mode in MODES {
        assert!(said.contains(&format!("acknowledged: {mode}\n")), "{said}");
    }
    let stored = site.stored(12).await;
    let modes: Vec<&str> = stored.iter().step_by(3).filter_map(|request| request.path.split('/').nth(1)).collect();
    assert_eq!(modes, MODES);
    assert!(stored.iter().all(|request| request.status == 200 && request.session_id == "07".repeat(16)));
    site.close().await;
}

#[tokio::test]
async fn what_the_client_for_python_sends_is_stored_with_whole_seconds_and_with_nanoseconds() {
    let site = Site::start().await;
    let script = folder::checkout().join("ngx-tests/interop/client.py");

    let output = Command::new(folder::interop_python()).arg(script).arg(site.ingest()).output();

    let output = output.expect("no Python with the client: run scripts/setup --interop");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let stored = site.stored(6).await;
    let paths: Vec<&str> = stored.iter().map(|request| request.path.as_str()).collect();
    assert_eq!(paths, ["/1", "/2", "/3", "/4", "/5", "/6"]);
    let whole = |path: &str| stored.iter().any(|request| request.path == path && request.ts.contains(".000000"));
    assert!(["/1", "/2", "/3"].into_iter().all(whole), "{stored:#?}");
    assert!(!["/4", "/5", "/6"].into_iter().all(whole), "{stored:#?}");
    site.close().await;
}
