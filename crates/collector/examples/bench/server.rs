//! The server that is asked.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use reqwest::Url;
use serde_json::Value;

/// USER_HZ, as Linux has it for what it tells in /proc.
const TICKS_A_SECOND: f64 = 100.0;

pub type Failure = Box<dyn std::error::Error>;

/// A running server, killed when it is dropped.
pub struct Server {
    child: Child,
    api: String,
    run: tempfile::TempDir,
    client: reqwest::Client,
}

impl Server {
    pub async fn start(binary: &Path, data: &Path) -> Result<Self, Failure> {
        let run = tempfile::tempdir()?;
        let mut child = Command::new(binary)
            .args(["serve", "--listen", "127.0.0.1:0", "--log-level", "warn", "--data-dir"])
            .arg(std::path::absolute(data)?)
            .arg("--runtime-dir")
            .arg(run.path())
            .stdout(Stdio::piped())
            .spawn()?;
        let lines = child.stdout.take().map(BufReader::new).ok_or("no output")?.lines();
        let api = lines
            .map_while(Result::ok)
            .find_map(|line| Some(line.strip_prefix("collector: api on http://")?.to_owned()));
        let server = Self { child, api: api.unwrap_or_default(), run, client: reqwest::Client::new() };
        if server.api.is_empty() { Err("the server does not start".into()) } else { Ok(server) }
    }

    /// Where nodes connect to.
    pub fn socket(&self) -> PathBuf {
        self.run.path().join("collector.sock")
    }

    pub fn url(&self, path: &str, parameters: &[(&str, &str)]) -> Result<Url, Failure> {
        let url = format!("http://{}/api/v1/{path}", self.api);
        Ok(if parameters.is_empty() { Url::parse(&url)? } else { Url::parse_with_params(&url, parameters)? })
    }

    pub async fn get(&self, url: &Url) -> Result<Value, Failure> {
        let answer = self.client.get(url.clone()).send().await?;
        let status = answer.status();
        let text = answer.text().await?;
        if status.is_success() {
            Ok(serde_json::from_str(&text)?)
        } else {
            Err(format!("{url}: {status}: {text}").into())
        }
    }

    /// Milliseconds until the answer is there.
    pub async fn time(&self, url: &Url) -> Result<f64, Failure> {
        let began = Instant::now();
        let answer = self.client.get(url.clone()).send().await?;
        answer.error_for_status()?.bytes().await?;
        Ok(began.elapsed().as_secs_f64() * 1e3)
    }

    pub async fn metric(&self, name: &str) -> Result<u64, Failure> {
        let text = self.client.get(format!("http://{}/metrics", self.api)).send().await?.text().await?;
        let name = format!("api_sessions_{name} ");
        let value = text.lines().find_map(|line| line.strip_prefix(&name)).ok_or("no such metric")?;
        Ok(value.parse::<f64>()? as u64)
    }

    /// Waits until the log is in the store.
    pub async fn wait_applied(&self) -> Result<(), Failure> {
        while self.metric("log_unapplied_bytes").await? > 0 {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        Ok(())
    }

    /// The session with the most requests, but not more than so many.
    pub async fn session_of(&self, most: u64) -> Result<String, Failure> {
        let filter = format!("session.requests<={most}");
        let url = self.url("sessions", &[("filter", &filter), ("order_by", "requests desc"), ("page_size", "1")])?;
        self.ids(&url).await?.into_iter().next().ok_or_else(|| "no sessions".into())
    }

    /// The ids on a page of the list of sessions.
    pub async fn ids(&self, page: &Url) -> Result<Vec<String>, Failure> {
        let page = self.get(page).await?;
        let sessions = page["sessions"].as_array().map(Vec::as_slice).unwrap_or_default();
        Ok(sessions.iter().filter_map(|session| Some(session["id"].as_str()?.to_owned())).collect())
    }

    /// How many sessions there are.
    pub async fn count(&self) -> Result<u64, Failure> {
        let answer = self.get(&self.url("sessions/count", &[])?).await?;
        answer["count"].as_u64().ok_or_else(|| "no count".into())
    }

    /// CPU that all its threads have taken.
    pub fn cpu_seconds(&self) -> Result<f64, Failure> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // The name, in parentheses, may hold anything; utime and stime are the 14th and 15th field of all.
        let fields: Vec<&str> = stat.rsplit_once(')').ok_or("no stat")?.1.split_whitespace().collect();
        let ticks: u64 = [11, 12].iter().filter_map(|&at| fields.get(at)?.parse::<u64>().ok()).sum();
        Ok(ticks as f64 / TICKS_A_SECOND)
    }

    /// The most memory that it had, in bytes.
    pub fn peak(&self) -> Result<u64, Failure> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
        Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? << 10)
    }

    pub fn stop(mut self) -> Result<(), Failure> {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
