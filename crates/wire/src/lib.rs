//! What travels between a node and a collector: [`Event`]s and [`NodeReport`]s as MessagePack maps,
//! and the Fluent Forward v1 framing around them, in both directions.
//!
//! This crate turns values into bytes and bytes into values. It opens no socket and no file, keeps
//! no time and never retries: `shipper` and `collector` do.
//!
//! Invariants:
//! - What [`Event::encode`] writes, [`Event::decode`] reads back equal.
//! - Decoding never panics and never allocates more than the input's own size allows for.
//! - Unknown keys are kept, arrays may be longer than known, a higher `v` is told apart
//!   ([`RecordError::NewerVersion`]) from a broken record ([`RecordError::Malformed`]).
#![forbid(unsafe_code)]

mod encode;
mod event;
mod forward;
mod lenient;
mod node;

pub use event::{Attack, Event, Graphql, Key, KeyId, Mcp, Param, ParamKind, RecordError, RequestId, Seq, Who};
pub use forward::{
    BadEntry, Broken, Compressor, ENTRY_HEAD, Entries, Entry, EventTime, Frame, FrameError, FrameReader, Helo,
    MAX_ENTRIES, MAX_ENTRY, MAX_ENTRY_VALUES, MAX_FRAME, MAX_INFLATED, NONCE, Packed, Ping, Pong, SharedKey,
    begin_packed, read_ack, read_helo, read_ping, read_pong, write_ack, write_entry, write_entry_head, write_helo,
    write_packed, write_ping, write_pong, write_refusal,
};
pub use lenient::escape;
pub use node::{NodeReport, PlanContext, PlanKey, PlanReport, QueueReport};

/// Tag of chunks that hold [`Event`]s.
pub const TAG_SESSIONS: &str = "wallarm.sessions";
/// Tag of chunks that hold [`NodeReport`]s.
pub const TAG_NODE: &str = "wallarm.node";
