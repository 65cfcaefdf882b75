//! The four places a key may stand in, and which of them wins.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::ConfigError;
use super::places::Surroundings;

/// Every key there is.
pub const KEYS: [&str; 21] = [
    "data_dir",
    "runtime_dir",
    "ingest",
    "ingest_connections",
    "ingest_tls_cert",
    "ingest_tls_key",
    "ingest_tls_client_ca",
    "ingest_shared_key_file",
    "ingest_insecure_plain",
    "listen",
    "socket",
    "store_memory",
    "store_threads",
    "geo",
    "log_retain",
    "log_unapplied_max",
    "disk_reserve",
    "visit_gap",
    "secret",
    "log_format",
    "log_level",
];

/// A configuration file larger than this is not one.
const MAX_FILE: u64 = 1 << 20;

/// The keys as flags of a command.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Flags {
    /// Configuration file [default: /etc/api-sessions/api-sessions.toml, where there is one]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Directory of log and day files [default: /var/lib/api-sessions, else ~/.local/share/api-sessions]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<String>,
    /// Directory of sockets [default: /run/api-sessions, else $XDG_RUNTIME_DIR/api-sessions]
    #[arg(long, value_name = "DIR")]
    pub runtime_dir: Option<String>,
    /// Where nodes send to, may be repeated [default: unix:RUNTIME_DIR/collector.sock]
    #[arg(long, value_name = "ADDRESS")]
    pub ingest: Vec<String>,
    /// Connections from nodes at a time [default: 1024]
    #[arg(long, value_name = "NUMBER")]
    pub ingest_connections: Option<String>,
    /// Certificate that nodes are shown over TCP, as PEM: TLS is spoken with it, and only TLS [default: none]
    #[arg(long, value_name = "FILE")]
    pub ingest_tls_cert: Option<String>,
    /// Its private key, as PEM
    #[arg(long, value_name = "FILE")]
    pub ingest_tls_key: Option<String>,
    /// Authorities of which nodes have to show a certificate, as PEM [default: none is asked for]
    #[arg(long, value_name = "FILE")]
    pub ingest_tls_client_ca: Option<String>,
    /// File with the key that nodes have to show over TCP [default: none is asked for]
    #[arg(long, value_name = "FILE")]
    pub ingest_shared_key_file: Option<String>,
    /// Whether other machines may send without TLS: true or false [default: false]
    #[arg(long, value_name = "BOOLEAN")]
    pub ingest_insecure_plain: Option<String>,
    /// Where the REST API listens, may be repeated [default: 127.0.0.1:8484]
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Vec<String>,
    /// Unix socket of the REST API for the commands [default: RUNTIME_DIR/api.sock]
    #[arg(long, value_name = "PATH")]
    pub socket: Option<String>,
    /// Memory that the store may use [default: 512m]
    #[arg(long, value_name = "SIZE")]
    pub store_memory: Option<String>,
    /// Threads that the store may use [default: one a core, at most 8]
    #[arg(long, value_name = "NUMBER")]
    pub store_threads: Option<String>,
    /// MMDB file that tells country or network of an address, may be repeated [default: none]
    #[arg(long, value_name = "FILE")]
    pub geo: Vec<String>,
    /// Applied log that is kept to rebuild a damaged day file [default: 2g]
    #[arg(long, value_name = "SIZE")]
    pub log_retain: Option<String>,
    /// Log not yet applied, past which nodes have to wait [default: 1g]
    #[arg(long, value_name = "SIZE")]
    pub log_unapplied_max: Option<String>,
    /// Free space of the disk below which nothing more is taken from nodes [default: 256m]
    #[arg(long, value_name = "SIZE")]
    pub disk_reserve: Option<String>,
    /// Time without a request after which the next one begins a visit: 60s, 30m, 1h [default: 30m]
    #[arg(long, value_name = "TIME")]
    pub visit_gap: Option<String>,
    /// File with the secret of the nodes, to find sessions by values of which only pseudonyms are stored
    #[arg(long, value_name = "FILE")]
    pub secret: Option<String>,
    /// Form of the server's own messages: text or json [default: text]
    #[arg(long, value_name = "FORM")]
    pub log_format: Option<String>,
    /// Least severe message that is written: error, warn, info, debug or trace [default: info]
    #[arg(long, value_name = "LEVEL")]
    pub log_level: Option<String>,
}

impl Flags {
    fn get(&self, key: &str) -> Option<Vec<String>> {
        let one = |value: &Option<String>| value.clone().map(|value| vec![value]);
        let path = |value: &Option<String>| value.as_deref().map(|path| vec![from_here(path)]);
        let many = |values: &[String]| (!values.is_empty()).then(|| values.iter().flat_map(|v| listed(v)).collect());
        match key {
            "data_dir" => path(&self.data_dir),
            "runtime_dir" => path(&self.runtime_dir),
            "ingest" => many(&self.ingest),
            "ingest_connections" => one(&self.ingest_connections),
            "ingest_tls_cert" => one(&self.ingest_tls_cert),
            "ingest_tls_key" => one(&self.ingest_tls_key),
            "ingest_tls_client_ca" => one(&self.ingest_tls_client_ca),
            "ingest_shared_key_file" => one(&self.ingest_shared_key_file),
            "ingest_insecure_plain" => one(&self.ingest_insecure_plain),
            "listen" => many(&self.listen),
            "socket" => path(&self.socket),
            "store_memory" => one(&self.store_memory),
            "store_threads" => one(&self.store_threads),
            "geo" => many(&self.geo),
            "log_retain" => one(&self.log_retain),
            "log_unapplied_max" => one(&self.log_unapplied_max),
            "disk_reserve" => one(&self.disk_reserve),
            "visit_gap" => one(&self.visit_gap),
            "secret" => one(&self.secret),
            "log_format" => one(&self.log_format),
            "log_level" => one(&self.log_level),
            _ => None,
        }
    }
}

