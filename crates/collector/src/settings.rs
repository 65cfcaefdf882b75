//! What `serve` needs to know. Where it comes from (file, environment, flags) is `config`'s affair.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Where to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// Unix socket, mode 0660.
    Unix(PathBuf),
    /// TCP. For readers only loopback, while there is no access control; for nodes others too, where TLS
    /// guards them or the configuration says that nothing does.
    Tcp(SocketAddr),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Tcp(address) => write!(f, "{address}"),
        }
    }
}

/// What nodes that connect over TCP have to do first. Unix sockets are guarded by the rights of their files.
#[derive(Clone, Debug, Default)]
pub struct IngestGuard {
    /// To speak TLS.
    pub tls: Option<TlsFiles>,
    /// To show the key in this file.
    pub shared_key: Option<PathBuf>,
    /// An operator's word that others may connect without TLS.
    pub insecure_plain: bool,
}

impl IngestGuard {
    /// Whether addresses that other machines reach may be listened on.
    pub fn lets_others_in(&self) -> bool {
        self.tls.is_some() || self.insecure_plain
    }
}

/// PEM files.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// What nodes are shown.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// Authorities of which nodes have to show a certificate; `None` when they need none.
    pub client_ca: Option<PathBuf>,
}

/// All that `serve` needs to know.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Holds log, day files, set-aside records.
    pub data_dir: PathBuf,
    /// Whether `data_dir` may be created: only the default one, as a missing configured one is
    /// more likely a disk that was not mounted.
    pub create_data_dir: bool,
    /// Where nodes connect to.
    pub ingest: Vec<Address>,
    /// What they have to do first, over TCP.
    pub ingest_guard: IngestGuard,
    /// Where readers connect to.
    pub api: Vec<Address>,
    /// Most bytes that the engine may use.
    pub memory_limit: u64,
    /// Threads that the engine may use.
    pub threads: u32,
    /// Bytes of applied log that are kept to rebuild a damaged day file.
    pub log_retain: u64,
    /// Bytes of log not applied yet, past which senders have to wait.
    pub log_unapplied_max: u64,
    /// Free bytes of the disk below which nothing more is taken from nodes.
    pub disk_reserve: u64,
    /// Connections from nodes at a time.
    pub ingest_connections: usize,
    /// Time without a request after which the next one begins a visit.
    pub visit_gap: Duration,
    /// Files that tell country and network of an address.
    pub geo: Vec<PathBuf>,
    /// File with the secret of the nodes; `None` when it is not to be known here.
    pub secret: Option<PathBuf>,
    /// An operator's word that the wall clock is right, although retention stopped over it.
    pub clock_confirmed: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("/var/lib/api-sessions"),
            create_data_dir: true,
            ingest: Vec::new(),
            ingest_guard: IngestGuard::default(),
            api: Vec::new(),
            memory_limit: 512 << 20,
            threads: 2,
            log_retain: 2 << 30,
            log_unapplied_max: 1 << 30,
            disk_reserve: 256 << 20,
            ingest_connections: 1024,
            visit_gap: Duration::from_secs(30 * 60),
            geo: Vec::new(),
            secret: None,
            clock_confirmed: false,
        }
    }
}
