//! Certificates, private keys and shared keys: from the files that people name to what a handshake needs.
//!
//! Both ends read them here, the module's configuration and the collector's, so that one file is as right
//! or wrong for both.
//!
//! Invariants:
//! - An error names the file, says what is wrong with it, and what would be right; none tells of its content.
//! - What must stay secret is refused when its mode lets others read it.
//! - Nothing is kept beyond a call, and nothing is set for the whole process: one may fork afterwards.
//!
//! Left to others: connections.
#![forbid(unsafe_code)]

mod file;
mod tls;

pub use file::{BadFile, shared_key};
pub use tls::{Identity, client, server};
