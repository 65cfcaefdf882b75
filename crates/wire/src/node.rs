//! What a worker says of itself every ten seconds: the record of the tag `wallarm.node`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::RecordError;
use crate::event::VERSION;

/// State of one worker process. Absent keys read as empty, unknown ones are ignored, so that
/// nodes and collectors of neighbouring versions understand each other.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct NodeReport {
    /// Record format, 1.
    pub v: u64,
    /// Node name.
    pub node: String,
    /// Version of the module.
    pub version: String,
    /// Version of NGINX.
    pub nginx: String,
    /// Which life of a worker this is.
    #[serde(with = "serde_bytes")]
    pub instance: [u8; 8],
    /// Process id.
    pub pid: u32,
    /// Names the secret.
    #[serde(with = "serde_bytes")]
    pub kid: [u8; 4],
    /// The number that the next snapshot will get.
    pub next_seq: u64,
    /// State of queue and unacked chunks.
    pub queue: QueueReport,
    /// Events dropped since the worker started, by reason.
    pub drops: BTreeMap<String, u64>,
    /// Bytes and parts in the spool, and its limit in bytes; `None` without one.
    pub spool: Option<BTreeMap<String, u64>>,
    /// The plans in force, one for each distinct set of keys and contexts.
    pub plans: Vec<PlanReport>,
}

/// How full the way to the collector is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct QueueReport {
    /// Snapshots waiting for the flusher.
    pub length: u64,
    /// How many fit.
    pub capacity: u64,
    /// Bytes in snapshots and unacked chunks.
    pub bytes: u64,
    /// How many bytes are allowed.
    pub memory: u64,
    /// Chunks sent or waiting to be sent, not acknowledged yet.
    pub unacked_chunks: u64,
    /// Events in them.
    pub unacked_events: u64,
}

/// A plan: what one level of the configuration asks for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PlanReport {
    /// Grouping keys in the order they are tried.
    pub keys: Vec<PlanKey>,
    /// Whether the built-in keys are tried after them.
    pub builtin_keys: bool,
    /// Context parameters.
    pub contexts: Vec<PlanContext>,
}

/// A grouping key as configured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PlanKey {
    /// Source as written.
    pub source: String,
    /// What readers call it.
    pub name: String,
    /// Group as written, may hold variables; empty without one.
    pub group: String,
    /// Whether the value leaves as it is.
    pub show: bool,
}

/// A context parameter as configured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PlanContext {
    /// Source as written.
    pub source: String,
    /// What readers call it.
    pub name: String,
    /// `context`, `user` or `role`.
    pub kind: String,
    /// Whether the value leaves as a pseudonym.
    pub hashed: bool,
}

impl NodeReport {
    /// Appends the report to `out` as one MessagePack map.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), RecordError> {
        let mut serializer = rmp_serde::Serializer::new(out).with_struct_map();
        self.serialize(&mut serializer).map_err(|e| RecordError::Malformed(e.to_string()))
    }

    /// Reads a report from the bytes of a MessagePack map.
    pub fn decode(record: &[u8]) -> Result<Self, RecordError> {
        let malformed = |e: rmp_serde::decode::Error| RecordError::Malformed(e.to_string());
        // A newer sender may have changed any other type: do not judge them.
        match rmp_serde::from_slice(record).map_err(malformed)? {
            OnlyVersion { v } if v > VERSION => Err(RecordError::NewerVersion(v)),
            OnlyVersion { .. } => rmp_serde::from_slice(record).map_err(malformed),
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct OnlyVersion {
    v: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_comes_back_equal() {
        let report = NodeReport {
            v: 1,
            node: "edge-1".into(),
            instance: [3; 8],
            drops: BTreeMap::from([("queue_full".into(), 7)]),
            plans: vec![PlanReport { keys: vec![PlanKey::default()], ..PlanReport::default() }],
            ..NodeReport::default()
        };
        let mut bytes = Vec::new();
        report.encode(&mut bytes).unwrap();
        assert_eq!(NodeReport::decode(&bytes).unwrap(), report);
    }

    #[test]
    fn reports_of_other_versions_are_read() {
        let bytes = rmp_serde::to_vec_named(&BTreeMap::from([("node", "a"), ("later", "b")])).unwrap();
        assert_eq!(NodeReport::decode(&bytes).unwrap().node, "a");
    }

    #[test]
    fn a_newer_format_is_told_apart_whatever_its_fields_look_like() {
        let bytes = rmp_serde::to_vec_named(&BTreeMap::from([("v", 2), ("node", 7)])).unwrap();
        assert!(matches!(NodeReport::decode(&bytes), Err(RecordError::NewerVersion(2))));
    }
}
