//! The examples of docs/sources.md.

use super::request::read_body;

const SOURCES: &str = include_str!("../../../../docs/sources.md");

/// The code in the cells of a row of a table.
fn code(row: &str) -> Option<[&str; 3]> {
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

#[test]
fn each_documented_example_gives_what_is_written() {
    let examples: Vec<[&str; 3]> = SOURCES.lines().filter_map(code).collect();
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
