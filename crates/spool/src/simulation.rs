//! A disk that lives in memory and does to the log what real ones do in crashes.
//!
//! A power cut keeps what was synced. Of what was not, it keeps a prefix of the writes of each file,
//! the last of them torn anywhere, and any of the created and removed files. A failed sync drops the
//! writes it was for, but goes on showing them, as Linux does. Everything is decided by the seed.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fastrand::Rng;

use crate::{Disk, DiskFile};

/// A simulated directory. Clones are the same directory.
#[derive(Clone, Debug)]
pub struct SimDisk {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    rng: Rng,
    files: Vec<SimFile>,
    /// What programs see, and what a power cut leaves: name → index into `files`.
    visible: BTreeMap<String, usize>,
    durable: BTreeMap<String, usize>,
    /// Counts power cuts: handles of an earlier life are dead.
    life: u64,
    locked: bool,
    capacity: u64,
    /// Operations until the power goes; `None` while it stays.
    power: Option<u64>,
    failing_syncs: u32,
    failing_writes: u32,
    failing_reads: u32,
    /// Changes and syncs of the directory that still work before one fails.
    directory_fails_after: Option<u32>,
    syncs: u64,
}

#[derive(Debug, Default)]
struct SimFile {
    /// Somebody has it for himself.
    taken: bool,
    visible: Vec<u8>,
    durable: Vec<u8>,
    /// Not synced yet.
    pending: Vec<Change>,
    /// Bytes that the disk does not read any more.
    unreadable: Range<usize>,
}

#[derive(Debug)]
enum Change {
    Write(u64, Vec<u8>),
    Truncate(u64),
}

impl Change {
    fn apply(&self, content: &mut Vec<u8>) {
        match self {
            Self::Truncate(length) => content.resize(*length as usize, 0),
            Self::Write(offset, bytes) => {
                let offset = *offset as usize;
                content.resize(content.len().max(offset + bytes.len()), 0);
                content[offset..offset + bytes.len()].copy_from_slice(bytes);
            }
        }
    }
}

