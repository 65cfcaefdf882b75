//! A simulated disk, and what careless code would make of it.

use std::io;

use spool::simulation::{SimDisk, SimHandle, SimLock};
use spool::{Disk, DiskFile};

use crate::plant::Plant;

/// A simulated disk that may have a bug. Clones are the same disk.
#[derive(Clone)]
pub struct PlantedDisk {
    pub disk: SimDisk,
    plant: Plant,
}

/// An open file on it.
pub struct PlantedFile {
    file: SimHandle,
    plant: Plant,
}

impl PlantedDisk {
    pub fn of_node(seed: u64, plant: Plant) -> Self {
        Self { disk: SimDisk::new(seed), plant }
    }

    pub fn of_collector(seed: u64, plant: Plant) -> Self {
        let plant = if plant == Plant::LogWithoutSync { Plant::StoreWithoutSync } else { Plant::Nothing };
        Self { disk: SimDisk::new(seed), plant }
    }

    fn file(&self, file: SimHandle) -> PlantedFile {
        PlantedFile { file, plant: self.plant }
    }
}

impl Disk for PlantedDisk {
    type File = PlantedFile;
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

    fn create(&self, name: &str) -> io::Result<PlantedFile> {
        self.disk.create(name).map(|file| self.file(file))
    }

    fn open(&self, name: &str) -> io::Result<PlantedFile> {
        self.disk.open(name).map(|file| self.file(file))
    }

    fn create_taken(&self, name: &str) -> io::Result<PlantedFile> {
        self.disk.create_taken(name).map(|file| self.file(file))
    }

    fn open_taken(&self, name: &str) -> io::Result<Option<PlantedFile>> {
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

impl DiskFile for PlantedFile {
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
