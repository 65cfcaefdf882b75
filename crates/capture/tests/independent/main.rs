//! Each decoder against an implementation that shares no code with it: Python's standard library
//! (`reference.py`, run anew with a new seed each day), graphql-js and Node's Brotli (`graphql.mjs`,
//! its results kept in `vectors.json`), and ruzstd for Zstandard.

#[path = "../bodies/request.rs"]
#[allow(dead_code)]
mod request;

use std::process::Command;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use request::{Sending, Sent, read, read_body};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
struct Case {
    source: String,
    content_type: String,
    encoding: String,
    body: String,
    expected: Option<String>,
}

/// What one source gives for a request body.
fn value(source: &str, content_type: &str, encoding: &str, body: Vec<u8>) -> Option<String> {
    let content_type = Some(&*content_type.to_owned().leak());
    let encoding = Some(&*encoding.to_owned().leak());
    let request = Sending { body, content_type, encoding };
    read(&[source], &Sent { request, ..Sent::default() }, capture::DEFAULT_BODY_LIMIT).values.remove(0)
}

#[test]
fn what_python_writes_is_read_as_python_reads_it() {
    let seed = std::env::var("SEED").unwrap_or_else(|_| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        (now.as_secs() / 86_400).to_string()
    });
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/independent/reference.py");
    let output = Command::new("python3").args([script, &seed]).output().expect("python3 is there");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let cases: Vec<Case> =
        String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let present = cases.iter().filter(|case| case.expected.is_some()).count();
    assert!(cases.len() > 1000 && present > 500, "{} cases, {present} with a value", cases.len());
    for case in cases {
        let body = BASE64_STANDARD.decode(&case.body).unwrap();
        let expected = case.expected.as_ref().map(|text| BASE64_STANDARD.decode(text).unwrap());
        let expected = expected.map(|bytes| wire::escape(&bytes).into_owned());
        let found = value(&case.source, &case.content_type, &case.encoding, body.clone());
        assert_eq!(found, expected, "SEED={seed} {case:?}\n{}", String::from_utf8_lossy(&body));
    }
}

fn vectors() -> serde_json::Value {
    serde_json::from_str(include_str!("vectors.json")).unwrap()
}

#[test]
fn graphql_requests_are_read_as_graphql_js_executes_them() {
    for vector in vectors()["graphql"].as_array().unwrap() {
        for (path, expected) in vector["values"].as_object().unwrap() {
            let source = format!("request.body.graphql.{path}");
            let body = serde_json::to_string(&vector["request"]).unwrap();
            let mut found = read_body(&[&source], "application/json", body);
            assert_eq!(found.values.remove(0).as_deref(), expected.as_str(), "{path} of {}", vector["request"]);
            assert_eq!(found.counted(), vec![], "{path} of {}", vector["request"]);
        }
    }
}

#[test]
fn what_nodes_brotli_compresses_is_inflated() {
    let brotli = &vectors()["brotli"];
    for compressed in brotli["compressed"].as_array().unwrap() {
        let body = BASE64_STANDARD.decode(compressed.as_str().unwrap()).unwrap();
        assert_eq!(value("request.body.json.a", "application/json", "br", body.clone()).as_deref(), Some("v"));
        let whole = value("request.body", "application/json", "br", body).unwrap();
        assert!(brotli["text"].as_str().unwrap().starts_with(&whole) && whole.len() == 1024);
    }
}

#[test]
fn what_ruzstd_compresses_is_inflated() {
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};
    let text = format!(r#"{{"a":"v","filler":"{}"}}"#, "lorem ipsum ".repeat(300));
    for level in [CompressionLevel::Uncompressed, CompressionLevel::Fastest] {
        let body = compress_to_vec(text.as_bytes(), level);
        assert_eq!(value("request.body.json.a", "application/json", "zstd", body).as_deref(), Some("v"));
    }
}
