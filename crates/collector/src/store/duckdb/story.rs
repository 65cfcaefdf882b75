//! Visits, changes and related sessions, asked of all day files at once.

use duckdb::types::Value;
use duckdb::{Connection, Row, params_from_iter};

use super::engine::failed;
use super::{halves, joined, sql};
use crate::model::{Aspect, Change, Day, Id, Micros, Reason, Related, Who};
use crate::store::story::{self, RelatedQuery, Stories, StoryQuery};
use crate::store::{Position, StoreError};

/// What happened in the parts of a session.
pub(super) fn stories(connection: &Connection, days: &[Day], query: &StoryQuery) -> Result<Stories, StoreError> {
    let mut stories = Stories::new();
    let mut values = of_session(days, query.session, query.as_of);
    values.extend([Value::BigInt(query.visit_gap), Value::BigInt(story::VISITS as i64)]);
    let visits = select(connection, &sql::story::on_all(days, sql::story::VISITS), values, |row| {
        let visit = story::visit(Micros(row.get(0)?), Micros(row.get(1)?), row.get(2)?, row.get(3)?, query.visit_gap);
        Ok((visit, row.get(4)?))
    })?;
    for (visit, count) in visits {
        let story = stories.entry(visit.first_seen.day()).or_default();
        story.visits.push(visit);
        story.visit_count = count;
    }
    let mut values = of_session(days, query.session, query.as_of);
    values.push(Value::BigInt(story::CHANGES as i64));
    let changes = select(connection, &sql::story::on_all(days, sql::story::CHANGES), values, |row| {
        let what = aspect(row.get::<_, String>(0)?.as_str());
        let (value, ts, request_id) = (row.get(1)?, Micros(row.get(2)?), joined(row.get(3)?, row.get(4)?));
        Ok((Change { what, value, ts, request_id }, row.get(5)?))
    })?;
    for (change, count) in changes {
        let story = stories.entry(change.ts.day()).or_default();
        story.changes.push(change);
        story.change_count = count;
    }
    Ok(stories)
}

/// The sessions that share a user or an address with one.
pub(super) fn related(connection: &Connection, days: &[Day], query: &RelatedQuery) -> Result<Vec<Related>, StoreError> {
    let values = |most: usize| {
        let mut values = of_session(days, query.session, query.as_of);
        values.push(Value::BigInt(most as i64));
        values
    };
    let ips: Vec<String> =
        select(connection, &sql::story::on_all(days, sql::story::OWN_IPS), values(story::SHARED_IPS), |row| {
            row.get(0)
        })?;
    let users =
        select(connection, &sql::story::on_all(days, sql::story::OWN_USERS), values(story::SHARED_USERS), |row| {
            Ok(Who { value: row.get(0)?, hashed: row.get(1)? })
        })?;
    if days.is_empty() || (ips.is_empty() && users.is_empty()) {
        return Ok(Vec::new());
    }
    let mut values = Vec::new();
    for _ in days {
        values.extend(session(query.session, query.as_of));
        values.extend(ips.iter().cloned().map(Value::Text));
        values.extend(session(query.session, query.as_of));
        values.extend(users.iter().flat_map(|who| [Value::Text(who.value.clone()), Value::Boolean(who.hashed)]));
    }
    values.push(Value::BigInt(i64::try_from(query.limit).unwrap_or(i64::MAX)));
    let text = sql::story::related(days, ips.len(), users.len());
    let reasons = select(connection, &text, values, |row| {
        let id = joined(row.get(0)?, row.get(1)?);
        let what = aspect(row.get::<_, String>(2)?.as_str());
        let reason = Reason { what, value: row.get(3)?, hashed: row.get(4)?, requests: row.get(5)? };
        Ok((id, Micros(row.get(6)?), reason))
    })?;
    let mut found: Vec<Related> = Vec::new();
    for (id, last_seen, reason) in reasons {
        match found.last_mut() {
            Some(known) if known.id == id => {
                known.last_seen = known.last_seen.max(last_seen);
                known.why.push(reason);
            }
            _ => found.push(Related { id, last_seen, why: vec![reason] }),
        }
    }
    found.iter_mut().for_each(|related| story::in_order(&mut related.why));
    Ok(found)
}

/// What is bound to read a session's rows of all days.
fn of_session(days: &[Day], id: Id, as_of: Position) -> Vec<Value> {
    days.iter().flat_map(|_| session(id, as_of)).collect()
}

fn session(id: Id, as_of: Position) -> [Value; 3] {
    let (hi, lo) = halves(id);
    [hi, lo, as_of].map(Value::UBigInt)
}

fn aspect(name: &str) -> Aspect {
    match name {
        "country" => Aspect::Country,
        "network" => Aspect::Network,
        "user" => Aspect::User,
        "user_agent" => Aspect::UserAgent,
        _ => Aspect::Ip,
    }
}

fn select<T>(
    connection: &Connection,
    text: &str,
    values: Vec<Value>,
    read: impl FnMut(&Row) -> duckdb::Result<T>,
) -> Result<Vec<T>, StoreError> {
    let run =
        || -> duckdb::Result<Vec<T>> { connection.prepare(text)?.query_map(params_from_iter(values), read)?.collect() };
    run().map_err(failed("reading a session of all days"))
}
