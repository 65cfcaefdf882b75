//! Where a directive may stand: elsewhere NGINX itself says that it is not allowed there.

use super::trial::Trial;
use crate::site::quickstart;

/// Where it may stand: everywhere that `access_log` may, in `http` alone, or in a location alone.
#[derive(Clone, Copy)]
enum Kind {
    Level,
    Http,
    Location,
}

use Kind::{Http, Level, Location};

const DIRECTIVES: [(&str, Kind); 14] = [
    ("wallarm_sessions on", Level),
    ("wallarm_session_application shop", Level),
    ("wallarm_session_key request.header.X-A", Level),
    ("wallarm_session_context request.header.X-A", Level),
    ("wallarm_session_builtin_keys off", Level),
    ("wallarm_session_ip prefix", Level),
    ("wallarm_session_path clear", Level),
    ("wallarm_session_collector 127.0.0.1:24224", Http),
    ("wallarm_session_secret secret", Http),
    ("wallarm_session_node one", Http),
    ("wallarm_session_queue 100", Http),
    ("wallarm_session_batch size=10", Http),
    ("wallarm_session_spool spool", Http),
    ("wallarm_session_status", Location),
];

/// Blocks, with the place of the directive, and the kinds that may stand there.
const BLOCKS: [(&str, &str, [bool; 3]); 8] = [
    ("http", "HERE", [true, true, false]),
    ("server", "server { HERE }", [true, false, false]),
    ("location", "server { location / { HERE } }", [true, false, true]),
    ("location in a location", "server { location / { location /a/ { HERE } } }", [true, false, true]),
    ("if in a location", "server { location / { if ($arg_a) { HERE } } }", [true, false, false]),
    ("limit_except", "server { location / { limit_except GET { HERE } } }", [true, false, false]),
    ("if in a server", "server { if ($arg_a) { HERE } }", [false, false, false]),
    ("upstream", "upstream a { server 127.0.0.1:9; HERE }", [false, false, false]),
];

#[test]
fn a_directive_stands_where_the_documentation_says_and_nowhere_else() {
    let trial = Trial::new();
    for (directive, kind) in &DIRECTIVES {
        let name = directive.split(' ').next().unwrap();
        for (block, lines, allowed) in &BLOCKS {
            let lines = lines.replace("HERE", &format!("{directive};"));
            let verdict = trial.test(&without_its_own(name, &lines));
            if allowed[*kind as usize] {
                assert!(verdict.accepted, "{directive} in {block}: {}", verdict.said);
            } else {
                let line = trial.line_of(directive);
                let expected = format!("\"{name}\" directive is not allowed here in FOLDER/nginx.conf:{line}");
                assert_eq!(verdict.error(), expected, "{directive} in {block}");
            }
        }
    }
}

/// The quickstart's configuration without what it says itself by this directive.
fn without_its_own(name: &str, lines: &str) -> ngx_tests::nginx::Config {
    let config = quickstart("");
    let own = format!("    {name} ");
    let config = if config.content().contains(&own) { config.replace(&own, "    # ").unwrap() } else { config };
    config.in_http(&format!("    {lines}")).unwrap()
}

#[test]
fn outside_of_http_no_directive_is_allowed() {
    let trial = Trial::new();
    for (directive, _) in &DIRECTIVES {
        let name = directive.split(' ').next().unwrap();
        for (place, with) in [("events {\n", "events {\n    HERE;\n"), ("events {\n", "HERE;\nevents {\n")] {
            let config = quickstart("").replace(place, &with.replace("HERE", directive)).unwrap();
            let verdict = trial.test(&config);
            let line = trial.line_of(directive);
            let expected = format!("\"{name}\" directive is not allowed here in FOLDER/nginx.conf:{line}");
            assert_eq!(verdict.error(), expected);
        }
    }
}

#[test]
fn what_may_be_said_once_is_refused_when_a_level_says_it_twice() {
    let once = [
        ("wallarm_sessions on", "wallarm_sessions off"),
        ("wallarm_session_application a", "wallarm_session_application b"),
        ("wallarm_session_builtin_keys on", "wallarm_session_builtin_keys on"),
        ("wallarm_session_ip clear", "wallarm_session_ip hash"),
        ("wallarm_session_path clear", "wallarm_session_path mask"),
    ];
    let trial = Trial::new();
    for (first, second) in once {
        for block in ["http", "server", "location", "if in a location", "limit_except"] {
            let (_, lines, _) = BLOCKS.iter().find(|(name, ..)| *name == block).unwrap();
            let lines = lines.replace("HERE", &format!("{first};\n{second};"));
            assert_said_twice(&trial, first, second, &lines);
        }
    }
    for (first, second) in [
        ("wallarm_session_node a", "wallarm_session_node b"),
        ("wallarm_session_queue 1", "wallarm_session_queue 2"),
        ("wallarm_session_batch size=1", "wallarm_session_batch interval=1s"),
        ("wallarm_session_secret secret", "wallarm_session_secret ./secret"),
        ("wallarm_session_spool spool", "wallarm_session_spool other max=20m"),
    ] {
        assert_said_twice(&trial, first, second, &format!("{first};\n{second};"));
    }
    let lines = "server { location / { wallarm_session_status;\nwallarm_session_status; } }";
    assert_said_twice(&trial, "wallarm_session_status", "wallarm_session_status", lines);
}

#[track_caller]
fn assert_said_twice(trial: &Trial, first: &str, second: &str, lines: &str) {
    let name = first.split(' ').next().unwrap();
    let verdict = trial.test(&without_its_own(name, lines));
    let line = trial.lines_of(second).pop().unwrap();
    let expected = format!("\"{name}\" is said twice on this level, expected once in FOLDER/nginx.conf:{line}");
    assert_eq!(verdict.error(), expected, "{lines}");
}
