//! Bad input: bounded memory, the value absent, and a counter that says by decoder why.
//!
//! Bounded time is shown by `scripts/fuzz`, which counts instructions.

#[path = "bodies/request.rs"]
#[allow(dead_code)]
mod request;

use std::io::Write;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use capture::{Format, Reason};
use peak_alloc::PeakAlloc;
use request::{Got, Sending, Sent, read};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// What one input may take.
const MEMORY_LIMIT: usize = 16 << 20;
/// The flusher's stack.
const STACK: usize = 512 << 10;

struct Bad {
    what: &'static str,
    source: &'static str,
    content_type: &'static str,
    encoding: Option<&'static str>,
    body: Vec<u8>,
    counted: (Format, Reason),
}

fn bad(
    what: &'static str,
    source: &'static str,
    content_type: &'static str,
    body: impl Into<Vec<u8>>,
    counted: (Format, Reason),
) -> Bad {
    Bad { what, source, content_type, encoding: None, body: body.into(), counted }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    gzip_at(bytes, flate2::Compression::best())
}

fn gzip_at(bytes: &[u8], level: flate2::Compression) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), level);
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

/// A Zstandard frame of repeated bytes: 4 bytes for each 128 KiB (RFC 8878, section 3.1.1.2).
fn zstd_bomb(blocks: u32) -> Vec<u8> {
    // Magic, a frame of no known length with a window of 8 MiB, blocks of one repeated byte.
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 13 << 3];
    for block in 0..blocks {
        let head = (128 << 10) << 3 | 1 << 1 | u32::from(block + 1 == blocks);
        frame.extend_from_slice(&head.to_le_bytes()[..3]);
        frame.push(b' ');
    }
    frame
}

fn all() -> Vec<Bad> {
    use Format::{Base64, Body, Brotli, Form, Graphql, Gzip, Json, Jwt, Multipart, Xml, Zstd};
    use Reason::{Cut, Malformed, TooDeep, TooLarge, Unsupported};
    let spaces = vec![b' '; 8 << 20];
    let coded = |what, encoding, body: Vec<u8>, counted| Bad {
        encoding: Some(encoding),
        ..bad(what, "json.a", "application/json", body, counted)
    };
    let bomb = gzip(&spaces);
    let mut nested = bomb.clone();
    nested = gzip(&nested);
    // Less than the limit, and more than half of it.
    let long = format!("{{\"pad\":\"{}\",\"a\":1}}", "x".repeat(300 << 10)).into_bytes();
    let stored = gzip(&gzip_at(&long, flate2::Compression::none()));
    let list = format!("[{}1]", "1,".repeat(200_000)).into_bytes();
    vec![
        coded("a gzip bomb", "gzip", bomb.clone(), (Gzip, TooLarge)),
        coded("two gzip bombs in one another", "gzip, gzip", nested, (Gzip, TooLarge)),
        coded("two codings that are too much together", "gzip, gzip", stored, (Gzip, TooLarge)),
        coded("a Zstandard bomb", "zstd", zstd_bomb(10_000), (Zstd, TooLarge)),
        coded("a Brotli stream that claims 16 MiB", "br", vec![0x0f, 0xff, 0xff, 0xff, 0x07], (Brotli, TooLarge)),
        coded(
            "a Brotli stream of the large window dialect",
            "br",
            vec![0x11, 0x3e, 0xff, 0xff, 0xff],
            (Brotli, TooLarge),
        ),
        coded("a coding that nobody knows", "compress", b"{}".to_vec(), (Body, Unsupported)),
        coded("more codings than anybody uses", "gzip,gzip,gzip,gzip,gzip", bomb.clone(), (Gzip, Malformed)),
        bad(
            "a bomb behind decoders",
            "base64.gzip.json.a",
            "text/plain",
            BASE64_STANDARD.encode(&bomb),
            (Gzip, TooLarge),
        ),
        bad(
            "an XML bomb",
            "xml.lolz",
            "text/xml",
            "<?xml version=\"1.0\"?><!DOCTYPE lolz [<!ENTITY lol \"lol\"><!ENTITY lol2 \"&lol;&lol;&lol;&lol;\">\
             <!ENTITY lol3 \"&lol2;&lol2;&lol2;&lol2;\">]><lolz>&lol3;</lolz>",
            (Xml, Malformed),
        ),
        bad(
            "an XML document that asks for a file",
            "xml.a",
            "text/xml",
            "<!DOCTYPE a [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><a>&x;</a>",
            (Xml, Malformed),
        ),
        bad("an attribute that asks for a file", "xml.a.@b", "text/xml", "<a b=\"&x;\"/>", (Xml, Malformed)),
        bad("XML 5,000 deep", "xml.a", "text/xml", "<a>".repeat(5_000), (Xml, TooDeep)),
        bad("XML without end", "xml.a", "text/xml", "<a>v", (Xml, Malformed)),
        bad(
            "10,000 form fields",
            "form.last",
            "application/x-www-form-urlencoded",
            "a=1&".repeat(10_000) + "last=1",
            (Form, TooLarge),
        ),
        bad(
            "multipart without an end",
            "multipart.a",
            "multipart/form-data; boundary=b",
            "--b\r\nContent-Disposition: form-data; name=a\r\n\r\nv",
            (Multipart, Malformed),
        ),
        bad("multipart without a boundary", "multipart.a", "multipart/form-data", "v", (Multipart, Malformed)),
        bad(
            "multipart that is cut",
            "multipart.a",
            "multipart/form-data; boundary=b",
            "--b\r\nContent-Disposition: form-data; name=a\r\n\r\n".to_owned() + &"v".repeat(70_000),
            (Multipart, Cut),
        ),
        bad(
            "a part with an endless head",
            "multipart.a",
            "multipart/form-data; boundary=b",
            "--b\r\n".to_owned() + &"x: y\r\n".repeat(5_000) + "\r\n--b--",
            (Multipart, TooLarge),
        ),
        bad(
            "2,000 parts",
            "multipart.a",
            "multipart/form-data; boundary=b",
            "--b\r\n\r\n\r\n\r\n".repeat(2_000) + "--b--",
            (Multipart, TooLarge),
        ),
        bad("deep JSON arrays", "json.a", "application/json", "[".repeat(60_000), (Json, Malformed)),
        bad(
            "deep JSON objects",
            "json.a.a.a.a.a.a.a.a",
            "application/json",
            "{\"a\":".repeat(12_000),
            (Json, Malformed),
        ),
        Bad {
            encoding: Some("gzip"),
            ..bad("a list of 200,000", "json.*", "application/json", gzip(&list), (Json, TooLarge))
        },
        bad("an invalid JWT", "jwt.payload.sub", "text/plain", "e30.%%%.x", (Jwt, Malformed)),
        bad("a JWT of a broken document", "jwt.payload.sub", "text/plain", "e30.eyJzdWIi.x", (Jwt, Malformed)),
        bad("no base64", "base64", "text/plain", "~~", (Base64, Malformed)),
        bad(
            "GraphQL with 10,000 aliases",
            "graphql.arg.f.x",
            "application/graphql",
            format!("{{ {} }}", "a:f ".repeat(10_000)),
            (Graphql, TooLarge),
        ),
        bad(
            "a GraphQL batch of 10,000",
            "graphql.arg.f.x",
            "application/json",
            format!("[{}{{}}]", "{},".repeat(10_000)),
            (Graphql, TooLarge),
        ),
        bad("GraphQL 30,000 deep", "graphql.arg.f.x", "application/graphql", "{a".repeat(30_000), (Graphql, TooLarge)),
        bad("GraphQL without end", "graphql.arg.f.x", "application/graphql", "{ f(x: ", (Graphql, Malformed)),
    ]
}

