//! The folder that holds everything the server keeps, and what has to be right with it at a start.
//!
//! ```text
//! lock              taken by the running server
//! clock.json        when the clock was last believed
//! log/              what was acknowledged
//! log-N/            a log that did not reach as far as the store, put away
//! endpoints.json    pins and merges of endpoints, once there are any
//! noise.json        rules of noise, once they were changed
//! log-days.json     where in the log days begin
//! days/             the store: one file for each UTC day, and positions.json
//! settings.db       what people added: notes, labels, the audit; with -wal and -shm beside it
//! bundles/          evidence bundles, which outlive the week
//! set-aside/        records that could not be read, damaged segments of the log
//! temp/             what does not fit into memory; emptied at each start
//! ```

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// What is written at a start to see whether there is room.
const PROBE_BYTES: usize = 1 << 20;
/// How often it is looked whether another server lets go.
const LOCK_TRIES: u32 = 20;
/// How long is waited between looks.
const LOCK_WAIT: Duration = Duration::from_millis(100);

/// An open data directory. Nobody else has it.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    _lock: File,
}

/// Why a data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// A configured one is missing.
    #[error("data directory {} does not exist; mount it or create it, then start again", .0.display())]
    Missing(PathBuf),
    /// Another server runs on it.
    #[error("data directory {} is in use by another server; stop that one or name another directory", .0.display())]
    InUse(PathBuf),
    /// There is no room.
    #[error("no space left for data directory {}; free some, then start again", .0.display())]
    Full(PathBuf),
    /// The server may not use it.
    #[error("no permission for {}; give it to the user that the server runs as, or name another directory", .0.display())]
    Forbidden(PathBuf),
    /// The system refused for another reason.
    #[error("cannot use {}: {source}", path.display())]
    Refused {
        /// What could not be used.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl DataDir {
    /// Takes the directory for this server alone. Whether there is room, [`probe`](Self::probe) says.
    pub fn open(path: &Path, create: bool) -> Result<Self, DataDirError> {
        if create {
            make_dir(path)?;
        }
        match fs::metadata(path) {
            Ok(meta) if meta.is_dir() => {}
            Ok(_) => return Err(refused(path)(io::ErrorKind::NotADirectory.into())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(DataDirError::Missing(path.to_owned()));
            }
            Err(error) => return Err(refused(path)(error)),
        }
        let lock_path = path.join("lock");
        let lock = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&lock_path);
        let lock = lock.map_err(refused(&lock_path))?;
        take(&lock).map_err(|error| match error {
            TryLockError::WouldBlock => DataDirError::InUse(path.to_owned()),
            TryLockError::Error(error) => refused(&lock_path)(error),
        })?;
        let dir = Self { path: path.to_owned(), _lock: lock };
        for part in [dir.log(), dir.days(), dir.set_aside(), dir.bundles(), dir.temp()] {
            make_dir(&part)?;
            fs::read_dir(&part).map_err(refused(&part))?;
        }
        for left in fs::read_dir(dir.temp()).map_err(refused(&dir.temp()))?.flatten() {
            // The engine makes what it needs anew.
            let _ = fs::remove_file(left.path());
        }
        Ok(dir)
    }

    /// Looks whether it can be written to, and has room.
    pub fn probe(&self) -> Result<(), DataDirError> {
        let probe = self.path.join("probe");
        let probed = probe_room(&probe);
        // Whatever was written of it is no use.
        let removed = fs::remove_file(&probe);
        probed.and(removed).map_err(refused(&self.path))
    }

    /// Puts the log away, so that another can be begun; says where it is now.
    pub fn put_log_away(&self) -> Result<PathBuf, DataDirError> {
        let log = self.log();
        let free = (1u32..).map(|n| self.path.join(format!("log-{n}"))).find(|path| !path.exists());
        let away = free.unwrap_or_default();
        fs::rename(&log, &away).map_err(refused(&log))?;
        make_dir(&log)?;
        File::open(&self.path).and_then(|dir| dir.sync_all()).map_err(refused(&self.path))?;
        Ok(away)
    }

    /// Removes logs that were put away longer ago than `age`.
    pub fn forget_logs(&self, age: Duration) -> Result<(), DataDirError> {
        for entry in fs::read_dir(&self.path).map_err(refused(&self.path))?.flatten() {
            let name = entry.file_name();
            let number = name.to_str().and_then(|name| name.strip_prefix("log-"));
            if number.is_none_or(|number| number.parse::<u32>().is_err()) {
                continue;
            }
            let changed = entry.metadata().and_then(|meta| meta.modified()).map_err(refused(&entry.path()))?;
            if changed.elapsed().is_ok_and(|since| since > age) {
                fs::remove_dir_all(entry.path()).map_err(refused(&entry.path()))?;
            }
        }
        Ok(())
    }

    /// What was acknowledged.
    pub fn log(&self) -> PathBuf {
        self.path.join("log")
    }

    /// Day files.
    pub fn days(&self) -> PathBuf {
        self.path.join("days")
    }

    /// Records that could not be read, and damaged segments of the log.
    pub fn set_aside(&self) -> PathBuf {
        self.path.join("set-aside")
    }

    /// What does not fit into memory.
    pub fn temp(&self) -> PathBuf {
        self.path.join("temp")
    }

    /// Where in the log days begin.
    pub fn log_days_file(&self) -> PathBuf {
        self.path.join("log-days.json")
    }

    /// Evidence bundles.
    pub fn bundles(&self) -> PathBuf {
        self.path.join("bundles")
    }

    /// What people added.
    pub fn settings_db(&self) -> PathBuf {
        self.path.join("settings.db")
    }

    /// Pins and merges of endpoints.
    pub fn endpoints_file(&self) -> PathBuf {
        self.path.join("endpoints.json")
    }

    /// Rules of noise.
    pub fn noise_file(&self) -> PathBuf {
        self.path.join("noise.json")
    }

    /// When the clock was last believed.
    pub fn clock_file(&self) -> PathBuf {
        self.path.join("clock.json")
    }
}

