//! What a sanitizer finds in a worker or in `nginx -t` fails the test that ran it: shown with errors
//! that are there on purpose.

use ngx_tests::nginx::{Nginx, NginxError};

use crate::site::{config, get};

#[tokio::test]
#[ignore = "needs the sanitizer: scripts/test asan"]
async fn a_use_after_free_in_a_worker_is_found() {
    let nginx = Nginx::start(&config("use-after-free:timer")).unwrap();
    let found = || nginx.error_log().contains("heap-use-after-free").then_some(());
    ngx_tests::wait::until("the report", ngx_tests::wait::LONG, async || found()).await.unwrap();

    assert!(matches!(nginx.stop(), Err(NginxError::Trouble(_))));
}

#[tokio::test]
#[ignore = "needs the sanitizer: scripts/test asan"]
async fn a_leak_in_a_worker_is_found() {
    let nginx = Nginx::start(&config("leak:log@1")).unwrap();
    get(&nginx, "/", 1).await;

    let Err(NginxError::Trouble(found)) = nginx.stop() else { panic!("nothing found") };

    assert!(found.contains("LeakSanitizer") && found.contains("1234 byte(s) leaked in 1 allocation(s)"), "{found}");
}

#[test]
#[ignore = "needs the sanitizer: scripts/test asan"]
fn a_leak_while_the_configuration_is_read_is_found() {
    let Err(NginxError::Trouble(found)) = Nginx::check(&config("leak:set_key@1")) else { panic!("nothing found") };

    assert!(found.contains("1234 byte(s) in 1 object(s)"), "{found}");
}
