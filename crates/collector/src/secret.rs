//! The secret of the nodes, as the server may be told it, to find a session by a value of which only the
//! pseudonym was stored.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use identity::Secret;

use crate::legible::counted;

/// Shortest and longest secret, in bytes; as the module takes them (`wallarm_session_secret`).
const MIN: usize = 16;
const MAX: u64 = 64 << 10;

/// Why a secret file is refused.
#[derive(Debug, thiserror::Error)]
#[error("secret file {}: {reason}", path.display())]
pub struct BadSecret {
    /// The file.
    path: PathBuf,
    /// What is wrong with it, and what would be right.
    reason: String,
}

/// Reads a secret file that nobody else can read or change.
pub fn read(path: &Path) -> Result<Secret, BadSecret> {
    let bad = |reason: String| BadSecret { path: path.to_owned(), reason };
    let about = fs::metadata(path).map_err(|error| bad(error.to_string()))?;
    if !about.is_file() || about.len() > MAX {
        return Err(bad(format!("it is no file of at most {MAX} bytes")));
    }
    let own = rustix::process::geteuid().as_raw();
    if about.uid() != own && about.uid() != 0 {
        return Err(bad(format!("it belongs to user {}: give it to root or to the server's user", about.uid())));
    }
    if about.mode() & 0o027 != 0 {
        return Err(bad(format!(
            "its mode is {:04o}: others can read it, or the group can change it; chmod 0640 or 0600",
            about.mode() & 0o7777
        )));
    }
    let bytes = fs::read(path).map_err(|error| bad(error.to_string()))?;
    let length = bytes.strip_suffix(b"\n").unwrap_or(&bytes).len();
    if length < MIN {
        return Err(bad(format!(
            "it holds {}, expected at least {MIN}, as `openssl rand -hex 32` makes them",
            counted(length as u64, "byte")
        )));
    }
    Ok(Secret::from_file_bytes(&bytes))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_secret_is_that_of_the_nodes_and_a_file_open_to_others_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        fs::write(&path, "0123456789abcdef0123456789abcdef\n").unwrap();
        for (mode, right) in
            [(0o600, true), (0o640, true), (0o400, true), (0o644, false), (0o660, false), (0o602, false)]
        {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            match read(&path) {
                Ok(secret) => assert!(right && identity::hex(&secret.kid()) == "6b89e299", "{mode:o}"),
                Err(error) => assert!(!right && error.to_string().contains("chmod"), "{mode:o}: {error}"),
            }
        }
    }

    #[test]
    fn what_is_no_secret_is_refused_with_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        let refused = |needle: &str| {
            let error = read(&path).unwrap_err().to_string();
            assert!(error.contains("/secret") && error.contains(needle), "{error}");
        };
        refused("No such file");
        let write = |bytes: usize| {
            fs::write(&path, vec![b'x'; bytes]).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        };
        write(15);
        refused("15 bytes");
        write(65_537);
        refused("at most 65536");
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        refused("no file");
    }
}