/// Locks the file. A server that was killed a moment ago may still be on its way out of memory.
fn take(lock: &File) -> Result<(), TryLockError> {
    for _ in 0..LOCK_TRIES {
        match lock.try_lock() {
            Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_WAIT),
            result => return result,
        }
    }
    lock.try_lock()
}

/// Readable by its owner only: what is in it are other people's requests.
fn make_dir(path: &Path) -> Result<(), DataDirError> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(refused(path))
}

fn probe_room(path: &Path) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(&vec![0; PROBE_BYTES])?;
    file.sync_all()
}

fn refused(path: &Path) -> impl FnOnce(io::Error) -> DataDirError {
    let path = path.to_owned();
    |source| match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => DataDirError::Full(path),
        io::ErrorKind::PermissionDenied => DataDirError::Forbidden(path),
        _ => DataDirError::Refused { path, source },
    }
}

/// Reads what [`save_json`] wrote; the default when there is nothing.
pub fn load_json<T: DeserializeOwned + Default>(path: &Path) -> io::Result<T> {
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(io::Error::from),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(T::default()),
        Err(error) => Err(error),
    }
}

/// Replaces a small file, whole or not at all, also when the power fails.
pub fn save_json<T: Serialize>(path: &Path, value: &T) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = File::create(&new)?;
    file.write_all(&serde_json::to_vec(value)?)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    match path.parent() {
        Some(dir) => File::open(dir)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_configured_directory_is_an_error_and_a_missing_default_one_is_made() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b");
        let error = DataDir::open(&path, false).unwrap_err().to_string();
        assert!(error.contains("a/b does not exist"), "{error}");
        assert!(!path.exists());
        DataDir::open(&path, true).unwrap();
        assert!(path.join("log").is_dir());
    }

    #[test]
    fn a_directory_belongs_to_one_server_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let first = DataDir::open(dir.path(), false).unwrap();
        assert!(matches!(DataDir::open(dir.path(), false), Err(DataDirError::InUse(_))));
        drop(first);
        DataDir::open(dir.path(), false).unwrap();
    }

    #[test]
    fn a_log_that_was_put_away_is_kept_apart_until_its_time_is_over() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::open(dir.path(), false).unwrap();
        fs::write(data.log_days_file(), "{}").unwrap();
        for round in ["1", "2"] {
            fs::write(data.log().join("a.seg"), round).unwrap();
            let away = data.put_log_away().unwrap();
            assert_eq!(fs::read_to_string(away.join("a.seg")).unwrap(), round);
            assert_eq!(fs::read_dir(data.log()).unwrap().count(), 0);
        }
        data.forget_logs(Duration::from_secs(3600)).unwrap();
        assert!(dir.path().join("log-2").exists());
        std::thread::sleep(Duration::from_millis(5));
        data.forget_logs(Duration::ZERO).unwrap();
        assert!(!dir.path().join("log-1").exists() && !dir.path().join("log-2").exists());
        assert!(data.log().exists() && data.log_days_file().exists());
    }

    #[test]
    fn something_else_in_its_place_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, "").unwrap();
        for create in [false, true] {
            let error = DataDir::open(&path, create).unwrap_err().to_string();
            assert!(error.contains(&path.display().to_string()), "{error}");
        }
    }

    #[test]
    fn a_full_disk_is_named_with_what_to_do() {
        let error = refused(Path::new("/data"))(io::ErrorKind::StorageFull.into()).to_string();
        assert!(error.contains("/data") && error.contains("free some"), "{error}");
    }
}
