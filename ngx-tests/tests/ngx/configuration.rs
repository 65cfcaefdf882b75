//! What `nginx -t` says.

use ngx_tests::nginx::{Config, Nginx};

use crate::site::quickstart;

#[test]
fn every_example_configuration_is_accepted() {
    let all = Config::all().unwrap();
    assert!(all.len() >= 3);
    for config in all {
        let (good, said) = Nginx::check(&config).unwrap();
        assert!(good, "{}: {said}", config.name());
    }
}

/// Checks that a line in `http` is refused, and that what is said holds all of `words` and the place.
#[track_caller]
fn refused(line: &str, words: &[&str]) {
    let (good, said) = Nginx::check(&quickstart(&format!("    {line}"))).unwrap();
    assert!(!good, "`{line}` was accepted");
    let directive = line.split([' ', ';']).next().unwrap();
    for word in words.iter().copied().chain([directive, "nginx.conf:"]) {
        assert!(said.contains(word), "`{line}`: `{word}` is not in what nginx says:\n{said}");
    }
}

#[test]
fn an_unknown_source_is_named_with_what_would_be_right() {
    refused("wallarm_session_key reqest.header.X-User;", &["reqest", "request"]);
    refused("wallarm_session_key request.heder.X-User;", &["heder", "header", "cookie"]);
    refused("wallarm_session_key response.query.x;", &["query", "header, cookie, status"]);
    refused("wallarm_session_key request.header;", &["header"]);
}

#[test]
fn an_unknown_decoder_is_named_with_what_would_be_right() {
    refused("wallarm_session_key request.header.X-User.jason.id;", &["jason", "json"]);
    refused("wallarm_session_context request.header.X-User.jwt.claim.sub;", &["jwt", "payload"]);
}

#[test]
fn an_unknown_option_is_named_with_what_would_be_right() {
    refused("wallarm_session_key request.header.X-User grup=a;", &["grup=a", "group="]);
    refused("wallarm_session_context request.header.X-User type=usr;", &["usr", "user"]);
    refused("wallarm_session_key request.header.X-User name=a name=b;", &["name=b", "once"]);
    refused("wallarm_session_queue 100 memry=1m;", &["memry=1m", "memory="]);
    refused("wallarm_session_batch sise=3;", &["sise=3", "size="]);
    refused("wallarm_session_ip clean;", &["clean", "prefix"]);
    refused("wallarm_session_path hide;", &["hide", "mask"]);
}

#[test]
fn values_that_are_no_numbers_are_named_with_what_would_be_right() {
    refused("wallarm_session_queue many;", &["many"]);
    refused("wallarm_session_batch size=0;", &["0"]);
    refused("wallarm_session_batch interval=soon;", &["soon"]);
}

#[test]
fn a_bad_address_is_named_with_what_would_be_right() {
    refused("wallarm_session_collector collector.sock;", &["collector.sock", "unix:"]);
    refused("wallarm_session_collector 127.0.0.1:notaport;", &["notaport"]);
    refused("wallarm_session_collector 127.0.0.1:24224 tsl;", &["tsl"]);
}

#[test]
fn a_missing_secret_file_is_named() {
    let config = Config::file("quickstart.conf").unwrap();
    let config = config.replace("/etc/api-sessions/secret", "/nonexistent/api-sessions.secret").unwrap();
    let (good, said) = Nginx::check(&config).unwrap();
    assert!(!good);
    for word in ["wallarm_session_secret", "/nonexistent/api-sessions.secret", "nginx.conf:"] {
        assert!(said.contains(word), "{word}: {said}");
    }
}

#[test]
fn more_than_thirty_two_parameters_are_too_many() {
    let lines = |count: usize| -> String {
        let keys = (0..20).map(|n| format!("    wallarm_session_key request.header.X-K{n};\n"));
        let contexts = (20..count).map(|n| format!("    wallarm_session_context request.header.X-C{n};\n"));
        keys.chain(contexts).collect()
    };
    let (good, said) = Nginx::check(&quickstart(&lines(32))).unwrap();
    assert!(good, "{said}");
    let (good, said) = Nginx::check(&quickstart(&lines(33))).unwrap();
    assert!(!good);
    for word in ["wallarm_session_context", "request.header.X-C32", "32", "nginx.conf:"] {
        assert!(said.contains(word), "{word}: {said}");
    }
}

#[test]
fn a_switch_takes_on_off_or_a_variable() {
    refused("wallarm_session_builtin_keys maybe;", &["maybe", "on"]);
    let config = quickstart("").replace("wallarm_sessions on;", "wallarm_sessions maybe;").unwrap();
    let (good, said) = Nginx::check(&config).unwrap();
    assert!(!good);
    for word in ["wallarm_sessions", "maybe", "\"on\"", "nginx.conf:"] {
        assert!(said.contains(word), "{word}: {said}");
    }
}
