//! Parts of sessions: what rows of lists and the parts of one session show.
//!
//! What a part has in all is told by session rows. The values in it are counted here, in its rows, of which alike
//! ones come as one: usually that is few, and one statement a day. Of a very long part only the newest rows
//! are read: one session can be most of a day. Parts are read as many at a time as have so many rows together.
//!
//! Invariants:
//! - What one question holds is bounded, whatever the sessions are.
//! - `counted` says of how many requests the values of a part are.

use std::collections::{BTreeMap, HashMap};

use duckdb::types::Value;
use duckdb::{Connection, Row};

use super::facts::{self, Fact};
use super::pieces::{Extent, among};
use super::read::select;
use super::sql::{self, picked};
use super::statement::Statement;
use super::{halves, joined};
use crate::endpoints::{Endpoints, ShapeId};
use crate::geo;
use crate::model::{Day, EndpointCount, Id, KeyCount, Micros, SessionPart, Who};
use crate::store::parts::{self, status_class};
use crate::store::{Place, SessionsQuery, StoreError, Window};

/// Requests of a part in which values are counted, about: the newest ones, but for what shares their log record.
/// Each may have texts of its own of some KiB in all, which are held while they are counted.
const COUNTED: u64 = 20_000;
/// Requests that are read at a time, and those of one part more.
const AT_A_TIME: u64 = 20_000;
/// Stretches of rows that are read apart from each other; what lies between is not read.
const APART: usize = 16;

/// The parts at some places, in the order of the places.
pub(super) fn listed(
    connection: &Connection,
    query: &SessionsQuery,
    places: &[(Place, u64)],
    extent: impl Fn(Day) -> Extent,
    endpoints: &Endpoints,
) -> Result<Vec<SessionPart>, StoreError> {
    let mut wanted: BTreeMap<Day, Vec<Id>> = BTreeMap::new();
    places.iter().for_each(|(place, _)| wanted.entry(place.day).or_default().push(place.id));
    let parts = parts(connection, &wanted, extent, endpoints)?;
    let mut found: HashMap<_, _> = parts.into_iter().map(|part| ((part.day, part.id), part)).collect();
    let matched = |count| Some(count).filter(|_| query.narrowed);
    let in_order = places.iter().filter_map(|(place, count)| {
        found.remove(&(place.day, place.id)).map(|part| SessionPart { matched: matched(*count), ..part })
    });
    Ok(in_order.collect())
}

/// The parts that some sessions have on some days, the oldest first.
pub(super) fn parts(
    connection: &Connection,
    wanted: &BTreeMap<Day, Vec<Id>>,
    extent: impl Fn(Day) -> Extent,
    endpoints: &Endpoints,
) -> Result<Vec<SessionPart>, StoreError> {
    parts_of(connection, wanted, extent, endpoints, COUNTED)
}

/// Likewise, with values counted in the newest so many requests of each.
pub(super) fn parts_of(
    connection: &Connection,
    wanted: &BTreeMap<Day, Vec<Id>>,
    extent: impl Fn(Day) -> Extent,
    endpoints: &Endpoints,
    counted: u64,
) -> Result<Vec<SessionPart>, StoreError> {
    let mut found = Vec::new();
    for (&day, ids) in wanted {
        let extent = extent(day);
        let (mut parts, mut stretches, mut rows) = (Parts::new(), Vec::new(), 0);
        for (part, stretch) in wholes(connection, day, ids, &extent, counted)? {
            rows += part.requests.min(counted);
            parts.insert(part.id, part);
            stretches.push(stretch);
            if rows >= AT_A_TIME {
                fill(connection, day, &extent, &std::mem::take(&mut stretches), &mut parts, endpoints)?;
                rows = 0;
            }
        }
        fill(connection, day, &extent, &stretches, &mut parts, endpoints)?;
        attacks(connection, day, &extent, &mut parts)?;
        found.extend(parts.into_values());
    }
    Ok(found)
}

