//! The REST API: questions about sessions, requests and nodes, answered as JSON under `/api/v1`.
//!
//! Invariants:
//! - Every error is an RFC 9457 problem ([`Problem`]) that names the parameter it is about.
//! - A parameter that an address does not know is refused, so that a misspelt filter never
//!   silently answers more than was asked for.
//! - At most [`Limits::queries`] questions are with the store at a time; each has a deadline.
//! - Whoever reaches the server over TCP must name it by a loopback name or address, so that a
//!   page in a browser on this machine cannot read it through a name of its own (DNS rebinding).
//! - What changes something comes as JSON, and not from a page of another site.
//!
//! Where the answers come from is the store's affair; who may ask is that of a later access
//! control: until then only loopback addresses and unix sockets are bound ([`crate::sockets`]).

mod ask;
mod audit;
mod body;
mod bundles;
mod decisions;
mod endpoints;
mod export;
mod fields;
mod guard;
mod health;
mod labels;
mod listen;
mod narrow;
mod nodes;
mod noise;
mod notes;
mod openapi;
mod page;
mod params;
mod patient;
mod problem;
mod pseudonym;
mod queries;
mod requests;
mod routes;
mod sessions;
mod stats;
mod stream;
mod throttle;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::get;
use tokio::sync::Semaphore;

use crate::KEPT_DAYS;
use crate::model::{Day, Micros};
use crate::shared::Shared;
use crate::store::Arrival;

pub(crate) use export::{HIDDEN, TOTAL};
pub use problem::Problem;
use queries::{Queries, Query};
use throttle::Throttle;

/// How much the API does at a time, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Questions that are with the store at a time; more wait.
    pub queries: usize,
    /// How long a question may take, waiting included.
    pub deadline: Duration,
    /// Time without a request after which the next one begins a visit.
    pub visit_gap: Duration,
    /// Sessions and requests that a comparison with labels may stand for.
    pub labelled: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            queries: 8,
            deadline: Duration::from_secs(10),
            visit_gap: Duration::from_secs(30 * 60),
            labelled: 10_000,
        }
    }
}

/// What the handlers share.
#[derive(Clone)]
struct Api {
    shared: Shared,
    slots: Arc<Semaphore>,
    /// Readers of `/stream`.
    streams: Arc<Semaphore>,
    limits: Limits,
    /// Whose turn it is to make an evidence bundle.
    bundling: Arc<Semaphore>,
    /// How often somebody may be looked for.
    finding: Arc<Throttle>,
    /// Questions under way.
    queries: Queries,
    /// The one that this is asked for, if it may be long.
    query: Option<Query>,
}

impl Api {
    fn new(shared: Shared, limits: Limits) -> Self {
        let slots = Arc::new(Semaphore::new(limits.queries.max(1)));
        let finding = Arc::new(Throttle::new(shared.clock.monotonic()));
        let (streams, bundling) = (Arc::new(Semaphore::new(stream::READERS)), Arc::new(Semaphore::new(1)));
        let queries = Queries::default();
        Self { shared, slots, streams, limits, bundling, finding, queries, query: None }
    }

    /// Whether a place is one in a log that was here before: all of this one is applied, and it ends before it.
    fn is_of_another_log(&self, place: Arrival) -> bool {
        place.pos >= self.shared.store.position() && self.shared.metrics.log_unapplied_bytes.get() == 0
    }

    /// The first moment that is still kept.
    fn oldest(&self) -> Micros {
        let today = self.shared.clock.now().day();
        Day(today.0.saturating_sub(KEPT_DAYS - 1)).start()
    }
}

/// The API as a service that takes requests from anywhere;
/// [`Bound::serve`](crate::sockets::Bound::serve) puts it on sockets.
pub fn router(shared: Shared, limits: Limits) -> Router {
    let api = Api::new(shared, limits);
    let probes = Router::new()
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(health::metrics));
    let routes = routes::routes();
    let lists = routes.router().with_state(api.clone());
    let v1 = openapi::told(export::add(routes, &lists));
    Router::new()
        .nest("/api/v1", v1)
        .merge(probes)
        .merge(crate::console::routes())
        .fallback(guard::no_such_address)
        .method_not_allowed_fallback(guard::method_not_allowed)
        .layer(DefaultBodyLimit::max(body::LARGEST))
        .layer(axum::middleware::from_fn(guard::check_site))
        .layer(axum::middleware::from_fn(guard::check_host))
        .with_state(api)
}

#[cfg(test)]
mod tests;
