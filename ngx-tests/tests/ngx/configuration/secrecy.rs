//! What `nginx -t` and `nginx -T` show, and to whom.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use super::trial::{Trial, with};
use crate::site::quickstart;

const SECRET: &str = "correct-horse-battery-staple-42";

#[test]
fn a_test_by_a_user_who_may_not_read_the_secret_fails_and_says_why() {
    let trial = Trial::new().file("own-secret", SECRET);
    fs::set_permissions(trial.path("own-secret"), fs::Permissions::from_mode(0o000)).unwrap();
    let config = quickstart("").replace("/etc/api-sessions/secret", "own-secret").unwrap();

    let verdict = trial.run(&config, |command| without_powers(with("-t")(command)));

    let line = trial.line_of("wallarm_session_secret");
    assert_eq!(
        verdict.error(),
        format!(
            "\"wallarm_session_secret\" file \"FOLDER/own-secret\" cannot be read: Permission denied (os error 13) \
             in FOLDER/nginx.conf:{line}"
        )
    );
}

/// Root without the capabilities that let it read every file; others have none.
fn without_powers(command: Command) -> Command {
    if !rustix::process::getuid().is_root() {
        return command;
    }
    let mut powerless = Command::new("setpriv");
    powerless.args(["--bounding-set", "-dac_override,-dac_read_search"]);
    powerless.arg(command.get_program()).args(command.get_args());
    powerless
}

#[test]
fn the_dump_of_a_configuration_shows_no_secret() {
    let trial = Trial::new().file("own-secret", format!("{SECRET}\n"));
    let config = quickstart("").replace("/etc/api-sessions/secret", "own-secret").unwrap();

    let verdict = trial.run(&config, with("-T"));

    assert!(verdict.accepted && verdict.said.contains("wallarm_session_secret own-secret;"), "{}", verdict.said);
    assert!(!verdict.said.contains(SECRET), "{}", verdict.said);
}

#[test]
fn no_error_shows_a_secret() {
    for secret in ["hunter2", "\u{1}\u{2}hunter2"] {
        let verdict = Trial::new().file("short", secret).test_in_http("wallarm_session_secret short;");
        assert!(verdict.error().contains("expected at least 16"), "{}", verdict.said);
        assert!(!verdict.said.contains("hunter2"), "{}", verdict.said);
    }
}

#[test]
fn a_missing_secret_is_a_warning_that_stops_nobody() {
    let trial = Trial::new();
    let config = quickstart("").replace("wallarm_session_secret /etc/api-sessions/secret;", "").unwrap();

    let verdict = trial.test(&config);

    verdict.assert_accepted();
    let [warning] = verdict.lines("warn")[..] else { panic!("expected one warning: {}", verdict.said) };
    let expected = "no \"wallarm_session_secret\": session ids and pseudonyms change with every start of NGINX and differ \
                    between nodes; make one with \"openssl rand -hex 32 > FILE\" in FOLDER/nginx.conf:";
    assert!(warning.starts_with(expected), "{warning}");
}

#[test]
fn a_secret_that_others_can_read_is_a_warning_that_stops_nobody() {
    for (mode, warned) in [(0o600, false), (0o640, false), (0o644, true), (0o660, true), (0o602, true)] {
        let trial = Trial::new().file("open", "a secret of thirty-two letters..");
        fs::set_permissions(trial.path("open"), fs::Permissions::from_mode(mode)).unwrap();
        let config = quickstart("").replace("/etc/api-sessions/secret", "open").unwrap();

        let verdict = trial.test(&config);

        verdict.assert_accepted();
        let warnings = verdict.lines("warn");
        assert_eq!(!warnings.is_empty(), warned, "{mode:o}: {}", verdict.said);
        let expected = format!(
            "file \"FOLDER/open\" has the mode {mode:04o}: others can read it, or its group can write it, and tell values by \
             their pseudonyms; expected 0600 or 0640 in FOLDER/nginx.conf:"
        );
        assert!(warnings.iter().all(|warning| warning.starts_with(&expected)), "{warnings:?}");
    }
}

#[test]
fn a_configuration_without_sessions_needs_no_secret_and_warns_of_nothing() {
    let config = quickstart("").replace("wallarm_session_secret /etc/api-sessions/secret;", "").unwrap();
    let config = config.replace("wallarm_sessions on;", "wallarm_sessions off;").unwrap();
    let verdict = Trial::new().test(&config);
    verdict.assert_accepted();
    assert_eq!(verdict.lines("warn"), [""; 0]);
}
