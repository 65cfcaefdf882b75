//! Parts of sessions: what rows of lists and the parts of one session show.
//!
//! What a part has in all is told by session rows. The values in it are counted in its rows, grouped by all that
//! is asked of them, so that what is held is as much as differs. Of a very long part only the newest rows are
//! read: one session can be most of a day. Parts are read as many at a time as have so many rows together.
//!
//! Invariants:
//! - What one question holds is bounded, whatever the sessions are.
//! - `counted` says of how many requests the values of a part are.

use std::collections::{BTreeMap, HashMap};

use duckdb::types::Value;
use duckdb::{Connection, Row};

use super::engine::failed;
use super::facts::{self, Fact};
use super::pieces::Extent;
use super::read::{id_values, key, select};
use super::sql::{self, picked};
use super::statement::Statement;
use super::{halves, joined};
use crate::endpoints::{Endpoints, ShapeId};
use crate::geo;
use crate::model::{Day, EndpointCount, Id, KeyCount, Micros, Request, SessionPart, Who};
use crate::store::parts::{self, status_class};
use crate::store::{Place, SessionsQuery, StoreError, Window};

/// Requests of a part in which values are counted, about: the newest ones, but for what shares their log record.
const COUNTED: u64 = 100_000;
/// Requests that are read at a time, and those of one part more.
const AT_A_TIME: u64 = 250_000;

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
///
/// Rows of several days are read into one table, so that the number of statements is not that of the days.
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
    let mut parts = Parts::new();
    let (mut stretches, mut rows) = (BTreeMap::<Day, Vec<Stretch>>::new(), 0);
    for (&day, ids) in wanted {
        for (part, stretch) in wholes(connection, day, ids, &extent(day), counted)? {
            rows += part.requests.min(counted);
            parts.insert((day, part.id), part);
            stretches.entry(day).or_default().push(stretch);
            if rows >= AT_A_TIME {
                fill(connection, &std::mem::take(&mut stretches), &mut parts, endpoints)?;
                rows = 0;
            }
        }
    }
    fill(connection, &stretches, &mut parts, endpoints)?;
    for (&day, ids) in wanted {
        attacks(connection, day, ids, &extent(day), &mut parts)?;
    }
    Ok(parts.into_values().collect())
}

/// Parts by day and session.
type Parts = BTreeMap<(Day, Id), SessionPart>;

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
        .add(extent.pieces(&needed, Window::ALL, None, ids))
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
    stretches: &BTreeMap<Day, Vec<Stretch>>,
    parts: &mut Parts,
    endpoints: &Endpoints,
) -> Result<(), StoreError> {
    let Some(&first_day) = stretches.keys().next() else { return Ok(()) };
    for (&day, stretches) in stretches {
        let begin = if day == first_day { picked::BEGIN_PICKED } else { picked::ADD_PICKED };
        let Statement { text, values } = Statement::of(begin).add(pick(day, stretches));
        select(connection, day, &text, values, |_| Ok(()))?;
    }
    let counted = select(connection, first_day, picked::COUNTED, Vec::new(), |row| {
        Ok(((Day(row.get(0)?), joined(row.get(1)?, row.get(2)?)), row.get(3)?))
    })?;
    for (part, counted) in counted {
        if let Some(part) = parts.get_mut(&part) {
            part.counted = counted;
        }
    }
    fill_values(connection, first_day, parts)?;
    fill_endpoints(connection, first_day, parts, endpoints)?;
    connection.execute_batch(picked::UNPICK).map_err(failed(&format!("reading {first_day}")))
}

fn pick(day: Day, stretches: &[Stretch]) -> Statement {
    let first = stretches.iter().map(|stretch| stretch.first).min().unwrap_or_default();
    let last = stretches.iter().map(|stretch| stretch.last).max().unwrap_or_default();
    let of_each = stretches.iter().flat_map(|Stretch { id, first, last }| {
        let (hi, lo) = halves(*id);
        [hi, lo, *first, *last].map(Value::UBigInt)
    });
    let values = [Value::Int(day.0)].into_iter().chain(of_each).chain([first, last].map(Value::UBigInt));
    Statement::with(&picked::PICK.replace("{stretches}", &sql::values(stretches.len(), 4)), values)
}

/// Fills in the attacks.
fn attacks(
    connection: &Connection,
    day: Day,
    ids: &[Id],
    extent: &Extent,
    parts: &mut Parts,
) -> Result<(), StoreError> {
    let text =
        picked::ATTACK_KINDS.replace("{ids}", &sql::values(ids.len(), 2)).replace("{limit}", &parts::KINDS.to_string());
    let mut bound = vec![Value::Int(day.0)];
    bound.extend(id_values(ids));
    bound.push(Value::UBigInt(extent.as_of()));
    for found in select(connection, day, &text, bound, |row| Found::read(row, |row| row.get::<_, String>(5)))? {
        if let Some(part) = parts.get_mut(&found.part) {
            part.attacks.insert(found.value, found.requests);
        }
    }
    Ok(())
}

/// One of the values that a part's requests have.
struct Found<T> {
    part: (Day, Id),
    requests: u64,
    /// How many different ones the part has.
    distinct: u64,
    value: T,
}

