//! A store in plain memory: what the others must agree with, and what tests and simulations use.

mod story;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::convert::Infallible;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::parts::{self, Named, status_class};
use super::{
    Batch, Position, RelatedQuery, RequestsQuery, Resume, Row, SeqSet, SessionsQuery, Store, StoreError, Stories,
    StoryQuery, TailQuery, Tailed, Window,
};
use crate::endpoints::{Endpoints, Figures, ShapeId};
use crate::geo;
use crate::model::{Day, EndpointCount, Id, KeyCount, Micros, Related, Request, SessionPart, Who};

/// Keeps everything in memory. What was applied is there for ever;
/// `checkpoint` only decides from where a [`restart`](Self::restart) goes on.
#[derive(Debug, Default)]
pub struct MemoryStore {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    days: BTreeMap<Day, DayRows>,
    position: Position,
    checkpointed: Position,
    interrupt_after: Option<usize>,
    endpoints: Arc<Endpoints>,
}

#[derive(Debug, Default)]
struct DayRows {
    rows: Vec<Row>,
    seqs: SeqSet,
    applied: Position,
}

impl MemoryStore {
    /// Makes the next `apply` fail after it has written so many days, as a crash in it does.
    pub fn interrupt_after(&self, days: usize) {
        self.lock().interrupt_after = Some(days);
    }

    /// Goes back to the last checkpoint, as opening files after a crash does.
    pub fn restart(&self) {
        let mut inner = self.lock();
        inner.position = inner.checkpointed;
    }

    /// Everything kept, in the order of arrival.
    pub fn all_rows(&self) -> Vec<Row> {
        let mut rows: Vec<_> = self.lock().days.values().flat_map(|day| day.rows.clone()).collect();
        rows.sort_by_key(|row| row.arrival);
        rows
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// A row as readers see it.
    fn shown(&self, row: &Row) -> Request {
        let endpoint = parts::endpoint(&self.endpoints, row.shape, &row.request);
        let network_label = row.request.network.as_deref().and_then(geo::label);
        Request { endpoint, network_label, ..row.request.clone() }
    }

    /// The rows of a session, and those of all others.
    fn of_session(&self, session: Id, as_of: Position) -> (Vec<&Row>, Vec<&Row>) {
        let rows = self.days.values().flat_map(|day| &day.rows).filter(|row| row.arrival.pos < as_of);
        rows.partition(|row| row.request.session_id == session)
    }

    /// Names parts by what other days know.
    fn name(&self, parts: &mut [SessionPart], as_of: Position) {
        let days: Vec<Day> = self.days.keys().copied().collect();
        let known = |day: Day, _: &[Id]| {
            let rows = self.days.get(&day).map(|day| day.rows.as_slice()).unwrap_or_default();
            let parts = day_parts(&self.endpoints, day, rows, as_of, Window::ALL);
            Ok::<_, Infallible>(parts.into_iter().map(|p| (p.id, Named { user: p.user, role: p.role })).collect())
        };
        let Ok(()) = parts::name_by_other_days(parts, &days, known);
    }
}

impl Store for MemoryStore {
    fn resume(&self) -> Result<Resume, StoreError> {
        let inner = self.lock();
        let mut seqs = SeqSet::default();
        inner.days.values().for_each(|day| seqs.union(day.seqs.ranges()));
        let days = inner.days.iter().map(|(&day, rows)| (day, rows.applied)).collect();
        Ok(Resume { complete: inner.position, days, seqs })
    }

    fn apply(&self, batch: &Batch) -> Result<(), StoreError> {
        let mut inner = self.lock();
        let interrupt_after = inner.interrupt_after.take();
        for (written, (&day, new)) in batch.days.iter().enumerate() {
            if interrupt_after == Some(written) {
                return Err(StoreError::Fatal { doing: "applying a batch".into(), reason: "interrupted".into() });
            }
            let kept = inner.days.entry(day).or_default();
            kept.rows.extend(new.after(kept.applied).rows);
            kept.seqs.union(new.seqs.iter().copied());
            kept.applied = kept.applied.max(batch.to);
        }
        inner.position = batch.to;
        Ok(())
    }

    fn checkpoint(&self) -> Result<Position, StoreError> {
        let mut inner = self.lock();
        inner.checkpointed = inner.position;
        Ok(inner.checkpointed)
    }

    fn position(&self) -> Position {
        self.lock().position
    }

    fn forget_before(&self, day: Day) -> Result<Vec<Day>, StoreError> {
        let mut inner = self.lock();
        let kept = inner.days.split_off(&day);
        Ok(std::mem::replace(&mut inner.days, kept).into_keys().collect())
    }

    fn newest(&self) -> Option<Micros> {
        self.lock().days.values().flat_map(|day| &day.rows).map(|row| row.request.ts).max()
    }

    fn rows(&self) -> u64 {
        self.lock().days.values().map(|day| day.rows.len() as u64).sum()
    }

