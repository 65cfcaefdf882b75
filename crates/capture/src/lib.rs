//! From what the configuration asks for ([`Plan`]) and what was copied from a request
//! ([`Snapshot`]) to the event that leaves the node.
//!
//! The split follows the threads: on the event loop NGINX's side only copies the bytes that
//! [`Plan`] lists into a [`Snapshot`]; everything that thinks (decoding, hashing, cutting) happens
//! in an [`Extractor`] on the flusher thread.
//!
//! Invariants:
//! - Only what the plan names, and the fields of the record format, are in an event. Keys leave as
//!   pseudonyms unless the plan says `show`.
//! - Nothing here fails for a request: what cannot be read is absent, and counted.
//! - Memory for one request is bounded by [`MAX_VALUE`] and [`MAX_SNAPSHOT`], and by the plan's limit
//!   for each body.
//!
//! This crate knows nothing of NGINX and nothing of how events travel.
#![forbid(unsafe_code)]

mod body;
mod decode;
mod extract;
mod http;
pub mod line;
mod mask;
mod mcp;
mod plan;
mod remembered;
mod snapshot;
mod source;
mod uri;

pub use body::{BodyPlan, Side};
pub use decode::{Decoder, Format, GraphqlPath, Reason, Undecoded, XmlPath};
pub use extract::{Extractor, Identity, NodeFacts};
pub use http::{Authorization, authorization};
pub use mcp::McpMode;
pub use plan::{
    AddressMode, ContextSpec, DEFAULT_BODY_LIMIT, HeaderSlot, KeySpec, MAX_PARAMETERS, PathMode, Plan, PlanSpec,
    VariableSlot,
};
pub use snapshot::{Body, Facts, MAX_SNAPSHOT, MAX_VALUE, Slot, Snapshot};
pub use source::{Origin, Piece, Source, SourceError, Template, is_sensitive};
