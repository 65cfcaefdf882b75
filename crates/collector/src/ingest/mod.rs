//! From a node's connection into the log.
//!
//! [`Connection`] turns bytes into frames and is told when they are durable; [`Journal`] appends
//! frames of all connections to the log and syncs them together. Both are state machines without
//! sockets and threads, so that a simulation can drive them; [`listen`] and
//! [`JournalThread`] drive them here.
//!
//! Invariants:
//! - A chunk is acknowledged only after a sync of the log that came after its append.
//! - What is wrong with one connection ends that connection and no other.
//! - Over TCP a node says nothing that counts before it has agreed on TLS and shown the shared key, where these
//!   are configured.
//! - What is received but not in the log yet is bounded; past it senders wait.
//! - Nothing more is taken when the disk has little room, so that what was taken can still be applied.

mod connection;
mod entrance;
mod entry;
mod greeting;
mod journal;
mod journal_thread;
pub mod listen;
mod progress;
mod tls;

pub use connection::{Closed, Connection};
pub use entrance::Entrance;
pub use entry::{LogEntry, NotAnEntry};
pub use journal::{Journal, NoRoom, Ticket};
pub use journal_thread::{Append, Job, JournalStopped, JournalThread, keep_looking};
pub use progress::Progress;
pub use tls::Tls;
