//! What people add to what was recorded: notes and labels on sessions and requests, evidence bundles, and
//! the audit of all that they do. Kept in one SQLite file; the contents of bundles in a folder beside it. No SQL about it outside this room.
//!
//! Invariants:
//! - Each change and its row of the audit are one transaction: neither is there without the other.
//! - Everything is bounded by a number ([`limits`]); what is over it is refused and says so.
//! - What is on a session or a request goes when the store has forgotten that ([`Desk::outdated`]).
//!
//! It believes what it is told: whether a session exists is the store's affair, who may change
//! something the API's.

mod audit;
mod bundles;
mod labels;
mod notes;
mod retention;

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, SqlSafeStr, Sqlite, Transaction};

use crate::model::{Day, Id, Micros};

pub use audit::{Done, Entry, Recording};
pub use bundles::{Bundle, Form, Hashes};
pub use labels::{Label, LabelCount};
pub use notes::Note;

/// How much of everything.
pub mod limits {
    /// Characters of a note.
    pub const NOTE: usize = 10_000;
    /// Notes on one session or request.
    pub const NOTES: usize = 100;
    /// Notes told of one session, those on its requests included; the oldest come first.
    pub const NOTES_TOLD: usize = 1_000;
    /// Characters of a label.
    pub const LABEL: usize = 64;
    /// Labels of one session or request.
    pub const LABELS: usize = 20;
    /// Different labels.
    pub const DIFFERENT_LABELS: usize = 1_000;
    /// Sessions and requests that have notes or labels.
    pub const SUBJECTS: usize = 100_000;
    /// Evidence bundles.
    pub const BUNDLES: usize = 200;
    /// Bytes of all bundles together.
    pub const BUNDLE_BYTES: usize = 1 << 30;
    /// Rows of the audit for each kind of action; of more the oldest go.
    pub const AUDIT: usize = 100_000;
}

/// The only author until there are users.
pub const LOCAL: &str = "local";

/// How long a question waits for its turn.
const PATIENCE: Duration = Duration::from_secs(5);

/// What people added. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Desk {
    pool: SqlitePool,
    /// Folder of the contents of bundles.
    bundles: PathBuf,
}

/// What a note or a label can be on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A session.
    Session,
    /// A request.
    Request,
}

impl Kind {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Request => "request",
        }
    }
}

/// A session or a request that the store knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subject {
    /// Which of the two.
    pub kind: Kind,
    /// Its id.
    pub id: Id,
    /// The session: itself, or the request's.
    pub session: Id,
    /// The last day on which the store knows it.
    pub last_day: Day,
}

/// Who does something, and when.
#[derive(Clone, Debug)]
pub struct By {
    /// The author.
    pub who: String,
    /// The moment.
    pub at: Micros,
}

impl By {
    /// Whoever has access to this machine.
    pub fn local(at: Micros) -> Self {
        Self { who: LOCAL.to_owned(), at }
    }
}

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    /// The file cannot be read as what it should be.
    #[error(
        "{file} is damaged: {reason}; bring a copy of it back, or move it away with the files {file}-wal and \
         {file}-shm to begin without notes, labels and audit"
    )]
    Damaged {
        /// Which file.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A later version of the server has changed the file.
    #[error("{file} was written by a newer version of the server; start that one, or bring back a copy from before")]
    Newer {
        /// Which file.
        file: String,
    },
    /// The file cannot be opened.
    #[error("cannot use {file}: {reason}")]
    Unusable {
        /// Which file.
        file: String,
        /// What the system said.
        reason: String,
    },
    /// There is enough of it already.
    #[error("there are {limit} {what} already, and there cannot be more; remove some first")]
    Full {
        /// Of what.
        what: &'static str,
        /// How much there may be.
        limit: usize,
    },
    /// A statement failed.
    #[error("settings.db: {0}")]
    Failed(#[from] sqlx::Error),
}

type Change<'a> = Transaction<'a, Sqlite>;

impl Desk {
    /// Opens the file at `path`, makes it when there is none, and brings it up to date; `bundles` is a folder
    /// that is there.
    pub async fn open(path: &Path, bundles: &Path) -> Result<Self, DeskError> {
        let unusable = |reason: String| DeskError::Unusable { file: path.display().to_string(), reason };
        // Made here and not by SQLite, for its mode: nobody else shall read it.
        let made = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path);
        drop(made.map_err(|error| unusable(error.to_string()))?);
        let options = SqliteConnectOptions::new()
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            // What was removed is not to be found in the file either.
            .pragma("secure_delete", "ON")
            .busy_timeout(PATIENCE)
            .disable_statement_logging();
        let pool = SqlitePoolOptions::new()
            .max_connections(4)
            .acquire_timeout(PATIENCE)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(options)
            .await
            .map_err(|error| at_start(path, error))?;
        let (sound,): (String,) =
            sqlx::query_as("PRAGMA quick_check(1)").fetch_one(&pool).await.map_err(|error| at_start(path, error))?;
        if sound != "ok" {
            return Err(DeskError::Damaged { file: path.display().to_string(), reason: sound });
        }
        migrations().run(&pool).await.map_err(|error| match error {
            MigrateError::VersionMissing(_) | MigrateError::VersionTooNew(..) => {
                DeskError::Newer { file: path.display().to_string() }
            }
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => at_start(path, error),
            other => DeskError::Damaged { file: path.display().to_string(), reason: other.to_string() },
        })?;
        let desk = Self { pool, bundles: bundles.to_owned() };
        if let Err(error) = desk.remove_strays().await {
            tracing::error!(%error, "files that are no bundle any more could not be removed; the next start tries again");
        }
        Ok(desk)
    }

    /// Asks something, to know whether it answers.
    pub async fn check(&self) -> Result<(), DeskError> {
        sqlx::query("SELECT n FROM audit ORDER BY n DESC LIMIT 1").fetch_optional(&self.pool).await?;
        Ok(())
    }

    /// Writes what is left into the file itself, and closes it.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// Begins a change; nobody else changes anything until it is committed or dropped.
    async fn change(&self) -> Result<Change<'static>, DeskError> {
        Ok(self.pool.begin_with("BEGIN IMMEDIATE").await?)
    }
}

