//! Where things go when nobody says where, on a machine with or without rights to `/run`.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::ConfigError;

/// What the defaults depend on.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// Environment variables.
    pub variables: BTreeMap<String, String>,
    /// Configuration file that is read when none is named, and there.
    pub default_file: PathBuf,
    /// `/run`.
    pub run: PathBuf,
    /// `/var/lib`.
    pub var_lib: PathBuf,
    /// `/tmp`.
    pub tmp: PathBuf,
    /// The user's number.
    pub uid: u32,
    /// Cores of the machine that this process may use.
    pub cores: usize,
}

impl Surroundings {
    /// Those of this process.
    pub fn of_this_process() -> Self {
        Self {
            variables: std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
                .collect(),
            default_file: "/etc/api-sessions/api-sessions.toml".into(),
            run: "/run".into(),
            var_lib: "/var/lib".into(),
            tmp: "/tmp".into(),
            uid: rustix::process::geteuid().as_raw(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
        }
    }

    /// A variable that is set and not empty.
    pub(super) fn variable(&self, name: &str) -> Option<String> {
        self.variables.get(name).filter(|value| !value.is_empty()).cloned()
    }

    fn directory(&self, variable: &str) -> Option<PathBuf> {
        self.variable(variable).map(PathBuf::from).filter(|path| path.is_absolute())
    }

    pub(super) fn data_dir(&self) -> PathBuf {
        let system = self.var_lib.join("api-sessions");
        if writable(&system) || (!system.exists() && writable(&self.var_lib)) {
            return system;
        }
        self.directory("XDG_DATA_HOME")
            .or_else(|| self.directory("HOME").map(|home| home.join(".local/share")))
            .map_or(system, |base| base.join("api-sessions"))
    }

    /// The directories that may hold the sockets, the best first.
    fn runtime_dirs(&self) -> Vec<PathBuf> {
        let mut dirs = vec![self.run.join("api-sessions")];
        dirs.extend(self.directory("XDG_RUNTIME_DIR").map(|dir| dir.join("api-sessions")));
        dirs.push(self.private_dir());
        dirs
    }

    fn private_dir(&self) -> PathBuf {
        self.tmp.join(format!("api-sessions-{}", self.uid))
    }

    /// The first of them that this user can write to, made where it is not there.
    pub(super) fn make_runtime_dir(&self) -> Result<PathBuf, ConfigError> {
        let mut reasons = Vec::new();
        for dir in self.runtime_dirs() {
            match self.usable(&dir) {
                Ok(()) => return Ok(dir),
                Err(reason) => reasons.push(format!("{}: {reason}", dir.display())),
            }
        }
        Err(ConfigError::NoRuntimeDir(reasons.join("; ")))
    }

    fn usable(&self, dir: &Path) -> Result<(), String> {
        // Anybody may have put something of this name into /tmp.
        let private = dir == self.private_dir();
        if !dir.exists() {
            let mode = if private { 0o700 } else { 0o755 };
            fs::DirBuilder::new().mode(mode).create(dir).map_err(|e| e.to_string())?;
        }
        let meta = fs::symlink_metadata(dir).map_err(|e| e.to_string())?;
        if private && !(meta.is_dir() && meta.uid() == self.uid && meta.mode() & 0o077 == 0) {
            return Err("it belongs to another user or is open to others".to_owned());
        }
        if writable(dir) { Ok(()) } else { Err("not writable".to_owned()) }
    }
}

/// The sockets at which a server of this machine may listen: those that are there first.
pub fn default_sockets(around: &Surroundings) -> Vec<PathBuf> {
    let mut sockets: Vec<_> = around.runtime_dirs().iter().map(|dir| dir.join("api.sock")).collect();
    sockets.sort_by_key(|socket| !socket.exists());
    sockets
}

fn writable(dir: &Path) -> bool {
    use rustix::fs::{Access, access};
    dir.is_dir() && access(dir, Access::WRITE_OK | Access::EXEC_OK).is_ok()
}
