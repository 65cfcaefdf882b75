//! The rules by which requests are marked as noise.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use super::body::JsonBody;
use super::params::Params;
use super::{Api, Problem};
use crate::desk::Done;
use crate::noise::{Noise, Rules, Sound};

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
    /// Replaces the rules, with a row in the audit: neither is there without the other.
    async fn put_rules(&self, rules: Rules) -> Result<Json<Rules>, Problem> {
        let sound = Noise::check(rules.clone()).map_err(|bad| Problem::parameter("rules", bad.to_string()))?;
        let (noise, text) = (&self.shared.noise, |rules: &Rules| serde_json::to_string(rules).ok());
        // From here on nobody else changes the rules.
        let mut recording = self.shared.desk.recording().await?;
        let (before, after) = (text(&noise.rules()), text(&rules));
        let (before, after) = (before.as_deref(), after.as_deref());
        recording
            .write(&self.by(), Done { action: "noise.set", kind: "noise", subject: "rules", before, after })
            .await?;
        let before = enforce(noise, sound).await?;
        if let Err(error) = recording.keep().await {
            enforce(noise, before).await?;
            return Err(error.into());
        }
        Ok(Json(rules))
    }
}

/// On a thread that may wait for the disk.
async fn enforce(noise: &Arc<Noise>, rules: Sound) -> Result<Sound, Problem> {
    let noise = Arc::clone(noise);
    match tokio::task::spawn_blocking(move || noise.enforce(rules)).await {
        Ok(Ok(before)) => Ok(before),
        Ok(Err(error)) => Err(unkept(&error)),
        Err(error) => Err(unkept(&error)),
    }
}

fn unkept(error: &dyn std::error::Error) -> Problem {
    tracing::error!(%error, "the rules could not be kept");
    Problem::internal()
}
