//! What the server is told: where its data lives, where it listens, how much it may use.
//!
//! Every key has one name in four places, the stronger first: the flag `--store-memory`, the
//! variable `API_SESSIONS_STORE_MEMORY`, the line `store_memory = "1g"` of the file, the default.
//! Every key has a default that works on one machine, without rights to `/run` and `/var/lib` too.
//!
//! Invariants:
//! - A key or value that is not understood is an error that names key, value and place, and says
//!   what would be right; nothing is guessed and nothing silently ignored.
//! - Addresses are loopback or unix sockets: there is no access control yet. Those for nodes may be others where
//!   TLS guards them, or the configuration says that nothing does.
//!
//! Reads files and makes no lasting thing but the run-time directory; directories of data and
//! sockets are made by whoever uses them.

mod layers;
mod places;
mod values;

use std::path::{Path, PathBuf};

pub use layers::{Flags, KEYS, Origin};
pub use places::{Surroundings, default_sockets};
pub use values::{BadAddress, BadSize, LogFormat, Size};

use crate::settings::{Address, IngestGuard, Settings, TlsFiles};
use layers::{Layers, Setting};

/// Everything the server is told, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// What `serve` needs to know.
    pub settings: Settings,
    /// Directory of the sockets.
    pub runtime_dir: PathBuf,
    /// Unix socket of the REST API that the commands use; one of the addresses in `settings`.
    pub socket: PathBuf,
    /// Form of the server's own messages.
    pub log_format: LogFormat,
    /// The least severe message that is written.
    pub log_level: tracing::Level,
}

/// Why a configuration was refused.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("configuration file {path}: {reason}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// The file is no TOML.
    #[error("configuration file {path}, line {line}: {reason}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What the parser said.
        reason: String,
    },
    /// The file holds a key that is none.
    #[error("unknown key `{key}` in {origin}; keys are {}", KEYS.join(", "))]
    UnknownKey {
        /// The key.
        key: String,
        /// Where it stands.
        origin: Origin,
    },
    /// A value is not what its key takes.
    #[error("{key} = {value:?} in {origin} is refused: {reason}")]
    BadValue {
        /// The key.
        key: &'static str,
        /// The value as it was given.
        value: String,
        /// Where it was given.
        origin: Origin,
        /// What is wrong and what would be right.
        reason: String,
    },
    /// No directory for sockets can be had.
    #[error("no directory for sockets: {0}; name one with runtime_dir")]
    NoRuntimeDir(String),
}

impl Config {
    /// Reads flags, variables and file, and fills in the defaults.
    pub fn load(flags: &Flags, around: &Surroundings) -> Result<Self, ConfigError> {
        let layers = Layers::read(flags, around)?;
        let usual = Settings::default();
        let (data_dir, create_data_dir) = data_dir(&layers, around)?;
        let runtime_dir = match path(&layers, "runtime_dir")? {
            Some(path) => path,
            None => around.make_runtime_dir()?,
        };
        let ingest_guard = ingest_guard(&layers)?;
        let ingest = match layers.get("ingest") {
            Some(setting) => ingest_addresses(&setting, &ingest_guard)?,
            None => vec![Address::Unix(runtime_dir.join("collector.sock"))],
        };
        let mut api = match layers.get("listen") {
            Some(setting) => addresses(&setting, values::local_address)?,
            None => vec![Address::Tcp(([127, 0, 0, 1], 8484).into())],
        };
        let socket = path(&layers, "socket")?.unwrap_or_else(|| runtime_dir.join("api.sock"));
        let own = Address::Unix(socket.clone());
        if !api.contains(&own) {
            api.push(own);
        }
        let cores = u32::try_from(around.cores).unwrap_or(1).clamp(1, 8);
        let settings = Settings {
            data_dir,
            create_data_dir,
            ingest,
            ingest_guard,
            api,
            memory_limit: size(&layers, "store_memory", 64 << 20)?.unwrap_or(usual.memory_limit),
            threads: number(&layers, "store_threads", 256)?.unwrap_or(cores),
            log_retain: size(&layers, "log_retain", 0)?.unwrap_or(usual.log_retain),
            log_unapplied_max: size(&layers, "log_unapplied_max", 64 << 20)?.unwrap_or(usual.log_unapplied_max),
            disk_reserve: size(&layers, "disk_reserve", 0)?.unwrap_or(usual.disk_reserve),
            ingest_connections: match number(&layers, "ingest_connections", 65_536)? {
                Some(connections) => connections as usize,
                None => usual.ingest_connections,
            },
            visit_gap: match layers.get("visit_gap") {
                Some(setting) => values::pause(setting.single()?).map_err(|reason| setting.refused(reason))?,
                None => usual.visit_gap,
            },
            geo: layers.get("geo").map_or(Ok(Vec::new()), |setting| paths(&setting))?,
            secret: path(&layers, "secret")?,
            ..usual
        };
        let log_format = match layers.get("log_format") {
            Some(setting) => setting.single()?.parse().map_err(|reason: &str| setting.refused(reason))?,
            None => LogFormat::default(),
        };
        let log_level = match layers.get("log_level") {
            Some(setting) => values::level(setting.single()?).map_err(|reason| setting.refused(reason))?,
            None => tracing::Level::INFO,
        };
        Ok(Self { settings, runtime_dir, socket, log_format, log_level })
    }

