//! What people decide about endpoints: templates they pin, endpoints they merge.

use std::sync::Arc;

use axum::Json;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::body::JsonBody;
use super::params::Params;
use super::{Api, Problem};
use crate::desk::Done;
use crate::endpoints::{Decided, DecisionError, Decisions, Endpoints, Merge, Pin};

#[derive(Serialize, JsonSchema)]
pub(super) struct Pins {
    pins: Vec<Pin>,
    /// There is one page: pins are bounded.
    next_page_token: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Merges {
    merges: Vec<Merge>,
    /// There is one page: merges are bounded.
    next_page_token: Option<String>,
}

#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPin {
    host: String,
    path: String,
}

#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewMerge {
    from: String,
    into: String,
}

impl Pins {
    pub(super) fn example() -> Self {
        Self { pins: vec![pin_example()], next_page_token: None }
    }
}

impl Merges {
    pub(super) fn example() -> Self {
        Self { merges: vec![merge_example()], next_page_token: None }
    }
}

impl NewPin {
    pub(super) fn example() -> Self {
        let Pin { host, path, .. } = pin_example();
        Self { host, path }
    }
}

impl NewMerge {
    pub(super) fn example() -> Self {
        let Merge { from, into, .. } = merge_example();
        Self { from, into }
    }
}

pub(super) fn pin_example() -> Pin {
    Pin { id: 1, host: "shop.example".to_owned(), path: "/users/me".to_owned() }
}

pub(super) fn merge_example() -> Merge {
    Merge { id: 2, from: "GET www.shop.example/cart".to_owned(), into: "GET shop.example/cart".to_owned() }
}

/// The number of a decision in an address.
pub(super) struct NumberInPath(u32);

impl<S: Send + Sync> FromRequestParts<S> for NumberInPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let text = Path::<String>::from_request_parts(parts, state).await.map(|Path(text)| text).unwrap_or_default();
        let shown: String = text.chars().take(64).collect();
        let wrong =
            |_| Problem::parameter("number", format!("`{shown}` is no id of a decision: those are numbers such as 1"));
        text.parse().map(Self).map_err(wrong)
    }
}

/// `GET /endpoints/pins`: in the order in which they were made.
pub(super) async fn pins(State(api): State<Api>, params: Params) -> Result<Json<Pins>, Problem> {
    params.only(&[])?;
    Ok(Json(Pins { pins: api.shared.store.endpoints().pins(), next_page_token: None }))
}

/// `GET /endpoints/merges`: in the order in which they were made.
pub(super) async fn merges(State(api): State<Api>, params: Params) -> Result<Json<Merges>, Problem> {
    params.only(&[])?;
    Ok(Json(Merges { merges: api.shared.store.endpoints().merges(), next_page_token: None }))
}

/// `POST /endpoints/pins`.
pub(super) async fn pin(
    State(api): State<Api>,
    params: Params,
    JsonBody(NewPin { host, path }): JsonBody<NewPin>,
) -> Result<(StatusCode, Json<Pin>), Problem> {
    params.only(&[])?;
    let pin = api.decide("pin.add", |endpoints| Ok(endpoints.pin(&host, &path)?)).await?;
    Ok((StatusCode::CREATED, Json(pin)))
}

/// `POST /endpoints/merges`.
pub(super) async fn merge(
    State(api): State<Api>,
    params: Params,
    JsonBody(NewMerge { from, into }): JsonBody<NewMerge>,
) -> Result<(StatusCode, Json<Merge>), Problem> {
    params.only(&[])?;
    let merge = api.decide("merge.add", |endpoints| Ok(endpoints.merge(&from, &into)?)).await?;
    Ok((StatusCode::CREATED, Json(merge)))
}

/// `DELETE /endpoints/pins/{number}`.
pub(super) async fn unpin(
    State(api): State<Api>,
    NumberInPath(id): NumberInPath,
    params: Params,
) -> Result<StatusCode, Problem> {
    params.only(&[])?;
    let missing = || Problem::not_found(format!("there is no pin {id}; GET /api/v1/endpoints/pins lists all"));
    api.decide("pin.remove", |endpoints| endpoints.unpin(id).ok_or_else(missing)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `DELETE /endpoints/merges/{number}`.
pub(super) async fn unmerge(
    State(api): State<Api>,
    NumberInPath(id): NumberInPath,
    params: Params,
) -> Result<StatusCode, Problem> {
    params.only(&[])?;
    let missing = || Problem::not_found(format!("there is no merge {id}; GET /api/v1/endpoints/merges lists all"));
    api.decide("merge.remove", |endpoints| endpoints.unmerge(id).ok_or_else(missing)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A decision as the audit tells it.
trait Decision {
    fn id(&self) -> u32;
    fn told(&self) -> String;
}

impl Decision for Pin {
    fn id(&self) -> u32 {
        self.id
    }

    fn told(&self) -> String {
        format!("{}{}", self.host, self.path)
    }
}

impl Decision for Merge {
    fn id(&self) -> u32 {
        self.id
    }

    fn told(&self) -> String {
        format!("{} into {}", self.from, self.into)
    }
}

impl From<DecisionError> for Problem {
    fn from(error: DecisionError) -> Self {
        match error {
            DecisionError::Refused { field, reason } => Self::parameter(field, reason),
            DecisionError::Taken { field, reason } => Self::exists(field, reason),
            DecisionError::File { .. } => {
                tracing::error!(%error, "a decision could not be kept");
                Self::internal()
            }
        }
    }
}

impl Api {
    /// Decides something, with a row in the audit: neither is there without the other.
    async fn decide<T: Decision>(
        &self,
        action: &'static str,
        decide: impl FnOnce(&Endpoints) -> Result<Decided<T>, Problem>,
    ) -> Result<T, Problem> {
        let endpoints = self.shared.store.endpoints();
        // From here on nobody else decides anything.
        let mut recording = self.shared.desk.recording().await?;
        let Decided { what, next } = decide(&endpoints)?;
        let (id, told) = (what.id().to_string(), what.told());
        let (before, after) = match action.ends_with(".add") {
            true => (None, Some(told.as_str())),
            false => (Some(told.as_str()), None),
        };
        recording.write(&self.by(), Done { action, kind: "endpoint", subject: &id, before, after }).await?;
        let before = enforce(&endpoints, next).await?;
        if let Err(error) = recording.keep().await {
            enforce(&endpoints, before).await?;
            return Err(error.into());
        }
        Ok(what)
    }
}

/// On a thread that may wait for the disk.
async fn enforce(endpoints: &Arc<Endpoints>, decisions: Decisions) -> Result<Decisions, Problem> {
    let endpoints = Arc::clone(endpoints);
    let enforced = tokio::task::spawn_blocking(move || endpoints.enforce(decisions)).await;
    Ok(enforced.map_err(|error| {
        tracing::error!(%error, "putting a decision in force died");
        Problem::internal()
    })??)
}
