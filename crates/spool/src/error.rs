//! What can go wrong, and where.

use std::io;

use crate::Position;
use crate::recover::is_lost;

/// Why the log could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another process, or another log in this one, has the directory.
    #[error("log directory {directory} is in use by another process")]
    InUse {
        /// Which directory.
        directory: String,
    },
    /// The operating system refused.
    #[error("cannot {action} {file}: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        file: String,
        /// What it said.
        source: io::Error,
    },
    /// Bytes are not what was written, at a place where no crash explains it, or are gone.
    #[error("log segment {file} is damaged at byte {offset}: {reason}")]
    Damaged {
        /// Which file.
        file: String,
        /// Where in it.
        offset: u64,
        /// What is wrong there.
        reason: String,
    },
    /// The record is larger than the log takes.
    #[error("a record of {size} bytes is over the limit of {limit}")]
    TooLarge {
        /// Its size.
        size: usize,
        /// The log's limit.
        limit: usize,
    },
    /// An earlier failure left the end of the log in doubt.
    #[error("the log failed before and must be opened again")]
    Failed,
    /// The position was released already.
    #[error("position {position} was released, the log begins at {first}")]
    Released {
        /// What was asked for.
        position: Position,
        /// The oldest there is.
        first: Position,
    },
    /// The position was never written: the log lost its end, or the reader's position is from
    /// another log.
    #[error("position {position} lies behind the end of the log at {end}")]
    Ahead {
        /// What was asked for.
        position: Position,
        /// Where the log ends.
        end: Position,
    },
}

impl Error {
    /// Whether the disk has no room left.
    pub fn is_disk_full(&self) -> bool {
        let Self::Io { source, .. } = self else { return false };
        matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
    }

    /// Whether bytes were lost that were there: [`Reader::damage_at`](crate::Reader::damage_at) tells how many.
    /// What the disk does not read ([`Io`](Self::Io)) it may read later.
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Damaged { .. } => true,
            // A file that is gone may be back with the disk that it is on.
            Self::Io { source, .. } => is_lost(source) || source.kind() == io::ErrorKind::NotFound,
            _ => false,
        }
    }

    pub(crate) fn io(action: &'static str, file: &str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { action, file: file.to_owned(), source }
    }
}
