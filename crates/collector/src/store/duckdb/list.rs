//! The list of sessions of one day: which parts, in which order, and how many.
//!
//! `s` has one row for each part with the facts that are needed; `hits` counts for each part the
//! requests that window and filter leave.

use duckdb::Connection;
use duckdb::types::Value;

use super::facts::{self, Fact};
use super::filter::Compiled;
use super::found::{Found, Part};
use super::latest::Latest;
use super::pieces::{Extent, among, within};
use super::read::select;
use super::statement::Statement;
use super::{halves, joined, sql};
use crate::endpoints::Endpoints;
use crate::model::{Day, Id};
use crate::store::{Place, Position, SessionsBy, SessionsCount, SessionsOrder, SessionsQuery, StoreError, Window};

/// Finds the parts of the day that may stand on a page.
pub(super) fn find(
    connection: &Connection,
    day: Day,
    query: &SessionsQuery,
    extent: &Extent,
    compiled: &Compiled,
    found: &mut Found,
) -> Result<(), StoreError> {
    if is_usual(query, compiled) {
        let latest = Latest::of(connection, day, extent, query.after, query.limit.saturating_add(1))?;
        if latest.ids.is_empty() {
            return Ok(());
        }
        let mut parts = among_some(connection, day, query, extent, compiled, &latest.ids)?;
        // The part behind the page tells that there is more.
        let shown = parts.iter().enumerate().filter(|(_, (_, matched))| *matched > 0);
        let end = shown.map(|(at, (place, _))| (at, *place)).nth(query.limit);
        if latest.reach(end.map(|(_, place)| place)) {
            parts.truncate(end.map_or(parts.len(), |(at, _)| at + 1));
            found.add(parts);
            return Ok(());
        }
    }
    let selected = Statement::with(sql::FOUND, [Value::Int(day.0)]);
    let mut parts = placed(selected, day, query, extent, compiled, &[]);
    if !compiled.hides {
        let most = Value::BigInt(i64::try_from(query.limit.saturating_add(1)).unwrap_or(i64::MAX));
        parts = parts.add(in_order(query).as_str()).add(Statement::with(" LIMIT ?", [most]));
    }
    found.insert(day, parts)
}

/// Whether it is the list as most ask for it, of which the last seen sessions are known without a look at all.
fn is_usual(query: &SessionsQuery, compiled: &Compiled) -> bool {
    let plain = query.order == SessionsOrder::default() && query.mcp.is_none();
    plain && compiled.requests.is_empty() && compiled.session.is_empty()
}

/// The parts of some sessions, in order.
fn among_some(
    connection: &Connection,
    day: Day,
    query: &SessionsQuery,
    extent: &Extent,
    compiled: &Compiled,
    ids: &[Id],
) -> Result<Vec<Part>, StoreError> {
    let selected = Statement::of("SELECT sid_hi, sid_lo, matched, key");
    let Statement { text, values } = placed(selected, day, query, extent, compiled, ids).add(in_order(query).as_str());
    select(connection, day, &text, values, |row| {
        Ok((Place { key: row.get(3)?, id: joined(row.get(0)?, row.get(1)?), day }, row.get(2)?))
    })
}

fn in_order(query: &SessionsQuery) -> String {
    let direction = if query.order.ascending { "ASC" } else { "DESC" };
    format!(" ORDER BY key {direction}, sid_hi, sid_lo")
}

/// How many parts of the day a list has.
pub(super) fn count(
    connection: &Connection,
    day: Day,
    query: &SessionsQuery,
    extent: &Extent,
    compiled: &Compiled,
) -> Result<SessionsCount, StoreError> {
    let Statement { text, values } = with(query, compiled, extent, &[])
        .add("SELECT count(*) FILTER (matched > 0), count(*) FILTER (matched = 0)")
        .add(listed(query, compiled));
    let counts =
        select(connection, day, &text, values, |row| Ok(SessionsCount { shown: row.get(0)?, hidden: row.get(1)? }))?;
    Ok(counts.into_iter().next().unwrap_or_default())
}

