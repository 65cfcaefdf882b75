//! The flusher: takes events from a closure, gathers them into batches, ships each batch as one
//! Fluent Forward chunk, and keeps it until the collector has acknowledged it.
//!
//! [`Shipper::step`] is all there is to call: it never blocks, and says when to call again.
//! Network and clock come from outside ([`Net`], [`Clock`], and `now` as a parameter), so that a
//! simulation can stand in for them. Nothing here knows of nginx.
//!
//! Invariants:
//! - An event that was pulled is delivered, or still held and counted as such, or on disk. A chunk is forgotten
//!   only when its ack came; until then it is sent again, after each reconnect, under the same id
//!   and with the same bytes. Its memory goes only when that is so, or when it is durable in the spool.
//! - A chunk id is never used twice, by any worker at any time.
//! - Of several collectors the first that works is used. Going back to it loses no ack: it waits until
//!   nothing is under way; and repeats one chunk at most, with a collector that takes connections and no chunks.
//! - Chunks leave in the order in which they were closed, but those from the spool: they come the oldest first
//!   and one at a time, when none else is to be written.
//! - What is held is bounded: nothing is pulled while [`Options::max_held`] is reached, so that the
//!   caller's queue fills up, and drops there, where drops are counted.
//! - An entry is encoded into the bytes that go to the socket: no second copy.
//!
//! [`SecureNet`] adds TLS and shared keys to a network.
//!
//! Left to others: what events say, and the queue in front.
#![forbid(unsafe_code)]

mod batch;
mod clock;
mod counters;
mod link;
mod net;
mod options;
mod outbox;
mod secure;
mod ship;
#[cfg(feature = "simulation")]
pub mod simulation;
mod spooled;
mod system;

pub use batch::{Batch, Pushed};
pub use clock::{Clock, SystemClock};
pub use counters::Counters;
pub use net::{Address, Conn, Net};
pub use options::Options;
pub use secure::{SecureConn, SecureNet, Security};
pub use ship::{Failure, Left, Shipper, Status, Step, Until};
pub use spooled::{MIN_SPOOL, SpoolOptions, SpoolStatus};
pub use system::{SystemConn, SystemNet};
