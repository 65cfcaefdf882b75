//! What damage of the log costs: the damaged segment is kept for a look at it, and the numbers that are missing
//! behind it are counted.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use wire::Seq;

use crate::model::{Day, Micros};
use crate::store::SeqSet;

/// Segments that are kept at a time; each takes what a segment takes.
const MAX_KEPT: usize = 8;

/// Keeps damaged segments beside the records that were set aside; like those they go with their day, which is that of
/// the last record in them.
#[derive(Debug)]
pub struct DamagedSegments {
    log: PathBuf,
    dir: PathBuf,
}

impl DamagedSegments {
    /// Of the log in one folder, in another of the same file system.
    pub fn new(log: &Path, dir: &Path) -> Self {
        Self { log: log.to_owned(), dir: dir.to_owned() }
    }

    /// Keeps a segment beyond its time in the log, under the name that this returns. It takes no room
    /// before the log lets go of it, and nothing of a failing disk has to be read.
    pub fn keep(&self, segment: &str, today: Day) -> io::Result<PathBuf> {
        let mut kept = 0;
        for entry in fs::read_dir(&self.dir)? {
            let path = entry?.path();
            if path.extension().is_none_or(|extension| extension != "seg") {
                continue;
            }
            if path.to_str().is_some_and(|path| path.ends_with(segment)) {
                return Ok(path);
            }
            kept += 1;
        }
        if kept >= MAX_KEPT {
            return Err(io::Error::other(format!("{MAX_KEPT} damaged segments are kept already")));
        }
        let file = self.log.join(segment);
        let written = Timestamp::try_from(fs::metadata(&file)?.modified()?).map_err(io::Error::other)?;
        let day = Micros(written.as_microsecond()).day().min(today);
        let path = self.dir.join(format!("{day}.{segment}"));
        fs::hard_link(file, &path)?;
        File::open(&self.dir)?.sync_all()?;
        Ok(path)
    }
}

/// The numbers of events that are missing behind damage.
#[derive(Debug, Default)]
pub(super) struct MissingNumbers {
    /// The highest number of each worker life that was known when the damage was met, until a higher one comes.
    known: HashMap<[u8; 8], u64>,
}

impl MissingNumbers {
    /// Damage was met while these numbers were known.
    pub(super) fn expect(&mut self, known: &SeqSet) {
        // Ranges come in order: the last of a worker life stays.
        self.known = known.ranges().map(|range| (range.instance, range.last)).collect();
    }

    /// How many numbers the first event behind the damage shows to be missing before it. Workers may have dropped some
    /// of them.
    pub(super) fn before(&mut self, seq: Seq) -> u64 {
        if self.known.is_empty() {
            return 0;
        }
        let known = self.known.remove(&seq.instance);
        known.map_or(0, |known| seq.number.saturating_sub(known.saturating_add(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::SeqRange;

    #[test]
    fn the_first_number_behind_the_damage_tells_what_is_missing() {
        let mut known = SeqSet::default();
        known.insert_range(SeqRange { instance: [1; 8], first: 0, last: 3 });
        known.insert_range(SeqRange { instance: [1; 8], first: 7, last: 9 });
        let seq = |instance, number| Seq { instance: [instance; 8], number };
        let mut missing = MissingNumbers::default();
        assert_eq!(missing.before(seq(1, 30)), 0);
        missing.expect(&known);
        assert_eq!(missing.before(seq(1, 12)), 2);
        assert_eq!(missing.before(seq(1, 20)), 0, "the log may lack it for another reason");
        assert_eq!(missing.before(seq(2, 20)), 0, "of a worker that is new nothing is known");
        missing.expect(&known);
        assert_eq!(missing.before(seq(1, 5)), 0, "one that came late tells nothing");
    }

    #[test]
    fn damaged_segments_are_kept_once_and_only_so_many() {
        let (log, dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let segments = DamagedSegments::new(log.path(), dir.path());
        let keep = |n: usize, day| {
            let segment = format!("{n:020}.seg");
            fs::write(log.path().join(&segment), segment.as_bytes()).unwrap();
            segments.keep(&segment, Day(day))
        };
        let path = keep(0, 20_000).unwrap();
        assert_eq!(keep(0, 20_001).unwrap(), path);
        fs::remove_file(log.path().join(format!("{:020}.seg", 0))).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{:020}.seg", 0));
        for n in 1..MAX_KEPT {
            keep(n, 20_000).unwrap();
        }
        assert!(keep(MAX_KEPT, 20_000).unwrap_err().to_string().contains("kept already"));
        segments.keep("gone.seg", Day(20_000)).unwrap_err();
    }

    #[test]
    fn a_damaged_segment_goes_with_the_day_of_its_last_record_whenever_the_damage_is_met() {
        let (log, dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let written = std::time::UNIX_EPOCH + std::time::Duration::from_secs(19_995 * 86_400 + 5);
        let file = File::create(log.path().join("1.seg")).unwrap();
        file.set_modified(written).unwrap();
        let path = DamagedSegments::new(log.path(), dir.path()).keep("1.seg", Day(20_000)).unwrap();
        assert_eq!(path, dir.path().join(format!("{}.1.seg", Day(19_995))));
    }
}
