//! Notes.

use schemars::JsonSchema;
use serde::Serialize;

use super::audit::{self, Done};
use super::{By, Desk, DeskError, Kind, Subject, id, know, limits, new_id, room};
use crate::model::{Id, Micros};

/// What somebody wrote about a session or a request.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Note {
    /// Its id.
    pub id: Id,
    /// The session it is on, or whose request it is on.
    pub session_id: Id,
    /// The request it is on; `None` for one on the session.
    pub request_id: Option<Id>,
    /// What was written.
    pub text: String,
    /// Who wrote it.
    pub author: String,
    /// When.
    pub at: Micros,
}

type Columns = (String, String, String, String, String, String, i64);

impl Desk {
    /// The notes on a session and on its requests, the oldest first.
    pub async fn notes_of_session(&self, session: Id) -> Result<Vec<Note>, DeskError> {
        let rows: Vec<Columns> = sqlx::query_as(
            "SELECT notes.id, subjects.session, notes.kind, notes.subject, text, author, at \
             FROM subjects JOIN notes ON notes.kind = subjects.kind AND notes.subject = subjects.id \
             WHERE subjects.session = ? ORDER BY at, notes.id LIMIT ?",
        )
        .bind(session.to_string())
        .bind(i64::try_from(limits::NOTES_TOLD).unwrap_or(i64::MAX))
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter().map(note).collect()
    }

    /// The notes on a request, the oldest first.
    pub async fn notes_of_request(&self, request: Id) -> Result<Vec<Note>, DeskError> {
        let rows: Vec<Columns> = sqlx::query_as(
            "SELECT notes.id, subjects.session, notes.kind, notes.subject, text, author, at \
             FROM subjects JOIN notes ON notes.kind = subjects.kind AND notes.subject = subjects.id \
             WHERE subjects.kind = ? AND subjects.id = ? ORDER BY at, notes.id",
        )
        .bind(Kind::Request.word())
        .bind(request.to_string())
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter().map(note).collect()
    }

    /// Adds a note.
    pub async fn add_note(&self, subject: Subject, text: &str, by: &By) -> Result<Note, DeskError> {
        let note = Note {
            id: new_id(),
            session_id: subject.session,
            request_id: (subject.kind == Kind::Request).then_some(subject.id),
            text: text.to_owned(),
            author: by.who.clone(),
            at: by.at,
        };
        let on = subject.id.to_string();
        let mut change = self.change().await?;
        know(&mut change, &subject).await?;
        let (count,): (i64,) = sqlx::query_as("SELECT count(*) FROM notes WHERE kind = ? AND subject = ?")
            .bind(subject.kind.word())
            .bind(&on)
            .fetch_one(&mut *change)
            .await?;
        room(count, limits::NOTES, "notes here")?;
        sqlx::query("INSERT INTO notes (id, kind, subject, text, author, at) VALUES (?, ?, ?, ?, ?, ?)")
            .bind(note.id.to_string())
            .bind(subject.kind.word())
            .bind(&on)
            .bind(text)
            .bind(&by.who)
            .bind(by.at.0)
            .execute(&mut *change)
            .await?;
        let done =
            Done { action: "note.add", kind: subject.kind.word(), subject: &on, before: None, after: Some(text) };
        audit::write(&mut change, by, done).await?;
        change.commit().await?;
        Ok(note)
    }

    /// Removes a note; says whether there was one.
    pub async fn remove_note(&self, note: Id, by: &By) -> Result<bool, DeskError> {
        let mut change = self.change().await?;
        let removed: Option<(String, String, String)> =
            sqlx::query_as("DELETE FROM notes WHERE id = ? RETURNING kind, subject, text")
                .bind(note.to_string())
                .fetch_optional(&mut *change)
                .await?;
        let Some((kind, subject, text)) = removed else { return Ok(false) };
        let done = Done { action: "note.remove", kind: &kind, subject: &subject, before: Some(&text), after: None };
        audit::write(&mut change, by, done).await?;
        change.commit().await?;
        Ok(true)
    }
}

fn note((note, session, kind, subject, text, author, at): Columns) -> Result<Note, DeskError> {
    let request_id = if kind == Kind::Request.word() { Some(id(&subject)?) } else { None };
    Ok(Note { id: id(&note)?, session_id: id(&session)?, request_id, text, author, at: Micros(at) })
}