/// What is selected of the parts of the day behind the page before, with what decides their order as `key`.
fn placed(
    selected: Statement,
    day: Day,
    query: &SessionsQuery,
    extent: &Extent,
    compiled: &Compiled,
    ids: &[Id],
) -> Statement {
    let key = key(query.order.by).0;
    let placed = with(query, compiled, extent, ids)
        .add(selected)
        .add(format!(" FROM (SELECT sid_hi, sid_lo, matched, {key}::HUGEINT AS key").as_str())
        .add(listed(query, compiled))
        .add(") WHERE true");
    match query.after {
        Some(after) => placed.add(" AND ").add(behind(after, query.order.ascending, day)),
        None => placed,
    }
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

/// The relations `s` and, where the filter speaks of requests, `hits`. Where those can be found first, only their
/// sessions are looked at.
fn with(query: &SessionsQuery, compiled: &Compiled, extent: &Extent, ids: &[Id]) -> Statement {
    let scope = scope(query.as_of, None);
    let sessions = |of: &Statement| relations(compiled, extent, &scope, query.window, of);
    let matched = if compiled.hides { "count(*) FILTER (NOT coalesce(r.noise, false))" } else { "count(*)" };
    let hits = |join: &str| {
        let start = "hits AS MATERIALIZED (SELECT r.sid_hi, r.sid_lo";
        Statement::of(&format!("{start}, {matched} AS matched FROM {{day}}.requests AS r{join} WHERE "))
            .add(scope.clone())
            .add(within(query.window))
            .add(" AND ")
            .add_joined(compiled.requests.iter().cloned(), " AND ")
            .add(" GROUP BY r.sid_hi, r.sid_lo)")
    };
    let with = Statement::of("WITH ");
    match (compiled.requests.is_empty(), compiled.requests_need_session) {
        (true, _) => with.add(sessions(&among(ids))),
        (false, true) => with.add(sessions(&among(ids))).add(", ").add(hits(sql::WITH_SESSION)),
        (false, false) => with.add(hits("")).add(", ").add(sessions(&Statement::of(OF_HITS))),
    }
    .add(" ")
}

/// And has hits.
const OF_HITS: &str = " AND (sid_hi, sid_lo) IN (SELECT sid_hi, sid_lo FROM hits)";

/// From where the parts of a list come, and which they are.
fn listed(query: &SessionsQuery, compiled: &Compiled) -> Statement {
    let from = match (compiled.requests.is_empty(), compiled.hides) {
        (true, false) => " FROM (SELECT *, in_window AS matched FROM s) AS s WHERE matched > 0",
        (true, true) => " FROM (SELECT *, in_window AS matched FROM s) AS s WHERE there > 0",
        (false, _) => " FROM s JOIN hits USING (sid_hi, sid_lo) WHERE true",
    };
    let mcp = query.mcp.map(|mcp| Statement::with("s.mcp = ?", [Value::Boolean(mcp)]));
    let conditions = compiled.session.iter().cloned().chain(mcp);
    conditions.fold(Statement::of(from), |done, condition| done.add(" AND ").add(condition))
}

/// What a list narrows its sessions by: the same for all days.
pub(super) fn narrowed<'a>(query: &SessionsQuery, endpoints: &'a Endpoints) -> Compiled<'a> {
    let compiled = if query.count_hidden { Compiled::hiding } else { Compiled::of };
    let mut compiled = compiled(query.filter.as_ref(), endpoints);
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

/// `WITH` the relation `s` of the sessions that a condition leaves: their facts, how many of their requests the window
/// leaves, and how many of those in `scope` each count of the filter finds.
pub(super) fn sessions(
    compiled: &Compiled,
    extent: &Extent,
    scope: &Statement,
    window: Window,
    of: &Statement,
) -> Statement {
    Statement::of("WITH ").add(relations(compiled, extent, scope, window, of))
}

fn relations(compiled: &Compiled, extent: &Extent, scope: &Statement, window: Window, of: &Statement) -> Statement {
    let noise = if compiled.hides { Some(false) } else { compiled.noise };
    let mut with = extent.pieces(&compiled.facts, window, noise, of).add(
        ", facts AS (SELECT p.sid_hi, p.sid_lo, sum(p.matched)::UBIGINT AS in_window, sum(p.there)::UBIGINT AS there",
    );
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
