//! What the workers of each node say of themselves.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;
use serde_json::json;
use wire::{NodeReport, PlanReport, QueueReport};

use super::openapi::examples;
use super::params::Params;
use super::{Api, Problem};
use crate::model::Micros;
use crate::nodes::NodeState;

#[derive(Serialize, JsonSchema)]
pub(super) struct Nodes {
    nodes: Vec<Node>,
    next_page_token: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct Node {
    name: String,
    /// Newest report of any worker.
    last_reported: Micros,
    version: String,
    nginx: String,
    workers: Vec<Worker>,
    #[schemars(schema_with = "plans")]
    plans: Vec<PlanReport>,
}

#[derive(Serialize, JsonSchema)]
struct Worker {
    instance: String,
    pid: u32,
    /// When it reported, by the node's clock.
    reported: Micros,
    /// How long ago that is by the server's clock.
    age_ms: i64,
    kid: String,
    next_seq: u64,
    #[schemars(schema_with = "queue")]
    queue: QueueReport,
    drops: BTreeMap<String, u64>,
    spool: Option<BTreeMap<String, u64>>,
    gaps: Gaps,
}

/// Events of a worker that have not come although later ones have: it dropped them (see `drops`), or they are on
/// their way still, in its spool for example.
#[derive(Serialize, JsonSchema)]
struct Gaps {
    missing: u64,
    /// How many ranges of numbers they make.
    ranges: u64,
    /// Since when there always are some, by the server's clock.
    since: Option<Micros>,
}

impl Nodes {
    pub(super) fn example() -> Self {
        let worker = Worker {
            instance: "00c0ffee00c0ffee".to_owned(),
            pid: 4711,
            reported: examples::time(),
            age_ms: 1_200,
            kid: "5ec2e700".to_owned(),
            next_seq: 12,
            queue: QueueReport::default(),
            drops: BTreeMap::from([("queue_full".to_owned(), 3)]),
            spool: None,
            gaps: Gaps { missing: 3, ranges: 1, since: Some(examples::time()) },
        };
        let node = Node {
            name: "edge-1".to_owned(),
            last_reported: examples::time(),
            version: "0.1.0".to_owned(),
            nginx: "1.22.1".to_owned(),
            workers: vec![worker],
            plans: vec![PlanReport::default()],
        };
        Self { nodes: vec![node], next_page_token: None }
    }
}

/// What [`QueueReport`] is written as.
fn queue(_: &mut SchemaGenerator) -> Schema {
    object(&["length", "capacity", "bytes", "memory", "unacked_chunks", "unacked_events"], "integer")
}

/// What [`PlanReport`] is written as.
fn plans(_: &mut SchemaGenerator) -> Schema {
    let mut key = object(&["source", "name", "group"], "string");
    key.ensure_object()["properties"]["show"] = json!({ "type": "boolean" });
    let mut context = object(&["source", "name", "kind"], "string");
    context.ensure_object()["properties"]["hashed"] = json!({ "type": "boolean" });
    json_schema!({
        "type": "array",
        "items": {
            "type": "object",
            "properties": {
                "keys": { "type": "array", "items": key },
                "builtin_keys": { "type": "boolean" },
                "contexts": { "type": "array", "items": context },
            },
        },
    })
}

fn object(fields: &[&str], kind: &str) -> Schema {
    let properties: BTreeMap<_, _> = fields.iter().map(|name| (*name, json!({ "type": kind }))).collect();
    json_schema!({ "type": "object", "properties": properties })
}

/// `GET /nodes`: all nodes that reported, with their workers; a few thousand at most, one page.
pub(super) async fn list(State(api): State<Api>, params: Params) -> Result<Json<Nodes>, Problem> {
    params.only(&[])?;
    let now = api.shared.clock.now();
    let mut nodes: Vec<Node> = Vec::new();
    // They come ordered by node.
    for NodeState { reported, report, gaps } in api.shared.nodes.list() {
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
            gaps: Gaps { missing: gaps.holes.missing, ranges: gaps.holes.ranges, since: gaps.since },
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
