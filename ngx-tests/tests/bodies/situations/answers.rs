//! Answers: who makes them, which filters they pass, and how the client takes them.

use super::coding::{deflate, gzip, zlib};
use crate::situation::{JSON, Situation, situation};

const ANN: &str = r#"{"id":"ann"}"#;
const READ: &[(&str, &str)] = &[("answer", "ann")];

pub fn all() -> Vec<Situation> {
    [origins(), codings(), places(), files(), filters(), kept(), statuses(), limits()].concat()
}

/// JSON with an id at its beginning, of about so many bytes.
fn long(size: usize) -> String {
    let items = (0..size / 10).map(|n| format!("{n:09},"));
    format!(r#"{{"id":"ann","pad":"{}"}}"#, items.collect::<String>())
}

fn origins() -> Vec<Situation> {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
    let chunked = format!("{head}Transfer-Encoding: chunked\r\n\r\n");
    let until_close = format!("{head}Connection: close\r\n\r\n");
    let cut = format!("{head}Content-Length: 1000\r\n\r\n{ANN}");
    let get = |name: &str| situation(name).get("/").told(200, READ);
    vec![
        get("json").answer(JSON, "", ANN),
        get("json-charset").answer("application/json; charset=utf-8", "", ANN),
        get("problem").answer("application/problem+json", "", ANN),
        situation("other-type").get("/").told(200, &[]).answer("text/html", "", ANN),
        situation("not-json").get("/").told(200, &[]).answer(JSON, "", "<html>"),
        situation("empty").get("/").told(200, &[]).answer(JSON, "", ""),
        get("chunked").answer_pieces(&[chunked.as_bytes(), b"5\r\n{\"id\"\r\n", b"7\r\n:\"ann\"}\r\n", b"0\r\n\r\n"]),
        get("chunked-in-one").answer_pieces(&[format!("{chunked}c\r\n{ANN}\r\n0\r\n\r\n").as_bytes()]),
        get("until-it-closes").answer_pieces(&[until_close.as_bytes(), ANN.as_bytes()]),
        get("without-type").answer_pieces(&[b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n", ANN.as_bytes()]),
        get("cut-by-the-origin").answer_pieces(&[cut.as_bytes()]),
        situation("streamed").get("/streamed").told(200, READ).answer(JSON, "", ANN),
        situation("streamed-in-pieces").get("/streamed").told(200, READ).answer_pieces(&[
            chunked.as_bytes(),
            b"5\r\n{\"id\"\r\n",
            b"7\r\n:\"ann\"}\r\n",
            b"0\r\n\r\n",
        ]),
        situation("streamed-long").get("/streamed").told(200, READ).answer(JSON, "", long(2_000_000)),
        situation("old-client").get_1_0("/").told(200, READ).answer(JSON, "", ANN),
        situation("events").get("/streamed").told(200, &[]).answer_pieces(&[
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n",
            b"data: {\"id\":\"ann\"}\n\n",
            b"data: {\"id\":\"bob\"}\n\n",
        ]),
        situation("both-ways")
            .post("/", JSON, r#"{"id":"bob"}"#)
            .told(200, &[("json", "bob"), ("answer", "ann")])
            .answer(JSON, "", ANN),
    ]
}

/// Compressed by the origin: the coding is taken off.
fn codings() -> Vec<Situation> {
    let coded = |name: &str, path: &str, coding: &str, body: &[u8]| {
        let headers = format!("Content-Encoding: {coding}\r\n");
        situation(name).get(path).told(200, READ).answer(JSON, &headers, body)
    };
    let (ann, long) = (ANN.as_bytes(), long(400_000));
    // As it stands, in a window of 18 bits.
    let brotli = [b"\x83\x05\x80", ann, b"\x03"].concat();
    vec![
        coded("gzip-of-origin", "/", "gzip", &gzip(ann)),
        coded("gzip-of-origin-long", "/", "gzip", &gzip(long.as_bytes())),
        coded("gzip-of-origin-streamed", "/streamed", "gzip", &gzip(long.as_bytes())),
        coded("deflate-of-origin", "/", "deflate", &deflate(ann)),
        coded("zlib-of-origin", "/", "deflate", &zlib(ann)),
        coded("brotli-of-origin", "/", "br", &brotli),
        coded("zstd-of-origin", "/", "zstd", &zstd::encode_all(ann, 1).unwrap()),
        coded("twice-coded", "/", "deflate, gzip", &gzip(&zlib(ann))),
        coded("not-coded", "/", "identity", ann),
        // Inflated behind us, for a client that takes no coding.
        coded("inflated-by-nginx", "/gunzip", "gzip", &gzip(ann)),
        coded("not-compressed-again", "/gzip", "gzip", &gzip(ann)),
        situation("coding-nobody-knows").get("/").told(200, &[]).answer(JSON, "Content-Encoding: compress\r\n", ann),
        // A body that says of itself what it is not.
        situation("not-gzip").get("/").told(200, &[]).answer(JSON, "Content-Encoding: gzip\r\n", ann),
    ]
}

/// Where NGINX keeps an answer on its way.
fn places() -> Vec<Situation> {
    let many = long(8_000_000);
    let slow = |name: &str, path: &str| situation(name).get(path).wait_for("\r\n\r\n").pause(300).told(200, READ);
    vec![
        situation("buffered").get("/").told(200, READ).answer(JSON, "", long(30_000)),
        situation("large").get("/").told(200, READ).answer(JSON, "", &many),
        slow("spooled", "/spooled").answer(JSON, "", &many),
        slow("spooled-by-default", "/").answer(JSON, "", &many),
        slow("slow-client-of-a-stream", "/streamed").answer(JSON, "", &many),
        situation("limited-rate").get("/limited-rate").told(200, READ).answer(JSON, "", long(150_000)),
        situation("client-that-leaves").get("/").wait_for("\r\n\r\n").leave().told(200, READ).answer(JSON, "", &many),
    ]
}

fn files() -> Vec<Situation> {
    let file = &[("answer", "file")][..];
    let large = &[("answer", "large")][..];
    let get = |name: &str, path: &str, headers: &str| situation(name).ask("GET", path, headers);
    vec![
        get("file", "/files/small.json", "").told(200, file),
        get("large-file", "/files/large.json", "").told(200, large),
        get("large-file-by-threads", "/threads/large.json", "").told(200, large),
        get("large-file-by-directio", "/directio/large.json", "").told(200, large),
        get("large-file-by-read", "/by-read/large.json", "").told(200, large),
        get("slow-client-of-a-file", "/files/large.json", "").wait_for("\r\n\r\n").pause(200).told(200, large),
        get("empty-file", "/files/empty.json", "").told(200, &[]),
        get("text-file", "/files/text.txt", "").told(200, &[]),
        situation("head-of-file").ask("HEAD", "/files/small.json", "").told(200, &[]),
        // Of a part nobody knows where it stands.
        get("part", "/files/small.json", "Range: bytes=0-20\r\n").told(206, &[]),
        get("parts", "/files/small.json", "Range: bytes=0-1,3-4\r\n").told(206, &[]),
        get("no-such-part", "/files/small.json", "Range: bytes=1000-\r\n").told(416, &[]),
        get("all-of-it", "/files/small.json", "Range: bytes=0-,0-,0-\r\n").told(200, file),
        get("not-changed", "/files/small.json", "If-None-Match: *\r\n").told(304, &[]),
        get("changed", "/files/small.json", "If-None-Match: \"other\"\r\n").told(200, file),
    ]
}

/// Filters behind us change what the client receives, not what is read.
fn filters() -> Vec<Situation> {
    let included = r#"{"id":"ann","with":<!--# include virtual="/included" -->}"#;
    let gzip = "Accept-Encoding: gzip\r\n";
    let long = long(300_000);
    vec![
        situation("gzip").ask("GET", "/gzip", gzip).told(200, READ).answer(JSON, "", ANN),
        situation("gzip-long").ask("GET", "/gzip", gzip).told(200, READ).answer(JSON, "", &long),
        situation("gzip-not-taken").get("/gzip").told(200, READ).answer(JSON, "", ANN),
        situation("sub").get("/sub").told(200, READ).answer(JSON, "", ANN),
        situation("sub-long").get("/sub").told(200, READ).answer(JSON, "", &long),
        situation("ssi").get("/ssi").told(200, READ).answer(JSON, "", included),
        situation("addition").get("/addition").told(200, READ).answer(JSON, "", ANN),
        situation("all-filters").ask("GET", "/all-filters", gzip).told(200, READ).answer(JSON, "", ANN),
        situation("all-filters-long").ask("GET", "/all-filters", gzip).told(200, READ).answer(JSON, "", &long),
    ]
}

/// From a cache, and from a file that the origin names.
fn kept() -> Vec<Situation> {
    let accel = |name: &str, file: &str| {
        let headers = format!("X-Accel-Redirect: /protected/{file}\r\n");
        situation(name).get("/").answer(JSON, &headers, r#"{"id":"not for the client"}"#)
    };
    let body = long(40_000);
    vec![
        accel("accel", "small.json").told(200, &[("answer", "file")]),
        accel("accel-large", "large.json").told(200, &[("answer", "large")]),
        accel("accel-to-nothing", "nothing.json").told(404, &[]),
        situation("cached")
            .head("GET", "/cached", "")
            .wait_for("X-Cache: MISS")
            .wait_for("}")
            .told(200, READ)
            .head("GET", "/cached", "")
            .wait_for("X-Cache: HIT")
            .wait_for("}")
            .told(200, READ)
            .ask("GET", "/cached", "Range: bytes=0-20\r\n")
            .told(206, &[])
            .answer(JSON, "Accept-Ranges: bytes\r\n", body),
    ]
}

fn statuses() -> Vec<Situation> {
    let said = |name: &str, status: &str, headers: &str, body: &str| {
        let length = body.len();
        let head =
            format!("HTTP/1.1 {status}\r\nContent-Type: {JSON}\r\nContent-Length: {length}\r\n{headers}\r\n{body}");
        situation(name).get("/").answer_pieces(&[head.as_bytes()])
    };
    let sorry = &[("answer", "sorry")][..];
    vec![
        said("created", "201 Created", "", ANN).told(201, READ),
        said("not-found", "404 Not Found", "", ANN).told(404, READ),
        said("failed", "500 Internal Server Error", "", ANN).told(500, READ),
        said("part-of-origin", "206 Partial Content", "Content-Range: bytes 0-11/100\r\n", ANN).told(206, &[]),
        said("moved", "302 Found", "Location: /elsewhere\r\n", ANN).told(302, READ),
        situation("no-content").get("/").told(204, &[]).answer_pieces(&[b"HTTP/1.1 204 No Content\r\n\r\n"]),
        situation("head")
            .ask("HEAD", "/", "")
            .told(200, &[])
            .answer_pieces(&[b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n"]),
        situation("refused").get("/refused").told(403, &[]),
        situation("intercepted").get("/intercepted").told(500, sorry).answer_pieces(&[
            b"HTTP/1.1 500 Internal Server Error\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n",
            ANN.as_bytes(),
        ]),
        situation("page-of-nginx").get("/files/nothing.json").told(404, &[]),
        situation("nobody").get("/nobody-to-plain").told(200, &[]).answer(JSON, "", ANN),
    ]
}

fn limits() -> Vec<Situation> {
    let late = format!(r#"{{"pad":"{}","id":"ann"}}"#, ".".repeat(70_000));
    let get = |name: &str, path: &str| situation(name).get(path);
    vec![
        get("beyond-default", "/").told(200, &[]).answer(JSON, "", &late),
        get("within-limit", "/limit-answer").told(200, READ).answer(JSON, "", long(10_000)),
        get("beyond-limit", "/limit-answer").told(200, &[]).answer(JSON, "", &late[69_900..]),
        get("plain", "/plain/").told(200, &[]).answer(JSON, "", ANN),
        get("one-byte", "/one-byte").told(200, &[]).answer(JSON, "", ANN),
    ]
}
