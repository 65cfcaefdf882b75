//! Requests that end early, late or not at all: the client goes, or the time is over.

use crate::situation::{Server, Situation, head, situation};

pub fn all() -> Vec<Situation> {
    [gone(), late()].concat()
}

fn gone() -> Vec<Situation> {
    vec![
        situation("gone in the request line").send("GET /a?x={tag}").finish().told("GET", "/a", 400),
        situation("gone in the headers")
            .send("GET /a?x={tag} HTTP/1.1\r\nHost: shop.example\r\nX-H")
            .leave()
            .told("GET", "/a", 400),
        situation("gone in the body")
            .ask_with("POST", "/origin/size", "Content-Length: 100\r\n")
            .send("not all")
            .leave()
            .told("POST", "/origin/size", 400),
        situation("gone in the body, passed on as it comes")
            .ask_with("POST", "/unbuffered", "Content-Length: 100\r\n")
            .send("not all")
            // Before NGINX has reached the origin it would be 499.
            .pause(300)
            .leave()
            .told("POST", "/unbuffered", 400),
        situation("gone in a chunk")
            .ask_with("POST", "/origin/size", "Transfer-Encoding: chunked\r\n")
            .send("64\r\nnot all")
            .leave()
            .told("POST", "/origin/size", 400),
        situation("a chunk that is none")
            .ask_with("POST", "/origin/size", "Transfer-Encoding: chunked\r\n")
            .send("what\r\n")
            .told("POST", "/origin/size", 400),
        situation("gone before the answer").ask("GET", "/origin/never").pause(30).leave().told(
            "GET",
            "/origin/never",
            499,
        ),
        situation("nothing more to say before the answer").ask("GET", "/origin/never").finish().told(
            "GET",
            "/origin/never",
            499,
        ),
        situation("gone in the answer").ask("GET", "/drip").wait_for("first drop").leave().told("GET", "/drip", 200),
        situation("gone, and it does not matter").ask("GET", "/patient").leave().told("GET", "/patient", 200),
        situation("gone with a request on its way")
            .send(head("GET", "/a", ""))
            .ask("GET", "/origin/never")
            .pause(30)
            .leave()
            .told("GET", "/a", 200)
            .told("GET", "/origin/never", 499),
    ]
}

fn late() -> Vec<Situation> {
    let hasty = |name| situation(name).to(Server::Hasty);
    vec![
        hasty("too slow in the method").send("GE").told_without_query("", "", 408).application("hasty"),
        hasty("too slow in the request line").send("GET /a?x={tag}").told("GET", "/a", 408).application("hasty"),
        hasty("too slow in the headers")
            .send("GET /a?x={tag} HTTP/1.1\r\nHost: hasty.example\r\n")
            .told("GET", "/a", 408)
            .application("hasty"),
        situation("too slow in the body")
            .ask_with("POST", "/impatient", "Content-Length: 100\r\n")
            .send("not all")
            .told("POST", "/impatient", 408),
        situation("too slow in the body, passed on as it comes")
            .ask_with("POST", "/impatient-unbuffered", "Content-Length: 100\r\n")
            .send("not all")
            .told("POST", "/impatient-unbuffered", 408),
        hasty("too slow in the answer").ask("GET", "/big").pause(800).told("GET", "/big", 200).application("hasty"),
        hasty("too slow in the answer, and dropped for it")
            .ask("GET", "/dropped")
            .pause(800)
            .told("GET", "/dropped", 200)
            .application("hasty"),
    ]
}
