//! Targets, protocols and connections: what is told of a request that is served as it came.

use crate::situation::{Server, Situation, head, situation};

pub fn all() -> Vec<Situation> {
    [paths(), lines(), slashes(), connections()].concat()
}

/// A path, and how it is told.
fn path(sent: &str, told: &str) -> Situation {
    situation("a path").ask("GET", sent).told("GET", told, 200)
}

fn paths() -> Vec<Situation> {
    vec![
        path("/a/b", "/a/b"),
        path("/", "/"),
        path("/a%20b%2Fc", "/a b/c"),
        path("/a+b", "/a+b"),
        path("/%c3%a9", "/é"),
        path("/é", "/é"),
        path("/%ff", "/\\xFF"),
        path("/a%3fb%23c", "/a?b#c"),
        path("/%252e", "/%2e"),
        path("/a/./b/../c//d/", "/a/c/d/"),
        path("/a/%2e%2e/b", "/b"),
        path("/a/..", "/"),
        path("/a/.", "/a/"),
        path("/.a/..b/c.", "/.a/..b/c."),
        path("/...", "/..."),
        path("/a//", "/a/"),
        path("//a", "/a"),
        path("/a%01b", "/a\x01b"),
        path("/a\"b\\c", "/a\"b\\c"),
        path("/a;b=c,d:e@f!g$h&i'j(k)l*m~n", "/a;b=c,d:e@f!g$h&i'j(k)l*m~n"),
        situation("a fragment")
            .send("GET /a?x={tag}#b?c HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n")
            .told("GET", "/a", 200),
        situation("a fragment without query")
            .send("GET /a#b?x={tag} HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n")
            .told_without_query("GET", "/a", 200),
        situation("questions in the query").ask("GET", "/a?b?c=d?").told("GET", "/a", 200),
        situation("an empty query").send(head("GET", "/a?", "Connection: close\r\n")).told("GET", "/a", 200),
    ]
}

fn lines() -> Vec<Situation> {
    let line =
        |name, line: &str| situation(name).send(format!("{line}\r\nHost: shop.example\r\nConnection: close\r\n\r\n"));
    vec![
        line("a whole URL", "GET http://shop.example/a?x={tag} HTTP/1.1").told("GET", "/a", 200),
        line("a whole URL with a port", "GET http://shop.example:80/a//b?x={tag} HTTP/1.1").told("GET", "/a/b", 200),
        line("a whole URL without path", "GET http://shop.example?x={tag} HTTP/1.1").told("GET", "/", 200),
        line("a whole URL without anything", "GET http://shop.example HTTP/1.1").told_without_query("GET", "/", 200),
        line("a URL of another server", "GET http://other.example/a?x={tag} HTTP/1.1")
            .told("GET", "/a", 200)
            .application("other"),
        line("spaces around the target", "GET   /a?x={tag}   HTTP/1.1").told("GET", "/a", 200),
        line("a method that nobody knows", "BREW /a?x={tag} HTTP/1.1").told("BREW", "/a", 200),
        line("a method of signs", "M-SEARCH_ /a?x={tag} HTTP/1.1").told("M-SEARCH_", "/a", 200),
        line("a later 1.x", "GET /a?x={tag} HTTP/1.7").told("GET", "/a", 200),
        situation("HTTP/0.9").send("GET /a?x={tag}\r\n").told("GET", "/a", 200),
        situation("HTTP/0.9 through a proxy").send("GET /late?x={tag}\r\n").told("GET", "/late", 200),
        situation("HTTP/1.0 without Host").send("GET /a?x={tag} HTTP/1.0\r\n\r\n").told("GET", "/a", 200),
        situation("empty lines before the request").send("\r\n\r\n\n").ask("GET", "/a").told("GET", "/a", 200),
        situation("bare line feeds").send("GET /a?x={tag} HTTP/1.0\nHost: shop.example\n\n").told("GET", "/a", 200),
        situation("a head in pieces")
            .send("GE")
            .pause(20)
            .send("T /a?x={tag} HT")
            .pause(20)
            .send("TP/1.0\r\nHost: shop")
            .pause(20)
            .send(".example\r\n\r\n")
            .told("GET", "/a", 200),
        situation("an address from a proxy in front")
            .ask_with("GET", "/a", "X-Client: 192.0.2.7\r\n")
            .told("GET", "/a", 200),
        situation("a Host with port and capitals")
            .send("GET /a?x={tag} HTTP/1.1\r\nHost: WWW.Other.Example.:8080\r\nConnection: close\r\n\r\n")
            .told("GET", "/a", 200)
            .application("other"),
    ]
}

/// NGINX reads the target before the Host: the first server of a port decides on its slashes.
fn slashes() -> Vec<Situation> {
    let asks = |name, server, host: &str| {
        let request = format!("GET //a///b?x={{tag}} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        situation(name).to(server).send(request)
    };
    vec![
        asks("slashes kept", Server::Narrow, "narrow.example").told("GET", "//a///b", 200).application("narrow"),
        asks("slashes kept by the first server", Server::Narrow, "merging.example")
            .told("GET", "//a///b", 200)
            .application("merging"),
        asks("slashes merged by the first server", Server::Shop, "other.example")
            .told("GET", "/a/b", 200)
            .application("other"),
    ]
}

fn connections() -> Vec<Situation> {
    let three = |name| situation(name).told("GET", "/1", 200).told("POST", "/2", 200).told("GET", "/3", 200);
    let last = head("GET", "/3", "Connection: close\r\n");
    vec![
        three("a kept connection")
            .send(head("GET", "/1", ""))
            .wait_for("served\n")
            .send(head("POST", "/2", "Content-Length: 4\r\n"))
            .send("body")
            .wait_for("served\n")
            .send(&last),
        three("three requests at once").send(format!(
            "{}{}body{last}",
            head("GET", "/1", ""),
            head("POST", "/2", "Content-Length: 4\r\n")
        )),
        situation("two requests at once through a proxy")
            .send(head("GET", "/late", ""))
            .ask("GET", "/origin/b")
            .told("GET", "/late", 200)
            .told("GET", "/origin/b", 200),
        situation("a client that says nothing").finish(),
        situation("a client that leaves at once").leave(),
    ]
}
