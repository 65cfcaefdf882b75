//! Notes on sessions and requests.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::body::JsonBody;
use super::openapi::examples;
use super::params::{IdInPath, Params};
use super::{Api, Problem};
use crate::desk::{By, Kind, Note, Subject, limits};
use crate::model::Id;

#[derive(Serialize, JsonSchema)]
pub(super) struct Notes {
    notes: Vec<Note>,
    /// There is one page: notes are bounded.
    next_page_token: Option<String>,
}

/// What somebody wants to write.
#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewNote {
    text: String,
}

impl Notes {
    pub(super) fn example() -> Self {
        Self { notes: vec![note()], next_page_token: None }
    }
}

impl NewNote {
    pub(super) fn example() -> Self {
        Self { text: note().text }
    }
}

/// The note in examples.
pub(super) fn note() -> Note {
    Note {
        id: examples::id(),
        session_id: examples::id(),
        request_id: None,
        text: "asked about by the customer".to_owned(),
        author: "local".to_owned(),
        at: examples::time(),
    }
}

/// `GET /sessions/{id}/notes`: those on the session and on its requests, the oldest first.
pub(super) async fn of_session(
    State(api): State<Api>,
    IdInPath(id): IdInPath,
    params: Params,
) -> Result<Json<Notes>, Problem> {
    params.only(&[])?;
    api.subject(Kind::Session, id).await?;
    let notes = api.shared.desk.notes_of_session(id).await?;
    Ok(Json(Notes { notes, next_page_token: None }))
}

/// `GET /requests/{id}/notes`: the oldest first.
pub(super) async fn of_request(
    State(api): State<Api>,
    IdInPath(id): IdInPath,
    params: Params,
) -> Result<Json<Notes>, Problem> {
    params.only(&[])?;
    api.subject(Kind::Request, id).await?;
    let notes = api.shared.desk.notes_of_request(id).await?;
    Ok(Json(Notes { notes, next_page_token: None }))
}

/// `POST /sessions/{id}/notes`.
pub(super) async fn add_to_session(
    State(api): State<Api>,
    IdInPath(id): IdInPath,
    params: Params,
    JsonBody(new): JsonBody<NewNote>,
) -> Result<(StatusCode, Json<Note>), Problem> {
    params.only(&[])?;
    api.add_note(Kind::Session, id, &new.text).await
}

/// `POST /requests/{id}/notes`.
pub(super) async fn add_to_request(
    State(api): State<Api>,
    IdInPath(id): IdInPath,
    params: Params,
    JsonBody(new): JsonBody<NewNote>,
) -> Result<(StatusCode, Json<Note>), Problem> {
    params.only(&[])?;
    api.add_note(Kind::Request, id, &new.text).await
}

/// `DELETE /notes/{id}`.
pub(super) async fn remove(
    State(api): State<Api>,
    IdInPath(id): IdInPath,
    params: Params,
) -> Result<StatusCode, Problem> {
    params.only(&[])?;
    if api.shared.desk.remove_note(id, &api.by()).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Problem::not_found(format!("there is no note {id}")))
    }
}

impl Api {
    async fn add_note(&self, kind: Kind, id: Id, text: &str) -> Result<(StatusCode, Json<Note>), Problem> {
        sound(text)?;
        let subject = self.subject(kind, id).await?;
        let note = self.shared.desk.add_note(subject, text, &self.by()).await?;
        Ok((StatusCode::CREATED, Json(note)))
    }

    /// The session or request that something is to be put on.
    pub(super) async fn subject(&self, kind: Kind, id: Id) -> Result<Subject, Problem> {
        match kind {
            Kind::Session => {
                let parts = self.parts(id, None).await?;
                let last_day = parts.first().map(|part| part.day).unwrap_or_default();
                Ok(Subject { kind, id, session: id, last_day })
            }
            Kind::Request => {
                let request = self.request(id).await?;
                Ok(Subject { kind, id, session: request.session_id, last_day: request.ts.day() })
            }
        }
    }

    /// Who changes something, and when.
    pub(super) fn by(&self) -> By {
        By::local(self.shared.clock.now())
    }
}

fn sound(text: &str) -> Result<(), Problem> {
    let length = text.chars().count();
    if length > 0 && text.trim().is_empty() {
        return Err(Problem::parameter("text", "a note has more than blanks"));
    }
    if length == 0 || length > limits::NOTE {
        return Err(Problem::parameter("text", format!("a note has 1 to {} characters, not {length}", limits::NOTE)));
    }
    match text.chars().find(|char| char.is_control() && !matches!(char, '\n' | '\t')) {
        Some(char) => {
            let detail = format!("a note has no control characters but line ends and tabs, not U+{:04X}", char as u32);
            Err(Problem::parameter("text", detail))
        }
        None => Ok(()),
    }
}
