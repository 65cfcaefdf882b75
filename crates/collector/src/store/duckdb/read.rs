//! Queries on one day file.

use std::collections::HashMap;

use duckdb::types::Value;
use duckdb::{Connection, Row, params_from_iter};

use super::engine::failed;
use super::filter::{self, Compiled};
use super::pieces::{Extent, among, within};
use super::statement::Statement;
use super::{facts, halves, joined, list, sql};
use crate::endpoints::{Endpoints, Figures, Shape, ShapeId};
use crate::geo;
use crate::model::{Attack, Day, Graphql, Id, KeyCount, Mcp, Micros, Param, Request, Who};
use crate::store::parts::{self, Named};
use crate::store::{
    Arrival, PAGE_BYTES, Position, RequestPlace, RequestsQuery, SeqRange, StoreError, TailQuery, Window,
};

/// Runs a statement with bound values and reads each row.
pub(super) fn select<T>(
    connection: &Connection,
    day: Day,
    text: &str,
    values: Vec<Value>,
    read: impl FnMut(&Row) -> duckdb::Result<T>,
) -> Result<Vec<T>, StoreError> {
    let run = || -> duckdb::Result<Vec<T>> {
        connection.prepare(&sql::on(day, text))?.query_map(params_from_iter(values), read)?.collect()
    };
    run().map_err(failed(&format!("reading {day}")))
}

fn limit(rows: usize) -> Value {
    Value::BigInt(i64::try_from(rows).unwrap_or(i64::MAX))
}

fn id_values(ids: &[Id]) -> Vec<Value> {
    ids.iter().flat_map(|&id| <[u64; 2]>::from(halves(id))).map(Value::UBigInt).collect()
}

/// The `seq` numbers of a day.
pub(super) fn seqs(connection: &Connection, day: Day) -> Result<Vec<SeqRange>, StoreError> {
    select(connection, day, sql::SEQS, Vec::new(), |row| {
        Ok(SeqRange { instance: row.get::<_, u64>(0)?.to_be_bytes(), first: row.get(1)?, last: row.get(2)? })
    })
}

/// How many requests of a day lie in the log before a position.
pub(super) fn rows_before(connection: &Connection, day: Day, position: Position) -> Result<u64, StoreError> {
    let counts: Vec<u64> = select(connection, day, sql::ROWS_BEFORE, vec![Value::UBigInt(position)], |row| row.get(0))?;
    Ok(counts.into_iter().sum())
}

/// The shapes of a day's rows.
pub(super) fn shapes(connection: &Connection, day: Day) -> Result<Vec<Shape>, StoreError> {
    select(connection, day, sql::SHAPES, Vec::new(), |row| {
        Ok(Shape { method: row.get(0)?, host: row.get(1)?, path: row.get(2)?, learned: row.get(3)? })
    })
}

/// Which of `ids` are there, of those that are told by their id.
pub(super) fn known(connection: &Connection, day: Day, ids: &[Id]) -> Result<Vec<Id>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let text = sql::KNOWN.replace("{ids}", &sql::values(ids.len(), 2));
    select(connection, day, &text, id_values(ids), |row| Ok(joined(row.get(0)?, row.get(1)?)))
}

/// Who some sessions are on the day.
pub(super) fn named(
    connection: &Connection,
    day: Day,
    ids: &[Id],
    extent: &Extent,
) -> Result<HashMap<Id, Named>, StoreError> {
    let pieces = extent.pieces(&[facts::LAST_USER, facts::LAST_ROLE], Window::ALL, None, &among(ids));
    let Statement { text, values } = Statement::of("WITH ").add(pieces).add(sql::NAMED);
    let found = select(connection, day, &text, values, |row| {
        let who = |at: usize| -> duckdb::Result<Option<Who>> {
            let (value, hashed): (Option<String>, Option<bool>) = (row.get(at)?, row.get(at + 1)?);
            Ok(value.zip(hashed).map(|(value, hashed)| Who { value, hashed }))
        };
        Ok((joined(row.get(0)?, row.get(1)?), Named { user: who(2)?, role: who(4)? }))
    })?;
    Ok(found.into_iter().collect())
}

/// Shapes of a stretch whose figures are told.
const SHAPES: usize = 1000;
/// Different values of all of them.
const VALUES: usize = 200_000;