/// All that was ever done to the file's tables, in order. What is here never changes: more is added.
fn migrations() -> Migrator {
    let steps = [("notes, labels, audit", include_str!("schema.sql")), ("bundles", include_str!("bundles.sql"))];
    let step = |(version, (name, sql)): (i64, (&'static str, &'static str))| {
        Migration::new(version, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
    };
    Migrator::with_migrations((1..).zip(steps).map(step).collect())
}

/// What a failure at the start is, by SQLite's result codes (sqlite.org/rescode.html).
fn at_start(path: &Path, error: sqlx::Error) -> DeskError {
    const CORRUPT: u32 = 11;
    const NOT_A_DATABASE: u32 = 26;
    let file = path.display().to_string();
    let reason = error.to_string();
    let code = error.as_database_error().and_then(|error| error.code()).and_then(|code| code.parse::<u32>().ok());
    match code.map(|code| code & 0xff) {
        Some(CORRUPT | NOT_A_DATABASE) => DeskError::Damaged { file, reason },
        _ => DeskError::Unusable { file, reason },
    }
}

/// Refuses one more when there are as many as there may be.
fn room(count: i64, limit: usize, what: &'static str) -> Result<(), DeskError> {
    match usize::try_from(count) {
        Ok(count) if count < limit => Ok(()),
        _ => Err(DeskError::Full { what, limit }),
    }
}

/// Makes the subject known, and brings its last day up to date.
async fn know(change: &mut Change<'_>, subject: &Subject) -> Result<(), DeskError> {
    let id = subject.id.to_string();
    let known = sqlx::query("UPDATE subjects SET last_day = max(last_day, ?) WHERE kind = ? AND id = ?")
        .bind(subject.last_day.0)
        .bind(subject.kind.word())
        .bind(&id)
        .execute(&mut **change)
        .await?;
    if known.rows_affected() > 0 {
        return Ok(());
    }
    let (count,): (i64,) = sqlx::query_as("SELECT count(*) FROM subjects").fetch_one(&mut **change).await?;
    room(count, limits::SUBJECTS, "sessions and requests with notes or labels")?;
    sqlx::query("INSERT INTO subjects (kind, id, session, last_day) VALUES (?, ?, ?, ?)")
        .bind(subject.kind.word())
        .bind(&id)
        .bind(subject.session.to_string())
        .bind(subject.last_day.0)
        .execute(&mut **change)
        .await?;
    Ok(())
}

/// An id for something new: 16 random bytes.
pub fn new_id() -> Id {
    Id(std::array::from_fn(|_| fastrand::u8(..)))
}

/// An id as the file holds it.
fn id(text: &str) -> Result<Id, DeskError> {
    text.parse().map_err(|error| DeskError::Failed(sqlx::Error::Decode(Box::new(error))))
}

#[cfg(test)]
mod tests;