impl SimDisk {
    /// An empty directory whose misfortunes follow from `seed`.
    pub fn new(seed: u64) -> Self {
        let state = State {
            rng: Rng::with_seed(seed),
            files: Vec::new(),
            visible: BTreeMap::new(),
            durable: BTreeMap::new(),
            life: 0,
            locked: false,
            capacity: u64::MAX,
            power: None,
            failing_syncs: 0,
            failing_writes: 0,
            failing_reads: 0,
            directory_fails_after: None,
            syncs: 0,
        };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// Cuts the power and starts again: what was not synced is forgotten or torn, all open handles
    /// and the lock are gone, injected failures too.
    pub fn crash(&self) {
        let mut state = self.state();
        let State { rng, files, visible, durable, .. } = &mut *state;
        for file in files.iter_mut().filter(|file| !file.pending.is_empty()) {
            let kept = rng.usize(0..=file.pending.len());
            for change in file.pending.drain(..kept) {
                change.apply(&mut file.durable);
            }
            if let Some(Change::Write(offset, mut bytes)) = file.pending.drain(..).next() {
                bytes.truncate(rng.usize(0..=bytes.len()));
                Change::Write(offset, bytes).apply(&mut file.durable);
            }
        }
        for (name, &index) in visible.iter() {
            if !durable.contains_key(name) && rng.bool() {
                durable.insert(name.clone(), index);
            }
        }
        durable.retain(|name, _| visible.contains_key(name) || rng.bool());
        visible.clone_from(durable);
        for (index, file) in files.iter_mut().enumerate() {
            if visible.values().any(|&used| used == index) {
                file.visible.clone_from(&file.durable);
            } else {
                *file = SimFile::default();
            }
        }
        state.end_life();
    }

    /// Lets the process die without the disk: open handles, the lock and injected failures are gone,
    /// every write stays.
    pub fn kill(&self) {
        self.state().end_life();
    }

    /// After so many more operations every operation fails, until [`crash`](Self::crash) or
    /// [`kill`](Self::kill).
    pub fn power_off_after(&self, operations: u64) {
        self.state().power = Some(operations);
    }

    /// Lets operations work again. Whoever met failures is as good as dead; others go on.
    pub fn restore_power(&self) {
        self.state().power = None;
    }

    /// Room for all files together.
    pub fn set_capacity(&self, bytes: u64) {
        self.state().capacity = bytes;
    }

    /// Makes the next so many syncs of files fail and lose what they were for.
    pub fn fail_syncs(&self, times: u32) {
        self.state().failing_syncs = times;
    }

    /// Makes the next so many writes fail, after part of their bytes.
    pub fn fail_writes(&self, times: u32) {
        self.state().failing_writes = times;
    }

    /// Makes the next so many reads fail.
    pub fn fail_reads(&self, times: u32) {
        self.state().failing_reads = times;
    }

    /// After so many more changes and syncs of the directory, one fails.
    pub fn fail_directory_after(&self, operations: u32) {
        self.state().directory_fails_after = Some(operations);
    }

    /// How many syncs of files succeeded.
    pub fn syncs(&self) -> u64 {
        self.state().syncs
    }

    /// Bytes in all files.
    pub fn used(&self) -> u64 {
        self.state().used()
    }

    /// The names of all files, and their lengths.
    pub fn files(&self) -> Vec<(String, usize)> {
        let state = self.state();
        state.visible.iter().map(|(name, &index)| (name.clone(), state.files[index].visible.len())).collect()
    }

    /// What a power cut leaves of a file at least; nothing when there is none of that name.
    pub fn durable(&self, name: &str) -> Vec<u8> {
        let state = self.state();
        state.visible.get(name).map(|&index| state.files[index].durable.clone()).unwrap_or_default()
    }

    /// Changes one byte of a file, durably, as a decaying disk does.
    pub fn flip(&self, name: &str, offset: usize) {
        let mut state = self.state();
        let index = state.visible[name];
        let file = &mut state.files[index];
        for content in [&mut file.visible, &mut file.durable] {
            if let Some(byte) = content.get_mut(offset) {
                *byte ^= 0x40;
            }
        }
    }

    /// Makes the blocks of a file that hold some of `bytes` unreadable, for good; says which bytes that are.
    pub fn spoil(&self, name: &str, bytes: Range<usize>) -> Range<usize> {
        const BLOCK: usize = 4096;
        let mut state = self.state();
        let index = state.visible[name];
        let file = &mut state.files[index];
        let end = bytes.end.next_multiple_of(BLOCK).min(file.visible.len());
        file.unreadable = bytes.start / BLOCK * BLOCK..end;
        file.unreadable.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state, for one operation of a handle of `life`.
    fn operate(&self, life: u64) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.state();
        if state.life != life {
            return Err(io::Error::other("the process that opened this file is dead"));
        }
        match &mut state.power {
            Some(0) => return Err(io::Error::other("the power is off")),
            Some(left) => *left -= 1,
            None => {}
        }
        Ok(state)
    }

    fn now(&self) -> io::Result<MutexGuard<'_, State>> {
        let life = self.state().life;
        self.operate(life)
    }

    /// For operations that change the directory.
    fn change(&self) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.now()?;
        match &mut state.directory_fails_after {
            Some(0) => {
                state.directory_fails_after = None;
                return Err(io::Error::other("injected failure of the directory"));
            }
            Some(left) => *left -= 1,
            None => {}
        }
        Ok(state)
    }

    fn handle(&self, state: &State, index: usize) -> SimHandle {
        SimHandle { disk: self.clone(), index, life: state.life, takes: false }
    }
}

impl State {
    fn end_life(&mut self) {
        self.life += 1;
        self.locked = false;
        self.files.iter_mut().for_each(|file| file.taken = false);
        self.power = None;
        self.failing_syncs = 0;
        self.failing_writes = 0;
        self.failing_reads = 0;
        self.directory_fails_after = None;
    }

    fn used(&self) -> u64 {
        self.visible.values().map(|&index| self.files[index].visible.len() as u64).sum()
    }
}

/// Releases the lock of a [`SimDisk`] when dropped.
#[derive(Debug)]
pub struct SimLock {
    disk: SimDisk,
    life: u64,
}

impl Drop for SimLock {
    fn drop(&mut self) {
        let mut state = self.disk.state();
        if state.life == self.life {
            state.locked = false;
        }
    }
}

impl Disk for SimDisk {
    type File = SimHandle;
    type Lock = SimLock;

    fn name(&self) -> String {
        "simulated".to_owned()
    }