/// Parts of a day by session.
type Parts = BTreeMap<Id, SessionPart>;

/// Where the rows of a part stand that are read.
struct Stretch {
    id: Id,
    first: u64,
    last: u64,
}

/// What the facts of a part are, in the order in which they are read.
const FACTS: [Fact; 7] =
    [facts::REQUESTS, facts::FIRST_SEEN, facts::LAST_SEEN, facts::BYTES_IN, facts::BYTES_OUT, facts::MCP, facts::NOISE];

/// Parts without their values, and where the newest so many rows of each stand.
fn wholes(
    connection: &Connection,
    day: Day,
    ids: &[Id],
    extent: &Extent,
    counted: u64,
) -> Result<Vec<(SessionPart, Stretch)>, StoreError> {
    let needed: Vec<Fact> = FACTS.into_iter().chain([facts::FIRST_POS, facts::LAST_POS]).collect();
    let told: String = FACTS.iter().map(|fact| format!(", {} AS {}", fact.of_pieces, fact.name)).collect();
    let Statement { text, values } = Statement::of("WITH ")
        .add(extent.pieces(&needed, Window::ALL, None, &among(ids)))
        .add(Statement::with(&picked::WHOLES.replace("{facts}", &told), [counted; 3].map(Value::UBigInt)));
    select(connection, day, &text, values, |row| {
        let (first_seen, last_seen) = (Micros(row.get(3)?), Micros(row.get(4)?));
        let part = SessionPart {
            day,
            id: joined(row.get(0)?, row.get(1)?),
            requests: row.get(2)?,
            first_seen,
            last_seen,
            duration_ms: (last_seen.0.saturating_sub(first_seen.0) / 1000) as u64,
            bytes_in: row.get(5)?,
            bytes_out: row.get(6)?,
            mcp: row.get(7)?,
            noise: row.get(8)?,
            ..SessionPart::default()
        };
        let stretch = Stretch { id: part.id, first: row.get(9)?, last: row.get(10)? };
        Ok((part, stretch))
    })
}

/// Fills in what is counted in rows.
fn fill(
    connection: &Connection,
    day: Day,
    extent: &Extent,
    stretches: &[Stretch],
    parts: &mut Parts,
    endpoints: &Endpoints,
) -> Result<(), StoreError> {
    if stretches.is_empty() {
        return Ok(());
    }
    let column = |of: fn(&Stretch) -> u64| sql::column(stretches.iter().map(of));
    let mut values = vec![column(|of| halves(of.id).0), column(|of| halves(of.id).1)];
    values.extend([column(|of| of.first), column(|of| of.last)]);
    let spans = spans(stretches);
    values.extend(spans.iter().flat_map(|&(first, last)| [first, last]).map(Value::UBigInt));
    let text = picked::PICK
        .replace("{own_path}", if extent.shapeless { picked::OWN_PATH } else { "''" })
        .replace("{stretches}", &sql::numbers(&["hi", "lo", "first", "last"]))
        .replace("{spans}", &vec!["(r.pos >= ? AND r.pos <= ?)"; spans.len()].join(" OR "));
    let mut tallies: HashMap<Id, Tally> = HashMap::new();
    select(connection, day, &text, values, |row| {
        tallies.entry(joined(row.get(0)?, row.get(1)?)).or_default().add(row)
    })?;
    for (id, tally) in tallies {
        if let Some(part) = parts.get_mut(&id) {
            tally.fill(part, endpoints);
        }
    }
    Ok(())
}

/// From where to where rows of some parts stand, all of it in at most [`APART`] spans: those with the narrowest gaps
/// between them are one.
fn spans(stretches: &[Stretch]) -> Vec<(u64, u64)> {
    let mut all: Vec<_> = stretches.iter().map(|stretch| (stretch.first, stretch.last)).collect();
    all.sort_unstable();
    let spans = united(all, 0);
    let mut gaps: Vec<u64> =
        spans.iter().zip(spans.iter().skip(1)).map(|(one, next)| next.0.saturating_sub(one.1)).collect();
    gaps.sort_unstable_by(|a, b| b.cmp(a));
    match gaps.get(APART - 1) {
        Some(&narrow) => united(spans, narrow),
        None => spans,
    }
}