    /// The sockets at which a command looks for the server, the likeliest first.
    ///
    /// The one that is configured, or else each at which a server of this machine may listen.
    pub fn sockets(flags: &Flags, around: &Surroundings) -> Result<Vec<PathBuf>, ConfigError> {
        let layers = Layers::read(flags, around)?;
        if let Some(socket) = path(&layers, "socket")? {
            return Ok(vec![socket]);
        }
        if let Some(dir) = path(&layers, "runtime_dir")? {
            return Ok(vec![dir.join("api.sock")]);
        }
        Ok(default_sockets(around))
    }

    /// Where the server keeps everything, and whether it may be created.
    pub fn data_dir(flags: &Flags, around: &Surroundings) -> Result<(PathBuf, bool), ConfigError> {
        data_dir(&Layers::read(flags, around)?, around)
    }

    /// The unix socket at which nodes of this machine are expected, for a server whose own socket
    /// is `api`; `None` when the configuration names TCP addresses only.
    pub fn collector_socket(
        flags: &Flags,
        around: &Surroundings,
        api: Option<&Path>,
    ) -> Result<Option<PathBuf>, ConfigError> {
        let layers = Layers::read(flags, around)?;
        if let Some(setting) = layers.get("ingest") {
            let addresses = ingest_addresses(&setting, &ingest_guard(&layers)?)?;
            return Ok(addresses.into_iter().find_map(|address| match address {
                Address::Unix(path) => Some(path),
                Address::Tcp(_) => None,
            }));
        }
        if let Some(dir) = path(&layers, "runtime_dir")? {
            return Ok(Some(dir.join("collector.sock")));
        }
        Ok(api.and_then(Path::parent).map(|dir| dir.join("collector.sock")))
    }
}

fn size(layers: &Layers, key: &'static str, least: u64) -> Result<Option<u64>, ConfigError> {
    let Some(setting) = layers.get(key) else { return Ok(None) };
    let Size(bytes) = setting.single()?.parse().map_err(|e: values::BadSize| setting.refused(e.to_string()))?;
    if bytes < least {
        return Err(setting.refused(format!("it must be at least {}m", least >> 20)));
    }
    Ok(Some(bytes))
}

fn number(layers: &Layers, key: &'static str, most: u32) -> Result<Option<u32>, ConfigError> {
    let Some(setting) = layers.get(key) else { return Ok(None) };
    match setting.single()?.parse() {
        Ok(number) if (1..=most).contains(&number) => Ok(Some(number)),
        _ => Err(setting.refused(format!("a number from 1 to {most} would be right"))),
    }
}

fn path(layers: &Layers, key: &'static str) -> Result<Option<PathBuf>, ConfigError> {
    let Some(setting) = layers.get(key) else { return Ok(None) };
    values::absolute(setting.single()?).map(Some).map_err(|reason| setting.refused(reason))
}

fn paths(setting: &Setting) -> Result<Vec<PathBuf>, ConfigError> {
    let path = |value: &String| values::absolute(value).map_err(|reason| setting.refused_value(value, reason));
    setting.values.iter().map(path).collect()
}

/// What nodes have to do over TCP.
fn ingest_guard(layers: &Layers) -> Result<IngestGuard, ConfigError> {
    let insecure_plain = match layers.get("ingest_insecure_plain") {
        None => false,
        Some(setting) => setting.single()?.parse().map_err(|_| setting.refused("true or false would be right"))?,
    };
    let [certificate, key, client_ca] = ["ingest_tls_cert", "ingest_tls_key", "ingest_tls_client_ca"];
    // Each of them says TLS; none does without its others.
    let needs = |of: &'static str, other: &str| match layers.get(of) {
        Some(setting) => Err(setting.refused(format!("{other} is missing: a certificate and its key would be right"))),
        None => Ok(None),
    };
    let tls = match (path(layers, certificate)?, path(layers, key)?, path(layers, client_ca)?) {
        (Some(certificate), Some(key), client_ca) => Some(TlsFiles { certificate, key, client_ca }),
        (Some(_), None, _) => needs(certificate, key)?,
        (None, Some(_), _) => needs(key, certificate)?,
        (None, None, _) => needs(client_ca, certificate)?,
    };
    Ok(IngestGuard { tls, shared_key: path(layers, "ingest_shared_key_file")?, insecure_plain })
}

fn ingest_addresses(setting: &Setting, guard: &IngestGuard) -> Result<Vec<Address>, ConfigError> {
    let addresses = addresses(setting, values::address)?;
    for (address, value) in addresses.iter().zip(&setting.values) {
        if !guard.lets_others_in() && !values::is_local(address) {
            return Err(setting.refused_value(
                value,
                "other machines could reach it, which needs TLS (ingest_tls_cert, ingest_tls_key), or the word \
                 ingest_insecure_plain = true",
            ));
        }
    }
    Ok(addresses)
}

fn addresses<E: std::fmt::Display>(
    setting: &Setting,
    read: impl Fn(&str) -> Result<Address, E>,
) -> Result<Vec<Address>, ConfigError> {
    if setting.values.is_empty() {
        return Err(
            setting.refused("the list is empty; an address such as 127.0.0.1:8484 or unix:/PATH would be right")
        );
    }
    setting.values.iter().map(|value| read(value).map_err(|e| setting.refused_value(value, e.to_string()))).collect()
}

fn data_dir(layers: &Layers, around: &Surroundings) -> Result<(PathBuf, bool), ConfigError> {
    Ok(match path(layers, "data_dir")? {
        Some(path) => (path, false),
        None => (around.data_dir(), true),
    })
}

#[cfg(test)]
mod tests;
