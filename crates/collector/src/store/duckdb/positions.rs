//! What was safe in the day files at the last checkpoint, kept beside them.
//!
//! The engine cuts a torn write-ahead log without a word. At a start the files are held against
//! this, so that what is missing is noticed; and the log is applied again from here, where what is
//! there already tells itself by its `seq` or id.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::data_dir::{load_json, save_json};
use crate::model::Day;
use crate::store::Position;

const FILE: &str = "positions.json";

/// What all day files held at a checkpoint.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Positions {
    /// Everything in the log before it is in the files.
    pub complete: Position,
    /// Each file by its day number.
    pub days: BTreeMap<i32, DayPosition>,
    /// Files that are being made anew from the log, each with what it held.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rebuilding: BTreeMap<i32, DayPosition>,
}

/// What one day file held at a checkpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct DayPosition {
    /// How far it got.
    pub applied: Position,
    /// Requests in it.
    pub rows: u64,
}

impl Positions {
    /// Reads what the last checkpoint wrote; nothing when there was none.
    pub(super) fn load(dir: &Path) -> io::Result<Self> {
        load_json(&Self::path(dir))
    }

    /// Replaces what the last checkpoint wrote.
    pub(super) fn save(&self, dir: &Path) -> io::Result<()> {
        save_json(&Self::path(dir), self)
    }

    /// The file, to be named in messages.
    pub(super) fn path(dir: &Path) -> PathBuf {
        dir.join(FILE)
    }

    /// Whether a day is known.
    pub(super) fn day(&self, day: Day) -> Option<DayPosition> {
        self.days.get(&day.0).copied()
    }
}
