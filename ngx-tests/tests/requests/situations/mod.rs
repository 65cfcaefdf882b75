//! The table, a room for each subject.

pub mod answers;
pub mod detours;
pub mod ends;
pub mod refused;
pub mod subrequests;
pub mod targets;

use crate::situation::Situation;

/// All of it.
pub fn all() -> Vec<Situation> {
    [refused::all(), targets::all(), detours::all(), subrequests::all(), answers::all(), ends::all()].concat()
}
