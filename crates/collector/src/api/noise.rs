//! The rules by which requests are marked as noise.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use super::body::JsonBody;
use super::params::Params;
use super::{Api, Problem};
use crate::desk::{By, Done};
use crate::noise::{NoiseError, Rules};

/// `GET /noise`: the rules in force.
pub(super) async fn rules(State(api): State<Api>, params: Params) -> Result<Json<Rules>, Problem> {
    params.only(&[])?;
    Ok(Json(api.shared.noise.rules()))
}

/// `PUT /noise`: other rules, for what comes from now on.
pub(super) async fn replace(
    State(api): State<Api>,
    params: Params,
    JsonBody(rules): JsonBody<Rules>,
) -> Result<Json<Rules>, Problem> {
    params.only(&[])?;
    api.put_rules(rules).await
}

/// `DELETE /noise`: the rules that the server came with.
pub(super) async fn reset(State(api): State<Api>, params: Params) -> Result<Json<Rules>, Problem> {
    params.only(&[])?;
    api.put_rules(Rules::default()).await
}

impl Api {
    async fn put_rules(&self, rules: Rules) -> Result<Json<Rules>, Problem> {
        let (noise, new) = (Arc::clone(&self.shared.noise), rules.clone());
        let before = noise.rules();
        // No question to the store, but it waits for the disk.
        self.ask(move |_| Ok(noise.replace(new))).await?.map_err(|error| match error {
            NoiseError::Bad(bad) => Problem::parameter("rules", bad.to_string()),
            NoiseError::File { .. } => {
                tracing::error!(%error, "the rules could not be kept");
                Problem::internal()
            }
        })?;
        let text = |rules: &Rules| serde_json::to_string(rules).ok();
        let (before, after) = (text(&before), text(&rules));
        let subject = "rules";
        let done =
            Done { action: "noise.set", kind: "noise", subject, before: before.as_deref(), after: after.as_deref() };
        self.shared.desk.record(&By::local(self.shared.clock.now()), done).await?;
        Ok(Json(rules))
    }
}
