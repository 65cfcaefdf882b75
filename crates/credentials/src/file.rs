//! Files that hold certificates and keys.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Largest file that is read, in bytes: those of all authorities of a system have a quarter of it.
const MAX: u64 = 1 << 20;
/// Shortest shared key, in bytes: 128 bits, when they are random.
const MIN_SHARED_KEY: usize = 16;
/// Longest one.
const MAX_SHARED_KEY: usize = 4096;
/// What others may not do with a secret: anything; nor may the group write it.
const OPEN_TO_OTHERS: u32 = 0o027;

/// Why a file was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("file \"{}\" {reason}", path.display())]
pub struct BadFile {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it, and what would be right.
    pub reason: String,
}

impl BadFile {
    pub(crate) fn new(path: &Path, reason: impl Into<String>) -> Self {
        Self { path: path.to_owned(), reason: reason.into() }
    }
}

/// The key that both ends know: the file's bytes without one newline at the end.
///
/// # Errors
/// When the file cannot be read, is open to others, or holds too little or too much for a key.
pub fn shared_key(path: &Path) -> Result<Vec<u8>, BadFile> {
    let mut bytes = read(path, true)?;
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
    }
    if (MIN_SHARED_KEY..=MAX_SHARED_KEY).contains(&bytes.len()) {
        return Ok(bytes);
    }
    Err(BadFile::new(
        path,
        format!(
            "holds a key of {} bytes, expected {MIN_SHARED_KEY} to {MAX_SHARED_KEY}, \
             as \"openssl rand -hex 32\" makes them",
            bytes.len()
        ),
    ))
}

/// All certificates of a PEM file, in its order; at least one.
pub(crate) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, BadFile> {
    let bytes = read(path, false)?;
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    match all {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        Ok(_) => Err(BadFile::new(path, "holds no certificate, expected PEM (-----BEGIN CERTIFICATE-----)")),
        Err(error) => Err(BadFile::new(path, format!("is no sound PEM: {error}"))),
    }
}

/// The first private key of a PEM file.
pub(crate) fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, BadFile> {
    let bytes = read(path, true)?;
    PrivateKeyDer::from_pem_slice(&bytes).map_err(|error| {
        let reason = match error {
            rustls::pki_types::pem::Error::NoItemsFound => {
                "holds no private key, expected PEM without a passphrase (-----BEGIN PRIVATE KEY-----)".to_owned()
            }
            error => format!("is no sound PEM: {error}"),
        };
        BadFile::new(path, reason)
    })
}

fn read(path: &Path, secret: bool) -> Result<Vec<u8>, BadFile> {
    let unreadable = |error: std::io::Error| BadFile::new(path, format!("cannot be read: {error}"));
    // Before it is opened: opening a pipe would wait for a writer.
    if !fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(BadFile::new(path, "is no file"));
    }
    let file = File::open(path).map_err(unreadable)?;
    let mode = file.metadata().map_err(unreadable)?.mode();
    if secret && mode & OPEN_TO_OTHERS != 0 {
        return Err(BadFile::new(
            path,
            format!(
                "has the mode {:04o}: others can read it, or its group can write it, expected 0600 or 0640",
                mode & 0o7777
            ),
        ));
    }
    let mut bytes = Vec::new();
    file.take(MAX + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX {
        return Err(BadFile::new(path, format!("has more than {MAX} bytes")));
    }
    Ok(bytes)
}
