//! The pages that Prometheus reads, and what `docs/prometheus` makes of them, held against promtool.
#![forbid(unsafe_code)]

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ngx_tests::collector::Collector;
use ngx_tests::folder;
use ngx_tests::nginx::{Config, Nginx};
use ngx_tests::wait;

/// How our names begin: the node's, and the collector's.
const PREFIXES: [&str; 2] = ["wallarm_sessions_", "api_sessions_"];

/// Both pages, after a request.
async fn pages() -> [String; 2] {
    let collector = Collector::start().await.unwrap();
    let config = Config::file("demo.conf").unwrap();
    let config = config.in_server("        location /load/ { return 200 \"served\\n\"; }").unwrap();
    let nginx = Nginx::start(&config.runtime(&collector.runtime())).unwrap();
    let get = async |path: &str| {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let answer = client.get(format!("{}{path}", nginx.url())).send().await.unwrap();
        answer.error_for_status().unwrap().text().await.unwrap()
    };
    get("/load/1").await;
    let rest = collector.rest().unwrap();
    wait::until("the request", wait::LONG, async || (rest.stored().await.ok()? == 1).then_some(())).await.unwrap();
    let pages = [get("/wallarm-status").await, rest.text("/metrics").await.unwrap()];
    nginx.stop().unwrap();
    pages
}

/// What promtool says to `input`; it must find nothing.
fn promtool(arguments: &[&str], input: &str) {
    let mut child = Command::new(folder::promtool())
        .args(arguments)
        .current_dir(docs())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("no promtool: run scripts/setup --promtool");
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(output.status.success(), "promtool {arguments:?}: {said}\n{input}");
}

fn docs() -> PathBuf {
    folder::checkout().join("docs/prometheus")
}

/// Our metrics that a text names.
fn named(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| PREFIXES.iter().any(|prefix| word.starts_with(prefix))).collect()
}

#[tokio::test]
async fn promtool_has_nothing_to_say_about_either_page() {
    for (page, prefix) in pages().await.iter().zip(PREFIXES) {
        promtool(&["check", "metrics"], page);
        let foreign = page.lines().find(|line| !line.starts_with('#') && !line.starts_with(prefix));
        assert_eq!(foreign, None);
    }
}

#[test]
fn alerts_are_sound_and_come_when_they_should() {
    promtool(&["check", "rules", "alerts.yml"], "");
    promtool(&["test", "rules", "alerts-test.yml"], "");
}

#[tokio::test]
async fn alerts_and_dashboard_ask_for_nothing_that_is_not_on_the_pages() {
    let pages = pages().await;
    let types = pages.iter().flat_map(|page| page.lines().filter_map(|line| line.strip_prefix("# TYPE ")));
    let there: BTreeSet<&str> = types.filter_map(|line| line.split(' ').next()).collect();
    for name in ["alerts.yml", "alerts-test.yml", "dashboard.json"] {
        let text = read(&docs().join(name));
        let asked = named(&text);
        assert!(asked.len() > 9, "{name} names {asked:?}");
        let unknown: Vec<_> = asked.difference(&there).collect();
        assert!(unknown.is_empty(), "{name} asks for {unknown:?}");
    }
    let dashboard: serde_json::Value = serde_json::from_str(&read(&docs().join("dashboard.json"))).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let expressions: Vec<&str> = panels
        .iter()
        .flat_map(|panel| panel["targets"].as_array().into_iter().flatten())
        .filter_map(|target| target["expr"].as_str())
        .collect();
    assert!(expressions.len() >= panels.len(), "{expressions:?}");
    // Each is a question that Prometheus understands: as rules, which promtool reads without a server.
    let rules = expressions.iter().map(|expr| expr.replace("$__rate_interval", "5m").replace("$instance", ".*"));
    let rules: Vec<_> = rules.map(|expr| serde_json::json!({"record": "asked", "expr": expr})).collect();
    let file = folder::temporary().unwrap();
    let path = file.path().join("rules.yml");
    for (number, rule) in rules.into_iter().enumerate() {
        let group = serde_json::json!({"groups": [{"name": format!("panel {number}"), "rules": [rule]}]});
        fs::write(&path, group.to_string()).unwrap();
        promtool(&["check", "rules", &path.display().to_string()], "");
    }
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}
