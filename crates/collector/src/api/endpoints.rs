//! Endpoints with their figures.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;

use super::openapi::examples;
use super::params::Params;
use super::{Api, Problem};
use crate::baselines::EndpointDays;
use crate::endpoints::{Figures, Percentiles, Usual};
use crate::model::Day;

#[derive(Serialize, JsonSchema)]
pub(super) struct Endpoints {
    endpoints: Vec<Endpoint>,
    next_page_token: Option<String>,
}

/// An endpoint; its counts are those of whole days.
#[derive(Serialize, JsonSchema)]
struct Endpoint {
    endpoint: String,
    #[serde(flatten)]
    total: Total,
    /// The same by day, the newest first.
    days: Vec<OfDay>,
}

#[derive(Serialize, JsonSchema)]
struct OfDay {
    day: Day,
    #[serde(flatten)]
    total: Total,
}

#[derive(Serialize, JsonSchema)]
struct Total {
    requests: u64,
    statuses: BTreeMap<String, u64>,
    duration_us: Option<Percentiles>,
    bytes_out: Option<Percentiles>,
}

impl Endpoints {
    pub(super) fn example() -> Self {
        let mut figures = Figures::default();
        figures.statuses.insert("2xx".to_owned(), 1);
        figures.duration_us.add(12_300);
        figures.bytes_out.add(8_000);
        let days = [(examples::time().day(), figures)].into();
        Self { endpoints: vec![Endpoint::new("GET shop.example/users/{id}".to_owned(), days)], next_page_token: None }
    }
}

impl From<Figures> for Total {
    fn from(figures: Figures) -> Self {
        let (requests, usual) = (figures.requests(), figures.usual());
        let (duration_us, bytes_out) = usual.map(|Usual { duration_us, bytes_out }| (duration_us, bytes_out)).unzip();
        Self { requests, statuses: figures.statuses, duration_us, bytes_out }
    }
}

impl Endpoint {
    fn new(endpoint: String, days: EndpointDays) -> Self {
        let mut all = Figures::default();
        days.values().for_each(|figures| all.unite(figures));
        let days = days.into_iter().rev().map(|(day, figures)| OfDay { day, total: figures.into() }).collect();
        Self { endpoint, total: all.into(), days }
    }

    /// Where it stands in the list: by requests, the most first, then by a hash of the name, which
    /// takes less room in a token.
    fn place(&self) -> (Reverse<u64>, [u8; 8]) {
        let hash = blake3::hash(self.endpoint.as_bytes());
        (Reverse(self.total.requests), hash.as_bytes().first_chunk().copied().unwrap_or_default())
    }
}

/// `GET /endpoints`: those that most requests go to, the busiest first.
pub(super) async fn list(State(api): State<Api>, params: Params) -> Result<Json<Endpoints>, Problem> {
    let params = params.only(&["from", "to", "day", "page_size", "page_token", "order_by"])?;
    params.order(&[("requests desc", ())])?;
    let size = params.page_size()?;
    let baselines = Arc::clone(&api.shared.baselines);
    let (walk, after) = api.walk_at::<(u64, [u8; 8])>(&params, "endpoints".to_owned(), || baselines.generation())?;
    let (state, window) = (walk.as_of, walk.asked.window(walk.oldest));
    // No question to the store, but as much work as some are.
    let found = api.ask(move |_| {
        let found = baselines.endpoints(state, window);
        Ok(found.map(|found| found.into_iter().map(|(name, days)| Endpoint::new(name, days)).collect::<Vec<_>>()))
    });
    let Some(mut endpoints) = found.await? else {
        return Err(Problem::page_token("the figures have changed too often since; begin with the first page"));
    };
    if let Some((requests, hash)) = after {
        endpoints.retain(|endpoint| endpoint.place() > (Reverse(requests), hash));
    }
    endpoints.sort_by_cached_key(Endpoint::place);
    let more = endpoints.len() > size;
    endpoints.truncate(size);
    let next_page_token = match endpoints.last() {
        Some(last) if more => Some(walk.token((last.total.requests, last.place().1))?),
        _ => None,
    };
    Ok(Json(Endpoints { endpoints, next_page_token }))
}
