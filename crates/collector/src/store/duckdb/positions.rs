//! What was safe in the day files at the last checkpoint, kept beside them.
//!
//! The engine cuts a torn write-ahead log without a word. At a start the files are held against
//! this, so that what is missing is noticed; and the log is applied again from here, where what is
//! there already tells itself by its `seq` or id.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

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
        match fs::read(dir.join(FILE)) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(io::Error::from),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(e) => Err(e),
        }
    }

    /// Replaces what the last checkpoint wrote, whole or not at all, also when the power fails.
    pub(super) fn save(&self, dir: &Path) -> io::Result<()> {
        let new = dir.join("positions.json.new");
        let mut file = File::create(&new)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        file.sync_all()?;
        fs::rename(&new, dir.join(FILE))?;
        File::open(dir)?.sync_all()
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
