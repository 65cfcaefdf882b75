//! A real collector in a temporary folder of its own.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::folder::{self, Port};
use crate::process::{Process, Signal};
use crate::rest::Rest;
use crate::wait;

/// Why a collector is not running, or not as it should.
#[derive(Debug, thiserror::Error)]
pub enum CollectorError {
    /// A file or the process.
    #[error("collector: {0}")]
    Io(#[from] io::Error),
    /// No HTTP client.
    #[error("collector: {0}")]
    Http(#[from] reqwest::Error),
    /// It ended, or does not answer.
    #[error("the collector does not answer ({status:?}); its log:\n{log}")]
    NotThere {
        /// How it ended, if it did.
        status: Option<ExitStatus>,
        /// What it logged.
        log: String,
    },
}

/// A collector with its data, running or not. It is killed when this goes.
#[derive(Debug)]
pub struct Collector {
    folder: TempDir,
    port: Port,
    process: Option<Process>,
    /// In front of the binary: `strace -o file`, or nothing.
    wrapper: Vec<String>,
    extra: Vec<String>,
}

const STOP: Duration = Duration::from_secs(20);

impl Collector {
    /// A new folder; nothing runs yet.
    pub fn new() -> Result<Self, CollectorError> {
        let folder = folder::temporary()?;
        for name in ["data", "run"] {
            fs::create_dir(folder.path().join(name))?;
        }
        let port = Port::lease()?;
        Ok(Self { folder, port, process: None, wrapper: Vec::new(), extra: Vec::new() })
    }

    /// A new folder, and a collector that answers.
    pub async fn start() -> Result<Self, CollectorError> {
        let mut collector = Self::new()?;
        collector.run().await?;
        Ok(collector)
    }

    /// Starts it under another program.
    pub fn under(mut self, wrapper: &[&str]) -> Self {
        self.wrapper = wrapper.iter().map(|&word| word.to_owned()).collect();
        self
    }

    /// Starts it with further flags.
    pub fn with(mut self, flags: &[&str]) -> Self {
        self.extra = flags.iter().map(|&word| word.to_owned()).collect();
        self
    }

    /// The command that serves this folder.
    pub fn command(&self) -> io::Result<Command> {
        let binary = folder::binary("api-sessions").display().to_string();
        let mut words = self.wrapper.iter().cloned().chain([binary]);
        let mut command = Command::new(words.next().unwrap_or_default());
        command.args(words).arg("serve");
        command.arg("--data-dir").arg(self.data()).arg("--runtime-dir").arg(self.runtime());
        command.arg("--listen").arg(self.address().to_string()).args(&self.extra);
        let log = fs::OpenOptions::new().create(true).append(true).open(self.path("collector.log"))?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        Ok(command)
    }

    /// Starts it on the folder as it is, and returns when it is ready.
    pub async fn run(&mut self) -> Result<(), CollectorError> {
        self.process = Some(Process::start(&mut self.command()?)?);
        let rest = self.rest()?;
        let ready = wait::until("the collector to be ready", wait::LONG, async || {
            if self.process.as_mut().is_none_or(|process| process.ended().is_some()) {
                return Some(false);
            }
            rest.text("/readyz").await.is_ok().then_some(true)
        });
        if ready.await.unwrap_or(false) {
            return Ok(());
        }
        let status = self.process.as_mut().and_then(Process::ended);
        Err(CollectorError::NotThere { status, log: self.log() })
    }

    /// Starts it where it is expected to give up by itself, and tells how it ended.
    pub fn run_to_its_end(&mut self) -> Result<Option<ExitStatus>, CollectorError> {
        let mut process = Process::start(&mut self.command()?)?;
        Ok(process.wait(wait::LONG))
    }

    /// Whether it was started, and ended by itself.
    pub fn has_ended(&mut self) -> bool {
        self.process.as_mut().is_some_and(|process| process.ended().is_some())
    }

    /// SIGKILL.
    pub fn kill(&mut self) -> io::Result<()> {
        if let Some(mut process) = self.process.take() {
            process.kill()?;
        }
        Ok(())
    }

    /// SIGSTOP: connections stay, nobody answers.
    pub fn freeze(&mut self) -> io::Result<()> {
        self.signal(Signal::STOP)
    }

    /// SIGCONT.
    pub fn thaw(&mut self) -> io::Result<()> {
        self.signal(Signal::CONT)
    }

    fn signal(&mut self, signal: Signal) -> io::Result<()> {
        self.process.as_mut().map_or(Ok(()), |process| process.signal(signal))
    }

    /// SIGTERM, and how it ended.
    pub fn stop(&mut self) -> io::Result<Option<ExitStatus>> {
        self.process.take().map(|mut process| process.stop(Signal::TERM, STOP)).transpose()
    }

    /// Its process id (of the wrapper, if there is one).
    pub fn id(&self) -> Option<u32> {
        self.process.as_ref().map(Process::id)
    }

    /// A file in its folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Where its sockets are.
    pub fn runtime(&self) -> PathBuf {
        self.path("run")
    }

    /// Where its data is.
    pub fn data(&self) -> PathBuf {
        self.path("data")
    }

    /// The socket that nodes ship to.
    pub fn ingest(&self) -> PathBuf {
        self.runtime().join("collector.sock")
    }

    /// Where its API listens.
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// A reader of its API over TCP.
    pub fn rest(&self) -> Result<Rest, reqwest::Error> {
        Rest::tcp(self.address())
    }

    /// Everything it logged, of all its lives.
    pub fn log(&self) -> String {
        let bytes = fs::read(self.path("collector.log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// The newest file with this extension anywhere below a folder.
pub fn newest_file(folder: &Path, extension: &str) -> Option<PathBuf> {
    let mut newest: Option<(std::time::SystemTime, PathBuf)> = None;
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).ok()?.flatten() {
            let (path, about) = (entry.path(), entry.metadata().ok()?);
            if about.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                let changed = about.modified().ok()?;
                if newest.as_ref().is_none_or(|(time, _)| changed >= *time) {
                    newest = Some((changed, path));
                }
            }
        }
    }
    newest.map(|(_, path)| path)
}
