//! Where batches wait on disk: the value of `wallarm_session_spool`, and whether workers can use it.
//!
//! NGINX makes the directory and gives it to the workers' user, as it does with its own
//! (ngx_create_paths in src/core/ngx_file.c). What it would not notice, or would do to a directory of
//! somebody else, is refused here, so that `nginx -t` tells.

use std::ffi::CString;
use std::fs::{self, Metadata};
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Files of ours end so.
const PART: &str = ".part";
/// Entries looked at.
const LOOKED_AT: usize = 10_000;
/// Permission to write for others than the owner.
const OTHERS_WRITE: u32 = 0o022;
const SEARCH: (u32, u32, u32) = (0o100, 0o010, 0o001);

/// Whether a directory may be one of parts. One that is not there yet is made by NGINX.
pub(crate) fn check(path: &Path) -> Result<(), String> {
    let shown = path.display();
    let about = match fs::metadata(path) {
        Ok(about) => about,
        Err(error) if error.kind() == ErrorKind::NotFound => return check_parent(path),
        Err(error) => return Err(format!("directory \"{shown}\" cannot be looked at: {error}")),
    };
    if !about.is_dir() {
        return Err(format!("\"{shown}\" is no directory"));
    }
    if about.mode() & OTHERS_WRITE != 0 {
        return Err(format!(
            "directory \"{shown}\" can be written by others (mode {:04o}), expected 0700",
            about.mode() & 0o7777
        ));
    }
    match entries(path)?.iter().find(|(name, _)| !name.ends_with(PART)) {
        None => Ok(()),
        Some((name, _)) => Err(format!(
            "directory \"{shown}\" holds \"{name}\", which is no part of a spool, expected a directory of its own"
        )),
    }
}

fn check_parent(path: &Path) -> Result<(), String> {
    match path.parent().map(fs::metadata) {
        Some(Ok(about)) if about.is_dir() => Ok(()),
        _ => Err(format!("directory \"{}\" cannot be made: the one above it is not there", path.display())),
    }
}

/// Names and owners, but for what a file system keeps there for itself: `lost+found`, and hidden files.
fn entries(path: &Path) -> Result<Vec<(String, Metadata)>, String> {
    let unreadable = |error| format!("directory \"{}\" cannot be read: {error}", path.display());
    let mut entries = Vec::new();
    for entry in fs::read_dir(path).map_err(unreadable)?.take(LOOKED_AT) {
        let entry = entry.map_err(unreadable)?;
        // One that a worker has removed meanwhile.
        let Ok(about) = entry.metadata() else { continue };
        let name = entry.file_name();
        if name != "lost+found" && !name.as_bytes().starts_with(b".") {
            entries.push((wire::escape(name.as_bytes()).into_owned(), about));
        }
    }
    Ok(entries)
}

/// Whether workers of a user can use the directory. `changes_owner`: NGINX runs as root, and gives the
/// directory itself, but not what is in or above it, to that user.
pub(crate) fn check_user(path: &Path, user: u32, changes_owner: bool) -> Result<(), String> {
    let shown = path.display();
    if user == 0 {
        return Ok(());
    }
    if !changes_owner {
        return check_access(path, user);
    }
    for above in path.ancestors().skip(1) {
        let Ok(about) = fs::metadata(above) else { continue };
        if !may_enter(&about, user) {
            return Err(format!(
                "directory \"{shown}\" is out of reach of the workers' user (uid {user}), who may not enter \"{}\"",
                above.display()
            ));
        }
    }
    if !path.exists() {
        return Ok(());
    }
    match entries(path)?.iter().find(|(_, about)| about.uid() != user) {
        None => Ok(()),
        Some((name, about)) => Err(format!(
            "directory \"{shown}\" holds \"{name}\" of another user (uid {}), expected what the workers' user \
             (uid {user}) can open, as after \"chown -R {user} {shown}\"",
            about.uid()
        )),
    }
}

/// Only what is sure is refused: of which groups the user is a member, NGINX finds out later.
fn may_enter(about: &Metadata, user: u32) -> bool {
    let (owner, group, others) = SEARCH;
    let allowed = if about.uid() == user { owner } else { group | others };
    about.mode() & allowed != 0
}

/// What this process may, its workers may, too: they run as the same user.
fn check_access(path: &Path, user: u32) -> Result<(), String> {
    let looked_at = if path.exists() { path } else { path.parent().unwrap_or(path) };
    let Ok(name) = CString::new(looked_at.as_os_str().as_bytes()) else { return Ok(()) };
    // SAFETY: only reads the name.
    let outcome = unsafe { libc::access(name.as_ptr(), libc::W_OK | libc::X_OK) };
    if outcome == 0 || std::io::Error::last_os_error().kind() != ErrorKind::PermissionDenied {
        return Ok(());
    }
    Err(format!("directory \"{}\" cannot be written by the user of NGINX (uid {user})", looked_at.display()))
}
