//! Each error of each directive, word by word, with file and line.
//!
//! That none is missing is checked: every message in the sources of the product must be in the table.

mod rows;
mod sources;

use rows::{ROWS, Row};

use super::trial::Trial;

/// Files that rows name.
fn trial() -> Trial {
    let long = "a".repeat(70_000);
    let bytes = |directive: &str, value: &[u8]| [directive.as_bytes(), b" ", value, b";\n"].concat();
    Trial::new()
        .file("short", "15 bytes exact.\n")
        .file("enough", "16 bytes exactly\n")
        .file("empty", "")
        .file("newline", "\n")
        .file("long", &long)
        .file("folder/x", "")
        .file("latin.conf", bytes("wallarm_session_node", b"caf\xE9"))
        .file("latin-source.conf", bytes("wallarm_session_key", b"request.query.caf\xE9"))
        .file("latin-path.conf", bytes("wallarm_session_secret", b"caf\xE9"))
        .file("zero.conf", bytes("wallarm_session_collector", b"unix:/run/a\0b"))
        .file("control.conf", bytes("wallarm_session_application", b"\"a\nb\x1b[2J\""))
        .file(
            "long-source.conf",
            bytes("wallarm_session_key", &[b"request.header.X.", "b".repeat(2_000).as_bytes()].concat()),
        )
        .file("long-name.conf", format!("wallarm_session_node {};\n", "n".repeat(257)))
        .file("long-value.conf", format!("wallarm_session_ip {}{};\n", "p".repeat(1_500), "q".repeat(1_500)))
        .file("long-decoder.conf", format!("wallarm_session_key request.header.X.{};\n", "d".repeat(900)))
        .file("too-long.conf", format!("wallarm_session_node {};\n", "n".repeat(5_000)))
        .file("long-socket.conf", format!("wallarm_session_collector unix:/{};\n", "s".repeat(107)))
        .file(
            "keys-33.conf",
            (1..=33).map(|n| format!("wallarm_session_key request.header.X-{n};\n")).collect::<String>(),
        )
        .file(
            "keys-32.conf",
            (1..=32).map(|n| format!("wallarm_session_key request.header.X-{n};\n")).collect::<String>(),
        )
}

#[test]
fn each_error_says_what_is_wrong_what_would_be_right_and_where() {
    let trial = trial();
    let mut wrong = Vec::new();
    for Row { lines, says } in ROWS {
        let verdict = trial.test_in_http(lines);
        let expected = match says.rsplit_once(" LINE ") {
            Some((says, line)) => {
                let file = lines.trim_start_matches("include ").trim_end_matches(';');
                format!("{says} in FOLDER/{file}:{line}")
            }
            None => format!("{says} in FOLDER/nginx.conf:{}", trial.line_of(lines.lines().last().unwrap())),
        };
        let said = without_runs(&verdict.lines("emerg").join("\n"));
        if verdict.accepted || said != expected {
            wrong.push(format!("{lines}\n  expected {expected}\n  but      {said}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {} rows:\n{}", wrong.len(), ROWS.len(), wrong.join("\n"));
}

/// Puts `x~` in the place of more than twenty `x`.
fn without_runs(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let runs = chars.chunk_by(|a, b| a == b);
    runs.map(|run| if run.len() > 20 { format!("{}~", run[0]) } else { run.iter().collect() }).collect()
}

/// The other side of the limits that the table names.
#[test]
fn what_is_just_within_a_limit_is_accepted() {
    let trial = trial();
    for lines in [
        "include keys-32.conf;",
        "wallarm_session_queue 1;",
        "wallarm_session_queue 1048576 memory=1m;",
        "wallarm_session_queue 100 memory=1024k;",
        "wallarm_session_batch size=10000 interval=1h;",
        "wallarm_session_batch size=1 interval=1ms;",
        "wallarm_session_batch size=1 interval=1ms compress=zstd;",
        "wallarm_session_batch compress=off;",
        "wallarm_session_spool spool;",
        "wallarm_session_spool spool max=16m;",
        "wallarm_session_spool spool max=100G;",
        "wallarm_session_collector localhost:65535;",
        "wallarm_session_collector 192.0.2.1:1 insecure_plain;",
        "wallarm_session_collector 127.0.0.1:1 insecure_plain;",
        "wallarm_session_collector [::1]:1;\nwallarm_session_collector [::ffff:127.0.0.1]:1;",
        "wallarm_session_collector unix:/a;\nwallarm_session_collector unix:/b;",
        "wallarm_session_key 'request.cookie.\"connect.sid\"' 'name=two words' \"group=a b\" show;",
        "wallarm_session_key request.cookie.\"connect.sid\";",
        "wallarm_session_key $arg_a:\\\"$arg_b\\\";",
        "wallarm_session_context \"request.header.Größe\" type=role hash;",
        "wallarm_session_builtin_keys OFF;",
        "wallarm_session_node Käse;",
    ] {
        let verdict = trial.test_in_http(lines);
        assert!(verdict.accepted, "{lines}\n{}", verdict.said);
    }
    let config = crate::site::quickstart("").replace("/etc/api-sessions/secret", "enough").unwrap();
    trial.test(&config).assert_accepted();
}

#[test]
fn every_message_in_the_sources_has_a_row() {
    let messages = sources::messages();
    assert!(messages.len() > 40, "only {} messages were found: {messages:#?}", messages.len());
    let said: Vec<&str> = ROWS.iter().map(|row| row.says).collect();
    let missing: Vec<_> = messages
        .iter()
        .filter(|message| !sources::ELSEWHERE.iter().any(|known| message.contains(known)))
        .filter(|message| !said.iter().any(|said| sources::could_be(said, message)))
        .collect();
    assert!(missing.is_empty(), "no row shows: {missing:#?}");
    for known in sources::ELSEWHERE {
        assert!(messages.iter().any(|message| message.contains(known)), "no source says \"{known}\" any more");
    }
}
