//! NGINX with a config from `nginx-conf/`, in a temporary folder of its own.
//!
//! The files in `nginx-conf/` are what users copy, with the paths and ports of an installed system.
//! [`Config`] puts a test's own in their place: text by text, and it is an error when the text is not
//! there, so that a test never runs with something else than it means to.

mod config;

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use tempfile::TempDir;

pub use config::{Config, ConfigError, PLANTED};

use crate::counters::Counters;
use crate::folder::{self, Port};
use crate::process::{Process, Signal};
use crate::{proc, wait};

/// A running NGINX. It stops when this goes; [`Nginx::stop`] also tells what its error log says.
#[derive(Debug)]
pub struct Nginx {
    process: Process,
    folder: TempDir,
    port: Port,
}

/// Why NGINX is not running, or not as it should.
#[derive(Debug, thiserror::Error)]
pub enum NginxError {
    /// The config could not be made.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A file or the process.
    #[error("nginx: {0}")]
    Io(#[from] io::Error),
    /// It ended, or does not listen.
    #[error("nginx does not answer; its error log:\n{0}")]
    NotThere(String),
    /// The error log tells of trouble.
    #[error("the error log of nginx tells of trouble:\n{0}")]
    Trouble(String),
}

/// Lines of an error log that no test may leave behind.
const TROUBLE: [&str; 3] = ["[alert]", "[crit]", "[emerg]"];
/// The same of a sanitizer: NGINX makes the error log its standard error, where their reports go.
const SANITIZERS: [&str; 3] = ["AddressSanitizer", "LeakSanitizer", "runtime error:"];

const QUIT: Duration = Duration::from_secs(10);
const DAEMON: Duration = Duration::from_secs(10);

impl Nginx {
    /// Starts NGINX and returns when it listens.
    pub fn start(config: &Config) -> Result<Self, NginxError> {
        let folder = folder::temporary()?;
        let port = Port::lease()?;
        config.write(folder.path(), port.address())?;
        let mut command = command(folder.path());
        command.envs(config.variables()).args(["-g", "daemon off;"]);
        Self::listening(Process::start(&mut command)?, folder, port)
    }

    /// Starts NGINX as a daemon: so it can be replaced by another binary.
    pub fn start_daemon(config: &Config) -> Result<Self, NginxError> {
        let folder = folder::temporary()?;
        let port = Port::lease()?;
        config.write(folder.path(), port.address())?;
        command(folder.path()).envs(config.variables()).status()?;
        // The daemon writes it, maybe after the process that was started here has ended.
        let id = || proc::read_id(&folder.path().join("nginx.pid"));
        let Ok(master) = wait::until_blocking("the pid file", DAEMON, id) else {
            return Err(NginxError::NotThere(read(&folder.path().join("error.log"))));
        };
        Self::listening(Process::daemon(master), folder, port)
    }

    fn listening(mut process: Process, folder: TempDir, port: Port) -> Result<Self, NginxError> {
        listens(&mut process, folder.path(), port.address())?;
        Ok(Self { process, folder, port })
    }

    /// What `nginx -t` says about a config: whether it is good, and everything it printed.
    pub fn check(config: &Config) -> Result<(bool, String), NginxError> {
        let folder = folder::temporary()?;
        let port = Port::lease()?;
        config.write(folder.path(), port.address())?;
        let mut command = command(folder.path());
        command
            .envs(config.variables())
            .env("LSAN_OPTIONS", leaks_of_a_check())
            .args(["-g", "daemon off;", "-t"])
            .stderr(Stdio::piped());
        let Output { status, stderr, .. } = command.output()?;
        let told = String::from_utf8_lossy(&stderr).into_owned();
        if SANITIZERS.iter().any(|word| told.contains(word)) {
            return Err(NginxError::Trouble(told));
        }
        Ok((status.success(), told))
    }

    /// The command that would start it with a config in a folder, which it writes there: for `-t`, for
    /// `-T`, for another user.
    pub fn command(config: &Config, folder: &Path) -> Result<Command, NginxError> {
        config.write(folder, Port::lease()?.address())?;
        let mut command = command(folder);
        command.env("LSAN_OPTIONS", leaks_of_a_check());
        command.args(["-g", "daemon off;"]);
        Ok(command)
    }

    /// Puts another config in the place of the one it runs with; a reload takes it.
    pub fn configure(&self, config: &Config) -> Result<(), NginxError> {
        Ok(config.write(self.folder.path(), self.port.address())?)
    }

    /// The workers that serve; not those that are shutting down.
    pub fn workers(&self) -> Vec<u32> {
        self.helpers("worker process")
    }

    /// Returns when the first worker is there: a signal that comes before the master waits for signals is
    /// not noticed until the next one.
    pub fn await_workers(&self) -> Result<(), NginxError> {
        let there = || (!self.workers().is_empty()).then_some(());
        Ok(wait::until_blocking("the first worker", wait::LONG, there).map_err(io::Error::other)?)
    }

    /// The processes that the master has for something, as `cache manager process`.
    pub fn helpers(&self, task: &str) -> Vec<u32> {
        let mut all = proc::children(self.id());
        all.retain(|&id| proc::title(id) == format!("nginx: {task}"));
        all
    }

