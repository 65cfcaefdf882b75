//! The OpenAPI document holds against whatever a machine asks that reads it.

mod process;

use std::process::Command;

use process::Server;

#[test]
#[ignore = "needs schemathesis: scripts/test schema brings it and runs this"]
fn schemathesis_finds_no_answer_that_the_document_does_not_tell() {
    let dir = tempfile::tempdir().unwrap();
    process::generate(dir.path(), 5000);
    let server = Server::start(dir.path());
    server.wait_until_applied();
    let binary = std::env::var("API_SESSIONS_SCHEMATHESIS").expect("API_SESSIONS_SCHEMATHESIS names the binary");
    let status = Command::new(binary)
        .arg("run")
        .arg(format!("http://{}/api/v1/openapi.json", server.api))
        // A stream has no end to wait for.
        .args(["--exclude-path", "/stream"])
        // What is of the right form may still be refused: a window that ends before it begins, an unknown token.
        .args(["--exclude-checks", "positive_data_acceptance"])
        .args(["--phases", "examples,coverage,fuzzing", "--max-examples", "20", "--max-time", "60"])
        .args(["--request-timeout", "20", "--generation-deterministic"])
        .args(["--warnings", "off", "--no-color", "--continue-on-failure"])
        .current_dir(dir.path())
        .status()
        .unwrap();
    assert!(status.success());
    // It still answers.
    assert!(server.ask("/sessions?page_size=1")["sessions"][0].is_object());
}
