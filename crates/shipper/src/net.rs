//! What the shipper needs of a network.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Where a collector listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// A unix socket.
    Unix(PathBuf),
    /// TCP.
    Tcp(SocketAddr),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Tcp(address) => address.fmt(f),
        }
    }
}

/// Makes connections.
pub trait Net {
    /// A connection.
    type Conn: Conn;

    /// Begins to connect, without waiting.
    fn connect(&mut self, address: &Address) -> io::Result<Self::Conn>;
}

/// A connection. No call waits: what cannot be done now fails with [`io::ErrorKind::WouldBlock`].
pub trait Conn {
    /// Whether the connection is up by now. An error when it failed.
    fn is_up(&mut self) -> io::Result<bool>;

    /// What is missing while it is not up, for whoever gives it up.
    fn waits_for(&self) -> &'static str {
        "no connection in time"
    }

    /// Writes some of `bytes` and tells how many.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// Reads what is there; 0 when the other side closed.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize>;
}
