//! What the workers of each node say of themselves.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use wire::{NodeReport, PlanReport, QueueReport};

use super::params::Params;
use super::{Api, Problem};
use crate::model::Micros;
use crate::nodes::NodeState;

#[derive(Serialize)]
pub(super) struct Nodes {
    nodes: Vec<Node>,
    next_page_token: Option<String>,
}

#[derive(Serialize)]
struct Node {
    name: String,
    /// Newest report of any worker.
    last_reported: Micros,
    version: String,
    nginx: String,
    workers: Vec<Worker>,
    plans: Vec<PlanReport>,
}

#[derive(Serialize)]
struct Worker {
    instance: String,
    pid: u32,
    /// When it reported, by the node's clock.
    reported: Micros,
    /// How long ago that is by the server's clock.
    age_ms: i64,
    kid: String,
    next_seq: u64,
    queue: QueueReport,
    drops: BTreeMap<String, u64>,
    spool: Option<BTreeMap<String, u64>>,
}

/// `GET /nodes`: all nodes that reported, with their workers; a few thousand at most, one page.
pub(super) async fn list(State(api): State<Api>, params: Params) -> Result<Json<Nodes>, Problem> {
    params.only(&[])?;
    let now = api.shared.clock.now();
    let mut nodes: Vec<Node> = Vec::new();
    // They come ordered by node.
    for NodeState { reported, report } in api.shared.nodes.list() {
        let NodeReport { node, version, nginx, instance, pid, kid, next_seq, queue, drops, spool, plans, .. } = report;
        let worker = Worker {
            instance: hex(&instance),
            pid,
            reported,
            age_ms: (now.0.saturating_sub(reported.0) / 1000).max(0),
            kid: hex(&kid),
            next_seq,
            queue,
            drops,
            spool,
        };
        match nodes.last_mut() {
            Some(known) if known.name == node => {
                if reported > known.last_reported {
                    (known.last_reported, known.version, known.nginx) = (reported, version, nginx);
                    known.plans = plans;
                }
                known.workers.push(worker);
            }
            _ => nodes.push(Node { name: node, last_reported: reported, version, nginx, workers: vec![worker], plans }),
        }
    }
    Ok(Json(Nodes { nodes, next_page_token: None }))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
