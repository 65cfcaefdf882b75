//! The real process, for tests that need one.
#![allow(dead_code, reason = "each test uses some of it")]

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Far more than anything here takes.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// The process `api-sessions serve`; killed when dropped.
pub struct Server {
    process: Child,
    pub api: String,
}

impl Server {
    pub fn start(dir: &Path) -> Self {
        Self::start_with(dir, &[])
    }

    /// With more flags.
    pub fn start_with(dir: &Path, flags: &[&str]) -> Self {
        let data = dir.join("data");
        std::fs::create_dir_all(&data).unwrap();
        let mut process = Command::new(env!("CARGO_BIN_EXE_api-sessions"))
            .arg("serve")
            .arg("--data-dir")
            .arg(data)
            .arg("--runtime-dir")
            .arg(dir)
            .args(["--listen", "127.0.0.1:0"])
            .args(flags)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map(|line| line.unwrap());
        let api = lines.find_map(|line| line.strip_prefix("collector: api on http://").map(str::to_owned));
        let server = Self { process, api: api.unwrap_or_default() };
        assert!(!server.api.is_empty(), "the server did not start");
        server
    }

    pub fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    pub fn get(&self, path: &str) -> String {
        let mut stream = std::net::TcpStream::connect(&self.api).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.api).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (_head, body) = answer.split_once("\r\n\r\n").unwrap();
        body.to_owned()
    }

    /// A number of `/metrics`.
    pub fn metric(&self, name: &str) -> u64 {
        let text = self.get("/metrics");
        let line = text.lines().find(|line| line.split(' ').next() == Some(name)).expect(name);
        line.rsplit(' ').next().unwrap().parse().unwrap()
    }

    /// Waits until everything in the log is applied.
    pub fn wait_until_applied(&self) {
        let asked = Instant::now();
        while self.metric("api_sessions_log_unapplied_bytes") > 0
            || self.metric("api_sessions_apply_records_total") == 0
        {
            assert!(asked.elapsed() < DEADLINE, "the log is never applied");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The answer to a question about sessions and requests.
    pub fn ask(&self, path: &str) -> serde_json::Value {
        serde_json::from_str(&self.get(&format!("/api/v1{path}"))).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Writes the traffic of an imagined site into the log of the stopped server of `dir`.
pub fn generate(dir: &Path, requests: u32) {
    let data = dir.join("data");
    std::fs::create_dir_all(&data).unwrap();
    let mut generate = Command::new(env!("CARGO_BIN_EXE_api-sessions"));
    generate.arg("generate").arg("--data-dir").arg(data).args(["--requests", &requests.to_string(), "--days", "2"]);
    assert!(generate.output().unwrap().status.success());
}