/// What was counted of the shapes of a day's rows from a position to another.
pub(super) fn figures(
    connection: &Connection,
    day: Day,
    from: Position,
    to: Position,
) -> Result<HashMap<ShapeId, Figures>, StoreError> {
    let bound = vec![Value::UBigInt(from), Value::UBigInt(to), limit(SHAPES), limit(VALUES)];
    let found = select(connection, day, &sql::figures(), bound, |row| {
        Ok((ShapeId(row.get(0)?), row.get::<_, i64>(1)?, row.get::<_, u64>(2)?, row.get::<_, u64>(3)?))
    })?;
    // Of the last shape some may be missing.
    let cut = found.last().filter(|_| found.len() == VALUES).map(|last| last.0);
    let mut figures: HashMap<ShapeId, Figures> = HashMap::new();
    for (shape, what, value, times) in found.into_iter().filter(|(shape, ..)| Some(*shape) != cut) {
        let of_shape = figures.entry(shape).or_default();
        match what {
            3 => drop(of_shape.statuses.insert(format!("{value}xx"), times)),
            5 => of_shape.duration_us.add_rounded(value, times),
            _ => of_shape.bytes_out.add_rounded(value, times),
        }
    }
    Ok(figures)
}

/// Requests of a day that are wanted together.
pub(super) struct Rows {
    /// Those that fit, in the order asked for, at least one if any were wanted and there.
    pub(super) found: Vec<(Arrival, Request)>,
    /// Whether there are more.
    pub(super) more: bool,
}

/// The page of a list of requests that lies on the day, of so many rows.
pub(super) fn requests_in_order(
    connection: &Connection,
    day: Day,
    query: &RequestsQuery,
    extent: &Extent,
    rows: usize,
    compiled: &Compiled,
) -> Result<Rows, StoreError> {
    let Some((with, from)) = placed(connection, day, query, extent, compiled)? else {
        return Ok(Rows { found: Vec::new(), more: false });
    };
    let order = if query.descending { sql::BY_TIME_DESCENDING } else { sql::BY_TIME };
    requests(connection, day, with.add(sql::requests(from, order)), rows, query.bytes, compiled.endpoints)
}

/// How many requests of the day a list has between its places.
pub(super) fn count_requests(
    connection: &Connection,
    day: Day,
    query: &RequestsQuery,
    extent: &Extent,
    compiled: &Compiled,
) -> Result<u64, StoreError> {
    let is_plain = compiled.requests.is_empty() && compiled.session.is_empty();
    let Statement { text, values } = if is_plain && query.after.is_none() && query.until.is_none() {
        // Pieces know it.
        let of = among(query.session.as_slice());
        let pieces = extent.pieces(&[], query.window, compiled.noise, &of);
        Statement::of("WITH ").add(pieces).add(" SELECT coalesce(sum(matched), 0)::UBIGINT FROM pieces")
    } else {
        let Some((with, from)) = placed(connection, day, query, extent, compiled)? else { return Ok(0) };
        with.add("SELECT count(*)").add(from)
    };
    Ok(select(connection, day, &text, values, |row| row.get::<_, u64>(0))?.into_iter().sum())
}

/// The requests of the day between the places of a list: what stands before `SELECT`, and from where `r` comes; nothing
/// where the session has none.
fn placed(
    connection: &Connection,
    day: Day,
    query: &RequestsQuery,
    extent: &Extent,
    compiled: &Compiled,
) -> Result<Option<(Statement, Statement)>, StoreError> {
    let scope = list::scope(query.as_of, query.session);
    let mut conditions = scope.clone();
    if let Some(session) = query.session {
        let Some(reach) = extent.reach(connection, day, &[session])? else { return Ok(None) };
        conditions = reach.add(" AND ").add(conditions);
    }
    conditions = conditions.add(within(query.window));
    for condition in compiled.conditions() {
        conditions = conditions.add(" AND ").add(condition);
    }
    for (place, later) in [(query.after, !query.descending), (query.until, query.descending)] {
        let Some(RequestPlace { ts, conn, n, id, arrival: Arrival { pos, ordinal } }) = place else { continue };
        let (hi, lo) = halves(id);
        let ts = Value::BigInt(ts.0);
        let numbers = [conn, conn, n, n, hi, hi, lo, lo, pos, pos].map(Value::UBigInt);
        let text = if later { sql::BY_TIME_AFTER } else { sql::BY_TIME_BEFORE };
        let values = [ts.clone(), ts].into_iter().chain(numbers).chain([Value::UInt(ordinal)]);
        conditions = conditions.add(Statement::with(text, values));
    }
    let (with, join) = match compiled.speaks_of_session() {
        true => (
            list::sessions(compiled, extent, &scope, query.window, &among(query.session.as_slice())),
            sql::WITH_SESSION,
        ),
        false => (Statement::default(), ""),
    };
    Ok(Some((with, sql::from_requests(join, conditions))))
}

