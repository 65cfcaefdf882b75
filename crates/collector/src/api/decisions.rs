//! What people decide about endpoints: templates they pin, endpoints they merge.

use axum::Json;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::body::JsonBody;
use super::params::Params;
use super::{Api, Problem};
use crate::desk::{By, Done};
use crate::endpoints::{DecisionError, Endpoints, Merge, Pin};

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
    let pin = api.decide(move |endpoints| endpoints.pin(&host, &path)).await?;
    api.audit_decision("pin.add", pin.id, None, Some(&format!("{}{}", pin.host, pin.path))).await?;
    Ok((StatusCode::CREATED, Json(pin)))
}

/// `POST /endpoints/merges`.
pub(super) async fn merge(
    State(api): State<Api>,
    params: Params,
    JsonBody(NewMerge { from, into }): JsonBody<NewMerge>,
) -> Result<(StatusCode, Json<Merge>), Problem> {
    params.only(&[])?;
    let merge = api.decide(move |endpoints| endpoints.merge(&from, &into)).await?;
    api.audit_decision("merge.add", merge.id, None, Some(&format!("{} into {}", merge.from, merge.into))).await?;
    Ok((StatusCode::CREATED, Json(merge)))
}

/// `DELETE /endpoints/pins/{number}`.
pub(super) async fn unpin(
    State(api): State<Api>,
    NumberInPath(id): NumberInPath,
    params: Params,
) -> Result<StatusCode, Problem> {
    params.only(&[])?;
    let Some(pin) = api.decide(move |endpoints| endpoints.unpin(id)).await? else {
        return Err(Problem::not_found(format!("there is no pin {id}; GET /api/v1/endpoints/pins lists all")));
    };
    api.audit_decision("pin.remove", id, Some(&format!("{}{}", pin.host, pin.path)), None).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `DELETE /endpoints/merges/{number}`.
pub(super) async fn unmerge(
    State(api): State<Api>,
    NumberInPath(id): NumberInPath,
    params: Params,
) -> Result<StatusCode, Problem> {
    params.only(&[])?;
    let Some(merge) = api.decide(move |endpoints| endpoints.unmerge(id)).await? else {
        return Err(Problem::not_found(format!("there is no merge {id}; GET /api/v1/endpoints/merges lists all")));
    };
    api.audit_decision("merge.remove", id, Some(&format!("{} into {}", merge.from, merge.into)), None).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl Api {
    /// Changes decisions on a thread that may wait for the disk.
    async fn decide<T: Send + 'static>(
        &self,
        change: impl FnOnce(&Endpoints) -> Result<T, DecisionError> + Send + 'static,
    ) -> Result<T, Problem> {
        let decided = self.ask(move |store| Ok(change(&store.endpoints()))).await?;
        decided.map_err(|error| match error {
            DecisionError::Refused { field, reason } => Problem::parameter(field, reason),
            DecisionError::File { .. } => {
                tracing::error!(%error, "a decision could not be kept");
                Problem::internal()
            }
        })
    }

    async fn audit_decision(
        &self,
        action: &'static str,
        id: u32,
        before: Option<&str>,
        after: Option<&str>,
    ) -> Result<(), Problem> {
        let done = Done { action, kind: "endpoint", subject: &id.to_string(), before, after };
        Ok(self.shared.desk.record(&By::local(self.shared.clock.now()), done).await?)
    }
}
