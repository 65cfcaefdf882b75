//! NGINX with the planted module, and what every test of it looks at.

use ngx_tests::nginx::{Config, Nginx};

/// What the error log says of a panic.
pub const CAUGHT: &str = "a panic was caught";

/// A config that calls every entry: each directive, a variable in each answer.
pub fn config(planted: &str) -> Config {
    let http = "    wallarm_session_collector unix:/run/api-sessions/collector.sock;
    wallarm_session_node here;
    wallarm_session_queue 100;
    wallarm_session_batch size=10 interval=100ms;
    wallarm_session_spool spool;
    wallarm_session_application shop;
    wallarm_session_key request.header.X-Key;
    wallarm_session_context request.header.X-Context;
    wallarm_session_builtin_keys on;
    wallarm_session_ip clear;
    wallarm_session_path clear;
    wallarm_session_body_limit 1k;
    wallarm_session_mcp arguments;";
    let server = "        add_header X-Worker $pid always;
        add_header X-Session $wallarm_session_id always;
        client_max_body_size 2m;
        location = /upstream { proxy_pass http://$server_addr:$server_port/origin; }
        location = /origin { return 200 \"$content_length bytes\n\"; }
        location = /wallarm-status { wallarm_sessions off; wallarm_session_status; }";
    let config = Config::file("quickstart.conf").unwrap().in_http(http).unwrap().in_server(server).unwrap();
    config.replace("proxy_pass http://127.0.0.1:9000;", "return 200 \"served\\n\";").unwrap().planted(planted)
}

/// What a client got.
#[derive(Debug, PartialEq)]
pub struct Answer {
    pub status: u16,
    pub body: String,
    /// Process id of the worker that answered.
    pub worker: String,
    pub session: Option<String>,
}

/// One connection's requests for a path, one after the other.
pub async fn get(nginx: &Nginx, path: &str, times: usize) -> Vec<Answer> {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut answers = Vec::new();
    for _ in 0..times {
        let answer = http.get(format!("{}{path}", nginx.url())).send().await.unwrap();
        let header = |name| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let (worker, session) = (header("x-worker").unwrap_or_default(), header("x-session"));
        let status = answer.status().as_u16();
        answers.push(Answer { status, body: answer.text().await.unwrap(), worker, session });
    }
    answers
}

/// All were served, by one process.
pub fn assert_served(answers: &[Answer]) {
    for answer in answers {
        assert_eq!((answer.status, answer.body.as_str()), (200, "served\n"));
        assert_eq!(answer.worker, answers[0].worker, "another worker had to take over");
    }
}

/// Lines about caught panics.
pub fn said(log: &str) -> Vec<&str> {
    assert!(!log.contains("panicked at"), "Rust's own report of a panic in the error log:\n{log}");
    log.lines().filter(|line| line.contains(CAUGHT)).collect()
}

/// Panics that the status page tells of.
pub async fn panics(nginx: &Nginx) -> u64 {
    nginx.counters().await.unwrap().sum("wallarm_sessions_panics_total")
}
