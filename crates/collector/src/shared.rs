//! What the API gets to see of the running server.

use std::sync::Arc;

use identity::Secret;

use crate::baselines::Baselines;
use crate::clock::Clock;
use crate::desk::Desk;
use crate::metrics::Metrics;
use crate::nodes::Nodes;
use crate::noise::Noise;
use crate::readiness::Readiness;
use crate::store::Store;

/// Handles on the server's parts; cheap to clone.
#[derive(Clone)]
pub struct Shared {
    /// Sessions and requests. Its methods block: call them on a thread that may wait.
    pub store: Arc<dyn Store>,
    /// What people added: notes, labels, and the audit of it.
    pub desk: Desk,
    /// The rules of noise.
    pub noise: Arc<Noise>,
    /// What is usual of each endpoint.
    pub baselines: Arc<Baselines>,
    /// The secret of the nodes, if it is configured.
    pub secret: Option<Secret>,
    /// What workers last said of themselves.
    pub nodes: Arc<Nodes>,
    /// Counters and gauges.
    pub metrics: Arc<Metrics>,
    /// Why the server is not ready, if it is not.
    pub readiness: Arc<Readiness>,
    /// Wall clock and monotonic clock.
    pub clock: Arc<dyn Clock>,
}