    /// Reloads, and returns when new workers serve and the old ones are gone.
    pub fn reload(&mut self) -> Result<(), NginxError> {
        self.await_workers()?;
        let old = proc::children(self.id());
        self.begin_reload()?;
        let gone = || old.iter().all(|&id| !proc::is_alive(id)).then_some(());
        Ok(wait::until_blocking("the old workers to go", wait::LONG, gone).map_err(io::Error::other)?)
    }

    /// Reloads, and returns when new workers serve; old ones may still be ending.
    pub fn begin_reload(&mut self) -> Result<(), NginxError> {
        self.await_workers()?;
        let old = proc::children(self.id());
        let count = self.workers().len();
        self.signal(Signal::HUP)?;
        // The old ones are told to go when the new ones had time to start.
        let replaced = || {
            let workers = self.workers();
            (workers.len() >= count && !workers.iter().any(|id| old.contains(id))).then_some(())
        };
        Ok(wait::until_blocking("new workers", wait::LONG, replaced).map_err(io::Error::other)?)
    }

    /// Runs `nginx -s` with this.
    pub fn order(&self, order: &str) -> Result<(), NginxError> {
        let status = command(self.folder.path()).args(["-s", order]).status()?;
        if status.success() { Ok(()) } else { Err(io::Error::other(format!("nginx -s {order}: {status}")).into()) }
    }

    /// Follows the pid file to another master, after an upgrade; gives the one before.
    pub fn follow(&mut self) -> Result<Process, NginxError> {
        let master = proc::read_id(&self.path("nginx.pid")).filter(|&id| id != self.id());
        let master = master.ok_or_else(|| io::Error::other("the pid file names no other master"))?;
        Ok(std::mem::replace(&mut self.process, Process::daemon(master)))
    }

    /// SIGKILL for the master alone: its workers serve on, and are handed over.
    pub fn kill_master(&mut self) -> io::Result<Vec<Process>> {
        let workers = proc::children(self.id()).into_iter().map(Process::daemon).collect();
        self.process.kill()?;
        Ok(workers)
    }

    /// Starts it again where it was killed, once none of its processes is left.
    pub fn start_again(&mut self) -> Result<(), NginxError> {
        fs::remove_file(self.path("nginx.pid"))?;
        let mut command = command(self.folder.path());
        self.process = Process::start(command.args(["-g", "daemon off;"]))?;
        listens(&mut self.process, self.folder.path(), self.port.address())
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// The same as the beginning of a URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// A file in its folder; logs are `error.log` and `access.log`.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The access log so far, line by line.
    pub fn access_log(&self) -> Vec<String> {
        read(&self.path("access.log")).lines().map(str::to_owned).collect()
    }

    /// The error log so far.
    pub fn error_log(&self) -> String {
        read(&self.path("error.log"))
    }

    /// The counters of the status page that `demo.conf` has.
    pub async fn counters(&self) -> Result<Counters, reqwest::Error> {
        let page = reqwest::Client::builder().no_proxy().build()?.get(format!("{}/wallarm-status", self.url()));
        Ok(Counters::read(&page.send().await?.error_for_status()?.text().await?))
    }

    /// The process id of the master.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Sends the master a signal: HUP reloads.
    pub fn signal(&mut self, signal: Signal) -> io::Result<()> {
        self.process.signal(signal)
    }

    /// Lets it finish what it does, stops it, and returns the error log, in which must be no trouble.
    pub fn stop(self) -> Result<String, NginxError> {
        self.stop_allowing(&[])
    }

    /// The same, where lines that hold one of `allowed` are expected.
    pub fn stop_allowing(mut self, allowed: &[&str]) -> Result<String, NginxError> {
        self.process.stop(Signal::QUIT, QUIT)?;
        let log = self.error_log();
        let trouble: Vec<&str> = log
            .lines()
            .filter(|line| TROUBLE.iter().chain(&SANITIZERS).any(|word| line.contains(word)))
            .filter(|line| !allowed.iter().any(|word| line.contains(word)))
            .collect();
        if trouble.is_empty() {
            return Ok(log);
        }
        Err(NginxError::Trouble(trouble.join("\n")))
    }
}

/// Waits until a process that was just started listens.
fn listens(process: &mut Process, folder: &Path, address: SocketAddr) -> Result<(), NginxError> {
    let listening = wait::until_blocking("nginx to listen", wait::LONG, || {
        if process.ended().is_some() {
            return Some(false);
        }
        // It listens on one address after the other, and writes the pid file when it does on all.
        proc::read_id(&folder.join("nginx.pid"))?;
        std::net::TcpStream::connect(address).is_ok().then_some(true)
    });
    if listening.unwrap_or(false) {
        return Ok(());
    }
    Err(NginxError::NotThere(read(&folder.join("error.log"))))
}

/// What a sanitizer lets pass of a `nginx -t`, which ends without freeing what it has read.
fn leaks_of_a_check() -> String {
    let file = folder::checkout().join("ngx-tests/leaks-of-nginx-t.supp");
    format!("suppressions={}:print_suppressions=0", file.display())
}

fn command(folder: &Path) -> Command {
    let mut command = Command::new(folder::nginx());
    command.arg("-p").arg(folder).arg("-c").arg(folder.join("nginx.conf"));
    // Before the config is read there is no error log but this one.
    command.arg("-e").arg(folder.join("error.log"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn read(path: &Path) -> String {
    fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}
