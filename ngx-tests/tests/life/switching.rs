//! Reloads that switch the module off, take it out, and bring it back.

use std::path::{Path, PathBuf};
use std::process::Command;

use ngx_tests::folder;
use ngx_tests::nginx::Config;
use ngx_tests::traffic::Traffic;

use crate::site::{DROPPED, PATH, Site, config, has_flushers, settled};

fn off() -> Config {
    config().replace("    wallarm_sessions on;", "    wallarm_sessions off;").unwrap()
}

#[tokio::test]
async fn sessions_switched_off_by_a_reload_leave_no_thread_and_come_back_with_the_next() {
    let mut site = Site::of(config()).await;
    let traffic = Traffic::start(site.nginx.address(), PATH, 2).unwrap();
    has_flushers(&site.nginx, 2).await;

    site.reload(off());
    has_flushers(&site.nginx, 0).await;
    site.get("/load/off", &[]).await;
    site.reload(config());
    has_flushers(&site.nginx, 2).await;
    site.get("/load/on", &[]).await;

    traffic.stop().unwrap();
    let on = |path: &str| site.nginx.access_log().iter().filter(|line| line.contains(path)).count();
    assert_eq!((on("/load/off"), on("/load/on")), (1, 1), "the test did not do what it meant to");
    let (counters, _) = settled(&site.nginx, &site.rest).await;
    assert_eq!(counters.sum(DROPPED), 0);
    let stored = site.rest.everything().await.unwrap();
    assert!(stored.iter().any(|request| request.path == "/load/on"));
    assert!(!stored.iter().any(|request| request.path == "/load/off"));
    site.close();
}

#[tokio::test]
async fn the_module_taken_out_by_a_reload_leaves_nginx_serving_and_can_come_back() {
    let mut site = Site::of(config()).await;
    let traffic = Traffic::start(site.nginx.address(), PATH, 2).unwrap();

    for _ in 0..3 {
        site.reload(config().without_module());
        has_flushers(&site.nginx, 0).await;
        site.get("/load/without", &[]).await;
        site.reload(config());
        has_flushers(&site.nginx, 2).await;
        site.get("/load/with", &[]).await;
    }

    traffic.stop().unwrap();
    let (counters, _) = settled(&site.nginx, &site.rest).await;
    assert_eq!(counters.sum(DROPPED), 0);
    let stored = site.rest.everything().await.unwrap();
    assert_eq!(stored.iter().filter(|request| request.path == "/load/with").count(), 3);
    assert!(!stored.iter().any(|request| request.path == "/load/without"));
    site.close();
}

#[tokio::test]
async fn a_module_that_came_while_ours_was_out_keeps_its_place_when_ours_comes_back() {
    let folder = folder::temporary().unwrap();
    let other = format!("load_module {};\n\nuser www-data;", build_other_module(folder.path()).display());
    let with_other = |config: Config| {
        let config = config.replace("user www-data;", &other).unwrap();
        config.in_http("    other_number 42;").unwrap()
    };
    let mut site = Site::of(config()).await;
    site.reload(config().without_module());
    site.reload(with_other(config().without_module()));

    site.reload(with_other(config()));
    site.get(PATH, &[]).await;

    site.stored(1).await;
    let log = site.close();
    assert!(log.contains("other module: 42"), "{log}");
}

/// Another module: it says at each start the number that its directive gave it.
fn build_other_module(folder: &Path) -> PathBuf {
    let variable = |name: &str| PathBuf::from(std::env::var_os(name).unwrap_or_else(|| panic!("{name} is not set")));
    let (source, build) = (variable("NGINX_SOURCE_DIR"), variable("NGINX_BUILD_DIR"));
    let module = folder.join("other.so");
    let mut compile = Command::new("cc");
    compile.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&module);
    compile.arg(folder::checkout().join("ngx-tests/tests/life/other_module.c"));
    for part in
        ["core", "event", "event/modules", "event/quic", "os/unix", "http", "http/modules", "http/v2", "http/v3"]
    {
        compile.arg("-I").arg(source.join("src").join(part));
    }
    let output = compile.arg("-I").arg(build).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    module
}
