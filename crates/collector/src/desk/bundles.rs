//! Evidence bundles: what is known of each, and the folder with their contents.
//!
//! Files are there before their row and go after it: what has a row can be read. A start removes files
//! without one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Serialize;
use sqlx::SqliteConnection;

use super::audit::{self, Done};
use super::{By, Desk, DeskError, id, limits, room};
use crate::evidence::Archive;
use crate::model::{Id, Micros};

/// An evidence bundle of a session.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Bundle {
    /// Its id.
    pub id: Id,
    /// Whose evidence.
    pub session_id: Id,
    /// Who made it.
    pub author: String,
    /// When.
    pub at: Micros,
    /// Requests in it.
    pub requests: i64,
    /// Later requests of the session that found no room in it.
    pub requests_left_out: i64,
    /// Bytes of both forms together.
    pub bytes: i64,
    /// What the two forms hash to.
    pub blake3: Hashes,
}

/// BLAKE3 hashes of a bundle's two forms, 64 hex digits each.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Hashes {
    /// Of the archive.
    pub ndjson: String,
    /// Of the page.
    pub html: String,
}

/// The two forms of a bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A page to read and print.
    Html,
    /// An archive for programs.
    Ndjson,
}

impl Form {
    /// What follows the id in the name of its file.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Html => ".html",
            Self::Ndjson => ".ndjson",
        }
    }
}

type Columns = (String, String, String, i64, i64, i64, i64, String, String);

