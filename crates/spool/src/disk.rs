//! What logs and parts need of a disk.

use std::io;

/// One directory: of one log, or of parts.
pub trait Disk: Clone + Send + Sync {
    /// An open file.
    type File: DiskFile;
    /// Held while the log is open; another holder is refused.
    type Lock: Send;

    /// What to call the directory in messages.
    fn name(&self) -> String;

    /// Takes the directory for this log alone; `None` when another has it.
    fn lock(&self) -> io::Result<Option<Self::Lock>>;

    /// Names of the files in the directory.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Creates a file that must not exist. It is durable only after [`sync_directory`](Self::sync_directory).
    fn create(&self, name: &str) -> io::Result<Self::File>;

    /// Opens an existing file to read and write.
    fn open(&self, name: &str) -> io::Result<Self::File>;

    /// Creates a file that must not exist, and takes it for its holder alone until that closes it, or dies.
    fn create_taken(&self, name: &str) -> io::Result<Self::File>;

    /// Opens an existing file to read and write, and takes it likewise; `None` when another has it.
    fn open_taken(&self, name: &str) -> io::Result<Option<Self::File>>;

    /// A file's length.
    fn size(&self, name: &str) -> io::Result<u64>;

    /// Removes a file. It may come back in a crash until [`sync_directory`](Self::sync_directory).
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Makes created and removed files durable.
    fn sync_directory(&self) -> io::Result<()>;

    /// Bytes that can still be written.
    fn free(&self) -> io::Result<u64>;
}

/// An open file of a [`Disk`].
#[expect(clippy::len_without_is_empty, reason = "a file's length can fail to be told")]
pub trait DiskFile: Send + Sync {
    /// Its length.
    fn len(&self) -> io::Result<u64>;

    /// Reads at `offset`; fewer bytes than asked only at the end of the file.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes all of `bytes` at `offset`. A failure may leave part of them.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Cuts the file to `length`.
    fn truncate(&self, length: u64) -> io::Result<()>;

    /// Returns once contents and length are durable.
    fn sync(&self) -> io::Result<()>;

    /// Fills `buffer` from `offset`, or fails.
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        match self.read_at(buffer, offset)? {
            read if read == buffer.len() => Ok(()),
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}
