//! Questions under way: how far each is, and a way to end it.
//!
//! Each question that may be long is here while it runs, under the id that its asker chose with `query_id` or under
//! one of ours. An export is one question, however many pages it asks for.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Json;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use schemars::JsonSchema;
use serde::Serialize;
use tokio::sync::watch;

use super::openapi::examples;
use super::params::Params;
use super::{Api, Problem};
use crate::desk::new_id;
use crate::model::Micros;
use crate::store::Progress;

/// Characters of an id.
const LONGEST_ID: usize = 64;
/// Characters that are told of what was asked.
const SHOWN: usize = 1024;

/// Those under way.
#[derive(Clone, Debug, Default)]
pub(super) struct Queries(Arc<Mutex<BTreeMap<String, Arc<Running>>>>);

/// One of them.
#[derive(Debug)]
struct Running {
    asked: String,
    since: Micros,
    progress: Arc<Progress>,
    rows: AtomicU64,
    cancelled: watch::Sender<bool>,
}

/// A question that this is part of; cheap to clone. It is over when the last of its parts is.
#[derive(Clone, Debug)]
pub(super) struct Query(Arc<Registered>);

#[derive(Debug)]
struct Registered {
    queries: Queries,
    id: String,
    running: Arc<Running>,
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.queries.lock().remove(&self.id);
    }
}

impl Queries {
    /// Begins one: `id` is the asker's, `asked` the address.
    pub(super) fn begin(&self, id: Option<&str>, asked: &str, since: Micros) -> Result<Query, Problem> {
        let id = id.map_or_else(|| Ok(new_id().to_string()), sound)?;
        let running = Arc::new(Running {
            asked: asked.chars().take(SHOWN).collect(),
            since,
            progress: Arc::default(),
            rows: AtomicU64::new(0),
            cancelled: watch::Sender::new(false),
        });
        match self.lock().entry(id.clone()) {
            Entry::Occupied(_) => {
                let detail = format!("a question `{id}` is under way already; another `query_id` would be right");
                return Err(Problem::exists("query_id", detail));
            }
            Entry::Vacant(free) => free.insert(Arc::clone(&running)),
        };
        Ok(Query(Arc::new(Registered { queries: self.clone(), id, running })))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Running>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, id: &str) -> Result<Arc<Running>, Problem> {
        let found = self.lock().get(id).cloned();
        found.ok_or_else(|| Problem::not_found(format!("there is no question `{id}` under way; it may have ended")))
    }
}

impl Query {
    /// How far it is.
    pub(super) fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.0.running.progress)
    }

    /// So many rows more were sent.
    pub(super) fn sent(&self, rows: usize) {
        self.0.running.rows.fetch_add(rows as u64, Ordering::Relaxed);
    }

    /// Comes back when somebody has cancelled it.
    pub(super) async fn cancelled(&self) {
        // The sender is there as long as this is.
        let _ = self.0.running.cancelled.subscribe().wait_for(|&cancelled| cancelled).await;
    }
}

/// An id as askers may choose it.
fn sound(id: &str) -> Result<String, Problem> {
    let fits = (1..=LONGEST_ID).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    match fits {
        true => Ok(id.to_owned()),
        false => {
            let detail = format!("an id of a question has 1 to {LONGEST_ID} letters, digits, `-` and `_`");
            Err(Problem::parameter("query_id", detail))
        }
    }
}

/// The id in an address.
pub(super) struct QueryInPath(String);

impl<S: Send + Sync> FromRequestParts<S> for QueryInPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let id = Path::<String>::from_request_parts(parts, state).await.map(|Path(id)| id).unwrap_or_default();
        sound(&id).map(Self)
    }
}

/// A question under way.
#[derive(Serialize, JsonSchema)]
pub(super) struct ToldQuery {
    query_id: String,
    /// The address that was asked, with its parameters.
    asked: String,
    since: Micros,
    /// Days that were looked at, in all steps of the question that have begun.
    days_done: usize,
    /// Days in all of these steps.
    days: usize,
    /// Rows that an export has sent.
    rows: u64,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct ToldQueries {
    queries: Vec<ToldQuery>,
}

impl ToldQuery {
    fn of(query_id: &str, running: &Running) -> Self {
        let (days_done, days) = running.progress.days();
        let (asked, since) = (running.asked.clone(), running.since);
        Self {
            query_id: query_id.to_owned(),
            asked,
            since,
            days_done,
            days,
            rows: running.rows.load(Ordering::Relaxed),
        }
    }

    pub(super) fn example() -> Self {
        Self {
            query_id: "my-export-7".to_owned(),
            asked: "/requests.csv?query_id=my-export-7".to_owned(),
            since: examples::time(),
            days_done: 3,
            days: 7,
            rows: 41_000,
        }
    }
}

impl ToldQueries {
    pub(super) fn example() -> Self {
        Self { queries: vec![ToldQuery::example()] }
    }
}

/// `GET /queries`: those under way, by id.
pub(super) async fn list(State(api): State<Api>, params: Params) -> Result<Json<ToldQueries>, Problem> {
    params.only(&[])?;
    let queries = api.queries.lock().iter().map(|(id, running)| ToldQuery::of(id, running)).collect();
    Ok(Json(ToldQueries { queries }))
}

/// `GET /queries/{query_id}`.
pub(super) async fn one(
    State(api): State<Api>,
    QueryInPath(id): QueryInPath,
    params: Params,
) -> Result<Json<ToldQuery>, Problem> {
    params.only(&[])?;
    let running = api.queries.find(&id)?;
    Ok(Json(ToldQuery::of(&id, &running)))
}

/// `DELETE /queries/{query_id}`: the question is answered with a problem that says so.
pub(super) async fn cancel(
    State(api): State<Api>,
    QueryInPath(id): QueryInPath,
    params: Params,
) -> Result<StatusCode, Problem> {
    params.only(&[])?;
    api.queries.find(&id)?.cancelled.send_replace(true);
    Ok(StatusCode::NO_CONTENT)
}
