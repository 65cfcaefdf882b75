//! The collector: takes events from nodes, keeps a week of sessions, answers questions about them.
//!
//! An event's way: [`ingest`] reads it from a connection, appends it to the log, acknowledges it
//! after the log's fsync; [`apply`] reads the log, leaves out duplicates and what is too old, and
//! hands batches to the [`store`]; [`api`] answers from the store; [`cli`] asks the API.
//! [`serve`] puts the parts together. [`generate`] writes traffic into the log of a stopped server.
#![forbid(unsafe_code)]

pub mod api;
pub mod apply;
pub mod baselines;
pub mod cli;
pub mod clock;
pub mod config;
mod console;
pub mod data_dir;
pub mod desk;
pub mod endpoints;
pub mod evidence;
mod expiry;
pub mod filter;
mod finding;
pub mod generate;
pub mod geo;
pub mod ingest;
mod legible;
pub mod metrics;
pub mod model;
pub mod nodes;
pub mod noise;
pub mod readiness;
pub mod secret;
pub mod serve;
pub mod settings;
pub mod shared;
pub mod sockets;
pub mod store;

/// Days that are kept: today and the six before.
pub const KEPT_DAYS: i32 = 7;
