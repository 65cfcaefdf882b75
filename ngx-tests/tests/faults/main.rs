//! Real processes on real disks while things fail, drawn from a seed: afterwards each line of the access
//! log is stored once, or a counter tells why it is not.
//!
//! What is not done here is a step of the clock: it would be one of the whole machine. The collector's
//! guard against it has tests of its own (`crates/collector/src/apply/clock_guard.rs`), and in the
//! simulation clocks step at any time.
#![forbid(unsafe_code)]

mod disk;
mod fault;
mod room;
mod rounds;
mod site;
