//! What collectors have said to workers, and what that binds both to.

use std::collections::{BTreeMap, BTreeSet};

use collector::model::Id;

#[derive(Default)]
pub struct Promises {
    /// What each collector acknowledged.
    by_collector: Vec<BTreeSet<Id>>,
    /// What any of them did, by the worker whose requests they are.
    by_worker: BTreeMap<u64, BTreeSet<Id>>,
    /// Requests that came under an id of a chunk, and the id under which requests came, each told by the first.
    chunks: BTreeMap<String, (Option<Id>, usize)>,
    chunk_of: BTreeMap<Id, String>,
    /// What was wrong with that.
    broken: Option<String>,
}

impl Promises {
    pub fn of(collectors: usize) -> Self {
        Self { by_collector: vec![BTreeSet::new(); collectors], ..Self::default() }
    }

    /// A chunk came, wherever: it must hold what it held before, and nothing that came in another.
    pub fn came(&mut self, chunk: &str, ids: &[Id]) {
        let content = (ids.first().copied(), ids.len());
        match self.chunks.get(chunk) {
            Some(before) if *before == content => {}
            Some(_) => self.broken = Some(format!("chunk {chunk} came again with other events")),
            None => drop(self.chunks.insert(chunk.to_owned(), content)),
        }
        let Some(&first) = ids.first() else { return };
        match self.chunk_of.get(&first) {
            Some(before) if before == chunk => {}
            Some(before) => self.broken = Some(format!("{first} came in chunk {before}, then in {chunk}")),
            None => drop(self.chunk_of.insert(first, chunk.to_owned())),
        }
    }

    /// A collector has acknowledged these.
    pub fn give(&mut self, collector: usize, ids: &[Id]) {
        for &id in ids {
            self.by_collector[collector].insert(id);
            self.by_worker.entry(worker_of(id)).or_default().insert(id);
        }
    }

    /// Of these a worker may believe that they are safe.
    pub fn of_worker(&self, serial: u64) -> u64 {
        self.by_worker.get(&serial).map_or(0, |ids| ids.len() as u64)
    }

    pub fn of_collector(&self, collector: usize) -> &BTreeSet<Id> {
        &self.by_collector[collector]
    }

    pub fn check_chunks(&self) -> Result<(), String> {
        self.broken.clone().map_or(Ok(()), Err)
    }
}

fn worker_of(id: Id) -> u64 {
    u64::from_be_bytes(id.0.first_chunk().copied().unwrap_or_default())
}
