//! Requests that NGINX makes of a client's one. `log_subrequest` is on: they have lines of their own,
//! in a file of their own.

use crate::situation::{Situation, situation};

pub fn all() -> Vec<Situation> {
    let asks = |path: &'static str, headers: &str| situation(path).ask_with("POST", path, headers);
    vec![
        asks("/allowed", "X-Auth: 200\r\n").told("POST", "/allowed", 200),
        asks("/allowed", "X-Auth: 401\r\n").told("POST", "/allowed", 401),
        asks("/allowed", "X-Auth: 403\r\n").told("POST", "/allowed", 403),
        asks("/allowed", "X-Auth: 500\r\n").told("POST", "/allowed", 500),
        asks("/allowed/page", "X-Auth: 401\r\n").told("POST", "/allowed/page", 201).application("pages"),
        situation("/page").ask("GET", "/page").told("GET", "/page", 200),
        situation("HEAD /page").ask("HEAD", "/page").told("HEAD", "/page", 200),
        situation("/page, and gone").ask("GET", "/page").leave().told("GET", "/page", 499),
        situation("/mirrored").ask_with_body("POST", "/mirrored", "body").told("POST", "/mirrored", 200),
        situation("/mirrored-to-nobody").ask_with_body("POST", "/mirrored-to-nobody", "body").told(
            "POST",
            "/mirrored-to-nobody",
            200,
        ),
        situation("/sliced").ask_with("GET", "/sliced", "Range: bytes=50-349\r\n").told("GET", "/sliced", 206),
    ]
}
