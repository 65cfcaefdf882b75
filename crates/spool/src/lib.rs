//! Durable records in files: append, group sync, read, release.
//!
//! The collector keeps what it acknowledged in a [`Log`]: one owner, segments, positions that last. A node
//! keeps what the collector could not take in [`Parts`]: many processes that come and go, each part read once.
//! Both write the same records.
//!
//! Disk access comes from outside as a [`Disk`], so that a simulation can stand in for it.
//!
//! Invariants of a log:
//! - A record that [`Log::sync`] returned for is there after any crash, and readable.
//! - What is read is a prefix of what was appended, in order; only synced records are read.
//! - A record's [`Position`] never changes, and no record is ever found under another's: the
//!   position is part of what the checksum covers.
//! - At open an incomplete last record with nothing valid after it is cut and reported. Any other
//!   damage is met when it is read, as an error that names file and offset; a reader that is to go on
//!   asks for the next whole record and is told how many bytes lie between.
//! - After a failed sync nothing is pretended: what was not known to be durable is taken back, and
//!   the log refuses work until it is opened again.
//!
//! Left to others: what a record means, when to sync, and how far the log may grow.
//!
//! On disk: segments named by the position of their first record (`00000000000000000000.seg`), each a
//! row of records: length u32, CRC-32 u32, position u64 (big-endian), payload. Positions count
//! bytes, so a record is found without an index. Parts are such files with another name.
#![forbid(unsafe_code)]

mod disk;
mod error;
mod log;
mod os;
mod parts;
mod reader;
mod record;
mod recover;
#[cfg(feature = "simulation")]
pub mod simulation;

pub use disk::{Disk, DiskFile};
pub use error::Error;
pub use log::{Log, Options, Recovery};
pub use os::OsDisk;
pub use parts::{Met, PartReader, PartWriter, Parts, Usage};
pub use reader::{Damage, Reader, Record};
pub use record::HEAD;

/// Where a record is: the bytes of all records before it, since the log began.
pub type Position = u64;
