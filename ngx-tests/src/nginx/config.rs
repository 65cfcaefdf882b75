//! A config: a file of `nginx-conf/` with a test's own paths, ports and additions in it.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::folder;

/// Why a config could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file.
    #[error("{path}: {source}")]
    Io {
        /// Which one.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// The file is not what the test was written for.
    #[error("{file} does not hold `{text}`")]
    NotThere {
        /// The file.
        file: String,
        /// What should be in it.
        text: String,
    },
}

/// What to start NGINX with.
#[derive(Clone, Debug)]
pub struct Config {
    name: String,
    text: String,
    runtime: PathBuf,
    /// Whether it is the module in which something goes wrong on purpose.
    planted: bool,
    environment: Vec<(String, String)>,
}

/// The places of an installed system that the files in `nginx-conf/` name.
mod installed {
    pub const LISTEN: &str = "127.0.0.1:8080";
    pub const SHOP: &str = "127.0.0.1:9000";
    pub const MODULE: &str = "modules/ngx_http_wallarm_sessions_module.so";
    pub const RUNTIME: &str = "/run/api-sessions/";
    pub const SECRET: &str = "/etc/api-sessions/secret";
    pub const LOGS: &str = "/var/log/nginx/";
    pub const SPOOL: &str = "/var/spool/";
    pub const PID: &str = "/run/nginx.pid";
    pub const USER: &str = "user www-data;";
}

/// Where the planted module reads what is to go wrong.
pub const PLANTED: &str = "WALLARM_SESSIONS_PLANTED";

/// Where NGINX keeps bodies and answers that do not fit into memory.
const TEMPORARY: [&str; 5] = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];

impl Config {
    /// A file of `nginx-conf/`.
    pub fn file(name: &str) -> Result<Self, ConfigError> {
        let path = folder::checkout().join("nginx-conf").join(name);
        let text = fs::read_to_string(&path).map_err(|source| ConfigError::Io { path, source })?;
        Ok(Self::text(name, &text))
    }

    /// A test's own, written like those.
    pub fn text(name: &str, text: &str) -> Self {
        let runtime = PathBuf::from(installed::RUNTIME);
        Self { name: name.to_owned(), text: text.to_owned(), runtime, planted: false, environment: Vec::new() }
    }

    /// Every file of `nginx-conf/`.
    pub fn all() -> Result<Vec<Self>, ConfigError> {
        let folder = folder::checkout().join("nginx-conf");
        let failed = |source| ConfigError::Io { path: folder.clone(), source };
        let mut names = Vec::new();
        for entry in fs::read_dir(&folder).map_err(failed)? {
            names.push(entry.map_err(failed)?.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        names.iter().filter(|name| name.ends_with(".conf")).map(|name| Self::file(name)).collect()
    }

    /// The file's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The text so far.
    pub fn content(&self) -> &str {
        &self.text
    }

    /// The collector's runtime directory: its ingest socket is in it.
    pub fn runtime(mut self, folder: &Path) -> Self {
        self.runtime = folder.to_owned();
        self
    }

    /// Starts NGINX with a variable in its environment.
    pub fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The variables to start NGINX with.
    pub(super) fn variables(&self) -> impl Iterator<Item = (&str, &str)> {
        self.environment.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The shop behind it.
    pub fn shop(self, address: SocketAddr) -> Result<Self, ConfigError> {
        self.replace(installed::SHOP, &address.to_string())
    }

    /// Puts `new` in the place of every `old`.
    pub fn replace(mut self, old: &str, new: &str) -> Result<Self, ConfigError> {
        if !self.text.contains(old) {
            return Err(ConfigError::NotThere { file: self.name, text: old.to_owned() });
        }
        self.text = self.text.replace(old, new);
        Ok(self)
    }

    /// Adds lines at the top of the `http` block.
    pub fn in_http(self, lines: &str) -> Result<Self, ConfigError> {
        self.replace("\nhttp {\n", &format!("\nhttp {{\n{lines}\n"))
    }

    /// Adds lines at the top of the first `server` block.
    pub fn in_server(mut self, lines: &str) -> Result<Self, ConfigError> {
        let start = "    server {\n";
        let Some(at) = self.text.find(start) else {
            return Err(ConfigError::NotThere { file: self.name, text: start.to_owned() });
        };
        self.text.insert_str(at + start.len(), &format!("{lines}\n"));
        Ok(self)
    }

    /// The same config for an NGINX without the module: what to compare with.
    pub fn without_module(mut self) -> Self {
        let ours = |line: &str| line.trim_start().starts_with("wallarm_") || line.contains(installed::MODULE);
        let lines = self.text.lines().filter(|line| !ours(line));
        self.text = lines.map(|line| line.replace("$wallarm_request_id", "$request_id") + "\n").collect();
        self
    }

    /// With the module in which something goes wrong on purpose (see `src/plant.rs`): `panic:log`.
    pub fn planted(mut self, fault: &str) -> Self {
        self.planted = true;
        self.environment(PLANTED, fault)
    }

    /// Writes `nginx.conf` and what it names into `folder`.
    pub(super) fn write(&self, folder: &Path, listen: SocketAddr) -> Result<(), ConfigError> {
        let within = |name: &str| folder.join(name).display().to_string();
        let secret = folder.join("secret");
        let user = if rustix::process::getuid().is_root() { "user root;" } else { "" };
        let mut temporary = String::new();
        for name in TEMPORARY {
            temporary.push_str(&format!("    {name}_temp_path {};\n", within(&format!("{name}.temp"))));
        }
        let module = if self.planted { folder::planted_module() } else { folder::module() };
        let text = self
            .text
            .replace(installed::MODULE, &module.display().to_string())
            .replace(installed::LISTEN, &listen.to_string())
            .replace(installed::RUNTIME, &format!("{}/", self.runtime.display()))
            .replace(installed::SECRET, &secret.display().to_string())
            .replace(installed::LOGS, &within(""))
            .replace(installed::SPOOL, &within(""))
            .replace(installed::PID, &within("nginx.pid"))
            .replace(installed::USER, user)
            .replacen("\nhttp {\n", &format!("\nhttp {{\n{temporary}"), 1);
        let path = folder.join("nginx.conf");
        let written = fs::write(&path, text).and_then(|()| write_secret(&secret));
        written.map_err(|source| ConfigError::Io { path, source })
    }
}

fn write_secret(path: &Path) -> io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;

    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(b"a secret that only tests and the demo use\n")
}
