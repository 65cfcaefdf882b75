//! The files of the days: which there are, which are set aside, which go away.
//!
//! A day has `DAY.duckdb`, and beside it what the engine needs under longer names, as its
//! write-ahead log. What could not be used is kept as `DAY.duckdb.broken-N`; it goes with its day.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::model::Day;

/// What a file's name has behind the day.
const KIND: &str = ".duckdb";
/// What follows when it was set aside.
const BROKEN: &str = ".broken-";

/// A day's file.
pub(super) fn path(dir: &Path, day: Day) -> PathBuf {
    dir.join(format!("{day}{KIND}"))
}

/// The days that have a file, in order.
pub(super) fn days(dir: &Path) -> io::Result<Vec<Day>> {
    let mut days: Vec<_> = all(dir)?.into_iter().filter(|(day, file)| *file == path(dir, *day)).map(|f| f.0).collect();
    days.sort();
    Ok(days)
}

/// Renames what a day has, so that its file can be made anew; says to what.
pub(super) fn set_aside(dir: &Path, day: Day) -> io::Result<Option<PathBuf>> {
    let files = in_use(dir, day)?;
    if files.is_empty() {
        return Ok(None);
    }
    let taken: Vec<_> = all(dir)?.into_iter().map(|(_, file)| file).collect();
    let stem = |n: usize| path(dir, day).display().to_string() + BROKEN + &n.to_string();
    // Of one more number than there are files one is free.
    let free = |n: &usize| !taken.iter().any(|file| file.display().to_string().starts_with(&stem(*n)));
    let aside = stem((1..=taken.len() + 1).find(free).unwrap_or_default());
    let whole = path(dir, day).display().to_string();
    for file in files {
        let name = file.display().to_string();
        fs::rename(&file, aside.clone() + name.strip_prefix(&whole).unwrap_or_default())?;
    }
    Ok(Some(aside.into()))
}

/// Removes what a day has, but not what was set aside.
pub(super) fn remove(dir: &Path, day: Day) -> io::Result<()> {
    in_use(dir, day)?.iter().try_for_each(fs::remove_file)
}

/// Removes all that there is of days before `day`.
pub(super) fn remove_before(dir: &Path, day: Day) -> io::Result<()> {
    let old = all(dir)?.into_iter().filter(|(of, _)| *of < day);
    // One that cannot be removed keeps no other.
    old.map(|(_, file)| fs::remove_file(file)).fold(Ok(()), io::Result::and)
}

/// What a day has, the file itself last.
fn in_use(dir: &Path, day: Day) -> io::Result<Vec<PathBuf>> {
    let broken = path(dir, day).display().to_string() + BROKEN;
    let mut files: Vec<_> = all(dir)?.into_iter().filter(|(of, _)| *of == day).map(|(_, file)| file).collect();
    files.retain(|file| !file.display().to_string().starts_with(&broken));
    files.sort_by(|a, b| b.cmp(a));
    Ok(files)
}

/// All files of all days.
fn all(dir: &Path) -> io::Result<Vec<(Day, PathBuf)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        let day = name.to_str().and_then(|name| name.split_once(KIND)).and_then(|(day, _)| Day::parse(day));
        files.extend(day.map(|day| (day, entry.path())));
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_aside_overwrites_nothing_and_goes_with_its_day() {
        let dir = tempfile::tempdir().unwrap();
        let (old, new) = (Day(20_000), Day(20_001));
        for round in 1..=2 {
            for name in [format!("{old}.duckdb"), format!("{old}.duckdb.wal")] {
                fs::write(dir.path().join(name), round.to_string()).unwrap();
            }
            let aside = set_aside(dir.path(), old).unwrap().unwrap();
            assert_eq!(fs::read_to_string(&aside).unwrap(), round.to_string());
            assert!(fs::exists(aside.display().to_string() + ".wal").unwrap());
        }
        assert_eq!(set_aside(dir.path(), old).unwrap(), None);
        assert_eq!(days(dir.path()).unwrap(), []);
        fs::write(path(dir.path(), new), "").unwrap();
        fs::write(dir.path().join("positions.json"), "{}").unwrap();
        remove_before(dir.path(), new).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
        assert_eq!(days(dir.path()).unwrap(), [new]);
        remove(dir.path(), new).unwrap();
        assert_eq!(days(dir.path()).unwrap(), []);
    }
}