/// Reads on a stack as small as the flusher's, and tells how much memory that took.
fn measured(source: &str, sent: &Sent) -> (Got, usize) {
    std::thread::scope(|scope| {
        let read = || {
            MEMORY.reset_peak_usage();
            let before = MEMORY.current_usage();
            let got = read(&[source], sent, 64 << 10);
            (got, MEMORY.peak_usage() - before)
        };
        std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, read).unwrap().join().unwrap()
    })
}

/// One test, since memory is counted for the whole process.
#[test]
fn bad_input_costs_little_gives_nothing_and_is_counted() {
    for Bad { what, source, content_type, encoding, body, counted } in all() {
        let sending = Sending { body, content_type: Some(content_type), encoding };
        for (side, sent) in [
            ("request", Sent { request: sending.clone(), ..Sent::default() }),
            ("response", Sent { response: sending.clone(), ..Sent::default() }),
        ] {
            let (got, memory) = measured(&format!("{side}.body.{source}"), &sent);
            assert_eq!(got.values, [None], "{what}");
            assert!(got.counted().contains(&counted), "{what}: {:?}", got.counted());
            assert!(memory <= MEMORY_LIMIT, "{what} takes {memory} bytes");
        }
    }
    longest_paths_fit_the_stack();
}

/// The deepest that a source can ask for.
fn longest_paths_fit_the_stack() {
    let segments = vec!["a"; 64];
    for (source, document) in [
        (format!("request.header.X.json.{}", segments.join(".")), "{\"a\":".repeat(64) + "1" + &"}".repeat(64)),
        (format!("request.header.X.json.{}", ["*"; 64].join(".")), "[".repeat(64) + "1" + &"]".repeat(64)),
    ] {
        let sent = Sent { headers: vec![("X", document.into_bytes())], ..Sent::default() };
        assert_eq!(measured(&source, &sent).0.values, [Some("1".into())]);
    }
}
