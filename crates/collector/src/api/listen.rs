//! The sockets of the API, and the HTTP on them.
//!
//! Bounded: connections at a time, size and number of headers, time to send a head, time to end
//! when the server stops. No request here has a body that is read.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::guard::OverUnixSocket;
use crate::settings::Address;

/// Connections at a time, over all addresses; more wait in the kernel's queue.
const CONNECTIONS: usize = 512;
/// Bytes of a request's head.
const HEAD_BYTES: usize = 64 << 10;
/// Headers of a request.
const HEADERS: usize = 100;
/// Time to send a request's head, and to stay idle between requests.
const HEAD_TIME: Duration = Duration::from_secs(30);
/// Time that answers under way get when the server stops.
const STOP_TIME: Duration = Duration::from_secs(5);

/// Why an address cannot be listened on.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Others could reach it.
    #[error(
        "{0} can be reached from other machines, and there is no access control yet: \
         a loopback address or unix:/PATH would be right"
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

enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener, PathBuf),
}

/// Sockets that are bound, but not served yet.
pub struct Bound(Vec<Listener>);

/// Binds all `addresses`, or none.
pub async fn bind(addresses: &[Address]) -> Result<Bound, BindError> {
    let mut bound = Bound(Vec::new());
    for address in addresses {
        let refused = |source: io::Error| match source.kind() {
            io::ErrorKind::AddrInUse => BindError::Taken(address.clone()),
            _ => BindError::Refused { address: address.clone(), source },
        };
        let listener = match address {
            Address::Tcp(tcp) if !tcp.ip().to_canonical().is_loopback() => {
                return Err(BindError::NotLoopback(address.clone()));
            }
            Address::Tcp(tcp) => Listener::Tcp(TcpListener::bind(tcp).await.map_err(refused)?),
            Address::Unix(path) => {
                clear_stale(path, address).await?;
                let listener = UnixListener::bind(path).map_err(refused)?;
                // Between bind and this only the owner can connect, whatever the umask.
                std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660)).map_err(refused)?;
                Listener::Unix(listener, path.clone())
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
    let probe = tokio::time::timeout(Duration::from_secs(2), tokio::net::UnixStream::connect(path)).await;
    match probe {
        Ok(Err(e)) if e.kind() == io::ErrorKind::ConnectionRefused => std::fs::remove_file(path).map_err(refused),
        Ok(Err(e)) => Err(refused(e)),
        Ok(Ok(_)) | Err(_) => Err(BindError::Taken(address.clone())),
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
    /// The TCP addresses that were bound, with the ports that the system chose.
    pub fn tcp_addresses(&self) -> Vec<std::net::SocketAddr> {
        self.0
            .iter()
            .filter_map(|listener| match listener {
                Listener::Tcp(listener) => listener.local_addr().ok(),
                Listener::Unix(..) => None,
            })
            .collect()
    }

    /// Answers until `stop`, then lets answers under way end and removes the unix sockets.
    pub async fn serve(self, router: Router, stop: impl Future<Output = ()>) {
        let graceful = Arc::new(GracefulShutdown::new());
        let slots = Arc::new(Semaphore::new(CONNECTIONS));
        let mut accepting = tokio::task::JoinSet::new();
        for listener in self.0 {
            let doorman =
                Doorman { graceful: Arc::clone(&graceful), router: router.clone(), slots: Arc::clone(&slots) };
            accepting.spawn(doorman.accept(listener));
        }
        stop.await;
        accepting.shutdown().await;
        let Some(graceful) = Arc::into_inner(graceful) else { return };
        if tokio::time::timeout(STOP_TIME, graceful.shutdown()).await.is_err() {
            tracing::warn!("some readers were still waiting for answers when the server stopped");
        }
    }
}

/// Takes connections in.
struct Doorman {
    graceful: Arc<GracefulShutdown>,
    router: Router,
    slots: Arc<Semaphore>,
}

impl Doorman {
    async fn accept(self, listener: Listener) {
        loop {
            let Ok(slot) = Arc::clone(&self.slots).acquire_owned().await else { return };
            let accepted = match &listener {
                Listener::Tcp(listener) => listener.accept().await.map(|(stream, _)| {
                    let _ = stream.set_nodelay(true);
                    self.converse(stream, slot, false);
                }),
                Listener::Unix(listener, _) => {
                    listener.accept().await.map(|(stream, _)| self.converse(stream, slot, true))
                }
            };
            if let Err(error) = accepted {
                // Out of file descriptors, most likely: it passes, and trying at once would spin.
                tracing::warn!(%error, "a connection to the API could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }

    fn converse<S>(&self, stream: S, slot: OwnedSemaphorePermit, over_unix_socket: bool)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let service = TowerToHyperService::new(self.router.clone());
        let service = service_fn(move |mut request: hyper::Request<Incoming>| {
            if over_unix_socket {
                request.extensions_mut().insert(OverUnixSocket);
            }
            let answer = hyper::service::Service::call(&service, request.map(Body::new) as Request);
            async move { answer.await as Result<Response, Infallible> }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIME)
            .max_buf_size(HEAD_BYTES)
            .max_headers(HEADERS)
            .serve_connection(TokioIo::new(stream), service);
        let connection = self.graceful.watch(connection);
        tokio::spawn(async move {
            let _slot = slot;
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection to the API ended early");
            }
        });
    }
}