/// The request with an id.
pub(super) fn request(
    connection: &Connection,
    day: Day,
    id: Id,
    as_of: Position,
    endpoints: &Endpoints,
) -> Result<Option<Request>, StoreError> {
    let mut values = id_values(&[id]);
    values.push(Value::UBigInt(as_of));
    let wanted = sql::requests(sql::from_requests("", Statement::with(sql::WITH_ID, values)), "pos, ordinal");
    let rows = requests(connection, day, wanted, 1, PAGE_BYTES, endpoints)?;
    Ok(rows.found.into_iter().next().map(|(_, request)| request))
}

/// What a tail query wants of each day, in a state.
pub(super) fn arrived(query: &TailQuery, as_of: Position, endpoints: &Endpoints) -> Statement {
    let mut wanted = Statement::with(sql::ARRIVED, [Value::UBigInt(as_of)]);
    if let Some(Arrival { pos, ordinal }) = query.after {
        let after = [Value::UBigInt(pos), Value::UBigInt(pos), Value::UInt(ordinal)];
        wanted = wanted.add(Statement::with(sql::ARRIVED_AFTER, after));
    }
    match &query.filter {
        Some(filter) => wanted.add(" AND ").add(filter::of_requests_alone(filter, endpoints)),
        None => wanted,
    }
}

/// What of it there is on the day: the first behind an arrival, or the last ones, the last first.
pub(super) fn tail(
    connection: &Connection,
    day: Day,
    query: &TailQuery,
    wanted: &Statement,
    endpoints: &Endpoints,
) -> Result<Rows, StoreError> {
    let order = if query.after.is_some() { "pos, ordinal" } else { "pos DESC, ordinal DESC" };
    let whole = sql::requests(sql::from_requests("", wanted.clone()), order);
    requests(connection, day, whole, query.limit, query.bytes, endpoints)
}

/// How much of it there is on the day, at most so many.
pub(super) fn behind(connection: &Connection, day: Day, wanted: &Statement, most: usize) -> Result<usize, StoreError> {
    let Statement { text, values } = sql::at_most(wanted.clone()).add(Statement::with("", [limit(most)]));
    let counts = select(connection, day, &text, values, |row| row.get::<_, u64>(0))?;
    Ok(counts.into_iter().sum::<u64>() as usize)
}

fn requests(
    connection: &Connection,
    day: Day,
    statement: Statement,
    rows: usize,
    bytes: u64,
    endpoints: &Endpoints,
) -> Result<Rows, StoreError> {
    let bounds = [limit(rows.saturating_add(1)), Value::UBigInt(bytes)];
    let Statement { text, values } = statement.add(Statement::with("", bounds));
    let mut there = 0;
    let mut found = select(connection, day, &text, values, |row| {
        there = row.get::<_, u64>(37)?;
        read_request(row, endpoints)
    })?;
    found.truncate(rows);
    let (params, attacks) = loop {
        match (params(connection, day, &found, bytes)?, attacks(connection, day, &found, bytes)?) {
            (Some(params), Some(attacks)) => break (params, attacks),
            _ => found.truncate(found.len().div_ceil(2)),
        }
    };
    let more = there > found.len() as u64;
    let mut places: HashMap<Arrival, &mut Request> =
        found.iter_mut().map(|(arrival, request)| (*arrival, request)).collect();
    for (arrival, param) in params {
        if let Some(request) = places.get_mut(&arrival) {
            request.params.push(param);
        }
    }
    for (arrival, attack) in attacks {
        if let Some(request) = places.get_mut(&arrival) {
            request.attacks.push(attack);
        }
    }
    Ok(Rows { found, more })
}

