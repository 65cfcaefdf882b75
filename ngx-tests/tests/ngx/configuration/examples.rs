//! What people copy works as it stands: the files of `nginx-conf/`, and each block of the documents.

use std::fs;

use ngx_tests::folder;
use ngx_tests::nginx::{Config, Nginx};

use super::trial::Trial;
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

const DOCUMENTS: [&str; 4] = ["README.md", "docs/directives.md", "docs/install.md", "docs/sources.md"];

#[test]
fn every_nginx_block_of_the_documents_is_accepted() {
    let mut tried = 0;
    for document in DOCUMENTS {
        let text = fs::read_to_string(folder::checkout().join(document)).unwrap();
        for block in blocks(&text) {
            let verdict = Trial::new().test(&around(&block));
            assert!(verdict.accepted, "{document}:\n{block}\n{}", verdict.said);
            tried += 1;
        }
    }
    assert!(tried >= 8, "only {tried} blocks were found");
}

/// The fenced blocks in the language `nginx`, without what a list adds in front of their lines.
fn blocks(text: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    while let Some(fence) = lines.by_ref().find(|line| line.trim_start() == "```nginx") {
        let indent = fence.len() - fence.trim_start().len();
        let inner = lines.by_ref().take_while(|line| line.trim_start() != "```");
        blocks.push(inner.map(|line| line.get(indent..).unwrap_or_default().to_owned() + "\n").collect());
    }
    blocks
}

/// A block as somebody pastes it: a whole file, lines for `http`, or a location for its server.
fn around(block: &str) -> Config {
    let config = quickstart("");
    let has = |start: &str| block.lines().any(|line| line.trim_start().starts_with(start));
    if has("http {") {
        let head =
            config.content().split("events {").next().unwrap_or_default().replace("load_module", "# load_module");
        let block = block.replace("...", "").replace("listen 80;", "listen 127.0.0.1:8080;");
        // Where there is none, the log of an installed system is opened.
        let block = block.replace("http {\n", "http {\n    access_log /var/log/nginx/access.log;\n");
        let text = format!("{head}{block}events {{\n}}\n");
        return Config::text("example", &text);
    }
    // What the quickstart says itself, and the block says instead.
    let own = ["wallarm_session_secret ", "wallarm_session_collector ", "wallarm_sessions "]
        .into_iter()
        .filter(|name| block.lines().any(|line| line.starts_with(name)));
    let config = own.fold(config, |config, name| config.replace(&format!("    {name}"), "    # ").unwrap());
    if has("location ") { config.in_server(block).unwrap() } else { config.in_http(block).unwrap() }
}
