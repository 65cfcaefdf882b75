//! A configuration that is tested with `nginx -t`, and never started.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use ngx_tests::folder;
use ngx_tests::nginx::{Config, Nginx};
use tempfile::TempDir;

use crate::site::quickstart;

/// The folder that `nginx.conf` is in. What NGINX says of it is shown as `FOLDER`.
pub struct Trial(TempDir);

/// What came of it.
pub struct Verdict {
    pub accepted: bool,
    /// Everything that NGINX printed.
    pub said: String,
}

impl Trial {
    pub fn new() -> Self {
        Self(folder::temporary().unwrap())
    }

    /// Puts a file beside `nginx.conf`.
    pub fn file(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        self
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// `nginx -t`.
    pub fn test(&self, config: &Config) -> Verdict {
        self.run(config, with("-t"))
    }

    /// The quickstart's configuration with lines of a test in `http`.
    pub fn test_in_http(&self, lines: &str) -> Verdict {
        self.test(&quickstart(lines))
    }

    /// NGINX with flags.
    pub fn run(&self, config: &Config, flags: impl FnOnce(Command) -> Command) -> Verdict {
        let mut command = flags(Nginx::command(config, self.0.path()).unwrap());
        let output = command.stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).replace(&self.0.path().display().to_string(), "FOLDER");
        Verdict { accepted: output.status.success(), said }
    }

    /// The first line of `nginx.conf` that holds a text.
    pub fn line_of(&self, text: &str) -> usize {
        self.lines_of(text)[0]
    }

    /// All of them.
    pub fn lines_of(&self, text: &str) -> Vec<usize> {
        let config = fs::read_to_string(self.path("nginx.conf")).unwrap();
        let lines = config.lines().enumerate().filter(|(_, line)| line.contains(text));
        let found: Vec<usize> = lines.map(|(at, _)| at + 1).collect();
        assert!(!found.is_empty(), "`{text}` is not in nginx.conf");
        found
    }
}

/// The command with one flag more.
pub fn with(flag: &str) -> impl FnOnce(Command) -> Command {
    move |mut command| {
        command.arg(flag);
        command
    }
}

impl Verdict {
    /// The lines of a severity, without it.
    pub fn lines(&self, severity: &str) -> Vec<&str> {
        let mark = format!("nginx: [{severity}] ");
        self.said.lines().filter_map(|line| line.strip_prefix(&mark)).collect()
    }

    /// Why it was refused.
    #[track_caller]
    pub fn error(&self) -> &str {
        let errors = self.lines("emerg");
        assert!(!self.accepted && errors.len() == 1, "expected one error: {}", self.said);
        errors[0]
    }

    #[track_caller]
    pub fn assert_accepted(&self) {
        assert!(self.accepted, "{}", self.said);
    }
}
