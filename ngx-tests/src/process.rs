//! A process that was started here, or by what was started here, and only here is stopped: by its id.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus};
use std::time::Duration;

use rustix::process::{Pid, kill_process};

pub use rustix::process::Signal;

use crate::{proc, wait};

/// How long a child that nobody stopped has to end when it is told to.
const ORDERLY_END: Duration = Duration::from_secs(3);

/// A running process. It is stopped when this goes and nobody stopped it before.
#[derive(Debug)]
pub struct Process {
    handle: Handle,
    stopped: Option<ExitStatus>,
}

#[derive(Debug)]
enum Handle {
    Child(Child),
    /// A daemon: how it ends nobody here is told, so it counts as well.
    Daemon(u32),
}

impl Process {
    /// Starts it in a process group of its own, so that a Ctrl-C at the terminal reaches only who
    /// started it, who then stops everything in order.
    pub fn start(command: &mut Command) -> io::Result<Self> {
        match command.process_group(0).spawn() {
            Ok(child) => Ok(Self { handle: Handle::Child(child), stopped: None }),
            Err(e) => Err(io::Error::new(e.kind(), format!("{}: {e}", command.get_program().display()))),
        }
    }

    /// A daemon that a process started here has left behind.
    pub fn daemon(id: u32) -> Self {
        Self { handle: Handle::Daemon(id), stopped: None }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        match &self.handle {
            Handle::Child(child) => child.id(),
            Handle::Daemon(id) => *id,
        }
    }

    /// How it ended, if it did.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        if self.stopped.is_none() {
            self.stopped = match &mut self.handle {
                Handle::Child(child) => child.try_wait().ok().flatten(),
                Handle::Daemon(id) => (!proc::is_alive(*id)).then(ExitStatus::default),
            };
        }
        self.stopped
    }

    /// Sends a signal; a process that ended already gets none.
    pub fn signal(&mut self, signal: Signal) -> io::Result<()> {
        if self.ended().is_some() {
            return Ok(());
        }
        let Some(pid) = i32::try_from(self.id()).ok().and_then(Pid::from_raw) else {
            return Err(io::Error::other("no process id"));
        };
        Ok(kill_process(pid, signal)?)
    }

    /// Waits until it ends by itself.
    pub fn wait(&mut self, deadline: Duration) -> Option<ExitStatus> {
        wait::until_blocking("the process to end", deadline, || self.ended()).ok()
    }

    /// Asks it to end with `signal`, and kills it when it does not within `grace`.
    pub fn stop(&mut self, signal: Signal, grace: Duration) -> io::Result<ExitStatus> {
        self.signal(signal)?;
        if let Some(status) = self.wait(grace) {
            return Ok(status);
        }
        self.kill()
    }

    /// SIGKILL.
    pub fn kill(&mut self) -> io::Result<ExitStatus> {
        if let Some(status) = self.ended() {
            return Ok(status);
        }
        self.signal(Signal::KILL)?;
        let status = match &mut self.handle {
            Handle::Child(child) => child.wait()?,
            Handle::Daemon(_) => ExitStatus::default(),
        };
        self.stopped = Some(status);
        Ok(status)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Asked first: a master that is killed leaves its workers behind. Nothing can be done about an
        // error here.
        let _ = self.stop(Signal::TERM, ORDERLY_END);
    }
}
