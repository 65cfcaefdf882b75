//! The sockets that the server listens on, for nodes and for readers.
//!
//! Invariants: TCP only on loopback where others are not let in; a socket file is replaced
//! only when nobody answers on it.

use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream, UnixListener, UnixSocket, UnixStream};

use crate::settings::Address;

/// Connections that may wait to be taken.
const BACKLOG: u32 = 1024;

/// Why an address cannot be listened on.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Others could reach it.
    #[error(
        "{0} can be reached from other machines, and nothing guards it: a loopback address or unix:/PATH would be right"
    )]
    NotLoopback(Address),
    /// Another process answers there.
    #[error("{0}: another server is running there")]
    Taken(Address),
    /// The path is no socket.
    #[error("{}: there is something that is no socket; move it or name another path", .0.display())]
    NoSocket(PathBuf),
    /// The system refused.
    #[error("cannot listen on {address}: {source}")]
    Refused {
        /// The address.
        address: Address,
        /// What the system said.
        source: io::Error,
    },
}

/// One bound socket. A unix socket is removed when it is dropped.
pub enum Listener {
    /// TCP.
    Tcp(TcpListener),
    /// Unix socket, and its path.
    Unix(UnixListener, PathBuf),
}

/// A connection that was taken.
pub enum Stream {
    /// Over TCP.
    Tcp(TcpStream),
    /// Over a unix socket.
    Unix(UnixStream),
}

/// Sockets that are bound, but not served yet.
pub struct Bound(Vec<Listener>);

/// Binds all `addresses`, or none; `others`: other machines may reach them.
pub async fn bind(addresses: &[Address], others: bool) -> Result<Bound, BindError> {
    let mut bound = Bound(Vec::new());
    for address in addresses {
        let refused = |source: io::Error| match source.kind() {
            io::ErrorKind::AddrInUse => BindError::Taken(address.clone()),
            _ => BindError::Refused { address: address.clone(), source },
        };
        let listener = match address {
            Address::Tcp(tcp) if !others && !tcp.ip().to_canonical().is_loopback() => {
                return Err(BindError::NotLoopback(address.clone()));
            }
            Address::Tcp(tcp) => Listener::Tcp(TcpListener::bind(tcp).await.map_err(refused)?),
            Address::Unix(path) => {
                clear_stale(path, address).await?;
                let socket = UnixSocket::new_stream().map_err(refused)?;
                socket.bind(path).map_err(refused)?;
                // Before it listens: until then nobody can connect, whatever the umask.
                std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660)).map_err(refused)?;
                Listener::Unix(socket.listen(BACKLOG).map_err(refused)?, path.clone())
            }
        };
        bound.0.push(listener);
    }
    Ok(bound)
}

/// Removes a socket that a dead server left behind.
async fn clear_stale(path: &Path, address: &Address) -> Result<(), BindError> {
    let refused = |source| BindError::Refused { address: address.clone(), source };
    let meta = match std::fs::symlink_metadata(path) {
        Ok(meta) => meta,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(refused(e)),
    };
    if !meta.file_type().is_socket() {
        return Err(BindError::NoSocket(path.to_owned()));
    }
    let probe = tokio::time::timeout(Duration::from_secs(2), UnixStream::connect(path)).await;
    match probe {
        Ok(Err(e)) if e.kind() == io::ErrorKind::ConnectionRefused => std::fs::remove_file(path).map_err(refused),
        Ok(Err(e)) => Err(refused(e)),
        Ok(Ok(_)) | Err(_) => Err(BindError::Taken(address.clone())),
    }
}

impl Listener {
    /// The next connection, and what to call its other end in messages.
    pub async fn accept(&self) -> io::Result<(Stream, String)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                // Answers are small and waited for.
                let _ = stream.set_nodelay(true);
                Ok((Stream::Tcp(stream), peer.to_string()))
            }
            Self::Unix(listener, path) => {
                let (stream, _) = listener.accept().await?;
                let process = stream.peer_cred().ok().and_then(|peer| peer.pid());
                let process = process.map_or(String::new(), |pid| format!(", process {pid}"));
                Ok((Stream::Unix(stream), format!("unix:{}{process}", path.display())))
            }
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Self::Unix(_, path) = self {
            let _ = std::fs::remove_file(path);
        }
    }
}

impl Bound {
    /// The sockets, one by one.
    pub fn into_listeners(self) -> Vec<Listener> {
        self.0
    }

    /// The TCP addresses that were bound, with the ports that the system chose.
    pub fn tcp_addresses(&self) -> Vec<SocketAddr> {
        let tcp = self.0.iter().filter_map(|listener| match listener {
            Listener::Tcp(listener) => listener.local_addr().ok(),
            Listener::Unix(..) => None,
        });
        tcp.collect()
    }

    /// All addresses that were bound, with the ports that the system chose.
    pub fn addresses(&self) -> Vec<Address> {
        let addresses = self.0.iter().filter_map(|listener| match listener {
            Listener::Tcp(listener) => listener.local_addr().ok().map(Address::Tcp),
            Listener::Unix(_, path) => Some(Address::Unix(path.clone())),
        });
        addresses.collect()
    }
}