    fn sessions(&self, query: &SessionsQuery) -> Result<Vec<SessionPart>, StoreError> {
        let inner = self.lock();
        let mut found: Vec<_> = inner
            .days
            .iter()
            .filter(|(day, _)| query.window.touches(**day))
            .flat_map(|(&day, rows)| day_parts(&inner.endpoints, day, &rows.rows, query.as_of, query.window))
            .filter(|part| {
                part.matched > Some(0)
                    && query.mcp.is_none_or(|mcp| part.mcp == mcp)
                    && query.after.is_none_or(|(last_seen, id)| {
                        part.last_seen < last_seen || (part.last_seen == last_seen && part.id > id)
                    })
            })
            .map(|part| SessionPart { matched: part.matched.filter(|_| query.narrowed), ..part })
            .collect();
        found.sort_by(|a, b| b.last_seen.cmp(&a.last_seen).then(a.id.cmp(&b.id)));
        found.truncate(query.limit);
        inner.name(&mut found, query.as_of);
        Ok(found)
    }

    fn parts(&self, session: Id, as_of: Position) -> Result<Vec<SessionPart>, StoreError> {
        let inner = self.lock();
        let parts = inner.days.iter().rev().flat_map(|(&day, rows)| {
            let own: Vec<_> = rows.rows.iter().filter(|row| row.request.session_id == session).cloned().collect();
            day_parts(&inner.endpoints, day, &own, as_of, Window::ALL)
        });
        let mut parts: Vec<_> = parts.map(|part| SessionPart { matched: None, ..part }).collect();
        inner.name(&mut parts, as_of);
        Ok(parts)
    }

    fn requests(&self, query: &RequestsQuery) -> Result<Vec<Request>, StoreError> {
        let order = |r: &Request| (r.ts, r.conn, r.n, r.id);
        let inner = self.lock();
        let rows = inner.days.values().flat_map(|day| &day.rows);
        let mut found: Vec<_> = rows
            .filter(|row| {
                row.request.session_id == query.session
                    && row.arrival.pos < query.as_of
                    && query.window.contains(row.request.ts)
                    && query.after.is_none_or(|after| order(&row.request) > after)
            })
            .collect();
        found.sort_by_key(|row| (order(&row.request), row.arrival));
        Ok(found.into_iter().take(query.limit).map(|row| inner.shown(row)).collect())
    }

    fn known(&self, ids: &[Id]) -> Result<HashSet<Id>, StoreError> {
        let wanted: HashSet<_> = ids.iter().collect();
        let inner = self.lock();
        let rows = inner.days.values().flat_map(|day| &day.rows);
        let known = rows.filter(|row| row.told_by_id && wanted.contains(&row.request.id));
        Ok(known.map(|row| row.request.id).collect())
    }

    fn request(&self, id: Id) -> Result<Option<Request>, StoreError> {
        let inner = self.lock();
        let mut rows = inner.days.values().rev().flat_map(|day| &day.rows);
        let found = rows.find(|row| row.request.id == id && row.arrival.pos < inner.position);
        Ok(found.map(|row| inner.shown(row)))
    }

    fn tail(&self, query: &TailQuery) -> Result<Tailed, StoreError> {
        let position = self.position();
        let mut rows = self.all_rows();
        rows.retain(|row| row.arrival.pos < position && query.after.is_none_or(|after| row.arrival > after));
        match query.after {
            Some(_) => rows.truncate(query.limit),
            None => drop(rows.drain(..rows.len().saturating_sub(query.limit))),
        }
        let last = rows.last().map(|row| row.arrival).or(query.after);
        let inner = self.lock();
        Ok(Tailed { requests: rows.iter().map(|row| inner.shown(row)).collect(), last })
    }

    fn rows_by_day(&self) -> BTreeMap<Day, u64> {
        self.lock().days.iter().map(|(&day, rows)| (day, rows.rows.len() as u64)).collect()
    }

    fn figures(&self, day: Day) -> Result<HashMap<ShapeId, Figures>, StoreError> {
        let mut figures: HashMap<ShapeId, Figures> = HashMap::new();
        for row in self.lock().days.get(&day).iter().flat_map(|day| &day.rows) {
            let Some(shape) = row.shape else { continue };
            let of_shape = figures.entry(shape).or_default();
            *of_shape.statuses.entry(status_class(row.request.status)).or_default() += 1;
            of_shape.duration_us.add(row.request.duration_us);
            of_shape.bytes_out.add(row.request.bytes_out);
        }
        Ok(figures)
    }

    fn endpoints(&self) -> Arc<Endpoints> {
        Arc::clone(&self.lock().endpoints)
    }

    fn stories(&self, query: &StoryQuery) -> Result<Stories, StoreError> {
        let inner = self.lock();
        let (own, _) = inner.of_session(query.session, query.as_of);
        Ok(story::stories(&own, query))
    }

    fn related(&self, query: &RelatedQuery) -> Result<Vec<Related>, StoreError> {
        let inner = self.lock();
        let (own, others) = inner.of_session(query.session, query.as_of);
        Ok(story::related(&others, &story::shared(&own), query.limit))
    }

