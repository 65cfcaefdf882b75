//! Answers: NGINX's own, files, those of an origin, kept ones, and refusals.

use crate::situation::{Situation, head, situation};

pub fn all() -> Vec<Situation> {
    [own(), files(), origin(), kept(), rights(), limits()].concat()
}

fn get(path: &'static str, status: u16) -> Situation {
    situation(path).ask("GET", path).told("GET", path, status)
}

fn own() -> Vec<Situation> {
    vec![
        get("/empty", 204),
        get("/hidden", 404),
        get("/close", 444),
        get("/gone", 410),
        situation("HEAD").ask("HEAD", "/a").told("HEAD", "/a", 200),
        situation("a body that nobody reads").ask_with_body("PUT", "/a", "unread").told("PUT", "/a", 200),
        situation("a body in chunks that nobody reads")
            .ask_with("PUT", "/a", "Transfer-Encoding: chunked\r\n")
            .send("3\r\nabc\r\n0\r\n\r\n")
            .told("PUT", "/a", 200),
    ]
}

fn files() -> Vec<Situation> {
    let file = |headers: &str, status| {
        situation("a file").ask_with("GET", "/files/file.txt", headers).told("GET", "/files/file.txt", status)
    };
    vec![
        file("", 200),
        file("Range: bytes=2-3\r\n", 206),
        file("Range: bytes=0-1,3-4\r\n", 206),
        file("Range: bytes=1000-\r\n", 416),
        file("If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT\r\nIf-None-Match: \"no\"\r\n", 200),
        file("If-None-Match: *\r\n", 304),
        file("If-Match: \"no\"\r\n", 412),
        get("/files/nothing", 404),
        get("/files/", 403),
        get("/files/below", 301),
        get("/files/below/", 200),
        situation("HEAD of a file").ask("HEAD", "/files/file.txt").told("HEAD", "/files/file.txt", 200),
    ]
}

fn origin() -> Vec<Situation> {
    vec![
        get("/late", 200),
        get("/half", 200),
        get("/nobody", 502),
        get("/slow-origin", 504),
        get("/origin/mute", 502),
        // An answer without a head is one of HTTP/0.9, and 9 is what NGINX calls its status.
        get("/origin/garbled", 9),
        get("/origin/cut", 200),
        get("/origin/failing", 500),
        get("/origin/moved", 302),
        situation("a body").ask_with_body("POST", "/origin/size", "four").told("POST", "/origin/size", 200),
        situation("a body in chunks")
            .ask_with("POST", "/origin/size", "Transfer-Encoding: chunked\r\n")
            .send("2\r\nab\r\n")
            .pause(20)
            .send("1\r\nc\r\n0\r\nX-Trailer: t\r\n\r\n")
            .told("POST", "/origin/size", 200),
        situation("a body after 100")
            .ask_with("POST", "/origin/size", "Content-Length: 4\r\nExpect: 100-continue\r\n")
            .wait_for("100 Continue\r\n\r\n")
            .send("four")
            .told("POST", "/origin/size", 200),
        situation("a slow body")
            .ask_with("POST", "/origin/size", "Content-Length: 4\r\n")
            .pause(80)
            .send("fo")
            .pause(80)
            .send("ur")
            .told("POST", "/origin/size", 200),
        situation("a slow body, passed on as it comes")
            .ask_with("POST", "/unbuffered", "Content-Length: 4\r\n")
            .pause(80)
            .send("fo")
            .pause(80)
            .send("ur")
            .told("POST", "/unbuffered", 200),
        situation("a large body").ask_with_body("POST", "/origin/size", &"large".repeat(20_000)).told(
            "POST",
            "/origin/size",
            200,
        ),
        situation("a WebSocket")
            .ask_upgrade("/upgrade")
            .wait_for("\r\n\r\n")
            .send("one")
            .wait_for("one")
            .pause(80)
            .send("another")
            .wait_for("another")
            .finish()
            .told("GET", "/upgrade", 101),
        situation("a WebSocket that is left")
            .ask_upgrade("/upgrade")
            .wait_for("\r\n\r\n")
            .leave()
            .told("GET", "/upgrade", 101),
    ]
}

fn kept() -> Vec<Situation> {
    let twice = |name, path: &'static str| {
        situation(name)
            .send(head("GET", path, ""))
            .wait_for("\r\n\r\n")
            .ask("GET", path)
            .told("GET", path, 200)
            .told("GET", path, 200)
    };
    vec![twice("an answer from the cache", "/cached"), twice("an answer that was stored", "/stored/{tag}.txt")]
}

fn rights() -> Vec<Situation> {
    // shop:open
    let known = "Authorization: Basic c2hvcDpvcGVu\r\n";
    vec![
        get("/denied", 403),
        get("/either", 401),
        situation("/either, by a name").ask_with("GET", "/either", known).told("GET", "/either", 200),
    ]
}

fn limits() -> Vec<Situation> {
    let twice = |path, status| {
        situation(path)
            .send(head("GET", path, ""))
            .wait_for("\r\n\r\n")
            .ask("GET", path)
            .told("GET", path, 200)
            .told("GET", path, status)
    };
    vec![
        twice("/limited", 503),
        twice("/paced", 200),
        situation("too large a body").ask_with_body("POST", "/tight", "more than ten").told("POST", "/tight", 413),
        situation("too large a body in chunks")
            .ask_with("POST", "/tight", "Transfer-Encoding: chunked\r\n")
            .send("b\r\nmore than t\r\n0\r\n\r\n")
            .told("POST", "/tight", 413),
    ]
}
