//! The directory of `wallarm_session_spool`: who may own it, write to it, and reach it.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::process::Command;

use ngx_tests::nginx::Config;
use rustix::process::getuid;

use super::trial::{Trial, Verdict, with};
use crate::site::quickstart;

const PART: &str = "spool/00000000000000000001-0000000000000001.part";
const NOBODY: u32 = 65534;

/// With a spool, and workers of another user than root.
fn config() -> Config {
    quickstart("wallarm_session_spool spool;").replace("user www-data;", "user nobody nogroup;").unwrap()
}

fn mode(trial: &Trial, name: &str, mode: u32) {
    fs::set_permissions(trial.path(name), fs::Permissions::from_mode(mode)).unwrap();
}

#[track_caller]
fn assert_refused(trial: &Trial, verdict: &Verdict, error: &str) {
    let line = trial.line_of("wallarm_session_spool");
    assert_eq!(verdict.error(), format!("\"wallarm_session_spool\" {error} in FOLDER/nginx.conf:{line}"));
}

#[test]
fn nginx_makes_the_directory_for_the_workers_alone() {
    let trial = Trial::new();
    trial.test(&config()).assert_accepted();
    let about = fs::metadata(trial.path("spool")).unwrap();
    assert_eq!(about.mode() & 0o7777, 0o700);
    if getuid().is_root() {
        assert_eq!(about.uid(), NOBODY);
    }
}

#[test]
fn a_directory_that_is_used_for_something_else_is_refused_with_its_place() {
    let trial = Trial::new();
    let lines = "wallarm_session_spool spool;\n    proxy_cache_path spool keys_zone=pages:1m;";
    let verdict = trial.test(&quickstart(lines));
    let line = trial.line_of("wallarm_session_spool");
    let told = format!("the same path name \"FOLDER/spool\" used in FOLDER/nginx.conf:{line} and");
    assert!(verdict.error().contains(&told), "{}", verdict.error());
}

#[test]
fn an_empty_directory_of_root_is_given_to_the_workers() {
    if !getuid().is_root() {
        return;
    }
    let trial = Trial::new();
    fs::create_dir(trial.path("spool")).unwrap();
    trial.test(&config()).assert_accepted();
    assert_eq!(fs::metadata(trial.path("spool")).unwrap().uid(), NOBODY);
}

#[test]
fn a_directory_that_others_may_write_to_is_refused() {
    for (given, shown) in [(0o777, "0777"), (0o1777, "1777"), (0o770, "0770"), (0o702, "0702")] {
        let trial = Trial::new();
        fs::create_dir(trial.path("spool")).unwrap();
        mode(&trial, "spool", given);
        let verdict = trial.test(&config());
        let error = format!("directory \"FOLDER/spool\" can be written by others (mode {shown}), expected 0700");
        assert_refused(&trial, &verdict, &error);
    }
}

#[test]
fn others_may_look_at_the_directory() {
    let trial = Trial::new();
    fs::create_dir(trial.path("spool")).unwrap();
    mode(&trial, "spool", 0o755);
    trial.test(&config()).assert_accepted();
}

#[test]
fn what_a_file_system_keeps_in_the_directory_for_itself_is_left_alone() {
    let trial = Trial::new().file("spool/.nfs0000000000000001", "");
    fs::create_dir(trial.path("spool/lost+found")).unwrap();
    trial.test(&config()).assert_accepted();
}

#[test]
fn parts_that_the_workers_cannot_open_are_told() {
    if !getuid().is_root() {
        return;
    }
    let trial = Trial::new().file(PART, "");
    let verdict = trial.test(&config());
    assert_refused(
        &trial,
        &verdict,
        "directory \"FOLDER/spool\" holds \"00000000000000000001-0000000000000001.part\" of another user (uid 0), \
         expected what the workers' user (uid 65534) can open, as after \"chown -R 65534 FOLDER/spool\"",
    );
    chown(trial.path(PART), Some(NOBODY), None).unwrap();
    trial.test(&config()).assert_accepted();
}

#[test]
fn a_directory_that_the_workers_cannot_reach_is_refused() {
    if !getuid().is_root() {
        return;
    }
    let trial = Trial::new();
    fs::create_dir(trial.path("private")).unwrap();
    mode(&trial, "private", 0o700);
    let config = config().replace("wallarm_session_spool spool;", "wallarm_session_spool private/spool;").unwrap();
    let verdict = trial.test(&config);
    assert_refused(
        &trial,
        &verdict,
        "directory \"FOLDER/private/spool\" is out of reach of the workers' user (uid 65534), \
         who may not enter \"FOLDER/private\"",
    );
    mode(&trial, "private", 0o711);
    trial.test(&config).assert_accepted();
}

#[test]
fn an_nginx_without_roots_powers_says_when_it_may_not_write() {
    let trial = Trial::new();
    let user = if getuid().is_root() { NOBODY } else { getuid().as_raw() };
    fs::create_dir(trial.path("spool")).unwrap();
    mode(&trial, "spool", 0o555);
    chown(trial.path(""), Some(user), None).unwrap();
    let config = config().replace("wallarm_session_secret /etc/api-sessions/secret;", "").unwrap();
    let verdict = trial.run(&config, |command| as_nobody(with("-t")(command)));
    assert_refused(
        &trial,
        &verdict,
        &format!("directory \"FOLDER/spool\" cannot be written by the user of NGINX (uid {user})"),
    );
}

fn as_nobody(command: Command) -> Command {
    if !getuid().is_root() {
        return command;
    }
    let mut other = Command::new("setpriv");
    other.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]);
    other.arg(command.get_program()).args(command.get_args());
    other
}

#[test]
fn a_directory_of_a_cache_is_refused() {
    let trial = Trial::new();
    let lines = "proxy_cache_path spool keys_zone=cache:1m;\nwallarm_session_spool spool;";
    let verdict = trial.test_in_http(lines);
    let said = verdict.lines("emerg").join("\n");
    assert!(!verdict.accepted && said.contains("directory \"FOLDER/spool\" is used for something else"), "{said}");
}
