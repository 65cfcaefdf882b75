//! A store in plain memory: what the others must agree with, and what tests and simulations use.

mod stats;
mod story;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::convert::Infallible;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::parts::{self, Named, status_class};
use super::query::VALUE_BYTES;
use super::{
    Batch, CommonQuery, Position, RelatedQuery, RequestPlace, RequestsPage, RequestsQuery, Resume, Row, SeqSet,
    SessionsCount, SessionsPage, SessionsQuery, Stats, StatsQuery, Store, StoreError, Stories, StoryQuery, Stretch,
    TailQuery, Tailed, Window,
};
use crate::endpoints::Endpoints;
use crate::filter::{Filter, Part, Seen};
use crate::geo;
use crate::model::{CommonValue, Day, EndpointCount, Id, KeyCount, Micros, Related, Request, SessionPart, Who};

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
            let rows = self.days.get(&day).map(|day| self.shown_rows(&day.rows)).unwrap_or_default();
            let parts = day_parts(day, &rows, as_of).into_iter().map(|(part, _)| part);
            Ok::<_, Infallible>(parts.map(|p| (p.id, Named { user: p.user, role: p.role })).collect())
        };
        let Ok(()) = parts::name_by_other_days(parts, &days, known);
    }

    /// Rows as readers see them.
    fn shown_rows(&self, rows: &[Row]) -> Vec<Row> {
        rows.iter().map(|row| Row { request: self.shown(row), ..row.clone() }).collect()
    }

    /// The requests of a list between its places, in order, each with where it stands.
    fn requests(&self, query: &RequestsQuery) -> Vec<(RequestPlace, Request)> {
        let place = |row: &Row| RequestPlace::of(&row.request, row.arrival);
        let behind = |one, other| if query.descending { one < other } else { one > other };
        let days: Vec<_> = self.days.iter().map(|(&day, rows)| (day, self.shown_rows(&rows.rows))).collect();
        let mut found: Vec<_> = days
            .iter()
            .flat_map(|(day, rows)| meeting(*day, rows, query.as_of, query.window, query.filter.as_ref()))
            .filter(|row| query.session.is_none_or(|session| row.request.session_id == session))
            .filter(|row| query.after.is_none_or(|after| behind(place(row), after)))
            .filter(|row| query.until.is_none_or(|until| behind(until, place(row))))
            .map(|row| (place(row), row.request.clone()))
            .collect();
        found.sort_by_key(|found| found.0);
        if query.descending {
            found.reverse();
        }
        found
    }

    /// The parts of a list, in no order.
    fn listed(&self, query: &SessionsQuery, filter: Option<&Filter>) -> Vec<SessionPart> {
        let mut listed = Vec::new();
        for (&day, rows) in &self.days {
            let rows = self.shown_rows(&rows.rows);
            let mut matched: HashMap<Id, u64> = HashMap::new();
            for row in meeting(day, &rows, query.as_of, query.window, filter) {
                *matched.entry(row.request.session_id).or_default() += 1;
            }
            for (part, _) in day_parts(day, &rows, query.as_of) {
                let matched = matched.get(&part.id).copied();
                if matched.is_some() && query.mcp.is_none_or(|mcp| part.mcp == mcp) {
                    listed.push(SessionPart { matched: matched.filter(|_| query.narrowed), ..part });
                }
            }
        }
        listed
    }

    /// Those that it shows, and those that it leaves out because they are noise.
    fn shown_and_hidden(&self, query: &SessionsQuery) -> (Vec<SessionPart>, Vec<SessionPart>) {
        let shown = self.listed(query, query.filter.as_ref());
        let with_noise = query.filter.as_ref().filter(|_| query.count_hidden).map(Filter::with_noise);
        let all = with_noise.map(|filter| self.listed(query, filter.as_ref())).unwrap_or_default();
        let is_shown = |part: &SessionPart| shown.iter().any(|one| (one.id, one.day) == (part.id, part.day));
        let hidden = all.into_iter().filter(|part| !is_shown(part)).collect();
        (shown, hidden)
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

    fn sessions(&self, query: &SessionsQuery) -> Result<SessionsPage, StoreError> {
        let inner = self.lock();
        let (mut parts, mut hidden) = inner.shown_and_hidden(query);
        let place = |part: &SessionPart| query.order.place(part);
        let behind =
            |part: &SessionPart| query.after.is_none_or(|after| query.order.compare(&place(part), &after).is_gt());
        parts.retain(behind);
        hidden.retain(behind);
        parts.sort_by(|a, b| query.order.compare(&place(a), &place(b)));
        let more = parts.len() > query.limit;
        parts.truncate(query.limit);
        if let Some(end) = parts.last().filter(|_| more).map(place) {
            hidden.retain(|part| query.order.compare(&place(part), &end).is_lt());
        }
        inner.name(&mut parts, query.as_of);
        Ok(SessionsPage { parts, more, hidden: hidden.len() as u64 })
    }

    fn count_sessions(&self, query: &SessionsQuery) -> Result<SessionsCount, StoreError> {
        let (shown, hidden) = self.lock().shown_and_hidden(query);
        Ok(SessionsCount { shown: shown.len() as u64, hidden: hidden.len() as u64 })
    }

    fn parts(&self, session: Id, as_of: Position) -> Result<Vec<SessionPart>, StoreError> {
        let inner = self.lock();
        let parts = inner.days.iter().rev().flat_map(|(&day, rows)| {
            let own: Vec<_> = rows.rows.iter().filter(|row| row.request.session_id == session).cloned().collect();
            day_parts(day, &inner.shown_rows(&own), as_of).into_iter().map(|(part, _)| part).collect::<Vec<_>>()
        });
        let mut parts: Vec<_> = parts.collect();
        inner.name(&mut parts, as_of);
        Ok(parts)
    }

    fn requests(&self, query: &RequestsQuery) -> Result<RequestsPage, StoreError> {
        let mut found = self.lock().requests(query);
        let more = found.len() > query.limit;
        found.truncate(query.limit);
        let next = found.last().filter(|_| more).map(|found| found.0);
        Ok(RequestsPage { requests: found.into_iter().map(|(_, request)| request).collect(), next })
    }

    fn count_requests(&self, query: &RequestsQuery) -> Result<u64, StoreError> {
        Ok(self.lock().requests(query).len() as u64)
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

    fn common_values(&self, query: &CommonQuery) -> Result<Vec<CommonValue>, StoreError> {
        let inner = self.lock();
        let rows: Vec<Row> = inner.days.values().flat_map(|day| inner.shown_rows(&day.rows)).collect();
        let counted = rows.iter().filter(|row| row.arrival.pos < query.as_of && query.window.contains(row.request.ts));
        let values = counted.flat_map(|row| query.field.values(seen(row))).filter(|value| value.len() <= VALUE_BYTES);
        Ok(query.commonest(values.map(|value| (value, 1))))
    }

    fn tail(&self, query: &TailQuery) -> Result<Tailed, StoreError> {
        let position = self.position();
        let rows = self.all_rows();
        let mut rows = self.lock().shown_rows(&rows);
        rows.retain(|row| {
            row.arrival.pos < position
                && query.after.is_none_or(|after| row.arrival > after)
                && query.filter.as_ref().is_none_or(|filter| filter.matches(seen(row), None))
        });
        let more = rows.len() > query.limit;
        match query.after {
            Some(_) => rows.truncate(query.limit),
            None => drop(rows.drain(..rows.len().saturating_sub(query.limit))),
        }
        let last = query.last(position, more, rows.last().map(|row| row.arrival));
        let (arrivals, requests) = rows.into_iter().map(|row| (row.arrival, row.request)).unzip();
        Ok(Tailed { requests, arrivals, last, more })
    }

    fn behind(&self, query: &TailQuery) -> Result<usize, StoreError> {
        Ok(self.tail(query)?.requests.len())
    }

    fn rows_by_day(&self) -> BTreeMap<Day, u64> {
        self.lock().days.iter().map(|(&day, rows)| (day, rows.rows.len() as u64)).collect()
    }

    fn figures(&self, day: Day, from: Position) -> Result<Stretch, StoreError> {
        let inner = self.lock();
        let left = inner.days.get(&day).into_iter().flat_map(|day| &day.rows).filter(|row| row.arrival.pos >= from);
        let Some(first) = left.clone().map(|row| row.arrival.pos).min() else {
            return Ok(Stretch { to: from, ..Stretch::default() });
        };
        // A log record is a stretch.
        let more = left.clone().any(|row| row.arrival.pos > first);
        let mut stretch = Stretch { to: first + 1, more, ..Stretch::default() };
        for row in left.filter(|row| row.arrival.pos == first) {
            let Some(shape) = row.shape else { continue };
            let of_shape = stretch.shapes.entry(shape).or_default();
            *of_shape.statuses.entry(status_class(row.request.status)).or_default() += 1;
            of_shape.duration_us.add(row.request.duration_us);
            of_shape.bytes_out.add(row.request.bytes_out);
        }
        Ok(stretch)
    }

    fn endpoints(&self) -> Arc<Endpoints> {
        Arc::clone(&self.lock().endpoints)
    }

    fn stats(&self, query: &StatsQuery) -> Result<Stats, StoreError> {
        let inner = self.lock();
        let met = inner
            .days
            .iter()
            .flat_map(|(&day, rows)| meeting(day, &rows.rows, query.as_of, query.window, query.filter.as_ref()));
        let own: Vec<_> = met.filter(|row| query.session.is_none_or(|id| row.request.session_id == id)).collect();
        Ok(stats::stats(&own, query, &inner.endpoints))
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

fn seen(row: &Row) -> Seen<'_> {
    Seen { request: &row.request, user: row.user.as_ref(), role: row.role.as_ref() }
}

/// The parts of one day, each with its rows.
fn day_parts(day: Day, rows: &[Row], as_of: Position) -> Vec<(SessionPart, Vec<&Row>)> {
    let mut sessions: BTreeMap<Id, Vec<&Row>> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.arrival.pos < as_of) {
        sessions.entry(row.request.session_id).or_default().push(row);
    }
    sessions.into_iter().map(|(id, rows)| (part(id, day, &rows), rows)).collect()
}

/// The requests of one day that window and filter leave.
fn meeting<'a>(day: Day, rows: &'a [Row], as_of: Position, window: Window, filter: Option<&Filter>) -> Vec<&'a Row> {
    let parts = day_parts(day, rows, as_of).into_iter().flat_map(|(facts, mut rows)| {
        rows.retain(|row| window.contains(row.request.ts));
        let requests: Vec<_> = rows.iter().map(|row| seen(row)).collect();
        let part = Part { facts: &facts, requests: &requests };
        rows.retain(|row| filter.is_none_or(|filter| filter.matches(seen(row), Some(part))));
        rows
    });
    parts.collect()
}

fn part(id: Id, day: Day, rows: &[&Row]) -> SessionPart {
    let requests = || rows.iter().map(|row| &row.request);
    let first_seen = requests().map(|r| r.ts).min().unwrap_or_default();
    let last_seen = requests().map(|r| r.ts).max().unwrap_or_default();
    let users = last_seen_first(rows, |row| row.user.as_ref());
    let roles = last_seen_first(rows, |row| row.role.as_ref());
    let ips = busiest_texts(requests().map(|r| r.ip.as_str()));
    let endpoints = busiest(requests().map(|r| r.endpoint.clone()));
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
        counted: rows.len() as u64,
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
