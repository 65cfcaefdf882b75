//! Evidence bundles.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;

use super::openapi::examples;
use super::params::{IdInPath, Params, id};
use super::{Api, Problem};
use crate::desk::{Bundle, Form, Hashes, Kind, new_id};
use crate::evidence::{self, Evidence};
use crate::model::{Id, Micros};
use crate::store::{RequestsPage, RequestsQuery, Window};

/// Requests that are read at a time.
const PAGE: usize = 1000;

#[derive(Serialize, JsonSchema)]
pub(super) struct Bundles {
    bundles: Vec<Bundle>,
    /// There is one page: bundles are bounded.
    next_page_token: Option<String>,
}

impl Bundles {
    pub(super) fn example() -> Self {
        Self { bundles: vec![example()], next_page_token: None }
    }
}

/// The bundle in examples.
pub(super) fn example() -> Bundle {
    let hash = |pair: &str| pair.repeat(32);
    Bundle {
        id: examples::id(),
        session_id: examples::id(),
        author: "local".to_owned(),
        at: examples::time(),
        requests: 212,
        requests_left_out: 0,
        bytes: 391_245,
        blake3: Hashes { ndjson: hash("0b"), html: hash("9c") },
    }
}

/// `GET /bundles`: the newest first.
pub(super) async fn all(State(api): State<Api>, params: Params) -> Result<Json<Bundles>, Problem> {
    params.only(&[])?;
    Ok(Json(Bundles { bundles: api.shared.desk.bundles().await?, next_page_token: None }))
}

/// `POST /sessions/{id}/bundles`: all that is known of the session now.
pub(super) async fn make(
    State(api): State<Api>,
    IdInPath(session): IdInPath,
    params: Params,
) -> Result<(StatusCode, Json<Bundle>), Problem> {
    params.only(&[])?;
    // One at a time: each may hold some dozen megabytes.
    let _turn = api.bundling.try_acquire().map_err(|_| Problem::busy())?;
    let evidence = api.evidence(session).await?;
    let by = evidence.by.clone();
    let archive = tokio::task::spawn_blocking(move || evidence.archive()).await;
    let archive = archive.map_err(|e| unwritten(&e))?.map_err(|e| unwritten(&e))?;
    let bundle = api.shared.desk.keep_bundle(archive, &by).await?;
    Ok((StatusCode::CREATED, Json(bundle)))
}

/// `GET /bundles/{id}.html` and `GET /bundles/{id}.ndjson`.
pub(super) async fn content(
    State(api): State<Api>,
    Path(name): Path<String>,
    params: Params,
) -> Result<Response, Problem> {
    params.only(&[])?;
    let form = [Form::Html, Form::Ndjson].into_iter().find(|form| name.ends_with(form.suffix()));
    let Some((form, bundle)) = form.and_then(|form| Some((form, name.strip_suffix(form.suffix())?))) else {
        return Err(Problem::not_found("a bundle is read as {id}.html or {id}.ndjson"));
    };
    let bundle = id(bundle)?;
    let content = api.shared.desk.read_bundle(bundle, form).await?.ok_or_else(|| no_bundle(bundle))?;
    let kind = match form {
        Form::Html => "text/html; charset=utf-8",
        Form::Ndjson => "application/x-ndjson",
    };
    let policy = format!("sandbox; {}", evidence::POLICY);
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_str(&policy).map_err(|e| unwritten(&e))?),
    ];
    Ok((headers, Bytes::from(content)).into_response())
}

/// `DELETE /bundles/{id}`.
pub(super) async fn remove(
    State(api): State<Api>,
    IdInPath(bundle): IdInPath,
    params: Params,
) -> Result<StatusCode, Problem> {
    params.only(&[])?;
    if api.shared.desk.remove_bundle(bundle, &api.by()).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(no_bundle(bundle))
    }
}

impl Api {
    /// What is known of a session now.
    async fn evidence(&self, session: Id) -> Result<Evidence, Problem> {
        let (mut parts, as_of) = self
            .ask(move |store| {
                let as_of = store.position();
                Ok((store.parts(session, as_of)?, as_of))
            })
            .await?;
        let oldest = self.oldest();
        parts.retain(|part| part.day >= oldest.day());
        if parts.is_empty() {
            return Err(self.no_session(session, None));
        }
        self.label_sessions(&mut parts).await?;
        let desk = &self.shared.desk;
        let labels = desk.labels_on(Kind::Session, session).await?;
        let notes = desk.notes_of_session(session).await?;
        let mut evidence = Evidence::new(new_id(), session, parts, labels, notes, self.by());
        let window = Window { from: oldest, to: Micros(i64::MAX) };
        let mut after = None;
        loop {
            let query =
                RequestsQuery { session: Some(session), window, as_of, after, limit: PAGE, ..RequestsQuery::default() };
            let RequestsPage { mut requests, next } = self.ask(move |store| store.requests(&query)).await?;
            self.show_requests(&mut requests).await?;
            for request in requests {
                if !evidence.add(request).map_err(|e| unwritten(&e))? {
                    return Ok(evidence);
                }
            }
            if next.is_none() {
                return Ok(evidence);
            }
            after = next;
        }
    }
}

fn no_bundle(bundle: Id) -> Problem {
    Problem::not_found(format!("there is no bundle {bundle}"))
}

fn unwritten(error: &dyn std::error::Error) -> Problem {
    tracing::error!(%error, "an evidence bundle could not be written");
    Problem::internal()
}
