//! Requests that NGINX sends elsewhere before it answers: what is told is what the client asked.

use crate::situation::{Situation, situation};

pub fn all() -> Vec<Situation> {
    [rewrites(), tries(), error_pages(), by_the_origin(), after_the_answer(), switches()].concat()
}

/// A POST, as internal redirects make a GET of it.
fn post(path: &'static str, status: u16) -> Situation {
    situation(path).ask_with_body("POST", path, "body").told("POST", path, status)
}

fn rewrites() -> Vec<Situation> {
    vec![
        post("/rewritten", 200),
        situation("/broken-off").ask("GET", "/broken-off").told("GET", "/broken-off", 200),
        situation("/chain/1").ask("GET", "/chain/1").told("GET", "/chain/1", 200),
        post("/circle", 500),
        post("/moved", 302),
        post("/moved-for-ever", 301),
        post("/conditional", 403),
        post("/go", 301),
    ]
}

fn tries() -> Vec<Situation> {
    vec![
        situation("/tried/any").ask("GET", "/tried/any").told("GET", "/tried/any", 200),
        post("/tried/uri", 200),
        post("/tried/named", 200),
        post("/tried/status", 404),
    ]
}

fn error_pages() -> Vec<Situation> {
    vec![
        post("/paged/404", 404),
        post("/paged/403", 200),
        post("/paged/410", 201).application("pages"),
        post("/paged/405", 405),
        post("/paged/402", 302),
        post("/paged/418", 200),
        post("/page-from-origin", 404),
        post("/page-is-missing", 403),
        post("/recursive/first", 403),
        post("/intercepted", 500),
        situation("HEAD, and a page").ask("HEAD", "/paged/404").told("HEAD", "/paged/404", 404),
        post("/files/file.txt", 405),
    ]
}

fn by_the_origin() -> Vec<Situation> {
    let accel = |method, to: &str, status| {
        let told = format!("/accel{}", to.split('?').next().unwrap_or_default());
        situation("X-Accel-Redirect").ask(method, &format!("/accel/{to}")).told(method, &told, status)
    };
    vec![
        accel("POST", "/protected/file.txt", 200),
        accel("HEAD", "/protected/file.txt", 200),
        accel("POST", "/protected/nothing", 404),
        accel("POST", "/late?y=1", 200),
        accel("POST", "/paged/404", 404),
        post("/accel/@named", 200),
    ]
}

/// `post_action` is a request after the request, within it: there is one line, and one record.
fn after_the_answer() -> Vec<Situation> {
    vec![
        situation("/with-post-action").ask("POST", "/with-post-action").told("POST", "/with-post-action", 200),
        // The status of the client that went is lost to that of the request after.
        situation("/late-with-post-action").ask("GET", "/late-with-post-action").leave().told(
            "GET",
            "/late-with-post-action",
            200,
        ),
    ]
}

/// The location that answers decides whether and how a request is recorded.
fn switches() -> Vec<Situation> {
    vec![
        situation("sessions off").ask("GET", "/not-recorded"),
        situation("sessions off here, on there").ask("GET", "/recorded-elsewhere").told(
            "GET",
            "/recorded-elsewhere",
            200,
        ),
    ]
}
