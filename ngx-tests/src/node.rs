//! Scripts for Node.js, with the npm packages that they use.

use std::fs::{self, File};
use std::io;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::folder::{self, Port};
use crate::process::Process;
use crate::wait;

/// A folder with the scripts, from where the packages are found.
#[derive(Debug)]
pub struct Node {
    folder: TempDir,
}

impl Node {
    /// The scripts of a folder of `ngx-tests`, and the packages that `scripts/setup` brings with an option of
    /// its name.
    pub fn new(name: &str, packages: &Path) -> io::Result<Self> {
        if !packages.exists() {
            return Err(io::Error::other(format!("no {}: run scripts/setup --{name}", packages.display())));
        }
        let folder = folder::temporary()?;
        std::os::unix::fs::symlink(packages, folder.path().join("node_modules"))?;
        for script in fs::read_dir(folder::checkout().join("ngx-tests").join(name))?.flatten() {
            if script.path().extension().is_some_and(|extension| extension == "mjs") {
                fs::copy(script.path(), folder.path().join(script.file_name()))?;
            }
        }
        Ok(Self { folder })
    }

    /// Runs a script that serves, and returns when it listens on the port that `PORT` tells it.
    pub fn serve(&self, script: &str, argument: Option<&str>) -> io::Result<(Process, Port)> {
        let port = Port::lease()?;
        let mut command = self.command(script)?;
        command.args(argument).env("PORT", port.address().port().to_string());
        let mut server = Process::start(&mut command)?;
        let listening = wait::until_blocking("the script to listen", wait::LONG, || {
            (server.ended().is_some() || TcpStream::connect(port.address()).is_ok()).then_some(())
        });
        match listening {
            Ok(()) if server.ended().is_none() => Ok((server, port)),
            _ => Err(io::Error::other(format!("{script} does not listen: {}", self.said(script)))),
        }
    }

    /// Runs a script to its end: what it printed.
    pub fn run(&self, script: &str, argument: &str) -> io::Result<String> {
        let ended = Process::start(self.command(script)?.arg(argument))?.wait(wait::LONG);
        let said = self.said(script);
        if ended.is_some_and(|status| status.success()) {
            return Ok(said);
        }
        Err(io::Error::other(format!("{script} ended with {ended:?}: {said}")))
    }

    fn command(&self, script: &str) -> io::Result<Command> {
        let mut command = Command::new("node");
        let log = File::create(self.log(script))?;
        command.arg(script).current_dir(self.folder.path()).stdin(Stdio::null());
        command.stdout(log.try_clone()?).stderr(log);
        Ok(command)
    }

    fn log(&self, script: &str) -> PathBuf {
        self.folder.path().join(script).with_extension("log")
    }

    fn said(&self, script: &str) -> String {
        fs::read_to_string(self.log(script)).unwrap_or_default()
    }
}