    fn lock(&self) -> io::Result<Option<SimLock>> {
        let mut state = self.now()?;
        if state.locked {
            return Ok(None);
        }
        state.locked = true;
        Ok(Some(SimLock { disk: self.clone(), life: state.life }))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.now()?.visible.keys().cloned().collect())
    }

    fn create(&self, name: &str) -> io::Result<SimHandle> {
        let mut state = self.change()?;
        if state.visible.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let index = state.files.len();
        state.files.push(SimFile::default());
        state.visible.insert(name.to_owned(), index);
        Ok(self.handle(&state, index))
    }

    fn open(&self, name: &str) -> io::Result<SimHandle> {
        let state = self.now()?;
        let index = *state.visible.get(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(self.handle(&state, index))
    }

    fn create_taken(&self, name: &str) -> io::Result<SimHandle> {
        self.create(name)?.take().ok_or_else(|| io::ErrorKind::ResourceBusy.into())
    }

    fn open_taken(&self, name: &str) -> io::Result<Option<SimHandle>> {
        Ok(self.open(name)?.take())
    }

    fn size(&self, name: &str) -> io::Result<u64> {
        self.open(name)?.len()
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.change()?.visible.remove(name).map(drop).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn sync_directory(&self) -> io::Result<()> {
        let mut state = self.change()?;
        state.durable = state.visible.clone();
        Ok(())
    }

    fn free(&self) -> io::Result<u64> {
        let state = self.now()?;
        Ok(state.capacity.saturating_sub(state.used()))
    }
}

/// An open file of a [`SimDisk`].
#[derive(Debug)]
pub struct SimHandle {
    disk: SimDisk,
    index: usize,
    life: u64,
    /// It has the file for itself, until it goes.
    takes: bool,
}

impl SimHandle {
    /// The file for this handle alone; `None` when another has it.
    fn take(mut self) -> Option<Self> {
        let mut state = self.disk.state();
        let taken = state.files.get_mut(self.index).map(|file| std::mem::replace(&mut file.taken, true));
        drop(state);
        self.takes = taken == Some(false);
        self.takes.then_some(self)
    }
}

impl Drop for SimHandle {
    fn drop(&mut self) {
        let mut state = self.disk.state();
        if self.takes && state.life == self.life {
            state.files[self.index].taken = false;
        }
    }
}

impl DiskFile for SimHandle {
    fn len(&self) -> io::Result<u64> {
        Ok(self.disk.operate(self.life)?.files[self.index].visible.len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut state = self.disk.operate(self.life)?;
        if state.failing_reads > 0 {
            state.failing_reads -= 1;
            return Err(io::Error::other("injected failure of a read"));
        }
        let file = &state.files[self.index];
        let asked = offset as usize..(offset as usize).saturating_add(buffer.len());
        if asked.start < file.unreadable.end && file.unreadable.start < asked.end {
            return Err(rustix::io::Errno::IO.into());
        }
        let content = file.visible.get(asked.start..).unwrap_or_default();
        let size = content.len().min(buffer.len());
        buffer[..size].copy_from_slice(&content[..size]);
        Ok(size)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut state = self.disk.operate(self.life)?;
        let room = state.capacity.saturating_sub(state.used()) as usize;
        let mut fits = bytes.len().min(room);
        let mut failure = (fits < bytes.len()).then(|| io::ErrorKind::StorageFull.into());
        if state.failing_writes > 0 {
            state.failing_writes -= 1;
            fits = state.rng.usize(0..=fits);
            failure = Some(io::Error::other("injected failure of a write"));
        }
        if fits > 0 {
            let change = Change::Write(offset, bytes[..fits].to_vec());
            let file = &mut state.files[self.index];
            change.apply(&mut file.visible);
            file.pending.push(change);
        }
        failure.map_or(Ok(()), Err)
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        let mut state = self.disk.operate(self.life)?;
        let file = &mut state.files[self.index];
        Change::Truncate(length).apply(&mut file.visible);
        file.pending.push(Change::Truncate(length));
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.disk.operate(self.life)?;
        if state.failing_syncs > 0 {
            state.failing_syncs -= 1;
            state.files[self.index].pending.clear();
            return Err(io::Error::other("injected failure of a sync"));
        }
        state.syncs += 1;
        let file = &mut state.files[self.index];
        for change in file.pending.drain(..) {
            change.apply(&mut file.durable);
        }
        Ok(())
    }
}
