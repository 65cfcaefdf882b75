//! From the log into the store.
//!
//! [`Applier`] is the state machine: it takes log records in order, leaves out what is there already
//! and what is too old, sets aside what it cannot read, and hands batches to the store.
//! [`ApplyThread`] drives it, and [`ClockGuard`] says which day it is when days are to be forgotten.
//!
//! Invariants:
//! - Applying a part of the log again changes nothing in the store: every request is told by its
//!   `seq`, or else by its id, or else by an id that its place in the log gives it.
//! - No record stops the ones behind it, and no damage of the log what is behind that.
//! - All times come from the log or from a clock that is passed in.

mod applier;
mod apply_thread;
mod aside;
mod clock_guard;
mod damage;
mod log_days;
mod marks;
mod row;

pub use applier::{Applier, ApplyError};
pub use apply_thread::{ApplyStopped, ApplyThread, READ_PATIENCE};
pub use aside::{Aside, AsideFiles, MemoryAside, SetAside};
pub use clock_guard::{ClockGuard, Seen};
pub use damage::DamagedSegments;
pub use log_days::LogDays;
pub use marks::Marks;

#[cfg(test)]
mod tests;