/// Spans in order, without gaps up to this wide.
fn united(spans: Vec<(u64, u64)>, gap: u64) -> Vec<(u64, u64)> {
    let mut united: Vec<(u64, u64)> = Vec::new();
    for (first, last) in spans {
        match united.last_mut() {
            Some(open) if first <= open.1.saturating_add(gap) => open.1 = open.1.max(last),
            _ => united.push((first, last)),
        }
    }
    united
}

/// How often each value occurs.
type Counts<T> = HashMap<T, u64>;

/// What is counted in the rows of a part.
#[derive(Default)]
struct Tally {
    counted: u64,
    applications: Counts<String>,
    hosts: Counts<String>,
    methods: Counts<String>,
    statuses: Counts<u16>,
    ips: Counts<String>,
    user_agents: Counts<String>,
    keys: Counts<(String, String, String, bool)>,
    countries: Counts<String>,
    networks: Counts<String>,
    shapes: Counts<ShapeId>,
    /// Endpoints of rows without a shape.
    shapeless: Counts<String>,
    /// When each was seen last.
    users: HashMap<Who, i64>,
    roles: HashMap<Who, i64>,
}

impl Tally {
    /// Takes in a row of [`picked::PICK`].
    fn add(&mut self, row: &Row) -> duckdb::Result<()> {
        let (times, ts): (u64, i64) = (row.get(20)?, row.get(21)?);
        self.counted += times;
        let (host, method): (String, String) = (row.get(3)?, row.get(4)?);
        match row.get::<_, Option<u64>>(17)? {
            Some(shape) => *self.shapes.entry(ShapeId(shape)).or_default() += times,
            None => {
                let path: String = row.get(5)?;
                *self.shapeless.entry(parts::own_endpoint(&method, &host, &path)).or_default() += times;
            }
        }
        let key = (row.get(9)?, row.get(10)?, row.get(11)?, row.get(12)?);
        *self.keys.entry(key).or_default() += times;
        *self.statuses.entry(row.get(6)?).or_default() += times;
        for (counts, value) in [
            (&mut self.applications, Some(row.get(2)?)),
            (&mut self.hosts, Some(host)),
            (&mut self.ips, Some(row.get(7)?)),
            (&mut self.user_agents, Some(row.get(8)?)),
            (&mut self.countries, row.get(18)?),
            (&mut self.networks, row.get(19)?),
        ] {
            if let Some(value) = value.filter(|value: &String| !value.is_empty()) {
                *counts.entry(value).or_default() += times;
            }
        }
        *self.methods.entry(method).or_default() += times;
        for (seen, at) in [(&mut self.users, 13), (&mut self.roles, 15)] {
            if let Some(value) = row.get::<_, Option<String>>(at)? {
                let hashed = row.get::<_, Option<bool>>(at + 1)?.unwrap_or_default();
                let last = seen.entry(Who { value, hashed }).or_insert(ts);
                *last = ts.max(*last);
            }
        }
        Ok(())
    }

