//! The disk of a node, on which its workers keep what the collector does not take, and what a careless one
//! would do.

use std::io;

use spool::simulation::{SimDisk, SimHandle, SimLock};
use spool::{Disk, DiskFile};

use crate::world::Plant;

/// A simulated disk that may have a bug. Clones are the same disk.
#[derive(Clone)]
pub struct NodeDisk {
    pub disk: SimDisk,
    plant: Plant,
}

/// An open file on it.
pub struct NodeFile {
    file: SimHandle,
    plant: Plant,
}

impl NodeDisk {
    pub fn new(seed: u64, plant: Plant) -> Self {
        Self { disk: SimDisk::new(seed), plant }
    }

    /// Bytes in all files.
    pub fn bytes(&self) -> u64 {
        self.disk.files().iter().map(|(_, length)| *length as u64).sum()
    }

    fn file(&self, file: SimHandle) -> NodeFile {
        NodeFile { file, plant: self.plant }
    }
}

impl Disk for NodeDisk {
    type File = NodeFile;
    type Lock = SimLock;

    fn name(&self) -> String {
        self.disk.name()
    }

    fn lock(&self) -> io::Result<Option<SimLock>> {
        self.disk.lock()
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.disk.list()
    }

    fn create(&self, name: &str) -> io::Result<NodeFile> {
        self.disk.create(name).map(|file| self.file(file))
    }

    fn open(&self, name: &str) -> io::Result<NodeFile> {
        self.disk.open(name).map(|file| self.file(file))
    }

    fn create_taken(&self, name: &str) -> io::Result<NodeFile> {
        self.disk.create_taken(name).map(|file| self.file(file))
    }

    fn open_taken(&self, name: &str) -> io::Result<Option<NodeFile>> {
        let file = match self.plant {
            Plant::TakeWhatOthersHave => Some(self.disk.open(name)?),
            _ => self.disk.open_taken(name)?,
        };
        if self.plant == Plant::RemoveBeforeAck && file.is_some() {
            self.disk.remove(name)?;
        }
        Ok(file.map(|file| self.file(file)))
    }

    fn size(&self, name: &str) -> io::Result<u64> {
        self.disk.size(name)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.disk.remove(name)
    }

    fn sync_directory(&self) -> io::Result<()> {
        if self.plant == Plant::ForgetNames { Ok(()) } else { self.disk.sync_directory() }
    }

    fn free(&self) -> io::Result<u64> {
        self.disk.free()
    }
}

impl DiskFile for NodeFile {
    fn len(&self) -> io::Result<u64> {
        let length = self.file.len()?;
        Ok(if self.plant == Plant::SkipLastRecord { length.saturating_sub(1) } else { length })
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_at(bytes, offset)
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.file.truncate(length)
    }

    fn sync(&self) -> io::Result<()> {
        if self.plant == Plant::StoreWithoutSync { Ok(()) } else { self.file.sync() }
    }
}
