//! HTTP on the sockets of the API.
//!
//! Bounded: connections at a time, size and number of headers, time to send a head, time to take
//! an answer, time to end when the server stops. No request here has a body that is read.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use axum::{Extension, Router};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::guard::OverUnixSocket;
use super::patient::Patient;
use super::stream::Stopping;
use crate::sockets::{Bound, Listener, Stream};

/// Connections at a time, over all addresses; more wait in the kernel's queue.
const CONNECTIONS: usize = 512;
/// Bytes of a request's head.
const HEAD_BYTES: usize = 64 << 10;
/// Headers of a request.
const HEADERS: usize = 100;
/// Time to send a request's head, and to stay idle between requests.
const HEAD_TIME: Duration = Duration::from_secs(30);
/// Time that a reader may leave an answer lying, without taking a byte of it.
const ANSWER_TIME: Duration = Duration::from_secs(30);
/// Time that answers under way get when the server stops.
const STOP_TIME: Duration = Duration::from_secs(5);

impl Bound {
    /// Answers until `stop`, then lets answers under way end and removes the unix sockets.
    pub async fn serve(self, router: Router, stop: impl Future<Output = ()>) {
        let graceful = Arc::new(GracefulShutdown::new());
        let slots = Arc::new(Semaphore::new(CONNECTIONS));
        let (tell, stopping) = watch::channel(false);
        let mut accepting = tokio::task::JoinSet::new();
        for listener in self.into_listeners() {
            let (graceful, slots) = (Arc::clone(&graceful), Arc::clone(&slots));
            let router = router.clone().layer(Extension(Stopping(stopping.clone())));
            accepting.spawn(Doorman { graceful, router, slots }.accept(listener));
        }
        stop.await;
        let _ = tell.send(true);
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
            match listener.accept().await {
                Ok((Stream::Tcp(stream), _)) => self.converse(stream, slot, false),
                Ok((Stream::Unix(stream), _)) => self.converse(stream, slot, true),
                Err(error) => {
                    // Out of file descriptors, most likely: it passes, and trying at once would spin.
                    tracing::warn!(%error, "a connection to the API could not be accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
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
            .serve_connection(TokioIo::new(Patient::new(stream, ANSWER_TIME)), service);
        let connection = self.graceful.watch(connection);
        tokio::spawn(async move {
            let _slot = slot;
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection to the API ended early");
            }
        });
    }
}
