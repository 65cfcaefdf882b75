//! Configurations of many files.

use super::trial::Trial;
use crate::site::quickstart;

#[test]
fn directives_are_read_from_included_files() {
    let trial = Trial::new()
        .file("keys.conf", "wallarm_session_key request.header.X-A;\nwallarm_session_key request.header.X-B;\n")
        .file("parts/1-application.conf", "wallarm_session_application shop;\n")
        .file("parts/2-context.conf", "wallarm_session_context request.header.X-C type=user;\n")
        .file("switch.conf", "wallarm_sessions off;\n");
    let lines = "    include keys.conf;
    include parts/*.conf;
    server { listen 127.0.0.1:8080; location / { include switch.conf; if ($arg_a) { include parts/*.conf; } } }";
    trial.test_in_http(lines).assert_accepted();
}

#[test]
fn an_error_in_an_included_file_names_that_file_and_line() {
    let trial = Trial::new()
        .file("good.conf", "wallarm_session_key request.header.X-A;\n")
        .file("parts/a.conf", "# fine\nwallarm_session_key\n    request.heder.X-B\n    ;\n")
        .file("server.conf", "server {\n    location / {\n        include more.conf;\n    }\n}\n")
        .file("more.conf", "\n\n\nwallarm_session_ip never;\n")
        .file("ends.conf", "wallarm_session_node one");
    for (include, error) in [
        (
            "include good.conf; include parts/*.conf;",
            "\"wallarm_session_key\" source \"request.heder.X-B\" has no part \"heder\" in \"request\", expected one of: \
             header, cookie, query, path, uri, method, host, ip, scheme, var, body in FOLDER/parts/a.conf:4",
        ),
        (
            "include server.conf;",
            "\"wallarm_session_ip\" is \"never\", expected \"clear\", \"prefix\" or \"hash\" in FOLDER/more.conf:4",
        ),
        ("include ends.conf;", "unexpected end of file, expecting \";\" or \"}\" in FOLDER/ends.conf:1"),
    ] {
        assert_eq!(trial.test_in_http(include).error(), error);
    }
}

fn lines(directive: &str, header: &str, count: usize) -> String {
    (0..count).map(|n| format!("{directive} request.header.{header}{n};\n")).collect()
}

/// NGINX merges levels when it has read all of `http`: by then it is elsewhere.
#[test]
fn too_many_parameters_through_inheritance_are_told_where_the_level_says_its_last() {
    let location = format!("location / {{\n{}}}\n", lines("wallarm_session_context", "X-C", 20));
    let trial = Trial::new()
        .file("keys.conf", lines("wallarm_session_key", "X-K", 20))
        .file("location.conf", location)
        .file("limit.conf", format!("limit_except GET {{\n{}}}\n", lines("wallarm_session_context", "X-C", 13)));
    let error = |count: usize, place: &str| {
        format!(
            "\"wallarm_session_key\" and \"wallarm_session_context\" make {count} parameters together with the \
             inherited ones, expected at most 32 in FOLDER/{place}"
        )
    };
    // The keys come last in http, and still from above.
    for (config, expected) in [
        ("server { listen 127.0.0.1:8080; include location.conf; }\ninclude keys.conf;", error(40, "location.conf:21")),
        ("include keys.conf;\nserver { location / { include limit.conf; } }", error(33, "limit.conf:14")),
        (
            "include keys.conf;\nserver { location / { if ($arg_a) { include limit-of-if.conf; } } }",
            error(33, "limit-of-if.conf:13"),
        ),
    ] {
        let trial = &trial;
        std::fs::write(trial.path("limit-of-if.conf"), lines("wallarm_session_context", "X-C", 13)).unwrap();
        assert_eq!(trial.test_in_http(config).error(), expected);
    }
}

#[test]
fn thirty_two_parameters_are_enough_also_when_some_are_inherited() {
    let config = quickstart(&lines("wallarm_session_key", "X-K", 20))
        .in_server(&format!("location /a/ {{ {} }}", lines("wallarm_session_context", "X-C", 12)))
        .unwrap();
    Trial::new().test(&config).assert_accepted();
}
