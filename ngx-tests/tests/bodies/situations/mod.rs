//! The table, a room for each subject.

pub mod answers;
mod coding;
pub mod hostile;
pub mod requests;
