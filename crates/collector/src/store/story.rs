//! What a part of a session tells beside its counts: its visits, what changed inside it, and which
//! other sessions share something with it.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::Position;
use crate::model::{Aspect, Change, Day, Id, Micros, Reason, Related, Visit, VisitReason, Who};

/// Visits told of a part.
pub(super) const VISITS: usize = 100;
/// Changes told of a part.
pub(super) const CHANGES: usize = 50;
/// Addresses of a session by which others are related to it, the busiest.
pub(super) const SHARED_IPS: usize = 10;
/// Users of a session likewise.
pub(super) const SHARED_USERS: usize = 5;

/// What happened in the parts of a session.
#[derive(Clone, Debug)]
pub struct StoryQuery {
    /// Whose.
    pub session: Id,
    /// The state to look at.
    pub as_of: Position,
    /// Microseconds without a request after which the next one begins a visit.
    pub visit_gap: i64,
}

/// What happened in a part.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Story {
    /// In order, at most 100.
    pub visits: Vec<Visit>,
    /// Visits in all.
    pub visit_count: u64,
    /// In order, at most 50.
    pub changes: Vec<Change>,
    /// Changes in all.
    pub change_count: u64,
}

/// What happened in the parts of a session, by day.
pub type Stories = BTreeMap<Day, Story>;

/// Which sessions share a user or an address with one.
#[derive(Clone, Debug)]
pub struct RelatedQuery {
    /// With which one.
    pub session: Id,
    /// The state to look at.
    pub as_of: Position,
    /// Sessions wanted: those that share a user first, then those with the most requests of what is shared.
    pub limit: usize,
}

/// By what others are related to a session.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Shared {
    pub(super) ips: Vec<String>,
    pub(super) users: Vec<Who>,
}

/// Why a visit begins, `idle` microseconds after the request before; `None` when there is none.
pub(super) fn visit_reason(idle: Option<i64>, gap: i64) -> VisitReason {
    match idle {
        None => VisitReason::Start,
        Some(idle) if idle >= gap => VisitReason::Idle,
        Some(_) => VisitReason::Midnight,
    }
}

/// A visit that began `idle` microseconds after the request before.
pub(super) fn visit(first_seen: Micros, last_seen: Micros, requests: u64, idle: Option<i64>, gap: i64) -> Visit {
    let idle_ms = idle.map(|idle| u64::try_from(idle / 1000).unwrap_or_default());
    Visit { first_seen, last_seen, requests, reason: visit_reason(idle, gap), idle_ms }
}

/// Puts what a session shares in order: users first, then what most requests share.
pub(super) fn in_order(why: &mut [Reason]) {
    why.sort_by(|a, b| {
        let key = |reason: &Reason| (Reverse(reason.what), Reverse(reason.requests));
        key(a).cmp(&key(b)).then_with(|| (&a.value, a.hashed).cmp(&(&b.value, b.hashed)))
    });
}

/// The order of related sessions: those of the same user first, then those with the most requests.
pub(super) fn rank(related: &Related) -> (bool, Reverse<u64>, Id) {
    let other = !related.why.iter().any(|reason| reason.what == Aspect::User);
    (other, Reverse(related.why.iter().map(|reason| reason.requests).sum()), related.id)
}
