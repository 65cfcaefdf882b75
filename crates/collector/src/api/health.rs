//! What probes and Prometheus ask for.

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::params::Params;
use super::{Api, Problem};

/// What the probes say when all is well.
#[derive(Serialize, JsonSchema)]
pub(super) struct Health {
    status: &'static str,
}

impl Health {
    pub(super) fn ok() -> Self {
        Self { status: "ok" }
    }

    pub(super) fn ready() -> Self {
        Self { status: "ready" }
    }
}

/// `GET /healthz`: the server lives.
pub(super) async fn healthz(params: Params) -> Result<Json<Health>, Problem> {
    params.only(&[])?;
    Ok(Json(Health::ok()))
}

/// `GET /readyz`: it can take requests in and answer questions; runs a query to know.
pub(super) async fn readyz(State(api): State<Api>, params: Params) -> Result<Json<Health>, Problem> {
    params.only(&[])?;
    let mut reasons: serde_json::Map<String, Value> =
        api.shared.readiness.reasons().into_iter().map(|(part, why)| (part.to_owned(), why.into())).collect();
    if let Err(error) = api.try_ask(|store| store.check()).await? {
        tracing::error!(%error, "the store is not ready");
        reasons.insert("store".to_owned(), error.to_string().into());
    }
    if let Err(error) = api.shared.desk.check().await {
        tracing::error!(%error, "notes, labels and audit are not ready");
        reasons.insert("desk".to_owned(), error.to_string().into());
    }
    if !reasons.is_empty() {
        return Err(Problem::not_ready(reasons));
    }
    Ok(Json(Health::ready()))
}

/// `GET /metrics`: counters and gauges for Prometheus.
pub(super) async fn metrics(State(api): State<Api>, params: Params) -> Result<impl IntoResponse, Problem> {
    params.only(&[])?;
    let text = api.shared.metrics.render();
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text))
}