impl Desk {
    /// All bundles, the newest first.
    pub async fn bundles(&self) -> Result<Vec<Bundle>, DeskError> {
        let rows: Vec<Columns> = sqlx::query_as(
            "SELECT id, session, author, at, requests, left_out, bytes, ndjson_hash, html_hash FROM bundles \
             ORDER BY at DESC, id",
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter().map(bundle).collect()
    }

    /// Keeps a bundle.
    pub async fn keep_bundle(&self, archive: Archive, by: &By) -> Result<Bundle, DeskError> {
        let bundle = Bundle {
            id: archive.id,
            session_id: archive.session,
            author: by.who.clone(),
            at: by.at,
            requests: count(archive.requests),
            requests_left_out: count(archive.left_out),
            bytes: count(archive.html.len() + archive.ndjson.len()),
            blake3: Hashes { ndjson: hash(&archive.ndjson), html: hash(&archive.html) },
        };
        // What finds no room need not be written first.
        has_room(&mut *self.pool.acquire().await?, &bundle).await?;
        self.write_files(archive).await?;
        let kept = self.insert_bundle(&bundle, by).await;
        if kept.is_err() {
            self.remove_files(bundle.id).await;
        }
        kept.map(|()| bundle)
    }

    async fn write_files(&self, archive: Archive) -> Result<(), DeskError> {
        let (id, folder) = (archive.id, self.bundles.clone());
        let written = tokio::task::spawn_blocking(move || {
            write(&folder, id, Form::Html, &archive.html)?;
            write(&folder, id, Form::Ndjson, &archive.ndjson)?;
            File::open(&folder)?.sync_all()
        });
        if let Err(error) = written.await.map_err(io::Error::from).flatten() {
            self.remove_files(id).await;
            return Err(self.file_failed(error));
        }
        Ok(())
    }

    async fn insert_bundle(&self, bundle: &Bundle, by: &By) -> Result<(), DeskError> {
        let mut change = self.change().await?;
        has_room(&mut change, bundle).await?;
        sqlx::query(
            "INSERT INTO bundles (id, session, author, at, requests, left_out, bytes, ndjson_hash, html_hash) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(bundle.id.to_string())
        .bind(bundle.session_id.to_string())
        .bind(&bundle.author)
        .bind(bundle.at.0)
        .bind(bundle.requests)
        .bind(bundle.requests_left_out)
        .bind(bundle.bytes)
        .bind(&bundle.blake3.ndjson)
        .bind(&bundle.blake3.html)
        .execute(&mut *change)
        .await?;
        let (of, text) = (bundle.id.to_string(), told(bundle));
        let done = Done { action: "bundle.make", kind: "bundle", subject: &of, before: None, after: Some(&text) };
        audit::write(&mut change, by, done).await?;
        change.commit().await?;
        Ok(())
    }

    /// A form of a bundle; `None` when there is no such bundle.
    pub async fn read_bundle(&self, bundle: Id, form: Form) -> Result<Option<Vec<u8>>, DeskError> {
        let known = sqlx::query("SELECT id FROM bundles WHERE id = ?")
            .bind(bundle.to_string())
            .fetch_optional(&self.pool)
            .await?;
        if known.is_none() {
            return Ok(None);
        }
        let content = tokio::fs::read(place(&self.bundles, bundle, form)).await;
        content.map(Some).map_err(|error| self.file_failed(error))
    }

    /// Removes a bundle; says whether there was one.
    pub async fn remove_bundle(&self, bundle_id: Id, by: &By) -> Result<bool, DeskError> {
        let mut change = self.change().await?;
        let removed: Option<Columns> = sqlx::query_as(
            "DELETE FROM bundles WHERE id = ? \
             RETURNING id, session, author, at, requests, left_out, bytes, ndjson_hash, html_hash",
        )
        .bind(bundle_id.to_string())
        .fetch_optional(&mut *change)
        .await?;
        let Some(removed) = removed else { return Ok(false) };
        let (of, text) = (bundle_id.to_string(), told(&bundle(removed)?));
        let done = Done { action: "bundle.remove", kind: "bundle", subject: &of, before: Some(&text), after: None };
        audit::write(&mut change, by, done).await?;
        change.commit().await?;
        self.remove_files(bundle_id).await;
        Ok(true)
    }

    /// Removes files that a crash left without a row; one that cannot be removed keeps no other.
    pub(super) async fn remove_strays(&self) -> Result<(), DeskError> {
        let known: Vec<String> = self.bundles().await?.iter().map(|bundle| bundle.id.to_string()).collect();
        let files = fs::read_dir(&self.bundles).map_err(|error| self.file_failed(error))?;
        let mut removed = Ok(());
        for file in files.flatten() {
            let name = file.file_name().to_string_lossy().into_owned();
            let is_ours = [Form::Html, Form::Ndjson].iter().find_map(|form| name.strip_suffix(form.suffix()));
            if is_ours.is_some_and(|id| id.parse::<Id>().is_ok() && !known.iter().any(|known| known == id)) {
                removed = removed.and(fs::remove_file(file.path()));
            }
        }
        removed.map_err(|error| self.file_failed(error))
    }

    async fn remove_files(&self, bundle: Id) {
        for form in [Form::Html, Form::Ndjson] {
            // What stays is no bundle any more, and goes with the next start.
            let _ = tokio::fs::remove_file(place(&self.bundles, bundle, form)).await;
        }
    }

    fn file_failed(&self, error: io::Error) -> DeskError {
        DeskError::Unusable { file: self.bundles.display().to_string(), reason: error.to_string() }
    }
}

/// Refuses a bundle that there is no room for.
async fn has_room(connection: &mut SqliteConnection, bundle: &Bundle) -> Result<(), DeskError> {
    let (bundles, bytes): (i64, i64) =
        sqlx::query_as("SELECT count(*), coalesce(sum(bytes), 0) FROM bundles").fetch_one(connection).await?;
    room(bundles, limits::BUNDLES, "evidence bundles")?;
    room(bytes.saturating_add(bundle.bytes), limits::BUNDLE_BYTES, "bytes of evidence bundles")
}

fn place(folder: &Path, bundle: Id, form: Form) -> PathBuf {
    folder.join(format!("{bundle}{}", form.suffix()))
}

fn write(folder: &Path, bundle: Id, form: Form, content: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(place(folder, bundle, form))?;
    file.write_all(content)?;
    file.sync_all()
}

fn hash(content: &[u8]) -> String {
    blake3::hash(content).to_hex().to_string()
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A bundle as the audit tells it.
fn told(bundle: &Bundle) -> String {
    format!("session {}, {} requests, archive {}", bundle.session_id, bundle.requests, bundle.blake3.ndjson)
}

fn bundle(row: Columns) -> Result<Bundle, DeskError> {
    let (bundle, session, author, at, requests, requests_left_out, bytes, ndjson, html) = row;
    let (id, session_id) = (id(&bundle)?, id(&session)?);
    let blake3 = Hashes { ndjson, html };
    Ok(Bundle { id, session_id, author, at: Micros(at), requests, requests_left_out, bytes, blake3 })
}