/// A path that was typed: a relative one is meant from where the command is run.
fn from_here(path: &str) -> String {
    let absolute = if path.starts_with('/') { None } else { std::path::absolute(path).ok() };
    absolute.and_then(|path| path.into_os_string().into_string().ok()).unwrap_or_else(|| path.to_owned())
}

/// Where a value stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A flag of the command line.
    Flag(String),
    /// An environment variable.
    Variable(String),
    /// A line of the file.
    File(PathBuf, usize),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Flag(flag) => write!(f, "flag {flag}"),
            Self::Variable(name) => write!(f, "variable {name}"),
            Self::File(path, line) => write!(f, "{}, line {line}", path.display()),
        }
    }
}

/// The value of a key, as text, with its place.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    key: &'static str,
    pub(super) values: Vec<String>,
    origin: Origin,
}

impl Setting {
    /// The value of a key that takes one.
    pub(super) fn single(&self) -> Result<&str, ConfigError> {
        match self.values.as_slice() {
            [value] => Ok(value),
            _ => Err(self.refused("one value would be right, not a list")),
        }
    }

    pub(super) fn refused(&self, reason: impl Into<String>) -> ConfigError {
        self.refused_value(&self.values.join(","), reason)
    }

    pub(super) fn refused_value(&self, value: &str, reason: impl Into<String>) -> ConfigError {
        ConfigError::BadValue {
            key: self.key,
            value: value.to_owned(),
            origin: self.origin.clone(),
            reason: reason.into(),
        }
    }
}

/// Flags over variables over the file.
pub(super) struct Layers(BTreeMap<&'static str, Setting>);

impl Layers {
    pub(super) fn read(flags: &Flags, around: &Surroundings) -> Result<Self, ConfigError> {
        let file = flags.config.clone().or_else(|| around.variable("API_SESSIONS_CONFIG").map(PathBuf::from));
        let mut settings = match file {
            Some(path) => read_file(&path)?,
            None => match std::fs::symlink_metadata(&around.default_file) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => BTreeMap::new(),
                // One that is there and cannot be looked at is an error too.
                _ => read_file(&around.default_file)?,
            },
        };
        for key in KEYS {
            let variable = format!("API_SESSIONS_{}", key.to_uppercase());
            if let Some(value) = around.variable(&variable) {
                let values = if takes_list(key) { listed(&value).collect() } else { vec![value] };
                settings.insert(key, Setting { key, values, origin: Origin::Variable(variable) });
            }
            if let Some(values) = flags.get(key) {
                let origin = Origin::Flag(format!("--{}", key.replace('_', "-")));
                settings.insert(key, Setting { key, values, origin });
            }
        }
        Ok(Self(settings))
    }

    pub(super) fn get(&self, key: &'static str) -> Option<Setting> {
        self.0.get(key).cloned()
    }
}

fn takes_list(key: &str) -> bool {
    matches!(key, "ingest" | "listen" | "geo")
}

fn takes_boolean(key: &str) -> bool {
    key == "ingest_insecure_plain"
}

fn listed(value: &str) -> impl Iterator<Item = String> {
    value.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned)
}

fn read_file(path: &Path) -> Result<BTreeMap<&'static str, Setting>, ConfigError> {
    let unreadable = |reason: String| ConfigError::Unreadable { path: path.to_owned(), reason };
    let size = std::fs::metadata(path).map_err(|e| unreadable(e.to_string()))?.len();
    if size > MAX_FILE {
        return Err(unreadable(format!("it has {size} bytes, more than the {MAX_FILE} a configuration may have")));
    }
    let text = std::fs::read_to_string(path).map_err(|e| unreadable(e.to_string()))?;
    let table = DeTable::parse(&text).map_err(|e| ConfigError::Syntax {
        path: path.to_owned(),
        line: e.span().map_or(1, |span| line_of(&text, span.start)),
        reason: e.message().to_owned(),
    })?;
    let mut settings = BTreeMap::new();
    for (name, value) in table.get_ref() {
        let origin = Origin::File(path.to_owned(), line_of(&text, name.span().start));
        let Some(&key) = KEYS.iter().find(|key| **key == name.get_ref().as_ref()) else {
            return Err(ConfigError::UnknownKey { key: name.get_ref().to_string(), origin });
        };
        let raw = text.get(value.span()).unwrap_or_default();
        let setting = |values| Setting { key, values, origin: origin.clone() };
        let wrong = |right: &str| setting(vec![raw.to_owned()]).refused(right);
        let values = match value.get_ref() {
            DeValue::String(text) => vec![text.to_string()],
            DeValue::Integer(number) if number.radix() == 10 => vec![number.to_string()],
            DeValue::Boolean(value) if takes_boolean(key) => vec![value.to_string()],
            DeValue::Array(items) if takes_list(key) => items
                .iter()
                .map(|item| match item.get_ref() {
                    DeValue::String(text) => Ok(text.to_string()),
                    _ => Err(wrong("a list of strings would be right")),
                })
                .collect::<Result<_, _>>()?,
            _ if takes_list(key) => return Err(wrong("a list of strings would be right")),
            _ => return Err(wrong("a string or a number would be right")),
        };
        settings.insert(key, setting(values));
    }
    Ok(settings)
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|&byte| byte == b'\n').count() + 1
}
