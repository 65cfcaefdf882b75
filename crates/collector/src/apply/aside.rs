//! Records that could not be read, kept for a look at them.
//!
//! One file of JSON lines for each UTC day of arrival, forgotten with the day. Bounded: past its
//! limit a file takes nothing more, and the caller counts what is lost.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::model::{Day, Micros};
use crate::store::Arrival;

/// Bytes of one day's file.
const MAX_FILE: u64 = 64 << 20;
/// Bytes of one record that are kept.
const MAX_RECORD: usize = 16 << 10;

/// A record that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetAside<'a> {
    /// Its place in the log.
    pub arrival: Arrival,
    /// When it was received.
    pub received: Micros,
    /// The reason as it is counted.
    pub reason: &'static str,
    /// The reason in full.
    pub error: &'a str,
    /// Its bytes.
    pub record: &'a [u8],
}

/// Where records are set aside. A record given twice is kept once.
pub trait Aside: Send {
    /// Keeps a record; false when there is no room for it.
    fn put(&mut self, aside: &SetAside) -> io::Result<bool>;

    /// Returns once what was put is durable.
    fn sync(&mut self) -> io::Result<()>;

    /// Drops what came before a day.
    fn forget_before(&mut self, day: Day) -> io::Result<()>;
}

/// Keeps records in files.
#[derive(Debug)]
pub struct AsideFiles {
    dir: PathBuf,
    open: Option<OpenFile>,
}

#[derive(Debug)]
struct OpenFile {
    day: Day,
    file: File,
    bytes: u64,
    last: Option<Arrival>,
    dirty: bool,
}

/// A record as it is written.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    place: Place,
    received: Micros,
    reason: &'a str,
    error: &'a str,
    /// Hex digits.
    record: String,
    /// Bytes of the record that `record` leaves out.
    cut: usize,
}

/// What is read again of a line.
#[derive(Serialize, Deserialize)]
struct Place {
    position: u64,
    ordinal: u32,
}

impl AsideFiles {
    /// Files in `dir`, which exists.
    pub fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), open: None }
    }

    fn open(&mut self, day: Day) -> io::Result<&mut OpenFile> {
        if self.open.as_ref().is_none_or(|open| open.day != day) {
            self.sync()?;
            self.open = Some(OpenFile::at(&self.dir.join(format!("{day}.ndjson")), day)?);
        }
        self.open.as_mut().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl Aside for AsideFiles {
    fn put(&mut self, aside: &SetAside) -> io::Result<bool> {
        let open = self.open(aside.received.day())?;
        if open.last >= Some(aside.arrival) {
            return Ok(true);
        }
        let kept = aside.record.get(..MAX_RECORD).unwrap_or(aside.record);
        // Before anything is written down: what comes when the file is full must cost nothing.
        if open.bytes + 2 * kept.len() as u64 + aside.error.len() as u64 > MAX_FILE {
            return Ok(false);
        }
        let line = Line {
            place: Place { position: aside.arrival.pos, ordinal: aside.arrival.ordinal },
            received: aside.received,
            reason: aside.reason,
            error: aside.error,
            record: hex(kept),
            cut: aside.record.len() - kept.len(),
        };
        let mut line = serde_json::to_vec(&line)?;
        line.push(b'\n');
        if open.bytes + line.len() as u64 > MAX_FILE {
            return Ok(false);
        }
        open.file.write_all(&line)?;
        open.bytes += line.len() as u64;
        open.last = Some(aside.arrival);
        open.dirty = true;
        Ok(true)
    }

    fn sync(&mut self) -> io::Result<()> {
        if let Some(open) = self.open.as_mut().filter(|open| open.dirty) {
            open.file.sync_data()?;
            open.dirty = false;
        }
        Ok(())
    }

    fn forget_before(&mut self, day: Day) -> io::Result<()> {
        if self.open.as_ref().is_some_and(|open| open.day < day) {
            self.open = None;
        }
        for entry in fs::read_dir(&self.dir)? {
            let entry = entry?;
            let name = entry.file_name();
            // Damaged segments of the log are here too, each behind its day.
            let of = name.to_str().and_then(|name| name.split_once('.')).and_then(|(day, _)| Day::parse(day));
            if of.is_some_and(|of| of < day) {
                fs::remove_file(entry.path())?;
                tracing::info!("{} was removed: what is in it is over a week old", entry.path().display());
            }
        }
        Ok(())
    }
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

impl OpenFile {
    fn at(path: &Path, day: Day) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
        let (mut last, mut whole) = (None, 0);
        let mut lines = BufReader::new(&file);
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line)? > 0 && line.ends_with(b"\n") {
            whole += line.len() as u64;
            if let Ok(Place { position, ordinal }) = serde_json::from_slice(&line) {
                last = last.max(Some(Arrival { pos: position, ordinal }));
            }
            line.clear();
        }
        // A line that a crash cut short comes again from the log.
        file.set_len(whole)?;
        Ok(Self { day, file, bytes: whole, last, dirty: false })
    }
}

/// Keeps records in memory.
#[derive(Debug, Default)]
pub struct MemoryAside {
    /// Place and reason of each.
    pub records: BTreeMap<Arrival, &'static str>,
}

impl Aside for MemoryAside {
    fn put(&mut self, aside: &SetAside) -> io::Result<bool> {
        self.records.insert(aside.arrival, aside.reason);
        Ok(true)
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn forget_before(&mut self, _day: Day) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECEIVED: Micros = Micros(20_000 * 86_400_000_000);

    fn aside(pos: u64, record: &[u8]) -> SetAside<'_> {
        let arrival = Arrival { pos, ordinal: 0 };
        SetAside { arrival, received: RECEIVED, reason: "malformed", error: "no map", record }
    }

    #[test]
    fn records_are_kept_once_readable_and_as_long_as_their_day() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(format!("{}.ndjson", RECEIVED.day()));
        for _start in 0..2 {
            let mut files = AsideFiles::new(dir.path());
            assert!(files.put(&aside(1, b"\x01\xff")).unwrap());
            assert!(files.put(&aside(2, &[0; MAX_RECORD + 5])).unwrap());
            files.sync().unwrap();
        }
        // A crash in the middle of a line.
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"position\":3").unwrap();
        let mut files = AsideFiles::new(dir.path());
        assert!(files.put(&aside(3, b"")).unwrap());
        let text = fs::read_to_string(&path).unwrap();
        let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.iter().map(|line| line["position"].as_u64().unwrap()).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!((lines[0]["record"].as_str(), lines[1]["cut"].as_u64()), (Some("01ff"), Some(5)));

        files.forget_before(RECEIVED.day()).unwrap();
        assert!(path.exists());
        let (segment, other) = (dir.path().join(format!("{}.1.seg", RECEIVED.day())), dir.path().join("mine.txt"));
        [&segment, &other].into_iter().for_each(|path| fs::write(path, "kept").unwrap());
        files.forget_before(Day(RECEIVED.day().0 + 1)).unwrap();
        assert!(!path.exists() && !segment.exists() && other.exists());
    }
}