    /// Puts it into the part.
    fn fill(self, part: &mut SessionPart, endpoints: &Endpoints) {
        part.counted = self.counted;
        part.applications = texts(self.applications, parts::APPLICATIONS);
        part.hosts = texts(self.hosts, parts::HOSTS);
        part.ip_count = self.ips.len() as u64;
        part.ips = texts(self.ips, parts::IPS);
        part.user_agents = texts(self.user_agents, parts::USER_AGENTS);
        part.countries = texts(self.countries, parts::COUNTRIES);
        part.networks = texts(self.networks, parts::NETWORKS);
        part.network_labels = part.networks.iter().filter_map(|network| geo::label(network)).collect();
        part.methods = busiest(self.methods, parts::KINDS).into_iter().collect();
        for (status, times) in self.statuses {
            *part.statuses.entry(status_class(status)).or_default() += times;
        }
        let key =
            |((source, name, value, hashed), times)| KeyCount { source, name, value, hashed, requests: Some(times) };
        part.keys = busiest(self.keys, parts::KEYS).into_iter().map(key).collect();
        let mut named = self.shapeless;
        for (shape, times) in self.shapes {
            *named.entry(endpoints.name(shape).unwrap_or_default()).or_default() += times;
        }
        part.endpoint_count = named.len() as u64;
        let of = |(endpoint, requests)| EndpointCount { endpoint, requests };
        part.top_endpoints = busiest(named, parts::ENDPOINTS).into_iter().map(of).collect();
        part.user_count = self.users.len() as u64;
        part.users = last_seen(self.users);
        part.roles = last_seen(self.roles);
        (part.user, part.role) = (part.users.first().cloned(), part.roles.first().cloned());
    }
}

/// The most frequent ones, ties by value.
fn busiest<T: Ord>(counts: Counts<T>, most: usize) -> Vec<(T, u64)> {
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
    counts.truncate(most);
    counts
}

fn texts(counts: Counts<String>, most: usize) -> Vec<String> {
    busiest(counts, most).into_iter().map(|(text, _)| text).collect()
}

/// Those that were seen last, ties by value.
fn last_seen(seen: HashMap<Who, i64>) -> Vec<Who> {
    let mut seen: Vec<_> = seen.into_iter().collect();
    seen.sort_by(|(one, a), (other, b)| {
        b.cmp(a).then_with(|| (&one.value, one.hashed).cmp(&(&other.value, other.hashed)))
    });
    seen.into_iter().take(parts::USERS).map(|(who, _)| who).collect()
}

/// Fills in the attacks.
fn attacks(connection: &Connection, day: Day, extent: &Extent, of: &mut Parts) -> Result<(), StoreError> {
    let ids: Vec<Id> = of.keys().copied().collect();
    if ids.is_empty() {
        return Ok(());
    }
    let text = picked::ATTACK_KINDS
        .replace("{ids}", &sql::numbers(&["hi", "lo"]))
        .replace("{limit}", &parts::KINDS.to_string());
    let (his, los): (Vec<_>, Vec<_>) = ids.into_iter().map(halves).unzip();
    let bound = vec![sql::column(his), sql::column(los), Value::UBigInt(extent.as_of())];
    let found = select(connection, day, &text, bound, |row| {
        Ok((joined(row.get(0)?, row.get(1)?), row.get::<_, String>(2)?, row.get::<_, u64>(3)?))
    })?;
    for (id, kind, times) in found {
        if let Some(part) = of.get_mut(&id) {
            part.attacks.insert(kind, times);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_parts_are_read_in_few_spans_that_hold_all_of_them() {
        let stretches = |places: &[(u64, u64)]| -> Vec<Stretch> {
            places.iter().map(|&(first, last)| Stretch { id: Id::default(), first, last }).collect()
        };
        assert_eq!(spans(&stretches(&[(50, 60), (1, 9), (5, 20), (20, 21), (70, 70)])), [(1, 21), (50, 60), (70, 70)]);
        assert_eq!(spans(&stretches(&[(0, u64::MAX), (7, 9)])), [(0, u64::MAX)]);
        // Gaps of 10, 20, 30, ...: the widest stay.
        let far: Vec<_> = (0..100u64).map(|n| (5 * n * (n + 1), 5 * n * (n + 1) + 1)).collect();
        let few = spans(&stretches(&far));
        assert_eq!(few.len(), APART);
        assert_eq!(few.last(), far.last());
        assert!(far.iter().all(|(first, last)| few.iter().any(|span| span.0 <= *first && *last <= span.1)));
    }
}