    fn check(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

/// The parts of one day; `matched` is the number of requests that the window leaves.
fn day_parts(endpoints: &Endpoints, day: Day, rows: &[Row], as_of: Position, window: Window) -> Vec<SessionPart> {
    let mut sessions: BTreeMap<Id, Vec<&Row>> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.arrival.pos < as_of) {
        sessions.entry(row.request.session_id).or_default().push(row);
    }
    sessions
        .into_iter()
        .map(|(id, rows)| {
            let matched = rows.iter().filter(|row| window.contains(row.request.ts)).count() as u64;
            SessionPart { matched: Some(matched), ..part(endpoints, id, day, &rows) }
        })
        .collect()
}

fn part(endpoints: &Endpoints, id: Id, day: Day, rows: &[&Row]) -> SessionPart {
    let requests = || rows.iter().map(|row| &row.request);
    let first_seen = requests().map(|r| r.ts).min().unwrap_or_default();
    let last_seen = requests().map(|r| r.ts).max().unwrap_or_default();
    let users = last_seen_first(rows, |row| row.user.as_ref());
    let roles = last_seen_first(rows, |row| row.role.as_ref());
    let ips = busiest_texts(requests().map(|r| r.ip.as_str()));
    let endpoints = busiest(rows.iter().map(|row| parts::endpoint(endpoints, row.shape, &row.request)));
    let key = |r: &Request| (r.key.source.clone(), r.key.name.clone(), r.key.value.clone(), r.key.hashed);
    let networks = top(busiest_texts(requests().flat_map(|r| r.network.as_deref())), parts::NETWORKS);
    SessionPart {
        id,
        day,
        applications: top(busiest_texts(requests().map(|r| r.application.as_str())), parts::APPLICATIONS),
        keys: busiest(requests().map(key))
            .into_iter()
            .take(parts::KEYS)
            .map(|((source, name, value, hashed), n)| KeyCount { source, name, value, hashed, requests: Some(n) })
            .collect(),
        user: users.first().cloned(),
        user_count: users.len() as u64,
        users: users.into_iter().take(parts::USERS).collect(),
        role: roles.first().cloned(),
        roles: roles.into_iter().take(parts::USERS).collect(),
        first_seen,
        last_seen,
        duration_ms: (last_seen.0.saturating_sub(first_seen.0) / 1000) as u64,
        requests: rows.len() as u64,
        noise: requests().filter(|r| r.noise).count() as u64,
        matched: None,
        ip_count: ips.len() as u64,
        ips: top(ips, parts::IPS),
        network_labels: networks.iter().filter_map(|network| geo::label(network)).collect(),
        networks,
        countries: top(busiest_texts(requests().flat_map(|r| r.country.as_deref())), parts::COUNTRIES),
        user_agents: top(busiest_texts(requests().map(|r| r.user_agent.as_str())), parts::USER_AGENTS),
        hosts: top(busiest_texts(requests().map(|r| r.host.as_str())), parts::HOSTS),
        endpoint_count: endpoints.len() as u64,
        top_endpoints: endpoints
            .into_iter()
            .take(parts::ENDPOINTS)
            .map(|(endpoint, requests)| EndpointCount { endpoint, requests })
            .collect(),
        statuses: busiest(requests().map(|r| status_class(r.status))).into_iter().collect(),
        methods: busiest(requests().map(|r| r.method.clone())).into_iter().take(parts::KINDS).collect(),
        bytes_in: requests().fold(0, |sum, r| sum.saturating_add(r.bytes_in)),
        bytes_out: requests().fold(0, |sum, r| sum.saturating_add(r.bytes_out)),
        mcp: requests().any(|r| r.mcp.is_some()),
        attacks: busiest(requests().flat_map(|r| &r.attacks).map(|a| a.kind.clone()))
            .into_iter()
            .take(parts::KINDS)
            .collect(),
        ..SessionPart::default()
    }
}

/// Distinct values with their counts, the most frequent first, ties by value.
fn busiest<T: Clone + Eq + Hash + Ord>(values: impl Iterator<Item = T>) -> Vec<(T, u64)> {
    let mut counts: HashMap<T, u64> = HashMap::new();
    values.for_each(|value| *counts.entry(value).or_default() += 1);
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    counts
}

fn busiest_texts<'a>(values: impl Iterator<Item = &'a str>) -> Vec<(&'a str, u64)> {
    busiest(values.filter(|value| !value.is_empty()))
}

fn top(counts: Vec<(&str, u64)>, limit: usize) -> Vec<String> {
    counts.into_iter().take(limit).map(|(value, _)| value.to_owned()).collect()
}

fn last_seen_first<'a>(rows: &[&'a Row], who: impl Fn(&'a Row) -> Option<&'a Who>) -> Vec<Who> {
    let mut seen: HashMap<&Who, Micros> = HashMap::new();
    for row in rows {
        if let Some(who) = who(row) {
            let last = seen.entry(who).or_insert(row.request.ts);
            *last = row.request.ts.max(*last);
        }
    }
    let mut seen: Vec<_> = seen.into_iter().collect();
    seen.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| (&a.0.value, a.0.hashed).cmp(&(&b.0.value, b.0.hashed))));
    seen.into_iter().map(|(who, _)| who.clone()).collect()
}
