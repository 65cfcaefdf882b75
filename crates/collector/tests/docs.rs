//! What docs/api.md shows works as it stands: each of its lines that begin with `$ curl`.

mod process;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use process::Server;
use serde_json::Value;

/// A command of the documentation, and the output that it shows.
struct Shown {
    command: String,
    output: String,
}

fn commands(text: &str) -> Vec<Shown> {
    let mut found: Vec<Shown> = Vec::new();
    let blocks = text.split("\n```").skip(1).step_by(2);
    for line in blocks.flat_map(|block| block.lines().skip(1)) {
        match (line.strip_prefix("$ "), found.last_mut()) {
            (Some(command), _) => found.push(Shown { command: command.to_owned(), output: String::new() }),
            (None, Some(last)) if last.command.ends_with('\\') => last.command = last.command.clone() + "\n" + line,
            (None, Some(last)) => last.output += line,
            (None, None) => {}
        }
    }
    found
}

#[test]
fn commands_are_found_with_what_they_show() {
    let text = "a\n```\n$ curl a \\\n  b\n{\"x\":\n1}\n$ curl c\n```\ntext\n```toml\nx = 1\n```\n";
    let found: Vec<_> = commands(text).into_iter().map(|shown| (shown.command, shown.output)).collect();
    assert_eq!(found[0], ("curl a \\\n  b".to_owned(), "{\"x\":1}".to_owned()));
    assert_eq!((found.len(), found[1].0.as_str()), (2, "curl c"));
}

#[test]
fn every_curl_line_of_the_documentation_works_as_it_stands() {
    let dir = tempfile::tempdir().unwrap();
    process::generate(dir.path(), 2000);
    let secret = dir.path().join("secret");
    std::fs::write(&secret, "0123456789abcdef0123456789abcdef").unwrap();
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).unwrap();
    let server = Server::start_with(dir.path(), &["--secret", secret.to_str().unwrap()]);
    server.wait_until_applied();
    let id = server.ask("/sessions?page_size=1")["sessions"][0]["id"].as_str().unwrap().to_owned();
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/api.md")).unwrap();
    let commands = commands(&text);
    assert!(commands.len() >= 5, "the documentation shows only {} commands", commands.len());
    for Shown { command, output } in commands {
        let said = run(dir.path(), &server, &id, &command);
        let shown: Value = serde_json::from_str(&output).unwrap_or_default();
        let got: Value = serde_json::from_str(&said).unwrap_or_default();
        if said.starts_with('{') && !said.trim_end().contains('\n') {
            assert!(got.is_object(), "{command} answers no JSON: {said}");
        }
        let kind = |value: &Value| value["type"].as_str().filter(|kind| kind.starts_with("urn:")).map(str::to_owned);
        assert_eq!(kind(&got), kind(&shown), "{command} answers {said}");
    }
}

/// What a command prints, run in a folder of its own against the server.
fn run(dir: &Path, server: &Server, id: &str, command: &str) -> String {
    let socket = dir.join("api.sock");
    let command = command
        .replace("127.0.0.1:8484", &server.api)
        .replace("/run/api-sessions/api.sock", socket.to_str().unwrap())
        .replace("curl ", "curl --max-time 30 ");
    let output = Command::new("sh").args(["-c", &command]).env("ID", id).current_dir(dir).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{command}: {}\n{said}", String::from_utf8_lossy(&output.stderr));
    said
}
