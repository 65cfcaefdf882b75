//! Visits, changes and related sessions, told plainly.

use std::collections::{BTreeMap, HashSet};

use super::busiest;
use crate::model::{Aspect, Change, Id, Micros, Reason, Related, Request, Who};
use crate::store::Row;
use crate::store::story::{self, Shared, Stories, StoryQuery};

/// What happened in the parts of a session with these rows.
pub(super) fn stories(rows: &[&Row], query: &StoryQuery) -> Stories {
    let mut rows = rows.to_vec();
    rows.sort_by_key(|row| (order(&row.request), row.arrival));
    let mut stories = Stories::new();
    let mut seen: HashSet<(Aspect, &str)> = HashSet::new();
    let mut before: Option<Micros> = None;
    for row in rows {
        let request = &row.request;
        let idle = before.replace(request.ts).map(|before| request.ts.0 - before.0);
        let story = stories.entry(request.ts.day()).or_default();
        match story.visits.last_mut() {
            Some(visit) if idle.is_some_and(|idle| idle < query.visit_gap) => {
                (visit.last_seen, visit.requests) = (request.ts, visit.requests + 1);
            }
            _ => story.visits.push(story::visit(request.ts, request.ts, 1, idle, query.visit_gap)),
        }
        for (what, value) in aspects(request) {
            let first = !seen.iter().any(|(known, _)| *known == what);
            if !value.is_empty() && seen.insert((what, value)) && !first {
                let value = value.to_owned();
                story.changes.push(Change { what, value, ts: request.ts, request_id: request.id });
            }
        }
    }
    for story in stories.values_mut() {
        (story.visit_count, story.change_count) = (story.visits.len() as u64, story.changes.len() as u64);
        story.visits.truncate(story::VISITS);
        story.changes.truncate(story::CHANGES);
    }
    stories
}

/// What may change inside a session, in the order in which changes of one request are told.
fn aspects(request: &Request) -> [(Aspect, &str); 4] {
    [
        (Aspect::Country, request.country.as_deref().unwrap_or_default()),
        (Aspect::Ip, &request.ip),
        (Aspect::Network, request.network.as_deref().unwrap_or_default()),
        (Aspect::UserAgent, &request.user_agent),
    ]
}

fn order(request: &Request) -> (Micros, u64, u64, Id) {
    (request.ts, request.conn, request.n, request.id)
}

/// By what others are related to a session with these rows.
pub(super) fn shared(rows: &[&Row]) -> Shared {
    let ips = busiest(rows.iter().map(|row| row.request.ip.clone()).filter(|ip| !ip.is_empty()));
    let users = busiest(rows.iter().filter_map(|row| row.user.as_ref()).map(|who| (who.value.clone(), who.hashed)));
    Shared {
        ips: ips.into_iter().take(story::SHARED_IPS).map(|(ip, _)| ip).collect(),
        users: users.into_iter().take(story::SHARED_USERS).map(|((value, hashed), _)| Who { value, hashed }).collect(),
    }
}

/// The sessions of `rows` that share something.
pub(super) fn related(rows: &[&Row], shared: &Shared, limit: usize) -> Vec<Related> {
    /// What is shared: how many requests share it, and the last of them.
    type Shares = BTreeMap<(Aspect, String, bool), (u64, Micros)>;
    let mut sessions: BTreeMap<Id, Shares> = BTreeMap::new();
    for row in rows {
        let ip = Some(&row.request.ip).filter(|ip| shared.ips.contains(ip)).map(|ip| (Aspect::Ip, ip.clone(), false));
        let user = row.user.as_ref().filter(|user| shared.users.contains(user));
        let user = user.map(|user| (Aspect::User, user.value.clone(), user.hashed));
        for what in ip.into_iter().chain(user) {
            let counted = sessions.entry(row.request.session_id).or_default().entry(what).or_default();
            *counted = (counted.0 + 1, counted.1.max(row.request.ts));
        }
    }
    let mut found: Vec<_> = sessions
        .into_iter()
        .map(|(id, why)| {
            let last_seen = why.values().map(|(_, last)| *last).max().unwrap_or_default();
            let reason = |((what, value, hashed), (requests, _))| Reason { what, value, hashed, requests };
            Related { id, last_seen, why: why.into_iter().map(reason).collect() }
        })
        .collect();
    found.iter_mut().for_each(|related| story::in_order(&mut related.why));
    found.sort_by_key(story::rank);
    found.truncate(limit);
    found
}
