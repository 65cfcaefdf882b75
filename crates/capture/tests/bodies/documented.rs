//! The examples of docs/sources.md.

use super::request::{Sent, read, read_body};

const SOURCES: &str = include_str!("../../../../docs/sources.md");

/// The code in the cells of a row of a table.
fn code(row: &'static str) -> Option<[&'static str; 3]> {
    let cells: Vec<&str> = row.strip_prefix("| `")?.strip_suffix("` |")?.split("` | `").collect();
    cells.try_into().ok()
}

fn content_type(source: &str, body: &str) -> &'static str {
    match source.split('.').nth(2) {
        Some("json") => "application/json",
        Some("form") => "application/x-www-form-urlencoded",
        Some("multipart") => "multipart/form-data; boundary=b",
        Some("xml") => "application/xml",
        Some("graphql") if body.starts_with("{\"") => "application/json",
        Some("graphql") => "application/graphql",
        _ => "text/plain",
    }
}

/// The head of a request or of an answer as it stands in an example.
fn head(text: &'static str) -> Sent {
    let mut lines = text.split("\\r\\n");
    let mut words = lines.next().unwrap().split(' ');
    let (first, second) = (words.next().unwrap(), words.next().unwrap());
    let headers = lines.map(|line| line.split_once(": ").unwrap());
    let headers = headers.map(|(name, value)| (name, value.into())).collect();
    if first.starts_with("HTTP/") {
        return Sent { status: second.parse().unwrap(), answer: headers, ..Sent::default() };
    }
    Sent { method: first.into(), target: second.into(), headers, ..Sent::default() }
}

fn examples(of_bodies: bool) -> Vec<[&'static str; 3]> {
    let all = SOURCES.lines().filter_map(code);
    all.filter(|[source, ..]| (source.split('.').nth(1) == Some("body")) == of_bodies).collect()
}

#[test]
fn each_documented_example_of_a_head_gives_what_is_written() {
    let examples = examples(false);
    assert_eq!(examples.len(), 11, "{examples:?}");
    for [source, text, value] in examples {
        let got = read(&[source], &head(text), capture::DEFAULT_BODY_LIMIT);
        assert_eq!(got.values[0].as_deref(), Some(value), "{source} of {text}: {got:?}");
    }
}

#[test]
fn each_documented_example_of_a_body_gives_what_is_written() {
    let examples = examples(true);
    assert_eq!(examples.len(), 19, "{examples:?}");
    for [source, body, value] in examples {
        let body = body.replace("\\r\\n", "\r\n");
        let got = read_body(&[source], content_type(source, &body), body.as_str());
        assert_eq!(got.values[0].as_deref(), Some(value), "{source} of {body}: {got:?}");
    }
}

#[test]
fn each_documented_source_is_one() {
    let spans = SOURCES.split('`').skip(1).step_by(2);
    let sources = spans.filter(|code| code.starts_with("request.") || code.starts_with("response."));
    let mut count = 0;
    for source in sources.filter(|source| !source.contains("NAME") && !source.contains("...")) {
        capture::Source::parse(source).unwrap_or_else(|e| panic!("{source} {e}"));
        count += 1;
    }
    assert!(count > 30, "{count}");
}
