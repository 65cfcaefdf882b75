//! Bits that change on a disk while nobody looks.

use std::collections::BTreeSet;

use collector::ingest::LogEntry;
use collector::model::Id;
use fastrand::Rng;
use spool::HEAD;
use spool::simulation::SimDisk;
use wire::FrameReader;

use crate::collector::{ids, ids_in};

/// What was damaged of a disk.
#[derive(Default)]
pub struct Damage {
    /// In each of them one record.
    files: BTreeSet<String>,
    /// The events in those records.
    pub events: BTreeSet<Id>,
    /// How often somebody said so.
    pub told: u64,
}

impl Damage {
    /// Changes one bit of a record in a file that is whole so far; `events` tells what a record holds. False when
    /// there is none.
    pub fn flip(&mut self, disk: &SimDisk, rng: &mut Rng, events: fn(&[u8]) -> Vec<Id>) -> bool {
        let whole: Vec<String> =
            disk.files().into_iter().map(|(name, _)| name).filter(|name| !self.files.contains(name)).collect();
        if whole.is_empty() {
            return false;
        }
        let name = &whole[rng.usize(0..whole.len())];
        let content = disk.durable(name);
        if content.is_empty() {
            return false;
        }
        let offset = rng.usize(0..content.len());
        let Some(record) = record_at(&content, offset) else { return false };
        self.events.extend(events(record));
        self.files.insert(name.clone());
        disk.flip(name, offset);
        true
    }
}

/// The record that has the byte at `offset`, when it is whole, without its head.
fn record_at(content: &[u8], offset: usize) -> Option<&[u8]> {
    let mut rest = content;
    let mut at = 0;
    loop {
        let (length, _) = rest.split_first_chunk()?;
        let span = HEAD + u32::from_be_bytes(*length) as usize;
        let (record, behind) = rest.split_at_checked(span)?;
        if offset < at + span {
            return record.get(HEAD..);
        }
        (rest, at) = (behind, at + span);
    }
}

/// The events in a record of the spool: two numbers, a chunk id with its length before it, a frame.
pub fn in_spool(record: &[u8]) -> Vec<Id> {
    let frame = record.get(8).and_then(|&id| record.get(9 + usize::from(id)..)).unwrap_or_default();
    let mut reader = FrameReader::new();
    reader.push(frame);
    reader.next_frame().ok().flatten().map(|frame| ids(&frame)).unwrap_or_default()
}

/// The events in a record of a collector's log.
pub fn in_log(record: &[u8]) -> Vec<Id> {
    LogEntry::decode(record, 0).map(|entry| ids_in(entry.stream)).unwrap_or_default()
}