impl<T> Found<T> {
    fn read(row: &Row, value: impl FnOnce(&Row) -> duckdb::Result<T>) -> duckdb::Result<Self> {
        Ok(Self {
            part: (Day(row.get(0)?), joined(row.get(1)?, row.get(2)?)),
            requests: row.get(3)?,
            distinct: row.get(4)?,
            value: value(row)?,
        })
    }
}

const BUSIEST: &str = "times DESC";
const LAST_SEEN: &str = "max(ts) DESC";

/// Fills in what is a list of values, from the picked rows.
fn fill_values(connection: &Connection, day: Day, parts: &mut Parts) -> Result<(), StoreError> {
    let mut texts = |column: &str, limit, add: fn(&mut SessionPart, Found<String>)| {
        let text = picked::top(column, &format!("{column} <> ''"), BUSIEST, limit);
        each(connection, day, &text, parts, |row| row.get::<_, String>(5), add)
    };
    texts("app", parts::APPLICATIONS, |part, found| part.applications.push(found.value))?;
    texts("ip", parts::IPS, |part, found| {
        part.ip_count = found.distinct;
        part.ips.push(found.value);
    })?;
    texts("country", parts::COUNTRIES, |part, found| part.countries.push(found.value))?;
    texts("network", parts::NETWORKS, |part, found| {
        part.network_labels.extend(geo::label(&found.value));
        part.networks.push(found.value);
    })?;
    texts("ua", parts::USER_AGENTS, |part, found| part.user_agents.push(found.value))?;
    texts("host", parts::HOSTS, |part, found| part.hosts.push(found.value))?;

    let methods = picked::top("method", "true", BUSIEST, parts::KINDS);
    each(
        connection,
        day,
        &methods,
        parts,
        |row| row.get::<_, String>(5),
        |part, found| {
            part.methods.insert(found.value, found.requests);
        },
    )?;
    let statuses = picked::top("status", "true", BUSIEST, usize::from(u16::MAX));
    each(
        connection,
        day,
        &statuses,
        parts,
        |row| row.get::<_, u16>(5),
        |part, found| {
            *part.statuses.entry(status_class(found.value)).or_default() += found.requests;
        },
    )?;
    let keys = picked::top("key_source, key_name, key_value, key_hashed", "true", BUSIEST, parts::KEYS);
    each(
        connection,
        day,
        &keys,
        parts,
        |row| key(row, 5),
        |part, found| {
            part.keys.push(KeyCount { requests: Some(found.requests), ..found.value });
        },
    )?;
    let who = |row: &Row| Ok(Who { value: row.get(5)?, hashed: row.get(6)? });
    let users = picked::top("user_value, user_hashed", "user_value IS NOT NULL", LAST_SEEN, parts::USERS);
    each(connection, day, &users, parts, who, |part, found| {
        part.user_count = found.distinct;
        part.users.push(found.value);
    })?;
    let roles = picked::top("role_value, role_hashed", "role_value IS NOT NULL", LAST_SEEN, parts::USERS);
    each(connection, day, &roles, parts, who, |part, found| part.roles.push(found.value))?;
    for part in parts.values_mut() {
        part.user = part.users.first().cloned();
        part.role = part.roles.first().cloned();
    }
    Ok(())
}

/// Fills in the endpoints: shapes of one name are one endpoint.
fn fill_endpoints(
    connection: &Connection,
    day: Day,
    parts: &mut Parts,
    endpoints: &Endpoints,
) -> Result<(), StoreError> {
    let mut counts: HashMap<(Day, Id), HashMap<String, u64>> = HashMap::new();
    let found = select(connection, day, picked::PICKED_ENDPOINTS, Vec::new(), |row| {
        let request = Request { host: row.get(5)?, method: row.get(6)?, path: row.get(7)?, ..Request::default() };
        let endpoint = parts::endpoint(endpoints, row.get::<_, Option<u64>>(4)?.map(ShapeId), &request);
        Ok(((Day(row.get(0)?), joined(row.get(1)?, row.get(2)?)), endpoint, row.get::<_, u64>(3)?))
    })?;
    for (part, endpoint, requests) in found {
        *counts.entry(part).or_default().entry(endpoint).or_default() += requests;
    }
    for (part, counts) in counts {
        let Some(part) = parts.get_mut(&part) else { continue };
        part.endpoint_count = counts.len() as u64;
        let of = |(endpoint, requests)| EndpointCount { endpoint, requests };
        part.top_endpoints = counts.into_iter().map(of).collect();
        part.top_endpoints.sort_by(|a, b| b.requests.cmp(&a.requests).then_with(|| a.endpoint.cmp(&b.endpoint)));
        part.top_endpoints.truncate(parts::ENDPOINTS);
    }
    Ok(())
}

fn each<T>(
    connection: &Connection,
    day: Day,
    text: &str,
    parts: &mut Parts,
    value: impl Fn(&Row) -> duckdb::Result<T>,
    add: impl Fn(&mut SessionPart, Found<T>),
) -> Result<(), StoreError> {
    for found in select(connection, day, text, Vec::new(), |row| Found::read(row, &value))? {
        if let Some(part) = parts.get_mut(&found.part) {
            add(part, found);
        }
    }
    Ok(())
}
