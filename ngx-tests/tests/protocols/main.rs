//! Every request, once and in order, whatever protocol it came by: HTTP/1.1, HTTP/2 and HTTP/3, with
//! and without TLS, through proxies and other sockets.
//!
//! Clients: for HTTP/1.1 bytes as they are written here, for HTTP/2 the crate `h2`, for HTTP/3 the
//! crates `h3` and `quinn`, for TLS `rustls`.
#![forbid(unsafe_code)]

mod addresses;
mod certificates;
mod http1;
mod http2;
mod http3;
mod site;
mod tls;
mod told;
