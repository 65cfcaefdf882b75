//! Collectors that hang.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tempfile::TempDir;

use crate::folder;

/// Accepts connections on a `collector.sock` of its own, and neither reads nor answers. The
/// connections stay until this goes.
#[derive(Debug)]
pub struct Silent {
    folder: TempDir,
    accepted: Arc<Mutex<Vec<UnixStream>>>,
}

impl Silent {
    /// Listens.
    pub fn start() -> io::Result<Self> {
        let folder = folder::temporary()?;
        let listener = UnixListener::bind(folder.path().join("collector.sock"))?;
        let accepted = Arc::new(Mutex::new(Vec::new()));
        let held = Arc::downgrade(&accepted);
        std::thread::Builder::new().name("silent".to_owned()).spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                let Some(held) = held.upgrade() else { return };
                held.lock().unwrap_or_else(PoisonError::into_inner).push(stream);
            }
        })?;
        Ok(Self { folder, accepted })
    }

    /// The folder to give to a node as the collector's runtime directory.
    pub fn runtime(&self) -> &Path {
        self.folder.path()
    }

    /// Connections accepted so far.
    pub fn connections(&self) -> usize {
        self.accepted.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        self.accepted.lock().unwrap_or_else(PoisonError::into_inner).clear();
        // So that the thread sees that nobody is there any more. If it cannot be told, it waits on.
        let _ = UnixStream::connect(self.folder.path().join("collector.sock"));
    }
}

/// A TCP address at which connecting hangs: its queue of connections is full, and nobody accepts.
#[derive(Debug)]
pub struct Deaf {
    address: SocketAddr,
    _listener: TcpListener,
    _queue: Vec<TcpStream>,
}

impl Deaf {
    /// Listens, and fills the queue.
    pub fn start() -> io::Result<Self> {
        const FULL: Duration = Duration::from_millis(200);
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        let mut queue = Vec::new();
        while let Ok(stream) = TcpStream::connect_timeout(&address, FULL) {
            queue.push(stream);
        }
        Ok(Self { address, _listener: listener, _queue: queue })
    }

    /// Where it is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}
