//! Who changed what, and when.

use schemars::JsonSchema;
use serde::Serialize;

use super::{By, Change, Desk, DeskError, limits};
use crate::legible::counted;
use crate::model::{Id, Micros};

/// One row of the audit.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Entry {
    /// Its number; later rows have higher ones.
    pub n: i64,
    /// When.
    pub at: Micros,
    /// Who did it.
    pub who: String,
    /// What was done, such as `note.add`.
    pub action: String,
    /// To what kind of thing.
    pub kind: String,
    /// Which one.
    pub subject: String,
    /// How it was before; `None` when there was nothing, or its week is over.
    pub before: Option<String>,
    /// How it was afterwards; likewise.
    pub after: Option<String>,
}

/// A change as the audit tells it.
pub struct Done<'a> {
    /// What was done, such as `pin.add`.
    pub action: &'static str,
    /// To what kind of thing.
    pub kind: &'a str,
    /// Which one.
    pub subject: &'a str,
    /// How it was before, if it was.
    pub before: Option<&'a str>,
    /// How it is now, if it is.
    pub after: Option<&'a str>,
}

type Columns = (i64, i64, String, String, String, String, Option<String>, Option<String>);

/// A change of something that is kept elsewhere, while it happens: nobody else changes anything. Dropped, it never was.
pub struct Recording(Change<'static>);

impl Recording {
    /// Writes the change down.
    pub async fn write(&mut self, by: &By, done: Done<'_>) -> Result<(), DeskError> {
        write(&mut self.0, by, done).await
    }

    /// Keeps what was written down. After a failure nothing is: then the change must be undone.
    pub async fn keep(self) -> Result<(), DeskError> {
        Ok(self.0.commit().await?)
    }
}

impl Desk {
    /// Tells that somebody was looked for: by which pseudonym, never by which value.
    pub async fn found(&self, pseudonym: Id, parts: usize, by: &By) -> Result<(), DeskError> {
        let (of, text) = (pseudonym.to_string(), format!("{} of sessions", counted(parts as u64, "part")));
        let mut recording = self.recording().await?;
        let done = Done { action: "find", kind: "pseudonym", subject: &of, before: None, after: Some(&text) };
        recording.write(by, done).await?;
        recording.keep().await
    }

    /// Begins a change of something that is kept elsewhere.
    pub async fn recording(&self) -> Result<Recording, DeskError> {
        Ok(Recording(self.change().await?))
    }

    /// The newest rows before row `before`, or the newest there are; the newest first.
    pub async fn audit(&self, before: Option<i64>, limit: usize) -> Result<Vec<Entry>, DeskError> {
        let rows: Vec<Columns> = sqlx::query_as(
            "SELECT n, at, who, action, kind, subject, before, after FROM audit WHERE n < ? ORDER BY n DESC LIMIT ?",
        )
        .bind(before.unwrap_or(i64::MAX))
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(&self.pool)
        .await?;
        let entry = |(n, at, who, action, kind, subject, before, after)| Entry {
            n,
            at: Micros(at),
            who,
            action,
            kind,
            subject,
            before,
            after,
        };
        Ok(rows.into_iter().map(entry).collect())
    }
}

/// Writes the row of a change; of too many of its kind the oldest go.
pub(super) async fn write(change: &mut Change<'_>, by: &By, done: Done<'_>) -> Result<(), DeskError> {
    sqlx::query("INSERT INTO audit (at, who, action, kind, subject, before, after) VALUES (?, ?, ?, ?, ?, ?, ?)")
        .bind(by.at.0)
        .bind(&by.who)
        .bind(done.action)
        .bind(done.kind)
        .bind(done.subject)
        .bind(done.before)
        .bind(done.after)
        .execute(&mut **change)
        .await?;
    sqlx::query(
        "DELETE FROM audit WHERE action = ?1 \
         AND n <= (SELECT n FROM audit WHERE action = ?1 ORDER BY n DESC LIMIT 1 OFFSET ?2)",
    )
    .bind(done.action)
    .bind(i64::try_from(limits::AUDIT).unwrap_or(i64::MAX))
    .execute(&mut **change)
    .await?;
    Ok(())
}
