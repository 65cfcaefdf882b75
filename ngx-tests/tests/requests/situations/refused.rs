//! Requests that NGINX refuses while it reads them: no phase of any location ever runs.

use crate::situation::{Server, Situation, head, situation};

pub fn all() -> Vec<Situation> {
    [lines(), headers(), too_long(), pages()].concat()
}

/// A whole request whose line is as given.
fn line(name: &'static str, line: &str) -> Situation {
    situation(name).send(format!("{line}\r\nHost: shop.example\r\n\r\n"))
}

fn lines() -> Vec<Situation> {
    vec![
        situation("a TLS client on a plain port")
            .send(b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03 \xff\x00\r\n\r\n")
            .told_without_query("", "", 400),
        situation("noise").send(b"\x00\x01\x02\r\n\r\n").told_without_query("", "", 400),
        situation("text that is no HTTP").send("EHLO mail.example\r\n").told_without_query("EHLO", "mail.example", 400),
        line("a method in lower case", "get /a?x={tag} HTTP/1.1").told("get", "/a", 400),
        line("a method in mixed case", "Get /a?x={tag} HTTP/1.1").told("Get", "/a", 400),
        line("no target", "GET").told_without_query("", "", 400),
        line("the asterisk", "OPTIONS * HTTP/1.1").told_without_query("OPTIONS", "*", 400),
        line("a tunnel", "CONNECT shop.example:443 HTTP/1.1").told_without_query("CONNECT", "shop.example:443", 400),
        line("HTTP/2 unasked", "PRI * HTTP/2.0").told_without_query("PRI", "*", 400),
        line("a version to come", "GET /a?x={tag} HTTP/2.0").told("GET", "/a", 505),
        line("no version at all", "GET /a?x={tag} HTTX/1.1").told("GET", "/a", 400),
        line("a version and more", "GET /a?x={tag} HTTP/1.1 and more").told("GET", "/a", 400),
        line("POST in HTTP/0.9", "POST /a?x={tag}").told("POST", "/a", 400),
        line("a space in the target", "GET /a b?x={tag} HTTP/1.1").told_without_query("GET", "/a", 400),
        line("a broken escape", "GET /a%zz?x={tag} HTTP/1.1").told("GET", "/a%zz", 400),
        line("an escaped zero byte", "GET /a%00b?x={tag} HTTP/1.1").told("GET", "/a\0b", 400),
        line("a path above the root", "GET /../a?x={tag} HTTP/1.1").told("GET", "/a", 400),
        line("a control character", "GET /a\x07b?x={tag} HTTP/1.1").told("GET", "/a\x07b", 400),
        line("a bad host in the target", "GET http://un_usual/a?x={tag} HTTP/1.1").told("GET", "/a", 400),
        situation("the line of a proxy")
            .send("PROXY TCP4 192.0.2.1 192.0.2.2 1000 80\r\n")
            .told_without_query("PROXY", "TCP4", 400),
    ]
}

fn headers() -> Vec<Situation> {
    let with = |name, lines: &str| {
        let request = format!("POST /a?x={{tag}} HTTP/1.1\r\nConnection: close\r\n{lines}\r\n");
        situation(name).send(request)
    };
    let shop = |lines: &str| format!("Host: shop.example\r\n{lines}");
    vec![
        with("no Host", "").told("POST", "/a", 400),
        with("two Hosts", &shop("Host: other.example\r\n")).told("POST", "/a", 400),
        with("a Host that is none", "Host: a..b\r\n").told("POST", "/a", 400),
        with("a length that is none", &shop("Content-Length: many\r\n")).told("POST", "/a", 400),
        with("two lengths", &shop("Content-Length: 3\r\nContent-Length: 4\r\n")).told("POST", "/a", 400),
        with("a length and chunks", &shop("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n"))
            .told("POST", "/a", 400),
        with("an unknown encoding", &shop("Transfer-Encoding: strange\r\n")).told("POST", "/a", 501),
        with("a zero byte in a header", &shop("X-Odd: a\0b\r\n")).told("POST", "/a", 400),
        situation("TRACE").ask("TRACE", "/a").told("TRACE", "/a", 405),
        situation("a good request, then noise, on one connection")
            .send(head("GET", "/a", ""))
            .send("\x01\x02\r\n\r\n")
            .told("GET", "/a", 200)
            .told_without_query("", "", 400),
    ]
}

fn too_long() -> Vec<Situation> {
    let long = "long-".repeat(3000);
    let kept = "long-".repeat(2000);
    // 8192 bytes hold the method, a space and the rest.
    let kept = &kept[..8192 - "GET /".len()];
    vec![
        situation("a target that is too long")
            .send(format!("GET /{long} HTTP/1.1\r\nHost: shop.example\r\n\r\n"))
            .told_without_query("GET", &format!("/{kept}"), 414),
        situation("a header that is too long")
            .send(head("GET", "/a", &format!("X-Long: {long}\r\n")))
            .told("GET", "/a", 400),
        situation("headers that are too long together")
            .send(head("GET", "/a", &format!("X-Long: {}\r\n", "y".repeat(7000)).repeat(6)))
            .told("GET", "/a", 400),
    ]
}

/// The same where such requests get pages of their own: NGINX makes a GET of them, of another location.
fn pages() -> Vec<Situation> {
    let narrow = |name| situation(name).to(Server::Narrow);
    vec![
        narrow("noise, and a page for it")
            .send("\x01\x02\r\n\r\n")
            .told_without_query("", "", 400)
            .application("narrow"),
        narrow("a method in lower case, and a page for it")
            .send("post /a?x={tag} HTTP/1.1\r\n\r\n")
            .told("post", "/a", 400)
            .application("narrow"),
        narrow("a broken escape, and a page for it")
            .send("PUT /%gg?x={tag} HTTP/1.1\r\n\r\n")
            .told("PUT", "/%gg", 400)
            .application("narrow"),
        narrow("no Host, and a page for it")
            .send("PUT /a?x={tag} HTTP/1.1\r\n\r\n")
            .told("PUT", "/a", 400)
            .application("narrow"),
        // A named location needs a path, and NGINX has none of it.
        narrow("a target that is too long, and a named location for it")
            .send(format!("PUT /{} HTTP/1.1\r\n\r\n", "long-".repeat(300)))
            .told_without_query("PUT", &format!("/{}", &"long-".repeat(300)[..1024 - "PUT /".len()]), 500)
            .application("narrow"),
        narrow("a header that is too long, and a page for it")
            .send(head("PUT", "/a", &format!("X-Long: {}\r\n", "long-".repeat(300))))
            .told("PUT", "/a", 400)
            .application("narrow"),
        narrow("a version to come, and a page for it")
            .send("PUT /a?x={tag} HTTP/3.0\r\n\r\n")
            .told("PUT", "/a", 200)
            .application("narrow"),
    ]
}
