//! The demo's own promise: `--once` ends with 0 only when everything arrived and is grouped right.

use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::site::demo;

fn once(arguments: &[&str]) -> (bool, Value) {
    let mut command = Command::new(demo());
    let Output { status, stdout, stderr } =
        command.arg("--once").args(arguments).stdin(Stdio::null()).output().unwrap();
    let (text, errors) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    let last = text.lines().last().unwrap_or_else(|| panic!("nothing printed: {errors}"));
    (status.success(), serde_json::from_str(last).unwrap_or_else(|e| panic!("{e}: {last}\n{errors}")))
}

#[test]
fn the_demo_ends_well_when_every_request_is_stored_in_the_expected_sessions() {
    let (well, outcome) = once(&[]);
    assert!(well, "{outcome}");
    assert_eq!(outcome["requests"], outcome["stored"]);
    assert_eq!(outcome["sessions"], outcome["expected_sessions"]);
    assert!(outcome["requests"].as_u64().unwrap() > 100);
}

#[test]
fn the_demo_fails_when_one_event_is_lost() {
    let (well, outcome) = once(&["--tamper", "drop-one", "--deadline", "5"]);
    assert!(!well);
    assert_eq!(outcome["stored"].as_u64().unwrap() + 1, outcome["requests"].as_u64().unwrap());
}

#[test]
fn the_demo_fails_when_one_namespace_is_another() {
    let (well, outcome) = once(&["--tamper", "namespace"]);
    assert!(!well);
    assert_eq!(outcome["stored"], outcome["requests"]);
    assert!(outcome["sessions"].as_u64().unwrap() > outcome["expected_sessions"].as_u64().unwrap());
}
