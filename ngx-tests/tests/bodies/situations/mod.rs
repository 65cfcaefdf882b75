//! The table, a room for each subject.

pub mod answers;
pub mod requests;