fn params(
    connection: &Connection,
    day: Day,
    of: &[(Arrival, Request)],
    bytes: u64,
) -> Result<Option<Vec<(Arrival, Param)>>, StoreError> {
    details(connection, day, sql::PARAMS, of, bytes, |row| {
        Ok(Param { source: row.get(2)?, name: row.get(3)?, kind: row.get(4)?, value: row.get(5)?, hashed: row.get(6)? })
    })
}

fn attacks(
    connection: &Connection,
    day: Day,
    of: &[(Arrival, Request)],
    bytes: u64,
) -> Result<Option<Vec<(Arrival, Attack)>>, StoreError> {
    details(connection, day, sql::ATTACKS, of, bytes, |row| {
        Ok(Attack {
            kind: row.get(2)?,
            point: row.get(3)?,
            payload: row.get(4)?,
            engine: row.get(5)?,
            blocked: row.get(6)?,
        })
    })
}

/// What a table beside `requests` holds of some; `None` when that is more than so many bytes, and of several.
fn details<T>(
    connection: &Connection,
    day: Day,
    text: &str,
    of: &[(Arrival, Request)],
    bytes: u64,
    read: impl Fn(&Row) -> duckdb::Result<T>,
) -> Result<Option<Vec<(Arrival, T)>>, StoreError> {
    if of.is_empty() {
        return Ok(Some(Vec::new()));
    }
    // One request is told whole: what may come as one bounds it.
    let bytes = if of.len() == 1 { u64::MAX } else { bytes };
    let text = text.replace("{arrivals}", &sql::numbers(&["pos", "ordinal"]));
    let positions = sql::column(of.iter().map(|(arrival, _)| arrival.pos));
    let ordinals = sql::column(of.iter().map(|(arrival, _)| arrival.ordinal.into()));
    let bound = vec![positions, ordinals, Value::UBigInt(bytes)];
    let mut all = 0;
    let found = select(connection, day, &text, bound, |row| {
        all = row.get::<_, u64>(8)?;
        Ok((Arrival { pos: row.get(0)?, ordinal: row.get(1)? }, read(row)?))
    })?;
    Ok(Some(found).filter(|_| all <= bytes))
}

/// A grouping key, in four columns.
pub(super) fn key(row: &Row, at: usize) -> duckdb::Result<KeyCount> {
    Ok(KeyCount {
        source: row.get(at)?,
        name: row.get(at + 1)?,
        value: row.get(at + 2)?,
        hashed: row.get(at + 3)?,
        requests: None,
    })
}

/// Reads the columns that [`sql::requests`] selects.
fn read_request(row: &Row, endpoints: &Endpoints) -> duckdb::Result<(Arrival, Request)> {
    let mcp = match row.get::<_, Option<String>>(27)? {
        None => None,
        Some(method) => Some(Mcp {
            method,
            primitive: row.get::<_, Option<String>>(28)?.unwrap_or_default(),
            arguments: row.get(29)?,
            error: row.get(30)?,
        }),
    };
    let gql = match row.get::<_, Option<String>>(31)? {
        None => None,
        Some(kind) => Some(Graphql { kind, operation: row.get::<_, Option<String>>(32)?.unwrap_or_default() }),
    };
    let mut request = Request {
        ts: Micros(row.get(2)?),
        session_id: joined(row.get(3)?, row.get(4)?),
        id: joined(row.get(5)?, row.get(6)?),
        conn: row.get(7)?,
        n: row.get(8)?,
        node: row.get(9)?,
        application: row.get(10)?,
        host: row.get(11)?,
        method: row.get(12)?,
        scheme: row.get(13)?,
        path: row.get(14)?,
        proto: row.get(15)?,
        status: row.get(16)?,
        duration_us: row.get(17)?,
        upstream_us: row.get(18)?,
        bytes_in: row.get(19)?,
        bytes_out: row.get(20)?,
        ip: row.get(21)?,
        user_agent: row.get(22)?,
        key: key(row, 23)?,
        mcp,
        gql,
        country: row.get(34)?,
        network: row.get(35)?,
        noise: row.get::<_, Option<bool>>(36)?.unwrap_or_default(),
        ..Request::default()
    };
    request.network_label = request.network.as_deref().and_then(geo::label);
    request.endpoint = parts::endpoint(endpoints, row.get::<_, Option<u64>>(33)?.map(ShapeId), &request);
    Ok((Arrival { pos: row.get(0)?, ordinal: row.get(1)? }, request))
}
