//! Temporary folders, leased ports, and where the binaries under test are.

use std::fs::{self, File, TryLockError};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// A temporary folder that everybody may enter, as NGINX workers run as another user than root.
/// It goes with the value.
pub fn temporary() -> io::Result<TempDir> {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::Builder::new().prefix("api-sessions-").tempdir()?;
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
    Ok(folder)
}

/// A port of the loopback that no other holder of a lease uses, until this goes.
///
/// A server that is told its port beforehand cannot bind port 0. Between finding a free port and its
/// use another process could take it, so ports come from below the range that the kernel picks from,
/// and a lock file for each keeps copies of these tests apart.
#[derive(Debug)]
pub struct Port {
    address: SocketAddr,
    _lock: File,
}

const LEASED: std::ops::Range<u16> = 21_000..31_000;

impl Port {
    /// Leases one that nobody listens on.
    pub fn lease() -> io::Result<Self> {
        let folder = std::env::temp_dir().join("api-sessions-ports");
        fs::create_dir_all(&folder)?;
        for _ in 0..1000 {
            let port = fastrand::u16(LEASED);
            let lock = File::create(folder.join(port.to_string()))?;
            match lock.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => continue,
                Err(TryLockError::Error(e)) => return Err(e),
            }
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            if TcpListener::bind(address).is_ok() {
                return Ok(Self { address, _lock: lock });
            }
        }
        Err(io::Error::other(format!("no free port in {LEASED:?}")))
    }

    /// The address to listen on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// The root of the checkout: `$API_SESSIONS_ROOT`, or where this was built.
pub fn checkout() -> PathBuf {
    let built = || Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_owned).unwrap_or_default();
    std::env::var_os("API_SESSIONS_ROOT").map_or_else(built, PathBuf::from)
}

/// A binary under test: `scripts/build` puts them into `$API_SESSIONS_BIN`.
pub fn binary(name: &str) -> PathBuf {
    let folder = std::env::var_os("API_SESSIONS_BIN").map_or_else(|| checkout().join("build/bin"), PathBuf::from);
    folder.join(name)
}

/// The NGINX to test with: `$API_SESSIONS_NGINX`, which `scripts/env.sh` sets.
pub fn nginx() -> PathBuf {
    let unpacked = || checkout().join("build/nginx/root/usr/sbin/nginx");
    std::env::var_os("API_SESSIONS_NGINX").map_or_else(unpacked, PathBuf::from)
}

/// Its version, as it says itself: for what differs between them.
pub fn nginx_version() -> io::Result<[u32; 3]> {
    let said = Command::new(nginx()).arg("-v").output()?.stderr;
    let said = String::from_utf8_lossy(&said);
    let numbers = said.trim().rsplit('/').next().unwrap_or_default().split('.').map(str::parse);
    let numbers: Option<Vec<u32>> = numbers.map(Result::ok).collect();
    let version = numbers.and_then(|numbers| numbers.try_into().ok());
    version.ok_or_else(|| io::Error::other(format!("{} says no version, but {said}", nginx().display())))
}

/// Where Debian's modules are unpacked: `$API_SESSIONS_DEBIAN_MODULES`, which `scripts/env.sh` sets.
pub fn debian_modules() -> PathBuf {
    let unpacked = || checkout().join("build/debian-modules");
    std::env::var_os("API_SESSIONS_DEBIAN_MODULES").map_or_else(unpacked, PathBuf::from)
}

/// Where the npm packages of a client and a server for AI agents are: `$API_SESSIONS_MCP`, which
/// `scripts/env.sh` sets.
pub fn mcp_packages() -> PathBuf {
    let installed = || checkout().join("build/mcp");
    std::env::var_os("API_SESSIONS_MCP").map_or_else(installed, PathBuf::from).join("node_modules")
}

/// Where the npm packages of foreign senders are: `$API_SESSIONS_INTEROP`, which `scripts/env.sh` sets.
pub fn interop_packages() -> PathBuf {
    interop().join("node_modules")
}

/// The Python that has packages of foreign senders, in the same place.
pub fn interop_python() -> PathBuf {
    interop().join("python/bin/python")
}

fn interop() -> PathBuf {
    let installed = || checkout().join("build/interop");
    std::env::var_os("API_SESSIONS_INTEROP").map_or_else(installed, PathBuf::from)
}

/// What checks metrics and alert rules: `$API_SESSIONS_PROMTOOL`, which `scripts/env.sh` sets.
pub fn promtool() -> PathBuf {
    let unpacked = || checkout().join("build/prometheus/usr/bin/promtool");
    std::env::var_os("API_SESSIONS_PROMTOOL").map_or_else(unpacked, PathBuf::from)
}

/// The module that fits into it: `$API_SESSIONS_MODULE`, which `scripts/env.sh` sets.
pub fn module() -> PathBuf {
    let debian = || binary("nginx-1.22.1/ngx_http_wallarm_sessions_module.so");
    std::env::var_os("API_SESSIONS_MODULE").map_or_else(debian, PathBuf::from)
}

/// The same with things that go wrong on purpose, beside it.
pub fn planted_module() -> PathBuf {
    module().with_file_name("planted.so")
}
