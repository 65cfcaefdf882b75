//! The list of sessions of one day: which parts, in which order, and how many.
//!
//! `s` has one row for each part with the facts that are needed; `hits` counts for each part the
//! requests that window and filter leave.

use duckdb::Connection;
use duckdb::types::Value;

use super::facts::{self, Fact};
use super::filter::Compiled;
use super::latest::Latest;
use super::pieces::{Extent, within};
use super::read::select;
use super::statement::Statement;
use super::{halves, joined};
use crate::endpoints::Endpoints;
use crate::model::{Day, Id};
use crate::store::{Place, Position, SessionsBy, SessionsOrder, SessionsQuery, StoreError, Window};

/// A page's parts of the day: where each stands, and how many requests window and filter leave.
pub(super) fn page(
    connection: &Connection,
    day: Day,
    query: &SessionsQuery,
    extent: &Extent,
    rows: usize,
    compiled: &Compiled,
) -> Result<Vec<(Place, u64)>, StoreError> {
    if is_usual(query, compiled) {
        let latest = Latest::of(connection, day, extent, query.after, rows)?;
        if latest.ids.is_empty() {
            return Ok(Vec::new());
        }
        let found = page_of(connection, day, query, extent, rows, compiled, &latest.ids)?;
        if latest.holds(&found, rows) {
            return Ok(found);
        }
    }
    page_of(connection, day, query, extent, rows, compiled, &[])
}

/// Whether it is the list as most ask for it, of which the last seen sessions are known without a look at all.
fn is_usual(query: &SessionsQuery, compiled: &Compiled) -> bool {
    let plain = query.order == SessionsOrder::default() && query.mcp.is_none();
    plain && compiled.requests.is_empty() && compiled.session.is_empty()
}

/// A page, of some sessions, or of all.
fn page_of(
    connection: &Connection,
    day: Day,
    query: &SessionsQuery,
    extent: &Extent,
    rows: usize,
    compiled: &Compiled,
    ids: &[Id],
) -> Result<Vec<(Place, u64)>, StoreError> {
    let direction = if query.order.ascending { "ASC" } else { "DESC" };
    let with = placed("SELECT sid_hi, sid_lo, matched, key", day, query, extent, compiled, ids)
        .add(format!(" ORDER BY key {direction}, sid_hi, sid_lo").as_str())
        .add(Statement::with(" LIMIT ?", [Value::BigInt(i64::try_from(rows).unwrap_or(i64::MAX))]));
    select(connection, day, &with.text, with.values, |row| {
        Ok((Place { key: row.get(3)?, id: joined(row.get(0)?, row.get(1)?), day }, row.get(2)?))
    })
}

/// How many parts of the day a list has between its places.
pub(super) fn count(
    connection: &Connection,
    day: Day,
    query: &SessionsQuery,
    extent: &Extent,
    compiled: &Compiled,
) -> Result<u64, StoreError> {
    let latest = match query.until {
        // The page ended on this day: most likely its beginning is enough.
        Some(until) if until.day == day && is_usual(query, compiled) => {
            let latest = Latest::of(connection, day, extent, query.after, query.limit)?;
            Some(latest).filter(|latest| latest.reach(until))
        }
        _ => None,
    };
    let ids = latest.map(|latest| latest.ids).unwrap_or_default();
    let statement = match (query.after, query.until) {
        (None, None) => with(query, compiled, extent, &[]).add("SELECT count(*)").add(listed(query, compiled)),
        _ => placed("SELECT count(*)", day, query, extent, compiled, &ids),
    };
    let counts = select(connection, day, &statement.text, statement.values, |row| row.get::<_, u64>(0))?;
    Ok(counts.into_iter().sum())
}

/// What is selected of the parts of the day between the places of a list, with what decides their order as `key`.
fn placed(
    selected: &str,
    day: Day,
    query: &SessionsQuery,
    extent: &Extent,
    compiled: &Compiled,
    ids: &[Id],
) -> Statement {
    let key = key(query.order.by).0;
    let mut placed = with(query, compiled, extent, ids)
        .add(format!("{selected} FROM (SELECT sid_hi, sid_lo, matched, {key}::HUGEINT AS key").as_str())
        .add(listed(query, compiled))
        .add(") WHERE true");
    if let Some(after) = query.after {
        placed = placed.add(" AND ").add(behind(after, query.order.ascending, day));
    }
    if let Some(until) = query.until {
        placed = placed.add(" AND NOT ").add(behind(until, query.order.ascending, day));
    }
    placed
}

/// What decides an order, and the facts that it is made of.
fn key(by: SessionsBy) -> (&'static str, &'static [Fact]) {
    match by {
        SessionsBy::LastSeen => ("last_seen", &[facts::LAST_SEEN]),
        SessionsBy::FirstSeen => ("first_seen", &[facts::FIRST_SEEN]),
        SessionsBy::Requests => ("requests", &[facts::REQUESTS]),
        SessionsBy::Duration => ("(last_seen - first_seen)", &[facts::FIRST_SEEN, facts::LAST_SEEN]),
        SessionsBy::BytesOut => ("bytes_out", &[facts::BYTES_OUT]),
    }
}

