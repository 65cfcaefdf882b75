//! Labels on sessions and requests.

use axum::Json;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use schemars::JsonSchema;
use serde::Serialize;

use super::openapi::examples;
use super::params::{IdInPath, Params, id};
use super::{Api, Problem};
use crate::desk::{Kind, Label, LabelCount, limits};
use crate::legible;
use crate::model::{Id, SessionPart};

#[derive(Serialize, JsonSchema)]
pub(super) struct AllLabels {
    labels: Vec<LabelCount>,
    /// There is one page: labels are bounded.
    next_page_token: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Labels {
    labels: Vec<Label>,
}

impl AllLabels {
    pub(super) fn example() -> Self {
        let count = LabelCount { label: "checked".to_owned(), sessions: 3, requests: 1 };
        Self { labels: vec![count], next_page_token: None }
    }
}

impl Labels {
    pub(super) fn example() -> Self {
        Self { labels: vec![label()] }
    }
}

/// The label in examples.
pub(super) fn label() -> Label {
    Label { label: "checked".to_owned(), author: "local".to_owned(), at: examples::time() }
}

/// The id and the label in an address.
pub(super) struct IdAndLabel(Id, String);

impl<S: Send + Sync> FromRequestParts<S> for IdAndLabel {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Ok(Path((on, label))) = Path::<(String, String)>::from_request_parts(parts, state).await else {
            return Err(Problem::parameter("label", "the address holds escapes that are no UTF-8"));
        };
        let on = id(&on)?;
        let length = label.chars().count();
        // In an address, browsers and curl resolve these.
        let is_step = matches!(label.as_str(), "." | "..");
        if length > limits::LABEL || label.trim() != label || is_step {
            let detail = format!(
                "a label has 1 to {} characters and no blanks around it, and is no `.` and no `..`",
                limits::LABEL
            );
            return Err(Problem::parameter("label", detail));
        }
        if !label.chars().all(legible::is_plain) {
            let detail = "a label has no control characters and none that turn the direction of writing";
            return Err(Problem::parameter("label", detail));
        }
        Ok(Self(on, label))
    }
}

/// `GET /labels`: all in use.
pub(super) async fn all(State(api): State<Api>, params: Params) -> Result<Json<AllLabels>, Problem> {
    params.only(&[])?;
    Ok(Json(AllLabels { labels: api.shared.desk.labels().await?, next_page_token: None }))
}

/// `GET /sessions/{id}/labels`.
pub(super) async fn of_session(
    State(api): State<Api>,
    IdInPath(id): IdInPath,
    params: Params,
) -> Result<Json<Labels>, Problem> {
    api.labels(Kind::Session, id, params).await
}

/// `GET /requests/{id}/labels`.
pub(super) async fn of_request(
    State(api): State<Api>,
    IdInPath(id): IdInPath,
    params: Params,
) -> Result<Json<Labels>, Problem> {
    api.labels(Kind::Request, id, params).await
}

/// `GET /sessions/{id}/labels/{label}`.
pub(super) async fn one_of_session(
    State(api): State<Api>,
    IdAndLabel(id, label): IdAndLabel,
    params: Params,
) -> Result<Json<Label>, Problem> {
    api.label(Kind::Session, id, &label, params).await
}

/// `GET /requests/{id}/labels/{label}`.
pub(super) async fn one_of_request(
    State(api): State<Api>,
    IdAndLabel(id, label): IdAndLabel,
    params: Params,
) -> Result<Json<Label>, Problem> {
    api.label(Kind::Request, id, &label, params).await
}

/// `PUT /sessions/{id}/labels/{label}`.
pub(super) async fn add_to_session(
    State(api): State<Api>,
    IdAndLabel(id, label): IdAndLabel,
    params: Params,
) -> Result<StatusCode, Problem> {
    api.add_label(Kind::Session, id, &label, params).await
}

/// `PUT /requests/{id}/labels/{label}`.
pub(super) async fn add_to_request(
    State(api): State<Api>,
    IdAndLabel(id, label): IdAndLabel,
    params: Params,
) -> Result<StatusCode, Problem> {
    api.add_label(Kind::Request, id, &label, params).await
}

/// `DELETE /sessions/{id}/labels/{label}`.
pub(super) async fn remove_from_session(
    State(api): State<Api>,
    IdAndLabel(id, label): IdAndLabel,
    params: Params,
) -> Result<StatusCode, Problem> {
    api.remove_label(Kind::Session, id, &label, params).await
}

/// `DELETE /requests/{id}/labels/{label}`.
pub(super) async fn remove_from_request(
    State(api): State<Api>,
    IdAndLabel(id, label): IdAndLabel,
    params: Params,
) -> Result<StatusCode, Problem> {
    api.remove_label(Kind::Request, id, &label, params).await
}

impl Api {
    async fn labels(&self, kind: Kind, id: Id, params: Params) -> Result<Json<Labels>, Problem> {
        params.only(&[])?;
        self.subject(kind, id).await?;
        Ok(Json(Labels { labels: self.shared.desk.labels_on(kind, id).await? }))
    }

    async fn label(&self, kind: Kind, id: Id, label: &str, params: Params) -> Result<Json<Label>, Problem> {
        let Json(Labels { labels }) = self.labels(kind, id, params).await?;
        labels.into_iter().find(|given| given.label == label).map(Json).ok_or_else(|| no_label(kind, id, label))
    }

    async fn add_label(&self, kind: Kind, id: Id, label: &str, params: Params) -> Result<StatusCode, Problem> {
        params.only(&[])?;
        let subject = self.subject(kind, id).await?;
        let new = self.shared.desk.add_label(subject, label, &self.by()).await?;
        Ok(if new { StatusCode::CREATED } else { StatusCode::NO_CONTENT })
    }

    async fn remove_label(&self, kind: Kind, id: Id, label: &str, params: Params) -> Result<StatusCode, Problem> {
        params.only(&[])?;
        if self.shared.desk.remove_label(kind, id, label, &self.by()).await? {
            Ok(StatusCode::NO_CONTENT)
        } else {
            Err(no_label(kind, id, label))
        }
    }

    /// Fills in the labels of sessions.
    pub(super) async fn label_sessions(&self, parts: &mut [SessionPart]) -> Result<(), Problem> {
        let labels = self.shared.desk.labels_of(Kind::Session, parts.iter().map(|part| part.id)).await?;
        for part in parts {
            part.labels = labels.get(&part.id).cloned().unwrap_or_default();
        }
        Ok(())
    }

    /// Fills in the labels of requests.
    pub(super) async fn label_requests(&self, requests: &mut [crate::model::Request]) -> Result<(), Problem> {
        let labels = self.shared.desk.labels_of(Kind::Request, requests.iter().map(|request| request.id)).await?;
        for request in requests {
            request.labels = labels.get(&request.id).cloned().unwrap_or_default();
        }
        Ok(())
    }
}

fn no_label(kind: Kind, id: Id, label: &str) -> Problem {
    Problem::not_found(format!("{} {id} has no label {label:?}", kind.word()))
}
