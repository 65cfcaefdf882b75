//! Request bodies: how they come, where NGINX keeps them, and who reads them.

use crate::situation::{FORM, JSON, Situation, situation};

const ANN: &str = r#"{"id":"ann"}"#;
const READ: &[(&str, &str)] = &[("json", "ann")];

pub fn all() -> Vec<Situation> {
    [formats(), ways(), places(), readers(), detours(), limits(), departures()].concat()
}

/// JSON with an id at its beginning, of about so many bytes.
fn long(size: usize) -> String {
    format!(r#"{{"id":"ann","pad":"{}"}}"#, ".".repeat(size))
}

/// The same with the id at its end.
fn late(size: usize) -> String {
    format!(r#"{{"pad":"{}","id":"ann"}}"#, ".".repeat(size))
}

fn formats() -> Vec<Situation> {
    let multipart = "--b\r\nContent-Disposition: form-data; name=\"id\"\r\n\r\nann\r\n--b--\r\n";
    let graphql = r#"{"query":"query Me { user { id } }"}"#;
    vec![
        situation("json").post("/", JSON, ANN).told(200, READ),
        situation("json-charset").post("/", "application/json; charset=utf-8", ANN).told(200, READ),
        situation("form").post("/", FORM, "a=1&id=ann+lee").told(200, &[("form", "ann lee")]),
        situation("multipart")
            .post("/", "multipart/form-data; boundary=b", multipart)
            .told(200, &[("multipart", "ann")]),
        situation("xml").post("/", "text/xml", "<order><id>7</id></order>").told(200, &[("xml", "7")]),
        situation("graphql").post("/", JSON, graphql).told(200, &[("graphql", "Me")]),
        // Not what its type says; and a type that nobody reads.
        situation("not-json").post("/", JSON, "id=ann").told(200, &[]),
        situation("other-type").post("/", "text/plain", ANN).told(200, &[]),
        situation("no-type").ask("POST", "/", "Content-Length: 12\r\n").send(ANN).told(200, READ),
        situation("put")
            .ask("PUT", "/", "Content-Type: application/json\r\nContent-Length: 12\r\n")
            .send(ANN)
            .told(200, READ),
        situation("get")
            .ask("GET", "/", "Content-Type: application/json\r\nContent-Length: 12\r\n")
            .send(ANN)
            .told(200, READ),
    ]
}

/// How a body comes over the connection.
fn ways() -> Vec<Situation> {
    let announce = |name: &str, headers: &str| situation(name).announce("/", JSON, headers);
    let kept = format!("Content-Type: {JSON}\r\nContent-Length: 12\r\n");
    vec![
        situation("empty").post("/", JSON, "").told(200, &[]),
        announce("no-body", "").told(200, &[]),
        situation("no-chunks").post_chunks("/", JSON, &[]).told(200, &[]),
        situation("chunk").post_chunks("/", JSON, &[ANN.as_bytes()]).told(200, READ),
        situation("chunks").post_chunks("/", JSON, &[b"{\"id\"", b":\"a", b"nn\"", b"}"]).told(200, READ),
        situation("large-chunks")
            .post_chunks(
                "/",
                JSON,
                &[long(20_000).trim_end_matches('}').as_bytes(), b",\"b\":", long(30_000).as_bytes(), b"}"],
            )
            .told(200, READ),
        announce("trickled", "Content-Length: 12\r\n").trickle(ANN).told(200, READ),
        announce("trickled-chunks", "Transfer-Encoding: chunked\r\n")
            .trickle("c\r\n{\"id\":\"ann\"}\r\n0\r\n\r\n")
            .told(200, READ),
        announce("trailers", "Transfer-Encoding: chunked\r\n")
            .send("c\r\n{\"id\":\"ann\"}\r\n0\r\nX-Sum: 1\r\n\r\n")
            .told(200, READ),
        situation("half-with-its-head")
            .send("")
            .announce("/", JSON, "Content-Length: 12\r\n")
            .send(&ANN[..5])
            .pause(30)
            .send(&ANN[5..])
            .told(200, READ),
        announce("after-100", "Expect: 100-continue\r\nContent-Length: 12\r\n")
            .wait_for("100 Continue\r\n\r\n")
            .send(ANN)
            .told(200, READ),
        announce("not-waiting-for-100", "Expect: 100-continue\r\nContent-Length: 12\r\n").send(ANN).told(200, READ),
        situation("kept-alive")
            .head("POST", "/", &kept)
            .send(ANN)
            .told(200, READ)
            .wait_for("bytes")
            .wait_for("\n")
            .post("/", JSON, r#"{"id":"bob"}"#)
            .told(200, &[("json", "bob")]),
        pipelined("pipelined", "/"),
        pipelined("pipelined-unbuffered", "/unbuffered"),
        pipelined("pipelined-small-buffers", "/small-buffers"),
        announce("broken-chunks", "Transfer-Encoding: chunked\r\n")
            .send("c\r\n{\"id\":\"ann\"}\r\n")
            .pause(30)
            .send("x\r\n")
            .told(400, READ),
    ]
}

/// Three requests in one packet.
fn pipelined(name: &str, path: &str) -> Situation {
    let mut situation = situation(name);
    for (id, last) in [("ann", false), ("bob", false), ("cid", true)] {
        let body = format!(r#"{{"id":"{id}","pad":"{}"}}"#, ".".repeat(1500));
        let close = if last { "Connection: close\r\n" } else { "" };
        situation = situation
            .head("POST", path, &format!("{close}Content-Type: {JSON}\r\nContent-Length: {}\r\n", body.len()))
            .send(body)
            .told(200, &[("json", id)]);
    }
    situation.in_one_piece()
}

/// Where NGINX keeps a body.
fn places() -> Vec<Situation> {
    let mut all = Vec::new();
    for (place, path) in [
        ("memory", "/"),
        ("temporary-file", "/small-buffers"),
        ("file-only", "/in-file"),
        ("single-buffer", "/single"),
        ("nowhere", "/unbuffered"),
    ] {
        let (short, long) = (long(5_000), long(50_000));
        let [a, b] = [&long.as_bytes()[..30_000], &long.as_bytes()[30_000..]];
        all.extend([
            situation(&format!("short-in-{place}")).post(path, JSON, &short).told(200, READ),
            situation(&format!("long-in-{place}")).post(path, JSON, &long).told(200, READ),
            situation(&format!("late-in-{place}")).post(path, JSON, late(50_000)).told(200, READ),
            situation(&format!("slow-in-{place}"))
                .announce(path, JSON, &format!("Content-Length: {}\r\n", long.len()))
                .send(a)
                .pause(30)
                .send(b)
                .told(200, READ),
            situation(&format!("chunked-in-{place}")).post_chunks(path, JSON, &[a, b]).told(200, READ),
        ]);
    }
    all
}

/// Who reads a body.
fn readers() -> Vec<Situation> {
    let (fastcgi, own) = (("answer", "fastcgi"), ("answer", "own"));
    vec![
        situation("fastcgi").post("/fastcgi", JSON, ANN).told(200, &[READ[0], fastcgi]),
        situation("fastcgi-long").post("/fastcgi", JSON, long(50_000)).told(200, &[READ[0], fastcgi]),
        situation("fastcgi-chunks")
            .post_chunks("/fastcgi", JSON, &[b"{\"id\"", b":\"ann\"}"])
            .told(200, &[READ[0], fastcgi]),
        situation("fastcgi-unbuffered").post("/fastcgi-unbuffered", JSON, long(50_000)).told(200, &[READ[0], fastcgi]),
        // A body that nobody reads.
        situation("discarded").post("/discarded", JSON, ANN).told(200, &[own]),
        situation("discarded-chunks").post_chunks("/discarded", JSON, &[ANN.as_bytes()]).told(200, &[own]),
        situation("static").post("/files/small.json", JSON, ANN).told(405, &[]),
        situation("mirrored").post("/mirrored", JSON, ANN).told(200, READ),
        situation("mirrored-long").post("/mirrored", JSON, long(50_000)).told(200, READ),
        situation("allowed").post("/allowed", JSON, ANN).told(200, READ),
        situation("allowed-long").post("/allowed", JSON, long(50_000)).told(200, READ),
    ]
}

/// The location that reads a body decides how much is copied, the last one what is read from it.
fn detours() -> Vec<Situation> {
    let both = r#"{"id":"ann","other":"else"}"#;
    vec![
        situation("too-large").post("/tight", JSON, ANN).told(413, &[("answer", "sorry")]),
        situation("too-large-chunks")
            .post_chunks("/tight", JSON, &[b"{\"id\"", b":\"ann\"}"])
            .told(413, &[("answer", "sorry")]),
        situation("too-large-unbuffered").post("/tight-unbuffered", JSON, ANN).told(413, &[]),
        situation("sent-elsewhere").post("/nobody", JSON, both).told(200, &[("other", "else")]),
        situation("sent-elsewhere-long").post("/nobody", JSON, long(50_000)).told(200, &[]),
        situation("sent-to-plain").post("/nobody-to-plain", JSON, both).told(200, &[]),
        situation("plain").post("/plain/", JSON, ANN).told(200, &[]),
        situation("on-by-variable").post("/off?on=1", JSON, ANN).told(200, READ),
    ]
}

/// What lies behind the limit is absent.
fn limits() -> Vec<Situation> {
    vec![
        situation("beyond-default").post("/", JSON, late(70_000)).told(200, &[]),
        situation("within-default").post("/", JSON, long(5_000_000)).told(200, READ),
        situation("within-default-unbuffered").post("/unbuffered", JSON, long(5_000_000)).told(200, READ),
        situation("within-default-in-file").post("/in-file", JSON, long(1_000_000)).told(200, READ),
        situation("within-limit").post("/limit", JSON, long(10_000)).told(200, READ),
        situation("beyond-limit").post("/limit", JSON, late(100)).told(200, &[]),
        situation("across-limit").post("/limit", JSON, format!(r#"{{"id":"{}"}}"#, "a".repeat(100))).told(200, &[]),
        situation("up-to-limit").post("/limit", JSON, format!(r#"{{"id":"ann"{}}}"#, " ".repeat(88))).told(200, READ),
        situation("form-across-limit").post("/limit", FORM, format!("id={}", "a".repeat(98))).told(200, &[]),
        situation("one-byte").post("/one-byte", JSON, ANN).told(200, &[]),
        situation("one-byte-of-one").post("/one-byte", JSON, "7").told(200, &[]),
    ]
}

/// Clients that leave in the middle of a body: whole values count, a half one is none.
fn departures() -> Vec<Situation> {
    let left = |name: &str, path: &str, content_type: &str, sent: &str| {
        situation(name).announce(path, content_type, "Content-Length: 1000\r\n").send(sent).pause(100).leave()
    };
    let form = "a=1&id=an";
    let multipart = "--b\r\nContent-Disposition: form-data; name=\"id\"\r\n\r\nan";
    vec![
        left("json-left", "/", JSON, r#"{"id":"ann","pad":"..."#).told(400, READ),
        left("json-left-in-value", "/", JSON, r#"{"pad":1,"id":"an"#).told(400, &[]),
        left("form-left", "/", FORM, form).told(400, &[]),
        left("multipart-left", "/", "multipart/form-data; boundary=b", multipart).told(400, &[]),
        left("json-left-unbuffered", "/unbuffered", JSON, r#"{"id":"ann","pad":"..."#).told(400, READ),
        left("form-left-unbuffered", "/unbuffered", FORM, form).told(400, &[]),
    ]
}