/// The relations `s` and, where the filter speaks of requests, `hits`.
fn with(query: &SessionsQuery, compiled: &Compiled, extent: &Extent, ids: &[Id]) -> Statement {
    let scope = scope(query.as_of, None);
    let mut sessions = sessions(compiled, extent, &scope, query.window, ids);
    if !compiled.requests.is_empty() {
        sessions = sessions
            .add(", hits AS (SELECT r.sid_hi, r.sid_lo, count(*) AS matched FROM {day}.requests AS r")
            .add(if compiled.requests_need_session { " JOIN s USING (sid_hi, sid_lo) WHERE " } else { " WHERE " })
            .add(scope)
            .add(within(query.window))
            .add(" AND ")
            .add_joined(compiled.requests.iter().cloned(), " AND ")
            .add(" GROUP BY r.sid_hi, r.sid_lo)");
    }
    sessions.add(" ")
}

/// From where the parts of a list come, and which they are.
fn listed(query: &SessionsQuery, compiled: &Compiled) -> Statement {
    let from = match compiled.requests.is_empty() {
        true => " FROM (SELECT *, in_window AS matched FROM s) AS s WHERE matched > 0",
        false => " FROM s JOIN hits USING (sid_hi, sid_lo) WHERE true",
    };
    let mcp = query.mcp.map(|mcp| Statement::with("s.mcp = ?", [Value::Boolean(mcp)]));
    let conditions = compiled.session.iter().cloned().chain(mcp);
    conditions.fold(Statement::of(from), |done, condition| done.add(" AND ").add(condition))
}

/// What a list narrows its sessions by: the same for all days.
pub(super) fn narrowed<'a>(query: &SessionsQuery, endpoints: &'a Endpoints) -> Compiled<'a> {
    let mut compiled = Compiled::of(query.filter.as_ref(), endpoints);
    if query.mcp.is_some() {
        compiled.need(facts::MCP);
    }
    compiled
}

/// Likewise, with what it is ordered by.
pub(super) fn ordered<'a>(query: &SessionsQuery, endpoints: &'a Endpoints) -> Compiled<'a> {
    let mut compiled = narrowed(query, endpoints);
    key(query.order.by).1.iter().for_each(|fact| compiled.need(*fact));
    compiled
}

/// What stands behind a place.
fn behind(place: Place, ascending: bool, day: Day) -> Statement {
    let (hi, lo) = halves(place.id);
    let sign = if ascending { ">" } else { "<" };
    // The same session may stand in the list again, with its part of a later day.
    let same = if day > place.day { ">=" } else { ">" };
    let key = Value::HugeInt(place.key);
    let ids = [hi, hi, lo].map(Value::UBigInt);
    Statement::with(
        &format!("(key {sign} ? OR (key = ? AND (sid_hi > ? OR (sid_hi = ? AND sid_lo {same} ?))))"),
        [key.clone(), key].into_iter().chain(ids),
    )
}

/// Rows of the state that is looked at, of one session or of all; over `r`.
pub(super) fn scope(as_of: Position, session: Option<Id>) -> Statement {
    let scope = Statement::with("r.pos < ?", [Value::UBigInt(as_of)]);
    match session.map(halves) {
        Some((hi, lo)) => {
            scope.add(Statement::with(" AND r.sid_hi = ? AND r.sid_lo = ?", [hi, lo].map(Value::UBigInt)))
        }
        None => scope,
    }
}

/// `WITH` the relation `s` of some sessions, or of all: their facts, how many of their requests the window
/// leaves, and how many of those in `scope` each count of the filter finds.
pub(super) fn sessions(
    compiled: &Compiled,
    extent: &Extent,
    scope: &Statement,
    window: Window,
    ids: &[Id],
) -> Statement {
    let mut with = Statement::of("WITH ")
        .add(extent.pieces(&compiled.facts, window, compiled.noise, ids))
        .add(", facts AS (SELECT p.sid_hi, p.sid_lo, sum(p.matched)::UBIGINT AS in_window");
    for fact in &compiled.facts {
        with = with.add(format!(", {} AS {}", fact.of_pieces, fact.name).as_str());
    }
    with = with.add(" FROM pieces AS p GROUP BY p.sid_hi, p.sid_lo)");
    let mut columns = String::new();
    let mut joins = String::new();
    for (n, count) in compiled.counts.iter().enumerate() {
        with = with
            .add(format!(", count{n} AS (SELECT r.sid_hi, r.sid_lo, count(*) AS times").as_str())
            .add(" FROM {day}.requests AS r WHERE ")
            .add(scope.clone())
            .add(within(window))
            .add(" AND ")
            .add(count.clone())
            .add(" GROUP BY r.sid_hi, r.sid_lo)");
        columns.push_str(&format!(", coalesce(count{n}.times, 0)::UBIGINT AS n{n}"));
        joins.push_str(&format!(" LEFT JOIN count{n} USING (sid_hi, sid_lo)"));
    }
    with.add(format!(", s AS (SELECT facts.*{columns} FROM facts{joins})").as_str())
}
